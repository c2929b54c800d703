//! `start_consumer`

use super::{StepWord, other_clients};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, LaneChange, LaneOf, Leaves, StepFacts};
use crate::ground::{ClientKind, Ever, Ground, KnownClient, Liveness, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{
    Acks, ChosenClient, ClientName, CommitMode, GroupName, GroupProtocol, Isolation, OffsetReset,
    Settings, StaticMembers, Topics, UserName,
};
use crate::words::{self, Sentence};

args! {
    /// Starts a consumer, one process for each member, which reads in the background from then on.
    ///
    /// The step waits until the partitions are assigned to the group and the start positions are known.
    #[example("start_consumer: { name: C, topics: [orders], group: readers }")]
    #[example("start_consumer: { name: C, topics: [orders], members: 3, commit: sync }")]
    #[example("start_consumer: { name: C, topics: [orders], members: 3, static: true }")]
    #[example("start_consumer: { name: C, topics: [orders], members: 2, static: [till-1, till-2] }")]
    #[example("start_consumer: { name: C, topics: [orders], members: 3, protocol: consumer }")]
    pub struct StartConsumer("start_consumer") {
        /// The client's name in the plan; its members are `C/1`, `C/2` and so on.
        name: Spanned<ClientName>,
        /// The topic or topics to read.
        topics: Topics,
        /// The consumer group; `kplan-NAME` if it is not set.
        group: Option<Spanned<GroupName>>,
        /// Where reading begins in a partition without a committed offset: `earliest` or `latest`.
        from: OffsetReset = "earliest",
        /// How offsets are committed: `auto` (in the background), `sync` (after each batch) or `none`.
        commit: CommitMode = "auto",
        /// Which messages of transactions are delivered: `read_committed` or `read_uncommitted`.
        isolation: Isolation = "read_committed",
        /// The number of members, each a separate process.
        members: Spanned<u32> = "1",
        /// Whether the members are static (Kafka 2.3 and newer). A static member keeps its partitions while it is
        /// away for less than its `session.timeout.ms`, and does not leave the group when it is stopped. A name, or
        /// a list with the name of each member, sets `group.instance.id`: of two members with the same one in a
        /// group, Kafka fences the earlier.
        fixed as "static": Spanned<StaticMembers> = "false",
        /// The protocol of the group: with `consumer` (Kafka 4.0 and newer, KIP-848) the group coordinator decides
        /// on the assignment, and the broker's `group.consumer.session.timeout.ms` replaces `session.timeout.ms`.
        protocol: Spanned<GroupProtocol> = "classic",
        /// The client that reads: a name of the plan's `clients`, or `librdkafka`, kplan's own client.
        client: Spanned<ChosenClient> = "librdkafka",
        /// The user that the client logs in as: one of the cluster's `security` users.
        user: Option<Spanned<UserName>>,
        /// Settings of the client's library: librdkafka, unless `client` names another.
        config: Settings,
    }
}

/// The greatest number of members in a plan. Each member is a process.
const MOST_MEMBERS: u32 = 50;

impl StartConsumer {
    /// The consumer group.
    pub fn group_name(&self) -> String {
        match &self.group {
            Some(group) => group.to_string(),
            None => format!("kplan-{}", self.name),
        }
    }

    /// Reports names of static members that do not fit.
    fn check_names(&self, reader: &mut Reader) {
        let names = self.fixed.names();
        if !names.is_empty() && names.len() != self.members.value as usize {
            let message = format!(
                "{} for {}",
                words::count(names.len() as u64, "static name"),
                words::count(self.members.value.into(), "member")
            );
            let help = format!("give each member one name, or write `members: {}`", names.len());
            reader.push(Diagnostic::new(Code::E015, self.fixed.span, message).help(help));
        }
        for (at, name) in names.iter().enumerate() {
            if names[..at].iter().any(|earlier| earlier.value == name.value) {
                let message = format!("two members have the static name `{}`", name.value);
                let help = "Kafka would fence one of them; to try that, start two consumers of one `group`";
                reader.push(Diagnostic::new(Code::E055, name.span, message).help(help));
            }
        }
    }

    /// True if it reads only what is sent after its start, and nothing sends to its topics then.
    fn begins_after_all(&self, ground: &Ground<'_>) -> bool {
        let group = self.group_name();
        let first = ground.state.clients.values().all(|c| c.group.as_ref() != Some(&group));
        self.from == OffsetReset::Latest
            && first
            && !ground.is_sent_to(|topic| self.topics.iter().any(|own| own.as_str() == topic))
    }

    /// Reports what the cluster's version of Kafka does not have.
    fn fits_version(&self, ground: &mut Ground<'_>) {
        let fixed = self.fixed.are_static().then_some((self.fixed.span, "static members", [2, 3]));
        let newer = self.protocol.value == GroupProtocol::Consumer;
        let newer = newer.then_some((self.protocol.span, "group protocol `consumer`", [4, 0]));
        for (span, what, since) in fixed.into_iter().chain(newer) {
            if let Some(version) = ground.version().filter(|v| v.before(&since)) {
                let message = format!("Kafka {version} has no {what}");
                let help = format!("use version {}.{} or newer", since[0], since[1]);
                ground.report(Diagnostic::new(Code::E071, span, message).help(help));
            }
        }
    }
}

impl StepWord for StartConsumer {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Clients,
        ..StepFacts::of(Kind::Traffic)
    };

    fn explain(&self) -> String {
        let members = match self.members.value {
            1 if !self.fixed.are_static() => String::new(),
            n => format!(" with {}", words::count(n.into(), "member")),
        };
        let members = if self.fixed.are_static() {
            members.replace(" with", " with static")
        } else {
            members
        };
        let topic = if self.topics.len() == 1 { "topic" } else { "topics" };
        let (name, topics) = (&self.name, &self.topics);
        format!(
            "Start consumer {name}{members}: group {} reads {topic} {topics}",
            self.group_name()
        )
    }

    fn in_full(&self) -> Sentence {
        let members = match self.members.value {
            1 => String::new(),
            n => format!(" with {}", words::count(n.into(), "member")),
        };
        let topic = if self.topics.len() == 1 { "topic" } else { "topics" };
        let from = match self.from {
            OffsetReset::Earliest => "from the log's start",
            OffsetReset::Latest => "from the log's end",
        };
        let mut more = Vec::new();
        match self.commit {
            CommitMode::Auto => {}
            CommitMode::Sync => more.push("commits after each batch".to_owned()),
            CommitMode::None => more.push("never commits".to_owned()),
        }
        if self.fixed.are_static() {
            more.push("keeps the partitions of members that are away for a short time".to_owned());
        }
        if !self.fixed.names().is_empty() {
            more.push(format!("names its static members {}", words::list(self.fixed.names())));
        }
        if self.protocol.value == GroupProtocol::Consumer {
            more.push("uses the group protocol `consumer`".to_owned());
        }
        if self.isolation == Isolation::ReadUncommitted {
            more.push("reads uncommitted messages too".to_owned());
        }
        more.extend(self.client.shown().map(|client| format!("is {client}")));
        more.extend(self.config.shown());
        let (name, topics, group) = (&self.name, &self.topics, self.group_name());
        let text =
            format!("Start consumer {name}{members}: group {group} reads {topic} {topics} {from}");
        Sentence::from(words::joined(text, "; it ", &more, ""))
    }

    fn lanes(&self) -> Vec<LaneChange> {
        let lane = |member| {
            let name = self.name.to_string();
            LaneChange::Begins(LaneOf::Client { kind: "consumer", name, member })
        };
        match self.members.value {
            1 => vec![lane(None)],
            n => (1..=n).map(|member| lane(Some(member))).collect(),
        }
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if !(1..=MOST_MEMBERS).contains(&self.members.value) {
            let message =
                format!("{} members: between 1 and {MOST_MEMBERS} are possible", self.members);
            reader.push(Diagnostic::new(Code::E015, self.members.span, message));
        }
        self.check_names(reader);
        if self.client.program.is_some() {
            return other_clients::check_consumer(self, reader);
        }
        let said = [
            ("group.instance.id", "write `static:` beside `topics:` instead"),
            ("group.id", "write `group:` beside `topics:` instead"),
            ("group.protocol", "write `protocol:` beside `topics:` instead"),
            ("auto.offset.reset", "write `from:` beside `topics:` instead"),
            ("isolation.level", "write `isolation:` beside `topics:` instead"),
            ("enable.auto.commit", "write `commit:` beside `topics:` instead"),
        ];
        self.config.check_client(&said, reader);
    }

    fn needs(&self) -> Vec<Need> {
        let user = self.user.as_ref();
        user.map(|u| Need::argument(Capability::Security, u.span)).into_iter().collect()
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.new_client(&self.name);
        for topic in self.topics.iter() {
            ground.topic(topic, false);
        }
        ground.user(self.user.as_ref());
        self.fits_version(ground);
        let client = KnownClient {
            kind: ClientKind::Consumer,
            life: Liveness::Up,
            members: self.members.value,
            topics: self.topics.iter().map(ToString::to_string).collect(),
            from: None,
            group: Some(self.group_name()),
            published: None,
            acks: Acks::All,
            commits: self.commit != CommitMode::None,
            transactional: false,
            ends: false,
            most: None,
            waits: self.begins_after_all(ground),
            program: self.client.program.as_ref().map(|_| self.client.name.clone()),
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
