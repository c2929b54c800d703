//! Compares the plan as a whole: name, tags, parameters, time limit, rules of `always`.

use serde_json::{Value, json};

use super::{Change, Effect, PlanPart, conditions, flow, weigh};
use crate::meaning::Meaning;
use crate::plan::{Always, Param, Plan};
use crate::value::{ChosenClient, External};

/// Compares everything but the steps.
pub(super) fn compare(old: &Plan, new: &Plan) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |effect, text: String| changes.push(Change::new(effect, PlanPart::Head, text));
    if old.name != new.name {
        add(Effect::Neutral, format!("the name `{}` became `{}`", old.name, new.name));
    }
    let described = |plan: &Plan| plan.description.as_ref().map(|d| d.trim().to_owned());
    if described(old) != described(new) {
        add(Effect::Neutral, "the description changed".to_owned());
    }
    for tag in old.tags.iter().filter(|t| !new.tags.contains(t)) {
        add(Effect::Neutral, format!("the tag `{tag}` is gone"));
    }
    for tag in new.tags.iter().filter(|t| !old.tags.contains(t)) {
        add(Effect::Neutral, format!("the tag `{tag}` is new"));
    }
    if old.timeout != new.timeout {
        let (was, is) = (old.timeout.meaning(), new.timeout.meaning());
        let effect = weigh::common("timeout", &was, &is);
        add(effect, format!("`timeout: {}` became `{}`", flow::flow(&was), flow::flow(&is)));
    }
    if old.external.meaning() != new.external.meaning() {
        let all =
            |plan: &Plan| plan.external.as_ref().map_or("nothing".to_owned(), External::in_words);
        add(Effect::Neutral, format!("`external` was {} and is {}", all(old), all(new)));
    }
    changes.extend(params(old, new));
    changes.extend(clients(old, new));
    changes
}

/// Compares the clients of other programs. Another program may make a plan weaker or stronger: nobody can tell.
fn clients(old: &Plan, new: &Plan) -> Vec<Change> {
    let (was, is) = (old.programs(), new.programs());
    let named = |all: &[&ChosenClient], name: &str| -> Vec<Value> {
        let same = all.iter().filter(|c| c.name == name).filter_map(|c| c.program.as_ref());
        same.map(|program| program.meaning()).collect()
    };
    let mut names: Vec<&str> = was.iter().chain(&is).map(|c| c.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut changes = Vec::new();
    let mut add = |text: String| changes.push(Change::new(Effect::Neutral, PlanPart::Head, text));
    for name in names {
        match (named(&was, name), named(&is, name)) {
            (was, is) if was == is => {}
            (was, _) if was.is_empty() => add(format!("the client `{name}` is new")),
            (_, is) if is.is_empty() => add(format!("the client `{name}` is gone")),
            _ => add(format!("the client `{name}` is another program")),
        }
    }
    changes
}

fn params(old: &Plan, new: &Plan) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |text: String| changes.push(Change::new(Effect::Neutral, PlanPart::Head, text));
    // The value of a parameter that is in the matrix is reported with the combination.
    let in_cell = |plan: &Plan, name: &str| plan.cell.iter().any(|(k, _)| k == name);
    let find = |plan: &'_ Plan, name: &str| plan.params.iter().position(|p| p.name == name);
    for param in &old.params {
        let Some(now) = find(new, &param.name).map(|at| &new.params[at]) else {
            add(format!("the parameter `{}` is gone", param.name));
            continue;
        };
        if param.secret != now.secret {
            let is = if now.secret { "is now secret" } else { "is no longer secret" };
            add(format!("the parameter `{}` {is}", param.name));
        } else if param.value != now.value
            && !in_cell(old, &param.name)
            && !in_cell(new, &param.name)
        {
            add(changed(param, now));
        }
    }
    for param in new.params.iter().filter(|p| find(old, &p.name).is_none()) {
        add(format!("the parameter `{}` is new", param.name));
    }
    changes
}

fn changed(old: &Param, new: &Param) -> String {
    if old.secret || new.secret {
        return format!("the parameter `{}` changed (not shown)", old.name);
    }
    let one_line = |text: &str| flow::flow(&Value::from(text));
    format!(
        "the parameter `{}: {}` became `{}`",
        old.name,
        one_line(&old.value),
        one_line(&new.value)
    )
}

/// Compares the rules of `always`.
pub(super) fn always(old: &Plan, new: &Plan) -> Vec<Change> {
    // Conditions for the same part of the plan are compared together, even if they are written as several rules.
    let mut spans: Vec<(Value, Value, Value)> = Vec::new();
    let mut add = |all: &[Always], is_new: bool| {
        for always in all {
            let span = json!([
                always.from.as_ref().map(|s| s.as_str()),
                always.to.as_ref().map(|s| s.as_str())
            ]);
            let at = spans.iter().position(|(known, ..)| *known == span).unwrap_or_else(|| {
                spans.push((span, json!([]), json!([])));
                spans.len() - 1
            });
            let list = if is_new { &mut spans[at].2 } else { &mut spans[at].1 };
            if let (Value::Array(list), Value::Array(that)) = (list, always.that.meaning()) {
                list.extend(that);
            }
        }
    };
    add(&old.always, false);
    add(&new.always, true);
    let mut changes = Vec::new();
    if let Some(text) = respanned(&mut spans) {
        changes.push(Change::new(text.0, PlanPart::Always, text.1));
    }
    for (span, old, new) in spans {
        let each = conditions::compare(&old, &new).into_iter();
        let during = spoken(&span);
        changes.extend(
            each.map(|c| Change::new(c.effect, PlanPart::Always, format!("{}{during}", c.text))),
        );
    }
    changes
}

/// Takes out one list of conditions that is unchanged, but applies to a different part of the plan.
fn respanned(spans: &mut Vec<(Value, Value, Value)>) -> Option<(Effect, String)> {
    let empty = |v: &Value| v.as_array().is_none_or(Vec::is_empty);
    let from = spans.iter().position(|(_, old, new)| !empty(old) && empty(new))?;
    let to = spans.iter().position(|(_, old, new)| empty(old) && *new == spans[from].1)?;
    let (was, is) = (spans[from].0.clone(), spans[to].0.clone());
    let ends =
        |span: &Value| span.as_array().map_or(0, |s| s.iter().filter(|e| !e.is_null()).count());
    let kept = was
        .as_array()
        .zip(is.as_array())
        .is_some_and(|(a, b)| a.iter().zip(b).all(|(a, b)| a == b || a.is_null() || b.is_null()));
    let effect = match (kept, ends(&was).cmp(&ends(&is))) {
        (true, std::cmp::Ordering::Less) => Effect::Weaker,
        (true, std::cmp::Ordering::Greater) => Effect::Stronger,
        _ => Effect::Neutral,
    };
    let list: Vec<String> =
        spans[from].1.as_array().iter().flat_map(|l| l.iter()).map(flow::flow).collect();
    let text = format!(
        "`{}` was required{} and is now required{}",
        list.join(", "),
        spoken(&was),
        spoken(&is)
    );
    let (first, second) = (from.max(to), from.min(to));
    spans.remove(first);
    spans.remove(second);
    Some((effect, text))
}

/// ` from "outage" to "recovery"`, or nothing for the whole plan.
fn spoken(span: &Value) -> String {
    match (span[0].as_str(), span[1].as_str()) {
        (None, None) => " all the time".to_owned(),
        (Some(from), None) => format!(" from \"{from}\" on"),
        (None, Some(to)) => format!(" until \"{to}\""),
        (Some(from), Some(to)) => format!(" from \"{from}\" to \"{to}\""),
    }
}
