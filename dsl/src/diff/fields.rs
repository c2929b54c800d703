//! Compares one step: the keys beside its verb, and its arguments.

use serde_json::{Map, Value};

use super::{Effect, conditions, flow, weigh};
use crate::args::Weight;

/// One change of a step.
pub(super) struct FieldChange {
    pub effect: Effect,
    pub text: String,
}

/// Compares the meanings of two steps of one verb.
pub(super) fn compare(word: &str, old: &Value, new: &Value) -> Vec<FieldChange> {
    let empty = Map::new();
    let of = |v: &'_ Value| v.as_object().cloned().unwrap_or_else(|| empty.clone());
    let (olds, news) = (of(old), of(new));
    let mut changes = Vec::new();
    for key in keys(&olds, &news) {
        let (a, b) = (get(&olds, key), get(&news, key));
        if a == b {
            continue;
        }
        if key == word {
            arguments(word, a, b, &mut changes);
        } else {
            let effect = weigh::common(key, a, b);
            changes.push(FieldChange { effect, text: changed(key, a, b) });
        }
    }
    changes
}

fn keys<'m>(old: &'m Map<String, Value>, new: &'m Map<String, Value>) -> Vec<&'m str> {
    let all = old.keys().chain(new.keys().filter(|k| !old.contains_key(*k)));
    all.map(String::as_str).collect()
}

fn get<'m>(map: &'m Map<String, Value>, key: &str) -> &'m Value {
    map.get(key).unwrap_or(&Value::Null)
}

fn arguments(word: &str, old: &Value, new: &Value, changes: &mut Vec<FieldChange>) {
    let (Value::Object(olds), Value::Object(news)) = (old, new) else {
        // A pause became a wait for conditions, or the reverse.
        let conditions = |v: &Value| v.get("until").is_some();
        let effect = match (conditions(old), conditions(new)) {
            (true, false) => Effect::Weaker,
            (false, true) => Effect::Stronger,
            _ => Effect::Neutral,
        };
        changes.push(FieldChange { effect, text: changed(word, old, new) });
        return;
    };
    for key in keys(olds, news) {
        let (a, b) = (get(olds, key), get(news, key));
        if a == b {
            continue;
        }
        let weight = weigh::of_argument(word, key);
        if weight == Weight::Conditions {
            let each = conditions::compare(a, b).into_iter();
            changes.extend(each.map(|c| FieldChange { effect: c.effect, text: c.text }));
            continue;
        }
        let effect = weigh::effect(weight, a, b);
        match (a, b) {
            // Settings are reported one by one.
            (Value::Object(x), Value::Object(y)) if effect == Effect::Neutral => {
                settings(key, x, y, changes);
            }
            _ => changes.push(FieldChange { effect, text: changed(key, a, b) }),
        }
    }
}

fn settings(
    of: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    changes: &mut Vec<FieldChange>,
) {
    for key in keys(old, new) {
        let (a, b) = (get(old, key), get(new, key));
        if a != b {
            // User names may be shown, passwords may not.
            let text = match (of, key) {
                ("security", "users") => "the `users` changed (not shown)".to_owned(),
                _ => changed(&format!("{of}.{key}"), a, b),
            };
            changes.push(FieldChange { effect: Effect::Neutral, text });
        }
    }
}

/// ``within` 1m became 2m`.
fn changed(key: &str, old: &Value, new: &Value) -> String {
    match (old, new) {
        (Value::Null, new) => format!("`{key}: {}` is new", shown(key, new)),
        (old, Value::Null) => format!("`{key}: {}` is gone", shown(key, old)),
        (old, new) => format!("`{key}: {}` became `{}`", shown(key, old), shown(key, new)),
    }
}

/// A value without the passwords of users.
fn shown(key: &str, value: &Value) -> String {
    let mut value = value.clone();
    if key == "security"
        && let Some(users) = value.get_mut("users").and_then(Value::as_object_mut)
    {
        users.values_mut().for_each(|password| *password = crate::visible::SECRET.into());
    }
    flow::flow(&value)
}
