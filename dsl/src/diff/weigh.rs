//! The effect of one argument's change on what a plan proves.

use serde_json::Value;

use super::Effect;
use crate::steps::Verb;

/// How an argument counts.
enum Rule {
    /// More of it proves less; what it is worth when it is absent.
    MoreIsWeaker(f64),
    /// More of it proves or breaks more.
    MoreIsStronger(f64),
    /// A list whose elements each prove or break something.
    Elements,
    /// The later in this row, the stronger.
    Row(&'static [&'static str]),
}

/// The effect of an argument of a verb.
pub(super) fn argument(word: &str, key: &str, old: &Value, new: &Value) -> Effect {
    let none = f64::INFINITY;
    let fault = Verb::may_be_in_chaos(word);
    let rule = match (word, key) {
        ("assert", "within") => Rule::MoreIsWeaker(0.0),
        ("assert", "for") | ("degrade_network", "latency" | "jitter" | "loss") => {
            Rule::MoreIsStronger(0.0)
        }
        ("wait" | "produce", "within") | ("chaos", "every") | ("fill_disk", "leave") => {
            Rule::MoreIsWeaker(none)
        }
        ("degrade_network", "bandwidth") => Rule::MoreIsWeaker(none),
        ("start_producer", "count" | "rate") => Rule::MoreIsStronger(none),
        ("repeat", "times") | ("chaos", "for") | ("restart_broker", "down_for") => {
            Rule::MoreIsStronger(0.0)
        }
        ("consume", "until") => return count_of(old, new),
        ("produce", "messages") | ("consume", "expect") | ("chaos", "faults") => Rule::Elements,
        ("repeat", "for_each") | ("record", "that") => Rule::Elements,
        ("restart_broker", "how") => Rule::Row(&["stop", "kill"]),
        ("run", "expect") => return presence(old, new),
        // Without `for` a fault stays, which is another drill.
        (_, "for") if fault && !old.is_null() && !new.is_null() => Rule::MoreIsStronger(none),
        (_, "broker" | "isolate" | "client") if fault => Rule::Elements,
        _ => return Effect::Neutral,
    };
    if (word, key) == ("record", "that") { Effect::Neutral } else { rule.effect(old, new) }
}

/// The effect of what stands beside a verb.
pub(super) fn common(key: &str, old: &Value, new: &Value) -> Effect {
    match key {
        "timeout" => Rule::MoreIsWeaker(f64::INFINITY).effect(old, new),
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
            // It narrows when the step runs, so it is the opposite of a condition's.
            (Some(old), Some(new)) => expression(old, new).inverted(),
        },
        _ => Effect::Neutral,
    }
}

impl Rule {
    fn effect(&self, old: &Value, new: &Value) -> Effect {
        match self {
            Self::MoreIsWeaker(absent) => more(old, new, *absent).inverted(),
            Self::MoreIsStronger(absent) => more(old, new, *absent),
            Self::Elements => elements(old, new),
            Self::Row(row) => {
                let place = |v: &Value| row.iter().position(|w| v.as_str() == Some(w));
                match (place(old), place(new)) {
                    (Some(a), Some(b)) if a < b => Effect::Stronger,
                    (Some(a), Some(b)) if a > b => Effect::Weaker,
                    _ => Effect::Neutral,
                }
            }
        }
    }
}

/// Stronger if the new amount is the greater one.
fn more(old: &Value, new: &Value, absent: f64) -> Effect {
    let of = |v: &Value| if v.is_null() { Some(absent) } else { amount(v) };
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

/// Weaker if the new list lacks something and has nothing new; `all` holds everything.
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

/// Stronger if something is asked for that was not before, weaker if it no longer is.
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
        (Some(a), Some(b)) => more(a, b, 0.0),
        _ => Effect::Neutral,
    }
}

/// The effect on something that an expression demands: with `and` it demands more.
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
