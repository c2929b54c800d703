//! The effect of one argument's change on what a plan proves.

use serde_json::Value;

use super::Effect;
use crate::args::Weight;
use crate::steps::Verb;

/// The declared weight of an argument of a verb.
pub(super) fn of_argument(word: &str, key: &str) -> Weight {
    let fields = Verb::known(word).map(|info| (info.fields)()).unwrap_or_default();
    fields.iter().find(|field| field.key == key).map_or(Weight::Neutral, |field| field.weight)
}

/// The effect of an argument's change. Conditions are compared separately.
pub(super) fn effect(weight: Weight, old: &Value, new: &Value) -> Effect {
    match weight {
        Weight::Neutral | Weight::Conditions => Effect::Neutral,
        Weight::MoreIsWeaker(absent) => more(old, new, absent).inverted(),
        Weight::MoreIsStronger(absent) => more(old, new, absent),
        Weight::Count => count_of(old, new),
        Weight::Elements => elements(old, new),
        Weight::Presence => presence(old, new),
        Weight::Row(row) => {
            let place = |v: &Value| row.iter().position(|w| v.as_str() == Some(w));
            match (place(old), place(new)) {
                (Some(a), Some(b)) if a < b => Effect::Stronger,
                (Some(a), Some(b)) if a > b => Effect::Weaker,
                _ => Effect::Neutral,
            }
        }
    }
}

/// The effect of a change of a key beside the verb.
pub(super) fn common(key: &str, old: &Value, new: &Value) -> Effect {
    match key {
        "timeout" => more(old, new, Some(f64::INFINITY)).inverted(),
        "optional" => {
            if new.is_null() {
                Effect::Stronger
            } else {
                Effect::Weaker
            }
        }
        "when" => match (old.as_str(), new.as_str()) {
            (None, _) => Effect::Weaker,
            (_, None) => Effect::Stronger,
            // A stricter `when` makes the step run less often, so the effect is the opposite of a condition's.
            (Some(old), Some(new)) => expression(old, new).inverted(),
        },
        _ => Effect::Neutral,
    }
}

/// Stronger if the new amount is the greater one.
fn more(old: &Value, new: &Value, absent: Option<f64>) -> Effect {
    let of = |v: &Value| if v.is_null() { absent } else { amount(v) };
    match (of(old), of(new)) {
        (Some(a), Some(b)) if a < b => Effect::Stronger,
        (Some(a), Some(b)) if a > b => Effect::Weaker,
        _ => Effect::Neutral,
    }
}

/// A number, a duration, a rate, a percent or a size as a number that can be compared.
pub(super) fn amount(value: &Value) -> Option<f64> {
    let text = match value {
        Value::Number(number) => return number.as_f64(),
        Value::String(text) => text.trim_end_matches("/s"),
        _ => return None,
    };
    let sizes = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];
    let size = sizes.iter().find_map(|(unit, shift)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * 2_f64.powi(*shift))
    });
    match text {
        "max" => Some(f64::INFINITY),
        _ => text
            .trim_end_matches('%')
            .parse()
            .ok()
            .or(size)
            .or_else(|| humantime::parse_duration(text).ok().map(|d| d.as_secs_f64())),
    }
}

/// Weaker if the new list lacks an element and has no new one. `all` contains everything.
pub(super) fn elements(old: &Value, new: &Value) -> Effect {
    let list = |v: &Value| match v {
        Value::Array(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let all = |v: &Value| v.as_str() == Some("all");
    let numbers = |v: &Value| list(v).iter().all(Value::is_number);
    match (all(old), all(new)) {
        (true, false) if numbers(new) => return Effect::Weaker,
        (false, true) if numbers(old) => return Effect::Stronger,
        _ => {}
    }
    let (old, new) = (list(old), list(new));
    let holds = |all: &[Value], some: &[Value]| some.iter().all(|one| all.contains(one));
    match (holds(&old, &new), holds(&new, &old)) {
        (true, _) if new.len() < old.len() => Effect::Weaker,
        (_, true) if new.len() > old.len() => Effect::Stronger,
        _ => Effect::Neutral,
    }
}

/// Stronger if a requirement is new, weaker if it is gone.
pub(super) fn presence(old: &Value, new: &Value) -> Effect {
    match (old.is_null(), new.is_null()) {
        (true, false) => Effect::Stronger,
        (false, true) => Effect::Weaker,
        _ => Effect::Neutral,
    }
}

/// `{count: N}`: fewer is weaker.
fn count_of(old: &Value, new: &Value) -> Effect {
    match (old.get("count"), new.get("count")) {
        (Some(a), Some(b)) => more(a, b, None),
        _ => Effect::Neutral,
    }
}

/// The effect of a change of an expression: an additional `and` requires more, an additional `or` less.
pub(super) fn expression(old: &str, new: &str) -> Effect {
    let joined = |long: &str, short: &str, joint: &str| {
        let behind = long.strip_prefix(short).is_some_and(|rest| rest.starts_with(joint));
        behind || long.strip_suffix(short).is_some_and(|rest| rest.ends_with(joint))
    };
    if joined(new, old, " and ") || joined(old, new, " or ") {
        Effect::Stronger
    } else if joined(new, old, " or ") || joined(old, new, " and ") {
        Effect::Weaker
    } else {
        Effect::Neutral
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_all_units_are_compared() {
        let of = |text: &str| amount(&Value::from(text));
        assert_eq!(of("1m30s"), Some(90.0));
        assert_eq!(of("200/s"), Some(200.0));
        assert_eq!(of("1KiB/s"), Some(1024.0));
        assert_eq!((of("10%"), of("orders")), (Some(10.0), None));
        assert_eq!(of("max"), Some(f64::INFINITY));
    }

    #[test]
    fn an_expression_with_and_demands_more() {
        assert_eq!(expression("a == 1", "a == 1 and b"), Effect::Stronger);
        assert_eq!(expression("a == 1", "b or a == 1"), Effect::Weaker);
        assert_eq!(expression("a or b", "a"), Effect::Stronger);
        assert_eq!(expression("a", "b"), Effect::Neutral);
    }
}
