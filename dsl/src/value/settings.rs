//! Maps with keys that the language does not define (settings, assignments, values for individual brokers), and the
//! numbers of nodes.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::text_schema;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Entry, Node};
use crate::meaning::{Meaning, sorted};
use crate::read::{FromNode, Reader};
use crate::schema::note;
use crate::source::Spanned;

/// Settings in the order of the plan, with their values as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(pub Vec<(Spanned<String>, Spanned<String>)>);

impl Settings {
    /// The value that stands for a setting's default, where settings are changed.
    pub const DEFAULT: &str = "default";

    /// The value of a setting.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k.value == key).map(|(_, v)| v.as_str())
    }

    /// Keys and values in the order of the plan.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// `KEY=VALUE` of each, for sentences.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// True if this setting makes librdkafka run a library or a program of this machine. Some do so as soon as they
    /// are set.
    pub fn runs_program(key: &str) -> bool {
        PROGRAMS.contains(&key)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Settings that make librdkafka run a library or a program of the machine that kplan runs on.
const PROGRAMS: &[&str] = &[
    "plugin.library.paths",
    "ssl.engine.location",
    "ssl.engine.id",
    "ssl.providers",
    "sasl.kerberos.kinit.cmd",
];

/// The replicas of each partition: the first is the preferred leader.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment(pub Vec<Vec<Spanned<u32>>>);

/// Values for individual brokers, by broker number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerBroker<T>(pub Vec<(Spanned<u32>, T)>);

impl<T> Default for PerBroker<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> PerBroker<T> {
    /// The value for a broker.
    pub fn get(&self, broker: u32) -> Option<&T> {
        self.0.iter().find(|(n, _)| n.value == broker).map(|(_, v)| v)
    }
}

/// The number of the first dedicated controller that `start_cluster` starts.
const FIRST_CONTROLLER: u32 = 101;

/// The number of the first broker, unless a plan says another.
pub const FIRST_BROKER: u32 = 1;

/// The numbers that `start_cluster` gives to this number of brokers.
pub fn broker_numbers(first: u32, count: u32) -> impl Iterator<Item = u32> + Clone {
    first..first.saturating_add(count)
}

/// The numbers that `start_cluster` gives to this number of dedicated controllers.
pub fn controller_numbers(count: u32) -> impl Iterator<Item = u32> + Clone {
    FIRST_CONTROLLER..FIRST_CONTROLLER.saturating_add(count)
}

/// True if this is the number of a dedicated controller in a cluster that `start_cluster` started.
pub fn is_controller(number: u32) -> bool {
    number >= FIRST_CONTROLLER
}

fn entries<'n, T: FromNode>(node: &'n Node, reader: &mut Reader) -> Option<&'n [Entry]> {
    let found = node.map();
    if found.is_none() {
        reader.expected::<T>(node);
    }
    found
}

impl FromNode for Settings {
    const EXPECTS: &'static str = "a map of settings";
    const JOINS_DEFAULTS: bool = true;

    fn missing() -> Option<Self> {
        Some(Self::default())
    }

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = entries::<Self>(node, reader)?;
        let mut all = Vec::with_capacity(entries.len());
        let mut complete = true;
        for entry in entries {
            match reader.read::<Spanned<String>>(&entry.value) {
                Some(value) => all.push((entry.key.clone(), value)),
                None => complete = false,
            }
        }
        complete.then_some(Self(all))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": text_schema(),
            note::SETTINGS: true,
        })
    }
}

/// A key that must be a number.
fn number(entry: &Entry, what: &str, reader: &mut Reader) -> Option<Spanned<u32>> {
    let number = entry.key.value.parse().ok();
    if number.is_none() {
        let message = format!("`{}` is not {what}", entry.key.value);
        reader.push(Diagnostic::new(Code::E012, entry.key.span, message));
    }
    number.map(|n| Spanned::new(n, entry.key.span))
}

impl FromNode for Assignment {
    const EXPECTS: &'static str = "a map from partition to brokers such as `{0: [1, 2, 3]}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = entries::<Self>(node, reader)?;
        let mut all: Vec<(Spanned<u32>, Vec<Spanned<u32>>)> = Vec::with_capacity(entries.len());
        let before = reader.mistakes();
        for entry in entries {
            let partition = number(entry, "a partition's number", reader);
            let replicas: Option<Vec<Spanned<u32>>> = reader.read(&entry.value);
            if let (Some(partition), Some(replicas)) = (partition, replicas) {
                check_replicas(&entry.value, &replicas, reader);
                all.push((partition, replicas));
            }
        }
        all.sort_by_key(|(partition, _)| partition.value);
        let gap = all.iter().enumerate().find(|(i, (p, _))| p.value as usize != *i);
        if let Some((index, (partition, _))) = gap.filter(|_| all.len() == entries.len()) {
            let message = format!("partition {index} is missing: partitions count from 0");
            reader.push(Diagnostic::new(Code::E054, partition.span, message));
        }
        if all.is_empty() && reader.mistakes() == before {
            reader.push(Diagnostic::new(Code::E015, node.span, "the assignment is empty"));
        }
        let complete = all.len() == entries.len() && reader.mistakes() == before;
        complete.then(|| Self(all.into_iter().map(|(_, replicas)| replicas).collect()))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let replicas = Vec::<u32>::schema(generator);
        json_schema!({
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": "^[0-9]+$" },
            "additionalProperties": replicas,
        })
    }
}

fn check_replicas(node: &Node, replicas: &[Spanned<u32>], reader: &mut Reader) {
    if replicas.is_empty() {
        let message = "a partition needs at least one replica";
        reader.push(Diagnostic::new(Code::E015, node.span, message));
    }
    for (index, replica) in replicas.iter().enumerate() {
        if replicas[..index].contains(replica) {
            let message = format!("broker {replica} is listed twice among the replicas");
            reader.push(Diagnostic::new(Code::E016, replica.span, message));
        }
    }
}

impl<T: FromNode> FromNode for PerBroker<T> {
    const EXPECTS: &'static str = "a map from a broker's number";

    fn missing() -> Option<Self> {
        Some(Self::default())
    }

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = entries::<Self>(node, reader)?;
        let mut all = Vec::with_capacity(entries.len());
        for entry in entries {
            let broker = number(entry, "a broker's number", reader);
            let value = reader.read(&entry.value);
            all.push(broker.zip(value));
        }
        all.into_iter().collect::<Option<Vec<_>>>().map(Self)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let value = crate::schema::or_template(T::schema(generator));
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^[0-9]+$", note::NAMES: "broker" },
            "additionalProperties": value,
        })
    }
}

impl Meaning for Settings {
    fn meaning(&self) -> Value {
        sorted(self.iter().map(|(k, v)| (k.to_owned(), v.into())))
    }
}

impl Meaning for Assignment {
    fn meaning(&self) -> Value {
        let each = self.0.iter().enumerate();
        Value::Object(each.map(|(i, brokers)| (i.to_string(), brokers.meaning())).collect())
    }
}

impl<T: Meaning> Meaning for PerBroker<T> {
    fn meaning(&self) -> Value {
        sorted(self.0.iter().map(|(n, value)| (n.to_string(), value.meaning())))
    }
}
