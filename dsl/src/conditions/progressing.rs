//! `progressing`

use std::time::Duration;

use super::{ConditionWord, Judgeable, Shows};
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::{ClientKind, Ground, KnownClient, Liveness};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Acks, Clients, Spread, duration_text};

args! {
    /// Since this step began, on every partition of the client's topics at least one message was acknowledged (for
    /// a consumer: delivered) that was sent (for a consumer: appended) after the step began. If consumers of one
    /// group share the partitions, those assigned to the client count.
    ///
    /// A service with `from` and `to` is judged on the partitions of `from`: a message counts as delivered when the
    /// first message that is derived from it is in `to`.
    ///
    /// Messages from before the step prove nothing. The condition is inconclusive if nothing was sent, or if less
    /// time has passed than an answer may take.
    ///
    /// In `always` and in `assert` with `for`, every moment is judged by the time `within` before it: in this time,
    /// on every partition on which messages were sent, at least one message must have been acknowledged
    /// (delivered). The first such time begins when the client begins to send. A client that the plan stopped,
    /// killed or paused is not judged during that time.
    #[example("progressing: [P, C]")]
    #[example("progressing: { client: P, partitions: any }")]
    pub struct Progressing("progressing") short "client" {
        /// The client or clients.
        client: Clients,
        /// Whether `every` partition must make progress, or `any` (at least one).
        partitions: Spread = "every",
        /// How long an answer may take in `always` and in `assert` with `for`; 10s if it is not set. In other
        /// steps, set the time limit on the step.
        within: Option<Spanned<Duration>>,
    }
}

/// How long an answer may take if `within` is not set.
const WITHIN: Duration = Duration::from_secs(10);

impl Progressing {
    /// How long an answer may take.
    pub fn patience(&self) -> Duration {
        self.within.as_deref().copied().unwrap_or(WITHIN)
    }
}

impl ConditionWord for Progressing {
    const FACTS: ConditionFacts = ConditionFacts {
        needs_quorum: true,
        needs_answers: true,
        weighs: Weighs::Arguments(&[
            ("client", ArgumentWeighs::Elements),
            ("partitions", ArgumentWeighs::Spread),
        ]),
        ..ConditionFacts::NONE
    };

    fn explain(&self) -> String {
        let verb = if self.client.len() == 1 { "makes" } else { "make" };
        let at_least = match self.partitions {
            Spread::Every => "",
            Spread::Any => " on at least one partition",
        };
        let within = self.within.as_deref();
        let within = within.map(|w| format!(" within every {}", duration_text(*w)));
        format!("{} {verb} progress{at_least}{}", self.client, within.unwrap_or_default())
    }

    fn judged(&self) -> Judgeable {
        Judgeable::Plain
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        reader.must_last("within", self.within.as_ref(), None);
    }

    fn only_throughout(&self) -> Option<Diagnostic> {
        let within = self.within.as_ref()?;
        let message =
            "`within` of `progressing` is allowed only in `always` and in `assert` with `for`";
        let help = "set the time on the step instead: \
                    `wait: { until: [progressing: P], within: 30s }`";
        Some(Diagnostic::new(Code::E016, within.span, message).help(help))
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        for name in self.client.iter() {
            ground.must_run(name.client.as_str(), "make progress", name.span);
            must_be_fed(name.client.as_str(), name.span, ground);
            must_be_taken(name.client.as_str(), self.partitions, name.span, ground);
        }
        let cluster = ground.state.cluster.as_ref();
        let down = |l: Liveness| matches!(l, Liveness::Down | Liveness::Stopped | Liveness::Paused);
        if cluster.is_some_and(|c| c.count(down) == c.brokers) {
            ground.impossible(span, "every broker is down here, so no client can make progress");
        }
    }

    fn shows(&self, _: &Ground<'_>) -> Shows {
        Shows::Work
    }
}

/// No message of a client is acknowledged if its topic is deleted, or if its topic needs more in-sync replicas than
/// brokers live. Where a topic has fewer replicas than the cluster has brokers, some partitions may have enough.
fn must_be_taken(client: &str, spread: Spread, span: Span, ground: &mut Ground<'_>) {
    let Some(sender) = ground.state.clients.get(client).filter(|c| c.kind.sends()) else { return };
    let known: Vec<_> =
        sender.topics.iter().map(|topic| (topic, ground.state.topics.get(topic))).collect();
    let gone = known.iter().find(|(_, known)| known.is_some_and(|topic| topic.gone));
    if let Some((topic, _)) = gone.filter(|_| spread == Spread::Every && !ground.in_finally) {
        let message = format!(
            "topic `{topic}` is deleted by an earlier step, so `{client}` cannot make progress"
        );
        return ground.impossible(span, message);
    }
    let Some(cluster) = ground.state.cluster.as_ref().filter(|_| !ground.state.external) else {
        return;
    };
    let down =
        cluster.count(|l| matches!(l, Liveness::Down | Liveness::Stopped | Liveness::Paused));
    let alive = cluster.brokers - down;
    let leaderless = known.iter().find(|(_, topic)| {
        topic.is_some_and(|topic| {
            topic.replicas == 1 && topic.assignment.is_none() && topic.partitions >= cluster.brokers
        })
    });
    if let Some((topic, _)) = leaderless.filter(|_| down > 0 && spread == Spread::Every) {
        let message = format!(
            "topic `{topic}` has one replica of each partition, so those of a broker that is down have no leader here"
        );
        return ground.impossible(span, message);
    }
    let starved = known.iter().find_map(|(name, topic)| {
        let topic = topic.filter(|topic| topic.replicas == cluster.brokers)?;
        topic.min_in_sync.filter(|least| *least > alive && down > 0).map(|least| (*name, least))
    });
    let Some((topic, least)) = starved.filter(|_| sender.acks == Acks::All) else { return };
    let message = format!(
        "topic `{topic}` needs {least} in-sync replicas (min.insync.replicas), and {alive} of {} live \
         here, so `{client}` gets no acknowledgement",
        crate::words::count(cluster.brokers.into(), "broker")
    );
    ground.impossible(span, message);
}

/// A client receives nothing new while no producer sends to its topics.
fn must_be_fed(client: &str, span: Span, ground: &mut Ground<'_>) {
    let Some(consumer) = ground.state.clients.get(client) else { return };
    let (what, read) = match (consumer.kind, &consumer.from) {
        (ClientKind::Consumer, _) => ("consumer", consumer.topics.as_slice()),
        (ClientKind::Copier, Some(from)) => ("copier", std::slice::from_ref(from)),
        (ClientKind::Service, Some(from)) => ("service", std::slice::from_ref(from)),
        _ => return,
    };
    if ground.state.clients_unknown {
        return;
    }
    let feeds = |c: &KnownClient| {
        c.kind.sends()
            && matches!(c.life, Liveness::Up | Liveness::Maybe)
            && c.topics.iter().any(|t| read.contains(t))
    };
    if ground.state.clients.values().any(feeds) {
        return;
    }
    let Some(topic) = read.iter().find(|topic| ground.ever.external.contains(topic.as_str()))
    else {
        let message = format!("no producer sends to the topics of {what} `{client}` here");
        return ground.impossible(span, message);
    };
    let message = format!(
        "`progressing` cannot be judged for {what} `{client}`: only programs outside the plan send to `{topic}`, and \
         kplan does not know when they do"
    );
    let help = format!(
        "send to `{topic}` with a producer of the plan as well, or judge the `lag` of its group"
    );
    ground.report(Diagnostic::new(Code::E063, span, message).help(help));
}
