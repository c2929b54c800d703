//! What an event is about, as numbers and types, so that readers of events need not parse texts.

use std::fmt;

use kplan_dsl::plan::StepId;
use serde::{Deserialize, Serialize};

/// A step in one round of the repeats around it. As text, and so in JSON: `4`, `7.2`, `5.left.1`; `7.2#2` in the
/// second round of a repeat; `7.2.1#2#1` in the first round of a repeat in it; `5.3` the third fault of the chaos 5.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct StepRun {
    /// Its place among the steps, from the outside in.
    place: Vec<String>,
    /// From 1, from the outside in; empty in the first rounds.
    rounds: Vec<u32>,
}

impl StepRun {
    /// A step of the plan in these rounds of the repeats around it, from 1.
    pub fn new(step: &StepId, rounds: &[u32]) -> Self {
        let first = rounds.iter().all(|round| *round == 1);
        let place = Self::from(step.as_str()).place;
        Self { place, rounds: if first { Vec::new() } else { rounds.to_vec() } }
    }

    /// A fault of this chaos, by its number.
    pub fn fault(&self, number: u32) -> Self {
        let mut fault = self.clone();
        fault.place.push(number.to_string());
        fault
    }

    /// The same step in the first round.
    pub fn first(&self) -> Self {
        Self { place: self.place.clone(), rounds: Vec::new() }
    }

    /// The first rounds of the steps around it, the nearest first.
    pub fn around(&self) -> impl Iterator<Item = Self> {
        let depths = (1..self.place.len()).rev();
        depths.map(|depth| Self { place: self.place[..depth].to_vec(), rounds: Vec::new() })
    }

    /// Rounds of the repeats around it, from 1, from the outside in; empty in the first.
    pub fn rounds(&self) -> &[u32] {
        &self.rounds
    }

    /// `round 3`, `round 3.1` in a repeat's repeat; empty in the first.
    pub fn round(&self) -> String {
        let all: Vec<String> = self.rounds.iter().map(u32::to_string).collect();
        if all.is_empty() { String::new() } else { format!("round {}", all.join(".")) }
    }
}

impl fmt::Display for StepRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place.join("."))?;
        self.rounds.iter().try_for_each(|round| write!(f, "#{round}"))
    }
}

impl From<&str> for StepRun {
    fn from(text: &str) -> Self {
        let mut parts = text.split('#');
        let place = parts.next().filter(|place| !place.is_empty());
        Self {
            place: place.into_iter().flat_map(|p| p.split('.')).map(str::to_owned).collect(),
            rounds: parts.map(|round| round.parse().unwrap_or(1)).collect(),
        }
    }
}

impl From<String> for StepRun {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<StepRun> for String {
    fn from(step: StepRun) -> Self {
        step.to_string()
    }
}

/// A fault of a suite, from 1 in the order in which they were made; 0 in runs that did not number them.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct FaultId(pub u32);

/// What a fault does, and to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// SIGKILL to nodes of the cluster.
    NodeKilled,
    /// Nodes lost their power: what they had not synced is gone.
    PowerLost,
    /// Graceful shutdown of nodes.
    NodeStopped,
    /// SIGSTOP to nodes.
    NodePaused,
    /// SIGKILL to a client.
    ClientKilled,
    /// Graceful end of a client that is started again.
    ClientStopped,
    /// SIGSTOP to a client.
    ClientPaused,
    /// The network is cut or slowed down.
    Network,
    /// Disks are full.
    Disk,
    /// Clocks are wrong.
    Clock,
    /// Requests of clients are disturbed.
    Requests,
    /// Not recorded in the run.
    #[default]
    Unknown,
}

/// Why a process changed its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// As text, e.g. `killed by step 6`.
    #[serde(rename = "why")]
    pub words: String,
    /// The step that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<StepRun>,
}

impl Why {
    /// A step did it: `killed` by it.
    pub fn step(done: &str, by: &StepRun) -> Self {
        Self { words: format!("{done} by step {by}"), by: Some(by.clone()) }
    }
}

impl<T: Into<String>> From<T> for Why {
    fn from(words: T) -> Self {
        Self { words: words.into(), by: None }
    }
}

/// What the settings belong to. As text, and so in JSON: `cluster`, `features`, `brokers, in effect`,
/// `broker 2, in effect`, `broker 2`, `topic orders`, `client P`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum SettingsOf {
    /// What was started: `version`, `mode`, `brokers`, `image`. Reports show it at the top.
    Cluster,
    /// The levels of the cluster's features.
    Features,
    /// What all brokers have in common, defaults included.
    Brokers,
    /// What one broker has of its own, defaults included.
    Broker(u32),
    /// What a node was started with.
    Node(String),
    /// A topic's, defaults included.
    Topic(String),
    /// A client's.
    Client(String),
}

/// Behind a broker's number: its settings include the defaults.
const IN_EFFECT: &str = ", in effect";

impl fmt::Display for SettingsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("cluster"),
            Self::Features => f.write_str("features"),
            Self::Brokers => write!(f, "brokers{IN_EFFECT}"),
            Self::Broker(number) => write!(f, "broker {number}{IN_EFFECT}"),
            Self::Node(node) => f.write_str(node),
            Self::Topic(topic) => write!(f, "topic {topic}"),
            Self::Client(client) => write!(f, "client {client}"),
        }
    }
}

impl From<String> for SettingsOf {
    fn from(text: String) -> Self {
        let broker = || text.strip_prefix("broker ")?.strip_suffix(IN_EFFECT)?.parse().ok();
        match text.split_once(' ') {
            Some(("topic", topic)) => Self::Topic(topic.to_owned()),
            Some(("client", client)) => Self::Client(client.to_owned()),
            _ if text == Self::Cluster.to_string() => Self::Cluster,
            _ if text == Self::Features.to_string() => Self::Features,
            _ if text == Self::Brokers.to_string() => Self::Brokers,
            _ => broker().map_or(Self::Node(text.clone()), Self::Broker),
        }
    }
}

impl From<SettingsOf> for String {
    fn from(of: SettingsOf) -> Self {
        of.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for text in ["", "4", "7.2", "finally.1", "5.left.1", "7.2#2", "7.2.1#2#1"] {
            assert_eq!(StepRun::from(text).to_string(), text);
        }
        use SettingsOf::{Broker, Brokers, Client, Cluster, Features, Node, Topic};
        let named = |name: &str| [Topic(name.into()), Client(name.into())];
        let nodes = ["broker 2", "controller 101", "zookeeper 1"].map(|n| Node(n.into()));
        let all = [Cluster, Features, Brokers, Broker(2)].into_iter().chain(nodes);
        for of in all.chain(["orders", "a b", "cluster", ""].into_iter().flat_map(named)) {
            assert_eq!(SettingsOf::from(of.to_string()), of);
        }
    }

    #[test]
    fn the_steps_around_a_step_are_those_of_its_place() {
        let step = StepRun::from("7.2.1#2#1");
        let around: Vec<String> = step.around().map(|s| s.to_string()).collect();
        assert_eq!(around, ["7.2", "7"]);
        assert_eq!((step.round(), step.first().to_string()), ("round 2.1".into(), "7.2.1".into()));
        assert_eq!(step.fault(3), "7.2.1.3#2#1".into());
    }
}
