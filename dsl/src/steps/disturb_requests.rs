//! `disturb_requests`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneChange, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Clients, Disturbance, KafkaApi, KafkaApis, Percent, Target, TopicName};
use crate::words::list;

args! {
    /// Changes for a time what becomes of requests that the plan's clients and services send to brokers.
    ///
    /// In a plan with this step, kplan puts a proxy that understands Kafka's protocol in front of each broker, and all
    /// clients and services of the plan connect to it: the addresses of brokers in answers are replaced by the
    /// proxy's. kplan's own requests, those of `produce`, `consume` and `run`, and those between brokers do not pass
    /// it.
    ///
    /// With `how: { error: NOT_LEADER_OR_FOLLOWER }` the proxy answers with this error for every topic and partition of
    /// the request, and the broker does not get it. There are two exceptions. A `Produce` request is carried out before
    /// it is answered with `NOT_ENOUGH_REPLICAS_AFTER_APPEND` or `REQUEST_TIMED_OUT`, as a broker does. The answer to
    /// `Metadata` is the broker's, with the error at each topic.
    ///
    /// With `{ delay: 2s }` the broker gets the request at once, and its answer arrives later. Answers of a connection
    /// keep their order, so those behind it wait too. With `{ throttle: 5s }` the answer demands that the client waits
    /// for that time (KIP-219); whether it does is a property of the client.
    ///
    /// With `drop_answer` the broker carries the request out, and its answer and every later answer of that connection
    /// do not arrive. The connection is closed when the step ends, if the client did not close it before. With
    /// `duplicate` the broker gets the request twice, and the client gets the first answer. With `disconnect` the broker
    /// does not get the request, and the connection is closed.
    ///
    /// If several of these steps apply to a request, the one that began last decides. Requests that await no answer
    /// (`acks: 0`) can only be duplicated or dropped. Fetch sessions (KIP-227) are not used through the proxy. A note
    /// says how many requests the step met and how many it disturbed. If it disturbed none, it is inconclusive, because
    /// nothing was tried. It needs Kafka 0.11 or newer, and connections without TLS.
    #[example("disturb_requests: { api: Produce, how: { error: NOT_ENOUGH_REPLICAS }, share: 10%, for: 30s }")]
    #[example("disturb_requests: { broker: 2, api: [Fetch, Produce], client: C, how: { delay: 2s }, for: 10s }")]
    #[example("disturb_requests: { api: OffsetCommit, client: invoicing, how: drop_answer, for: 20s }")]
    pub struct DisturbRequests("disturb_requests") {
        /// The requests to this broker or these brokers; without it, to any broker.
        #[weighs(Elements)]
        broker: Option<Spanned<Target>>,
        /// The kinds of requests, by their names in Kafka's protocol.
        #[weighs(Elements)]
        api: KafkaApis,
        /// The requests of these clients or services; without it, of all. An instance or a member is meant with its
        /// whole client.
        #[weighs(Elements)]
        client: Option<Spanned<Clients>>,
        /// Only requests that name this topic. For `Produce`, `Fetch`, `ListOffsets`, `Metadata` and `OffsetCommit`.
        topic: Option<Spanned<TopicName>>,
        /// The share of these requests; the run's seed chooses them.
        #[weighs(MoreIsStronger(None))]
        share: Spanned<Percent> = "100%",
        /// What is done to them.
        how: Disturbance,
        ..lasting: Lasting,
    }
}

impl StepWord for DisturbRequests {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Requests,
        undo: Undo::After("leave requests alone again"),
        in_chaos: true,
        lane: Some(LaneMark::Disturbed),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let share = match self.share.0 < 100.0 {
            true => format!("{} of the ", self.share),
            false => String::new(),
        };
        let of = self.client.as_ref().map(|clients| format!(" of {}", clients.value));
        let to = self.broker.as_ref().map(|broker| format!(" to {broker}"));
        let about = self.topic.as_ref().map(|topic| format!(" about {}", topic.value));
        let which: String = [of, to, about].into_iter().flatten().collect();
        let apis = list(&self.api);
        format!("Disturb {share}{apis} requests{which}: they {}", self.how.in_words())
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if !self.lasting.passes() {
            let message = "`disturb_requests` needs `for` or `during`";
            let help = "what it did to requests is reported when it ends";
            reader.push(Diagnostic::new(Code::E016, span, message).help(help));
        }
        if let Some(broker) = &self.broker {
            only_brokers(broker, reader);
        }
        let silent = |api: &&Spanned<KafkaApi>| !api.names_topics();
        if let Some(topic) = &self.topic
            && let Some(api) = self.api.iter().find(silent)
        {
            let message =
                format!("a request `{}` names no topic, so `topic` cannot choose it", **api);
            let wrong = Diagnostic::new(Code::E016, api.span, message);
            reader.push(wrong.related(topic.span, "the topic"));
        }
        if self.share.0 <= 0.0 {
            let message = "a share of 0% disturbs nothing";
            reader.push(Diagnostic::new(Code::E015, self.share.span, message));
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::Requests)]
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        if let Some(broker) = &self.broker {
            ground.target(broker);
        }
        for client in self.client.iter().flat_map(|clients| clients.iter()) {
            ground.client(client, true);
        }
        ground.needs_kafka(at.key, "have its requests disturbed", "0.11");
        if ground.state.cluster.as_ref().is_some_and(|cluster| cluster.encrypted) {
            let message = "requests of an encrypted cluster cannot be disturbed";
            let help = "use `security` with `protocol: SASL_PLAINTEXT`, or none";
            ground.report(Diagnostic::new(Code::E016, at.key, message).help(help));
        }
    }

    fn lanes(&self) -> Vec<LaneChange> {
        match (&self.client, &self.broker) {
            (Some(clients), _) => {
                vec![LaneChange::Clients(clients.value.clone(), LaneMark::Disturbed)]
            }
            (None, Some(broker)) => {
                vec![LaneChange::Nodes(broker.value.clone(), LaneMark::Disturbed)]
            }
            (None, None) => vec![LaneChange::AllClients(LaneMark::Disturbed)],
        }
    }
}

/// Reports nodes to which no client sends requests.
fn only_brokers(target: &Spanned<Target>, reader: &mut Reader) {
    match &target.value {
        Target::Several(all) => all.iter().for_each(|one| only_brokers(one, reader)),
        Target::AnyOf(inner) => only_brokers(inner, reader),
        Target::Controllers | Target::Zookeeper | Target::Dedicated(_) => {
            let message = format!("clients send requests to brokers only, not to {target}");
            reader.push(Diagnostic::new(Code::E016, target.span, message));
        }
        _ => {}
    }
}
