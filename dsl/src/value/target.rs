//! Targets: which brokers a step means. They are resolved when the step runs.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{ClientName, GroupName, PartitionRef, StepName};
use crate::diagnostic::{Code, Diagnostic, Help, did_you_mean, nearest};
use crate::document::{Entry, Kind, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::schema::{described, note};
use crate::source::Spanned;
use crate::words;

pub use super::settings::{FIRST_BROKER, broker_numbers, controller_numbers, is_controller};

/// The brokers that a step means.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The broker of this number.
    Broker(u32),
    /// The dedicated controller of this number, in a cluster that kplan starts. The numbers of a cluster that exists
    /// are brokers, whatever they are.
    Dedicated(u32),
    /// All of these together.
    Several(Vec<Spanned<Self>>),
    /// All brokers together, without dedicated controllers and ZooKeeper.
    All,
    /// One broker, chosen by the run's seed.
    Random,
    /// The broker or dedicated controller that is the active controller.
    Controller,
    /// All dedicated controllers.
    Controllers,
    /// All ZooKeeper nodes.
    Zookeeper,
    /// The leader of a partition.
    LeaderOf(Spanned<PartitionRef>),
    /// The replicas of a partition except its leader.
    FollowersOf(Spanned<PartitionRef>),
    /// The coordinator of a group.
    CoordinatorOf(Spanned<GroupName>),
    /// The transaction coordinator of a client.
    TransactionCoordinatorOf(Spanned<ClientName>),
    /// One of these, chosen by the run's seed.
    AnyOf(Box<Spanned<Self>>),
    /// All brokers except these.
    Not(Box<Spanned<Self>>),
    /// The brokers that were the target of an earlier step.
    SameAs(Spanned<StepName>),
}

/// Words and keys of a target.
const MEANINGS: [(&str, &str); 5] = [
    ("all", "All brokers together, without dedicated controllers and ZooKeeper."),
    ("random", "One broker, chosen by the run's seed."),
    ("controller", "The broker or dedicated controller that is the active controller."),
    ("controllers", "All dedicated controllers."),
    ("zookeeper", "All ZooKeeper nodes."),
];
const KEYS: &[&str] = &[
    "leader_of",
    "followers_of",
    "coordinator_of",
    "transaction_coordinator_of",
    "any_of",
    "not",
    "same_as",
];

impl Target {
    /// The broker or dedicated controller of this number, in a cluster that kplan starts.
    pub fn numbered(number: u32) -> Self {
        if is_controller(number) { Self::Dedicated(number) } else { Self::Broker(number) }
    }

    /// The broker numbers, if it consists only of numbers.
    pub fn numbers(&self) -> Option<Vec<u32>> {
        match self {
            Self::Broker(n) | Self::Dedicated(n) => Some(vec![*n]),
            Self::Several(all) => {
                let numbers: Option<Vec<Vec<u32>>> = all.iter().map(|t| t.numbers()).collect();
                numbers.map(|n| n.concat())
            }
            _ => None,
        }
    }

    /// True if it always means exactly one broker.
    pub fn is_single(&self) -> bool {
        match self {
            Self::Several(all) => all.len() == 1 && all[0].is_single(),
            Self::All | Self::Controllers | Self::Zookeeper | Self::FollowersOf(_) => false,
            Self::Not(_) | Self::SameAs(_) => false,
            _ => true,
        }
    }

    fn of_word(word: &str, node: &Node, reader: &mut Reader) -> Option<Self> {
        match word {
            "all" => Some(Self::All),
            "random" => Some(Self::Random),
            "controller" => Some(Self::Controller),
            "controllers" => Some(Self::Controllers),
            "zookeeper" => Some(Self::Zookeeper),
            _ if word.parse::<i64>().is_ok() => match word.parse() {
                Ok(n) if reader.scope.limits().borrowed => Some(Self::Broker(n)),
                Ok(n) => Some(Self::numbered(n)),
                Err(_) => {
                    let message = format!(
                        "there is no broker {word}: the number of a broker is 0 or greater"
                    );
                    reader.push(Diagnostic::new(Code::E015, node.span, message));
                    None
                }
            },
            _ => {
                let help = form(word)
                    .map(Help::from)
                    .or_else(|| did_you_mean(word, MEANINGS.map(|(word, _)| word)));
                let help = help.unwrap_or_else(|| format!("a target is {}", Self::EXPECTS).into());
                let message = format!("`{word}` is not a broker");
                reader.push(Diagnostic::new(Code::E014, node.span, message).help(help));
                None
            }
        }
    }

    fn of_entry(entry: &Entry, reader: &mut Reader) -> Option<Self> {
        let value = &entry.value;
        match entry.key.as_str() {
            "leader_of" => reader.read(value).map(Self::LeaderOf),
            "followers_of" => reader.read(value).map(Self::FollowersOf),
            "coordinator_of" => reader.read(value).map(Self::CoordinatorOf),
            "transaction_coordinator_of" => reader.read(value).map(Self::TransactionCoordinatorOf),
            "any_of" => reader.read(value).map(|t| Self::AnyOf(Box::new(t))),
            "not" => reader.read(value).map(|t| Self::Not(Box::new(t))),
            "same_as" => reader.read(value).map(Self::SameAs),
            _ => {
                reader.unknown_key(&entry.key, KEYS, "a target");
                None
            }
        }
    }
}

/// How a target is written whose key begins a word.
fn form(word: &str) -> Option<String> {
    let (first, rest) =
        word.split_once(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or((word, ""));
    let key = nearest(first, KEYS.iter().copied())?;
    let rest = rest.trim_matches(|c: char| " :()".contains(c));
    let value = match key {
        _ if !rest.is_empty() => rest,
        "leader_of" | "followers_of" => "TOPIC/PARTITION",
        "coordinator_of" => "GROUP",
        "transaction_coordinator_of" => "CLIENT",
        "same_as" => "STEP",
        _ => "BROKER",
    };
    Some(format!("did you mean `{{ {key}: {value} }}`?"))
}

impl FromNode for Target {
    const EXPECTS: &'static str = "a broker's number, a list, `all`, `random`, `controller`, or a map such as `{leader_of: orders/0}`";
    const MAP_KEYS: &'static [&'static str] = KEYS;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => Self::of_word(&scalar.text, node, reader),
            Kind::Seq(nodes) if !nodes.is_empty() => reader.read(node).map(Self::Several),
            Kind::Seq(_) => {
                let message = "the list of brokers is empty";
                reader.push(Diagnostic::new(Code::E015, node.span, message));
                None
            }
            Kind::Map(entries) => match entries.as_slice() {
                [entry] => Self::of_entry(entry, reader),
                _ => {
                    let message = "a target is a map with one key";
                    let help = format!("the keys are {}", KEYS.join(", "));
                    reader.push(Diagnostic::new(Code::E016, node.span, message).help(help));
                    None
                }
            },
            _ => {
                reader.expected::<Self>(node);
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Self>()
    }
}

impl JsonSchema for Target {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "target".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let meanings: serde_json::Map<String, Value> =
            MEANINGS.iter().map(|(word, text)| ((*word).to_owned(), (*text).into())).collect();
        let partition = PartitionRef::schema(generator);
        let target = json_schema!({ "$ref": "#/definitions/target" });
        let group = GroupName::schema(generator);
        let client = ClientName::schema(generator);
        let step = StepName::schema(generator);
        json_schema!({
            "description": "Which brokers. They are chosen when the step runs.",
            "anyOf": [
                { "type": "integer", "minimum": 0, note::NAMES: "broker", note::MEANINGS: meanings },
                { "enum": MEANINGS.map(|(word, _)| word) },
                { "type": "string", "pattern": "^[0-9]+$|\\{\\{" },
                { "type": "array", "items": { "$ref": "#/definitions/target" }, "minItems": 1 },
                {
                    "type": "object",
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                    "properties": {
                        "leader_of": described(partition.clone(), "The leader of a partition.", None),
                        "followers_of": described(partition, "The replicas of a partition except its leader.", None),
                        "coordinator_of": described(group, "The coordinator of a group.", None),
                        "transaction_coordinator_of": described(client, "The transaction coordinator of a client.", None),
                        "any_of": described(target.clone(), "One of these, chosen by the run's seed.", None),
                        "not": described(target, "All brokers except these.", None),
                        "same_as": described(step, "The brokers that were the target of an earlier step.", None),
                    },
                },
            ],
        })
    }
}

impl std::fmt::Display for Target {
    /// The target as part of a sentence: `broker 2`, `the leader of orders/0`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broker(n) => write!(f, "broker {n}"),
            Self::Dedicated(n) => write!(f, "controller {n}"),
            Self::Several(all) => match self.numbers() {
                Some(numbers) if numbers.len() > 1 => {
                    write!(f, "brokers {}", words::list(&numbers))
                }
                _ => f.write_str(&words::list(all)),
            },
            Self::All => f.write_str("every broker"),
            Self::Random => f.write_str("a random broker"),
            Self::Controller => f.write_str("the active controller"),
            Self::Controllers => f.write_str("every controller"),
            Self::Zookeeper => f.write_str("ZooKeeper"),
            Self::LeaderOf(partition) => write!(f, "the leader of {partition}"),
            Self::FollowersOf(partition) => write!(f, "the followers of {partition}"),
            Self::CoordinatorOf(group) => write!(f, "the coordinator of group {group}"),
            Self::TransactionCoordinatorOf(client) => {
                write!(f, "the transaction coordinator of {client}")
            }
            Self::AnyOf(target) => write!(f, "any of {target}"),
            Self::Not(target) => write!(f, "every broker except {target}"),
            Self::SameAs(step) => write!(f, "the same broker as in \"{step}\""),
        }
    }
}

impl Meaning for Target {
    fn meaning(&self) -> Value {
        let one = |key: &str, value: Value| {
            Value::Object([(key.to_owned(), value)].into_iter().collect())
        };
        match self {
            Self::Broker(n) | Self::Dedicated(n) => (*n).into(),
            Self::Several(all) => match all.as_slice() {
                [one] => one.meaning(),
                all => all.iter().map(Meaning::meaning).collect(),
            },
            Self::All => "all".into(),
            Self::Random => "random".into(),
            Self::Controller => "controller".into(),
            Self::Controllers => "controllers".into(),
            Self::Zookeeper => "zookeeper".into(),
            Self::LeaderOf(it) => one("leader_of", it.meaning()),
            Self::FollowersOf(it) => one("followers_of", it.meaning()),
            Self::CoordinatorOf(it) => one("coordinator_of", it.as_str().into()),
            Self::TransactionCoordinatorOf(it) => {
                one("transaction_coordinator_of", it.as_str().into())
            }
            Self::AnyOf(it) => one("any_of", it.meaning()),
            Self::Not(it) => one("not", it.meaning()),
            Self::SameAs(it) => one("same_as", it.as_str().into()),
        }
    }
}
