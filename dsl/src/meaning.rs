//! What a part of a plan means, in one form for all ways to write it: defaults filled in, `60s` and `1m`
//! alike, `[P]` and `P` alike, keys of settings in order.
//!
//! The form is that of the language itself: what comes out can be read again and means the same.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::conditions::{Condition, Conditions, Count};
use crate::document::Node;
use crate::source::Spanned;
use crate::steps::{
    Action, ChaosFault, Include, Parallel, ParamNodes, Payload, Repeat, Step, StepHead, StepsNode,
    Until, Verb, Wait,
};
use crate::value::{
    Amount, Assignment, Bandwidth, Bound, ByteSize, Clients, Controllers, Expression, KafkaVersion,
    LeaderIs, MemberRef, PartitionRef, PerBroker, Percent, Rate, Settings, Target, Topics,
    duration_text,
};

/// What can say what it means; nothing (`null`) for what is not there.
pub(crate) trait Meaning {
    fn meaning(&self) -> Value;
}

/// Several keys of a map that mean one thing together.
pub(crate) trait GroupMeaning {
    fn add_to(&self, map: &mut Map<String, Value>);
}

/// Adds a key unless it means nothing.
pub(crate) fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    let empty = matches!(&value, Value::Null) || value.as_object().is_some_and(Map::is_empty);
    if !empty {
        map.insert(key.to_owned(), value);
    }
}

impl<T: Meaning> Meaning for Option<T> {
    fn meaning(&self) -> Value {
        self.as_ref().map_or(Value::Null, Meaning::meaning)
    }
}

impl<T: Meaning> Meaning for Spanned<T> {
    fn meaning(&self) -> Value {
        self.value.meaning()
    }
}

impl<T: Meaning> Meaning for Vec<T> {
    fn meaning(&self) -> Value {
        self.iter().map(Meaning::meaning).collect()
    }
}

macro_rules! plain {
    ($($name:ty),+) => {$(
        impl Meaning for $name {
            fn meaning(&self) -> Value {
                Value::from(self.clone())
            }
        }
    )+};
}
plain!(bool, u32, u64, i32, String);

/// Declares types whose text is what they mean.
macro_rules! shown {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::meaning::Meaning for $name {
            fn meaning(&self) -> serde_json::Value {
                serde_json::Value::from(self.to_string())
            }
        }
    )+};
}
pub(crate) use shown;
shown!(
    Rate,
    ByteSize,
    Bandwidth,
    Percent,
    Controllers,
    LeaderIs,
    PartitionRef,
    MemberRef,
    KafkaVersion
);

impl Meaning for Duration {
    fn meaning(&self) -> Value {
        Value::from(duration_text(*self))
    }
}

impl Meaning for Clients {
    fn meaning(&self) -> Value {
        self.0.meaning()
    }
}

impl Meaning for Topics {
    fn meaning(&self) -> Value {
        self.0.meaning()
    }
}

impl Meaning for Node {
    fn meaning(&self) -> Value {
        crate::schema::json_of(self)
    }
}

impl Meaning for StepsNode {
    fn meaning(&self) -> Value {
        self.0.meaning()
    }
}

impl Meaning for ParamNodes {
    fn meaning(&self) -> Value {
        sorted(self.0.iter().map(|e| (e.key.to_string(), e.value.meaning())))
    }
}

/// A map whose keys stand in no order of their own.
fn sorted(pairs: impl Iterator<Item = (String, Value)>) -> Value {
    let mut pairs: Vec<(String, Value)> = pairs.collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Object(pairs.into_iter().collect())
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

impl<T: Amount + Meaning> GroupMeaning for Option<Bound<T>> {
    fn add_to(&self, map: &mut Map<String, Value>) {
        match self {
            None => {}
            Some(Bound::Is(n)) => put(map, "is", n.meaning()),
            Some(Bound::AtMost(n)) => put(map, "at_most", n.meaning()),
            Some(Bound::AtLeast(n)) => put(map, "at_least", n.meaning()),
            Some(Bound::Between(a, b)) => {
                put(map, "between", vec![a.meaning(), b.meaning()].into())
            }
        }
    }
}

impl<T: Amount + Meaning> Meaning for Bound<T> {
    fn meaning(&self) -> Value {
        let mut map = Map::new();
        Some(*self).add_to(&mut map);
        Value::Object(map)
    }
}

impl GroupMeaning for Count {
    fn add_to(&self, map: &mut Map<String, Value>) {
        self.bound.add_to(map);
        put(map, "topic", self.topic.as_ref().map_or(Value::Null, |t| t.as_str().into()));
        put(map, "partition", self.partition.meaning());
        put(map, "client", self.client.meaning());
        put(map, "since", self.since.as_ref().map_or(Value::Null, |s| s.as_str().into()));
        put(map, "sent", self.sent.meaning());
        put(map, "of", self.of.as_ref().map_or(Value::Null, |s| s.as_str().into()));
    }
}

impl Meaning for Target {
    fn meaning(&self) -> Value {
        let one = |key: &str, value: Value| {
            Value::Object([(key.to_owned(), value)].into_iter().collect())
        };
        match self {
            Self::Broker(n) => (*n).into(),
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
            Self::AnyOf(it) => one("any_of", it.meaning()),
            Self::Not(it) => one("not", it.meaning()),
            Self::SameAs(it) => one("same_as", it.as_str().into()),
        }
    }
}

impl Meaning for Expression {
    fn meaning(&self) -> Value {
        let text = self.text().trim();
        let inner = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}"));
        let inner = inner.filter(|t| !t.contains("{{") && !t.contains("}}"));
        inner.unwrap_or(text).trim().into()
    }
}

impl Meaning for Condition {
    fn meaning(&self) -> Value {
        Value::Object([(self.info().word.to_owned(), self.arguments())].into_iter().collect())
    }
}

impl Meaning for Conditions {
    fn meaning(&self) -> Value {
        self.0.meaning()
    }
}

impl Meaning for Until {
    fn meaning(&self) -> Value {
        match self {
            Self::End => "end".into(),
            Self::Count(n) => serde_json::json!({ "count": n }),
        }
    }
}

impl Meaning for Payload {
    fn meaning(&self) -> Value {
        let (min, max) = (self.min.meaning(), self.max.meaning());
        if min == max { min } else { serde_json::json!({ "min": min, "max": max }) }
    }
}

impl Meaning for Wait {
    fn meaning(&self) -> Value {
        match self {
            Self::Pause(time) => time.meaning(),
            Self::Until(it) => it.meaning(),
        }
    }
}

impl Meaning for ChaosFault {
    fn meaning(&self) -> Value {
        let mut map = Map::new();
        map.insert(self.verb.info().word.to_owned(), self.verb.meaning());
        put(&mut map, "for", self.for_time.filter(|_| self.verb.for_time().is_none()).meaning());
        Value::Object(map)
    }
}

/// The steps inside are compared as steps.
impl Meaning for Repeat {
    fn meaning(&self) -> Value {
        let values: Vec<&str> = self.rounds.iter().map(|r| r.value.as_str()).collect();
        let counted = values.iter().enumerate().all(|(i, v)| *v == (i + 1).to_string());
        if counted && self.name.is_none() {
            return serde_json::json!({ "times": values.len() });
        }
        let name = self.name.as_ref().map(|n| n.as_str());
        serde_json::json!({ "for_each": values, "as": name })
    }
}

impl Meaning for Parallel {
    fn meaning(&self) -> Value {
        Value::Null
    }
}

impl Meaning for Include {
    fn meaning(&self) -> Value {
        serde_json::json!({ "file": self.file.as_str() })
    }
}

impl Meaning for Verb {
    fn meaning(&self) -> Value {
        self.arguments()
    }
}

impl StepHead {
    /// What stands beside the verb.
    pub(crate) fn add_to(&self, map: &mut Map<String, Value>) {
        put(map, "name", self.name.meaning());
        put(map, "timeout", self.timeout.meaning());
        put(map, "when", self.when.meaning());
        put(map, "optional", if self.optional { true.into() } else { Value::Null });
        put(map, "expect_error", self.expect_error.meaning());
        put(map, "capture", self.capture.as_ref().map_or(Value::Null, |c| c.as_str().into()));
    }
}

impl Step {
    /// What the step means, as a step of a plan in its longest form; without the steps it holds.
    pub fn meaning(&self) -> Value {
        let mut map = Map::new();
        self.head.add_to(&mut map);
        map.insert(self.head.word.to_owned(), self.arguments());
        Value::Object(map)
    }

    /// What its verb's arguments mean; those that are late stand as they were written.
    pub(crate) fn arguments(&self) -> Value {
        match &self.action {
            Action::Ready(verb) => verb.meaning(),
            Action::Late(late) => {
                let written = late.node.get(self.head.word).map_or(Value::Null, Meaning::meaning);
                ordered(written)
            }
        }
    }
}

/// A value whose maps are in the order of their keys.
fn ordered(value: Value) -> Value {
    match value {
        Value::Object(map) => sorted(map.into_iter().map(|(k, v)| (k, ordered(v)))),
        Value::Array(all) => all.into_iter().map(ordered).collect(),
        other => other,
    }
}
