//! Compares lists of conditions: what is no longer required, newly required, and required differently.

use serde_json::{Map, Value};

use super::{Effect, flow, weigh};
use crate::conditions::Condition;
use crate::facts::{ArgumentWeighs, Weighs};

/// One change of a list of conditions.
pub(super) struct ConditionChange {
    pub effect: Effect,
    pub text: String,
}

/// A list of conditions by their meanings, maps with one key. All of them must hold.
pub(super) fn compare(old: &Value, new: &Value) -> Vec<ConditionChange> {
    let (old, new) = (words(old), words(new));
    let pairs = pair(&old, &new);
    let mut changes = Vec::new();
    for (index, (word, arguments)) in old.iter().enumerate() {
        match pairs[index] {
            Some(to) if new[to].1 == *arguments => {}
            Some(to) => changes.push(ConditionChange {
                effect: effect(word, arguments, new[to].1),
                text: format!(
                    "`{}` became `{}`",
                    flow::condition(word, arguments),
                    flow::condition(word, new[to].1)
                ),
            }),
            None => changes.push(ConditionChange {
                effect: Effect::Weaker,
                text: format!("`{}` is no longer required", flow::condition(word, arguments)),
            }),
        }
    }
    for (index, (word, arguments)) in new.iter().enumerate() {
        if !pairs.contains(&Some(index)) {
            changes.push(ConditionChange {
                effect: Effect::Stronger,
                text: format!("`{}` is now required", flow::condition(word, arguments)),
            });
        }
    }
    changes
}

fn words(list: &Value) -> Vec<(&str, &Value)> {
    let maps = list.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    maps.filter_map(|m| m.as_object()?.iter().next()).map(|(k, v)| (k.as_str(), v)).collect()
}

/// The keys that bound a value, in contrast to keys that select what is measured.
const BOUNDS: [&str; 13] = [
    "is", "at_most", "at_least", "between", "replicas", "members", "state", "p50", "p90", "p95",
    "p99", "p999", "max",
];

/// Finds for each old condition the new one that it became: first equal conditions, then those about the same
/// thing, then those of the same word.
fn pair(old: &[(&str, &Value)], new: &[(&str, &Value)]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; old.len()];
    let mut taken = vec![false; new.len()];
    let about = |value: &Value| -> Option<Map<String, Value>> {
        let mut map = value.as_object()?.clone();
        map.retain(|key, _| !BOUNDS.contains(&key.as_str()));
        Some(map)
    };
    type Same<'s> = &'s dyn Fn(&Value, &Value) -> bool;
    let rounds: [Same<'_>; 3] = [&|a, b| a == b, &|a, b| about(a) == about(b), &|_, _| true];
    for same in rounds {
        for (index, (word, arguments)) in old.iter().enumerate() {
            if pairs[index].is_some() {
                continue;
            }
            let fits = |(to, (w, a)): (usize, &(&str, &Value))| {
                !taken[to] && w == word && same(arguments, a)
            };
            if let Some(to) = new.iter().enumerate().position(fits) {
                pairs[index] = Some(to);
                taken[to] = true;
            }
        }
    }
    pairs
}

/// The effect of a condition's change.
fn effect(word: &str, old: &Value, new: &Value) -> Effect {
    let weighs = Condition::facts_of(word).map(|facts| facts.weighs);
    match (weighs, old, new) {
        (Some(Weighs::All), ..) => of_list(old, new),
        (Some(Weighs::Not), ..) => of_list(old, new).inverted(),
        (Some(Weighs::Any), ..) => of_alternatives(old, new),
        (Some(Weighs::Expression), Value::String(old), Value::String(new)) => {
            weigh::expression(old, new)
        }
        (Some(Weighs::Arguments(own)), Value::Object(old), Value::Object(new)) => {
            of_arguments(own, old, new)
        }
        _ => Effect::Neutral,
    }
}

fn of_list(old: &Value, new: &Value) -> Effect {
    let effects: Vec<Effect> = compare(old, new).iter().map(|c| c.effect).collect();
    Effect::of_all(&effects)
}

/// One more alternative requires less.
fn of_alternatives(old: &Value, new: &Value) -> Effect {
    let (old, new) = (words(old), words(new));
    let pairs = pair(&old, &new);
    let mut effects = Vec::new();
    for ((word, arguments), to) in old.iter().zip(&pairs) {
        match to {
            None => effects.push(Effect::Stronger),
            Some(to) if new[*to].1 != *arguments => {
                effects.push(effect(word, arguments, new[*to].1));
            }
            Some(_) => {}
        }
    }
    let added = (0..new.len()).filter(|i| !pairs.contains(&Some(*i)));
    effects.extend(added.map(|_| Effect::Weaker));
    Effect::of_all(&effects)
}

/// The arguments of one condition that weigh in their own way.
type OwnWeights = &'static [(&'static str, ArgumentWeighs)];

fn of_arguments(own: OwnWeights, old: &Map<String, Value>, new: &Map<String, Value>) -> Effect {
    let own = |key: &str| own.iter().find(|(own, _)| *own == key).map(|(_, how)| *how);
    let bounds = (range(old), range(new));
    let mut effects = Vec::new();
    if bounds.0 != bounds.1 && own("is").is_none() {
        effects.push(width(bounds.0, bounds.1));
    }
    let keys: Vec<&String> =
        old.keys().chain(new.keys().filter(|k| !old.contains_key(*k))).collect();
    for key in keys {
        let (a, b) = (old.get(key).unwrap_or(&Value::Null), new.get(key).unwrap_or(&Value::Null));
        if a != b {
            effects.extend(match own(key) {
                Some(how) => of_own_argument(how, (a, b), (old, new)),
                None => of_argument(key, (a, b), bounds.0),
            });
        }
    }
    Effect::of_all(&effects)
}

fn of_own_argument(
    how: ArgumentWeighs,
    (old, new): (&Value, &Value),
    (olds, news): (&Map<String, Value>, &Map<String, Value>),
) -> Option<Effect> {
    Some(match how {
        ArgumentWeighs::Elements => weigh::elements(old, new),
        ArgumentWeighs::Presence => weigh::presence(old, new),
        ArgumentWeighs::Leader => leader(old, new),
        ArgumentWeighs::Spread if new.as_str() == Some("any") => Effect::Weaker,
        ArgumentWeighs::Spread => Effect::Stronger,
        ArgumentWeighs::OnePartition => match (olds.get("topic"), news.get("topic")) {
            (Some(_), None) => Effect::Weaker,
            (None, Some(_)) => Effect::Stronger,
            _ => Effect::Neutral,
        },
        ArgumentWeighs::WithAnother => return None,
    })
}

fn of_argument(key: &str, (old, new): (&Value, &Value), bound: (f64, f64)) -> Option<Effect> {
    let bound_of = |v: &Value| v.as_object().map_or(ANY, range);
    Some(match key {
        "is" | "at_most" | "at_least" | "between" => return None,
        "replicas" | "members" | "p50" | "p90" | "p95" | "p99" | "p999" | "max" => {
            width(bound_of(old), bound_of(new))
        }
        "topic" | "partition" | "client" | "since" | "sent" | "error" => narrowing(old, new, bound),
        _ => Effect::Neutral,
    })
}

/// The effect of a narrower selection, which finds less: with only an upper bound it requires less, with only a
/// lower bound more.
fn narrowing(old: &Value, new: &Value, (low, high): (f64, f64)) -> Effect {
    let narrowed = weigh::presence(old, new);
    match (low <= 0.0, high.is_infinite()) {
        (true, false) => narrowed.inverted(),
        (false, true) => narrowed,
        _ => Effect::Neutral,
    }
}

fn leader(old: &Value, new: &Value) -> Effect {
    let any = |v: &Value| v.as_str() == Some("any");
    let none = |v: &Value| v.as_str() == Some("none") || v.is_null();
    match (any(old), any(new)) {
        (true, false) if !none(new) => Effect::Stronger,
        (false, true) if !none(old) => Effect::Weaker,
        _ => Effect::Neutral,
    }
}

/// No bound at all.
const ANY: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

/// The least and the greatest value that a bound allows.
fn range(map: &Map<String, Value>) -> (f64, f64) {
    let of = |key: &str| map.get(key).and_then(weigh::amount);
    let pair = map.get("between").and_then(Value::as_array);
    let pair = pair.and_then(|p| Some((weigh::amount(p.first()?)?, weigh::amount(p.get(1)?)?)));
    match (of("is"), of("at_most"), of("at_least"), pair) {
        (Some(n), ..) => (n, n),
        (_, Some(n), ..) => (0.0, n),
        (_, _, Some(n), _) => (n, f64::INFINITY),
        (_, _, _, Some(pair)) => pair,
        _ => ANY,
    }
}

/// A wider range requires less.
fn width(old: (f64, f64), new: (f64, f64)) -> Effect {
    match (new.0 <= old.0 && new.1 >= old.1, new.0 >= old.0 && new.1 <= old.1) {
        (true, false) => Effect::Weaker,
        (false, true) => Effect::Stronger,
        _ => Effect::Neutral,
    }
}
