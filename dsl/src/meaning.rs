//! The meaning of a part of a plan, in one canonical form for all ways to write it: with defaults, the same for
//! `60s` and `1m` and for `[P]` and `P`, with the keys of settings in order.
//!
//! The form is that of the language itself: it can be read again and has the same meaning.

use serde_json::{Map, Value};

use crate::document::{self, Node};
use crate::source::Spanned;

/// A value with a meaning. The meaning of an absent value is `null`.
pub(crate) trait Meaning {
    fn meaning(&self) -> Value;
}

/// Several keys of a map that together have one meaning.
pub(crate) trait GroupMeaning {
    fn add_to(&self, map: &mut Map<String, Value>);
}

/// Adds a key unless its meaning is `null`.
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

/// Declares types whose meaning is their text.
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

impl Meaning for Node {
    fn meaning(&self) -> Value {
        document::json_of(self)
    }
}

/// A map whose keys have no fixed order.
pub(crate) fn sorted(pairs: impl Iterator<Item = (String, Value)>) -> Value {
    let mut pairs: Vec<(String, Value)> = pairs.collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    Value::Object(pairs.into_iter().collect())
}

/// A value whose maps are in the order of their keys.
pub(crate) fn ordered(value: Value) -> Value {
    match value {
        Value::Object(map) => sorted(map.into_iter().map(|(k, v)| (k, ordered(v)))),
        Value::Array(all) => all.into_iter().map(ordered).collect(),
        other => other,
    }
}
