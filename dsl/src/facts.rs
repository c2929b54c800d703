//! What is known of a word without running it, beside what the types of its arguments say.

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
    /// True if the cluster must have a controller for it to be judged.
    pub needs_quorum: bool,
    /// True if the whole log is read for it.
    pub reads_log: bool,
    /// True if it can be judged again later for the same time.
    pub judges_again: bool,
}

impl ConditionFacts {
    /// Those of most conditions: none of it.
    pub const NONE: Self = Self { needs_quorum: false, reads_log: false, judges_again: false };
}
