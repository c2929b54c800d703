//! `start_copier`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, LaneChange, LaneOf, StepFacts};
use crate::ground::{ClientKind, Ever, Ground, KnownClient, Liveness, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Acks, ClientName, GroupName, Isolation, Settings, TopicName, UserName};
use crate::words::{self, Sentence};

args! {
    /// Starts a copier: a process that reads one topic and writes a copy of each message into another,
    /// exactly once.
    ///
    /// The copier sends the copies in transactions that also commit the position of its group (Kafka 0.11 and
    /// newer). A copy contains the identity of its original, so that `uncopied` and `overcopied` can find messages
    /// without a copy and messages with too many copies. A message of partition `p` is copied to partition `p` of
    /// the output; if the output has fewer partitions, counting starts again at its first partition. Copiers of the
    /// same group share the partitions. The step waits until the partitions are assigned to the group.
    #[example("start_copier: { name: X, from: orders, to: copies }")]
    #[example("start_copier: { name: X, from: orders, to: copies, group: copying, messages: 20 }")]
    pub struct StartCopier("start_copier") {
        /// The client's name in the plan.
        name: Spanned<ClientName>,
        /// The topic to read.
        from: Spanned<TopicName>,
        /// The topic to which the copies are written.
        to: Spanned<TopicName>,
        /// The consumer group; `kplan-NAME` if it is not set.
        group: Option<Spanned<GroupName>>,
        /// The greatest number of messages in one transaction. A transaction that is older than 100ms is committed
        /// with fewer.
        messages: Spanned<u32> = "100",
        /// Which messages of transactions are copied; exactly-once copying needs `read_committed`.
        isolation: Isolation = "read_committed",
        /// The user that the client logs in as: one of the cluster's `security` users.
        user: Option<Spanned<UserName>>,
        /// Settings of librdkafka, for the copier's consumer and producer.
        config: Settings,
    }
}

impl StartCopier {
    /// The consumer group.
    pub fn group_name(&self) -> String {
        match &self.group {
            Some(group) => group.to_string(),
            None => format!("kplan-{}", self.name),
        }
    }
}

impl StepWord for StartCopier {
    const FACTS: StepFacts = StepFacts { blurs: Blurs::Clients, ..StepFacts::of(Kind::Traffic) };

    fn explain(&self) -> String {
        let (name, from, to) = (&self.name, &self.from, &self.to);
        format!("Start copier {name}: group {} copies topic {from} to {to}", self.group_name())
    }

    fn in_full(&self) -> Sentence {
        let most = words::count(self.messages.value.into(), "message");
        let mut text = format!(
            "{}, each message exactly once, in transactions of at most {most}",
            self.explain()
        );
        if self.isolation == Isolation::ReadUncommitted {
            text.push_str("; it copies uncommitted messages too");
        }
        Sentence::from(words::joined(text, "; ", &self.config.shown(), ""))
    }

    fn lanes(&self) -> Vec<LaneChange> {
        vec![LaneChange::Begins(LaneOf::client("copier", &self.name))]
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if self.messages.value == 0 {
            let message = "`messages` must be at least 1";
            reader.push(Diagnostic::new(Code::E015, self.messages.span, message));
        }
        if self.from.as_str() == self.to.as_str() {
            let message = format!(
                "`from` and `to` are both `{}`: copying a topic into itself would never end",
                self.from.value
            );
            let help = "write another topic as `to`";
            reader.push(Diagnostic::new(Code::E016, self.to.span, message).help(help));
        }
        let said = [
            ("group.id", "write `group:` beside `from:` instead"),
            ("isolation.level", "write `isolation:` beside `from:` instead"),
            ("transactional.id", "kplan gives each copier its own, the same after every restart"),
            ("enable.idempotence", "a transactional producer is always idempotent"),
            ("enable.auto.commit", "the copier commits its position in its transactions"),
            ("acks", "transactions need `acks: all`"),
            ("request.required.acks", "transactions need `acks: all`"),
        ];
        self.config.check_client(&said, reader);
    }

    fn needs(&self) -> Vec<Need> {
        let mut needs = vec![Need::word(Capability::Transactions)];
        needs.extend(self.user.as_ref().map(|u| Need::argument(Capability::Security, u.span)));
        needs
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.new_client(&self.name);
        for topic in [&self.from, &self.to] {
            ground.topic(topic, false);
        }
        ground.user(self.user.as_ref());
        if let Some(version) = ground.version().filter(|v| !v.has_transactions()) {
            let message = format!("Kafka {version} has no transactions");
            let help = "use version 0.11 or newer";
            ground.report(Diagnostic::new(Code::E071, self.name.span, message).help(help));
        }
        let client = KnownClient {
            kind: ClientKind::Copier,
            life: Liveness::Up,
            members: 1,
            topics: vec![self.to.to_string()],
            from: Some(self.from.to_string()),
            group: Some(self.group_name()),
            published: None,
            acks: Acks::All,
            commits: true,
            transactional: true,
            ends: false,
            most: None,
            waits: false,
            program: None,
            sends_text: false,
            span: self.name.span,
        };
        ground.add_client(&self.name, client);
    }

    fn makes<'p>(&'p self, _: StepAt<'p>, ever: &mut Ever<'p>) {
        ever.clients.insert(self.name.as_str());
        ever.groups.insert(self.group_name());
    }
}
