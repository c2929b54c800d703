//! What is known of a word without running it, beside what the types of its arguments say.

use crate::backend::Capability;
use crate::value::{Clients, Target};

/// What is known of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepFacts {
    /// What it is for.
    pub kind: Kind,
    /// What it strikes: what chaos may do beside it, and what the cluster must be started with.
    pub strikes: Strikes,
    /// How it is undone.
    pub undo: Undo,
    /// What it leaves in a cluster that another plan goes on with.
    pub leaves: Leaves,
    /// True if chaos may choose it.
    pub in_chaos: bool,
    /// True if it judges, and the steps behind it run also when what it found is not as it must be.
    pub goes_on: bool,
    /// What those that it is about are doing after it, in the timeline of `explain`; every fault says it.
    pub lane: Option<LaneMark>,
    /// What is no longer certain after it while its arguments are known only when it runs.
    pub blurs: Blurs,
}

/// What a verb is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Breaks something: judgements of recovery count from it.
    Fault,
    /// Undoes a fault, or puts something in order.
    Repair,
    /// Starts or removes the cluster.
    Cluster,
    /// Makes, changes or removes a topic.
    Topic,
    /// Sends or reads messages.
    Traffic,
    /// Decides about the plan.
    Judgement,
    /// Shows or records what is there.
    Observation,
    /// Holds other steps.
    Flow,
    /// Runs a program of the plan's author.
    Program,
    /// Says something and does nothing.
    Note,
}

/// What a verb strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strikes {
    /// Nothing.
    Nothing,
    /// Processes of nodes.
    Processes,
    /// Disks of brokers.
    Disks,
    /// Who reaches whom.
    Routes,
    /// How fast and how surely packets arrive.
    Lines,
    /// Processes of clients.
    Clients,
    /// Anything of these.
    Everything,
}

/// How what a verb does is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// It is not.
    Never,
    /// After `for` or `during`, in these words: `start it again`.
    After(&'static str),
    /// By itself, before the step ends.
    Itself,
}

/// What a broker or a client is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneMark {
    /// Not there yet, or no longer.
    Absent,
    /// Nothing is wrong with it.
    Running,
    /// Ended with SIGKILL.
    Killed,
    /// Ended gracefully.
    Stopped,
    /// Its process stands still.
    Paused,
    /// It reaches nobody.
    Isolated,
    /// On a slow or lossy network.
    Degraded,
    /// It cannot write.
    DiskFull,
    /// Stopped and started again.
    Restarting,
    /// Broken at random.
    Chaos,
}

/// Who has a lane in the timeline of `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneOf {
    /// A broker, by its number.
    Broker(u32),
    /// A controller of its own, by its number.
    Controller(u32),
    /// The ZooKeeper server.
    Zookeeper,
    /// Nodes that are chosen when the step runs, in the words of the plan.
    Chosen(String),
    /// A client, or one of its members.
    Client {
        /// What it is: `producer`.
        kind: &'static str,
        /// Its name in the plan.
        name: String,
        /// Which member; none of a client that is one process.
        member: Option<u32>,
    },
}

impl LaneOf {
    /// A client that is one process.
    pub(crate) fn client(kind: &'static str, name: impl std::fmt::Display) -> Self {
        Self::Client { kind, name: name.to_string(), member: None }
    }
}

/// What a step changes in the timeline of `explain`.
#[derive(Debug, Clone, PartialEq)]
pub enum LaneChange {
    /// Somebody runs from here on, in a lane of their own; it may be there from an earlier life.
    Begins(LaneOf),
    /// The cluster is gone, and all of its nodes with it.
    NoCluster,
    /// What the nodes of a target are doing.
    Nodes(Target, LaneMark),
    /// What clients are doing, whole or by member.
    Clients(Clients, LaneMark),
    /// What all clients are doing.
    AllClients(LaneMark),
    /// Those with one of these marks run again.
    Mends(&'static [LaneMark]),
}

/// What a verb leaves in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Topics and groups, which can be removed.
    TopicsAndGroups,
    /// More than that: the cluster is not used again.
    More,
}

/// What is no longer certain of what was followed so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blurs {
    /// Everything stays certain.
    Nothing,
    /// The cluster.
    Cluster,
    /// The topics.
    Topics,
    /// The clients.
    Clients,
    /// Whether anything was produced.
    Produced,
    /// All of it.
    Everything,
}

impl StepFacts {
    /// Those of most verbs of a kind: they strike nothing, and leave more than topics, so that a new verb's
    /// cluster is not used again by mistake.
    pub const fn of(kind: Kind) -> Self {
        Self {
            kind,
            strikes: Strikes::Nothing,
            undo: Undo::Never,
            leaves: Leaves::More,
            in_chaos: false,
            goes_on: false,
            lane: None,
            blurs: Blurs::Everything,
        }
    }

    /// True if it breaks something.
    pub const fn is_fault(&self) -> bool {
        matches!(self.kind, Kind::Fault)
    }
}

/// What is known of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionFacts {
    /// What it needs of the backend.
    pub needs: Option<Capability>,
    /// True if only a living controller can make it true.
    pub needs_quorum: bool,
    /// True if the whole log is read for it.
    pub reads_log: bool,
    /// True if every look judges from the beginning what earlier looks could not.
    pub judges_again: bool,
    /// True if the `since` of the `record` around it narrows it.
    pub takes_since: bool,
    /// True if it measures how messages are answered: of a client with `acks: 0` it measures nothing.
    pub needs_answers: bool,
    /// What it counts, if it is a count of messages.
    pub counts: Option<CountFacts>,
    /// How its changes weigh in a diff.
    pub weighs: Weighs,
}

/// What is known of a condition that counts messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountFacts {
    /// Whose messages it counts.
    pub of: CountsOf,
    /// True if `sent: before` can be asked of it: what it counts is found in messages of the log, of which each
    /// producer knows when they were acknowledged.
    pub at_rest: bool,
}

/// Whose messages a condition counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsOf {
    /// What producers sent.
    Producers,
    /// What consumers were given.
    Consumers,
    /// What copiers wrote.
    Copiers,
    /// What is in the log, no matter who sent or read it.
    Anyone,
}

/// How the changes of a condition weigh in a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighs {
    /// By its arguments: these in their own way, others as their names say in every condition.
    Arguments(&'static [(&'static str, ArgumentWeighs)]),
    /// All of the conditions in it must hold.
    All,
    /// One of the conditions in it suffices.
    Any,
    /// The conditions in it must not all hold.
    Not,
    /// As an expression.
    Expression,
}

/// How the change of an argument of a condition weighs in a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentWeighs {
    /// Each element of the list demands something.
    Elements,
    /// It demands more where it is there.
    Presence,
    /// A broker demands more than `any`.
    Leader,
    /// `every` demands more than `any`.
    Spread,
    /// A partition alone demands less than its topic.
    OnePartition,
    /// Another argument weighs what changes with it.
    WithAnother,
}

impl ConditionFacts {
    /// Those of most conditions about the cluster: none of it.
    pub const NONE: Self = Self {
        needs: None,
        needs_quorum: false,
        reads_log: false,
        judges_again: false,
        takes_since: false,
        needs_answers: false,
        counts: None,
        weighs: Weighs::Arguments(&[]),
    };

    /// Those of what clients measured over a time.
    pub const MEASURED: Self = Self {
        judges_again: true,
        takes_since: true,
        needs_answers: true,
        weighs: Weighs::Arguments(&[("client", ArgumentWeighs::Elements)]),
        ..Self::NONE
    };

    /// Those of a count of what clients heard.
    pub const fn heard(of: CountsOf) -> Self {
        let counts = Some(CountFacts { of, at_rest: false });
        Self { judges_again: true, takes_since: true, counts, ..Self::NONE }
    }

    /// Those of a count for which the log is read.
    pub const fn audited(of: CountsOf) -> Self {
        Self { reads_log: true, ..Self::heard(of) }
    }

    /// The same of what `sent: before` can be asked of.
    pub const fn at_rest(of: CountsOf) -> Self {
        Self { counts: Some(CountFacts { of, at_rest: true }), ..Self::audited(of) }
    }

    /// The same of what needs something of the backend.
    pub const fn needing(self, capability: Capability) -> Self {
        Self { needs: Some(capability), ..self }
    }

    /// True if the audit of the log counts it.
    pub const fn is_audited(&self) -> bool {
        self.reads_log && self.counts.is_some()
    }

    /// True if it counts the messages of these clients.
    pub fn counts_of(&self, whose: CountsOf) -> bool {
        self.counts.is_some_and(|counts| counts.of == whose)
    }
}
