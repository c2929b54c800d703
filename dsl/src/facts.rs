//! Static properties of words that the types of their arguments do not show.

use crate::backend::Capability;
use crate::value::{Clients, Target};

/// The static properties of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepFacts {
    /// Its purpose.
    pub kind: Kind,
    /// What it affects. Decides which faults `chaos` may combine, and how the cluster must be started.
    pub strikes: Strikes,
    /// How it is undone.
    pub undo: Undo,
    /// What it leaves in a cluster that another plan reuses.
    pub leaves: Leaves,
    /// True if chaos may choose it.
    pub in_chaos: bool,
    /// True if it judges and its failure does not end the plan: the steps after it still run.
    pub goes_on: bool,
    /// The state after it of the nodes or clients that it is about, in the timeline of `explain`. Required for
    /// faults.
    pub lane: Option<LaneMark>,
    /// What is uncertain after it if its arguments are known only when it runs.
    pub blurs: Blurs,
    /// Which of the keys that every step may have say something about it.
    pub ends: StepEnds,
}

/// What the end of a step can be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnds {
    /// It can fail with an error, which `expect_error` can name.
    WithAnError,
    /// It has a value, which `capture` can keep, and it can fail with an error.
    WithAValue,
    /// It fails only because conditions do not hold, which is no error.
    WithAVerdict,
}

/// The purpose of a verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Breaks something. Judgements of recovery count from it.
    Fault,
    /// Undoes a fault or repairs something.
    Repair,
    /// Starts or removes the cluster.
    Cluster,
    /// Creates, changes or deletes a topic.
    Topic,
    /// Changes settings, quotas or permissions of the running cluster.
    Setting,
    /// Sends or reads messages.
    Traffic,
    /// Judges the cluster or clients.
    Judgement,
    /// Shows or records a state.
    Observation,
    /// Contains other steps.
    Flow,
    /// Runs a program of the plan's author.
    Program,
    /// Writes a line and does nothing else.
    Note,
}

/// What a verb affects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strikes {
    /// Nothing.
    Nothing,
    /// Processes of nodes.
    Processes,
    /// The space on disks of brokers.
    Disks,
    /// The contents of files on disks of brokers.
    Files,
    /// The calls of brokers on their disks.
    DiskCalls,
    /// Clocks of nodes.
    Clocks,
    /// Which nodes can reach each other.
    Routes,
    /// The delay and loss of packets.
    Lines,
    /// Requests of clients to brokers.
    Requests,
    /// Processes of clients.
    Clients,
    /// Any of these.
    Everything,
}

/// How the effect of a verb is undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// It is not undone.
    Never,
    /// After `for` or `during`, with this phrase in `explain`: `start it again`.
    After(&'static str),
    /// By the step itself, before it ends.
    Itself,
}

/// The state of a broker or client in the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneMark {
    /// Not started yet, or removed.
    Absent,
    /// Running, without a fault.
    Running,
    /// Killed with SIGKILL.
    Killed,
    /// Without power.
    NoPower,
    /// Stopped gracefully.
    Stopped,
    /// Paused.
    Paused,
    /// Cut off from the network.
    Isolated,
    /// On a slow or lossy network.
    Degraded,
    /// Its disk is full.
    DiskFull,
    /// A file on its disk is damaged.
    Damaged,
    /// Calls on its disk fail.
    DiskErrors,
    /// Calls on its disk take longer.
    SlowDisk,
    /// Its clock is wrong.
    WrongClock,
    /// Its requests are disturbed.
    Disturbed,
    /// Slowed down by a quota.
    Throttled,
    /// Stopped and started again.
    Restarting,
    /// Under random faults.
    Chaos,
}

/// The node or client of a lane in the timeline of `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LaneOf {
    /// A broker, by its number.
    Broker(u32),
    /// A dedicated controller, by its number.
    Controller(u32),
    /// The ZooKeeper server.
    Zookeeper,
    /// Nodes that are chosen when the step runs, by the text of the target.
    Chosen(String),
    /// A client, or one of its members.
    Client {
        /// The kind of client, such as `producer`.
        kind: &'static str,
        /// Its name in the plan.
        name: String,
        /// The member; none for a client that is one process.
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
    /// A client starts. Its lane may exist from an earlier start.
    Begins(LaneOf),
    /// The cluster is removed with all of its nodes.
    NoCluster,
    /// The new state of the nodes of a target.
    Nodes(Target, LaneMark),
    /// The new state of clients, whole or by member.
    Clients(Clients, LaneMark),
    /// The new state of all clients.
    AllClients(LaneMark),
    /// Nodes and clients in one of these states run again.
    Mends(&'static [LaneMark]),
}

/// What a verb leaves in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// Topics and groups, which can be removed.
    TopicsAndGroups,
    /// More than that: the cluster is not reused.
    More,
}

/// The part of the followed state that becomes uncertain.
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
    /// Everything.
    Everything,
}

impl StepEnds {
    /// True if a key that every step may have says something about a step that ends so.
    pub(crate) fn allows(self, key: &str) -> bool {
        match key {
            "capture" => self == Self::WithAValue,
            "expect_error" => self != Self::WithAVerdict,
            _ => true,
        }
    }
}

impl StepFacts {
    /// The properties of most verbs of a kind. They affect nothing, and leave more than topics, so that the cluster
    /// of a new verb is not reused by mistake.
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
            ends: StepEnds::WithAnError,
        }
    }

    /// True if it breaks something.
    pub const fn is_fault(&self) -> bool {
        matches!(self.kind, Kind::Fault)
    }
}

/// The static properties of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionFacts {
    /// What it needs of the backend.
    pub needs: Option<Capability>,
    /// True if it needs a running controller to become true.
    pub needs_quorum: bool,
    /// True if its judgement reads the whole log.
    pub reads_log: bool,
    /// True if every check judges from the beginning, also what earlier checks could not judge.
    pub judges_again: bool,
    /// True if the `since` of the `record` around it narrows it.
    pub takes_since: bool,
    /// True if it measures answers to messages, so that it cannot be judged for a client with `acks: 0`.
    pub needs_answers: bool,
    /// What it counts, if it is a count of messages.
    pub counts: Option<CountFacts>,
    /// How its changes weigh in a diff.
    pub weighs: Weighs,
}

/// The static properties of a condition that counts messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountFacts {
    /// Whose messages it counts.
    pub of: CountsOf,
    /// True if it takes `sent: before`: it counts messages of the log, whose producers know when they were
    /// acknowledged.
    pub at_rest: bool,
}

/// Whose messages a condition counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsOf {
    /// Messages that producers sent.
    Producers,
    /// Messages that were delivered to consumers.
    Consumers,
    /// Messages that copiers wrote.
    Copiers,
    /// Messages that one service or copier wrote.
    Services,
    /// Messages in the log, of all clients.
    Anyone,
}

/// How changes of a condition weigh in a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighs {
    /// By its arguments: these in their own way, the others in the same way as in every condition.
    Arguments(&'static [(&'static str, ArgumentWeighs)]),
    /// All of the conditions in it must hold.
    All,
    /// One of the conditions in it suffices.
    Any,
    /// The conditions in it must not all hold.
    Not,
    /// Like an expression.
    Expression,
}

/// How a change of an argument of a condition weighs in a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentWeighs {
    /// A longer list requires more.
    Elements,
    /// The condition requires more with the argument than without it.
    Presence,
    /// A broker's number requires more than `any`.
    Leader,
    /// `every` requires more than `any`.
    Spread,
    /// One partition requires less than its topic.
    OnePartition,
    /// Not at all: another argument changes with it and weighs.
    WithAnother,
}

impl ConditionFacts {
    /// The properties of most conditions about the cluster.
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

    /// The properties of conditions about measurements of clients over a time.
    pub const MEASURED: Self = Self {
        judges_again: true,
        takes_since: true,
        needs_answers: true,
        weighs: Weighs::Arguments(&[("client", ArgumentWeighs::Elements)]),
        ..Self::NONE
    };

    /// The properties of a count of what brokers reported to clients.
    pub const fn heard(of: CountsOf) -> Self {
        let counts = Some(CountFacts { of, at_rest: false });
        Self { judges_again: true, takes_since: true, counts, ..Self::NONE }
    }

    /// The properties of a count that reads the log.
    pub const fn audited(of: CountsOf) -> Self {
        Self { reads_log: true, ..Self::heard(of) }
    }

    /// The properties of a count that reads the log and takes `sent: before`.
    pub const fn at_rest(of: CountsOf) -> Self {
        Self { counts: Some(CountFacts { of, at_rest: true }), ..Self::audited(of) }
    }

    /// Additionally needs an ability of the backend.
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
