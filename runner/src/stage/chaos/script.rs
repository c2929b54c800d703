//! Writes a schedule as readable steps of a plan.

use std::{fmt::Write, time::Duration};

use kplan_dsl::{StepHead, value::duration_text};
use serde_json::Value;

use crate::stage::chaos::{Planned, lasting};

/// The plan's text with a chaos step of this duration and interval replaced by these
/// faults at their times: each in a branch of its own, because a step lasts until its fault is undone.
pub fn with_faults(
    plan: &str,
    head: &StepHead,
    times: (Duration, Duration),
    faults: &[&Planned],
    about: &str,
) -> String {
    let (from, to) = head.lines;
    let lines: Vec<&str> = plan.lines().collect();
    let (from, to) = (from.max(1) as usize - 1, (to as usize).min(lines.len()));
    let first = lines.get(from).copied().unwrap_or_default();
    let indent = &first[..first.len() - first.trim_start().len()];
    let mut out = String::new();
    for line in &lines[..from] {
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "{indent}# {about}");
    match &head.name {
        // Other steps may refer to the name. JSON strings are valid YAML.
        Some(name) => {
            let _ = writeln!(out, "{indent}- name: {}", serde_json::json!(name.as_str()));
            let _ = writeln!(out, "{indent}  parallel:");
        }
        None => {
            let _ = writeln!(out, "{indent}- parallel:");
        }
    }
    for fault in faults {
        let _ = writeln!(out, "{indent}    fault-{}:", fault.number);
        for step in steps(fault) {
            let _ = writeln!(out, "{indent}      - {step}");
        }
    }
    let _ = writeln!(out, "{indent}    the-end:");
    let _ = writeln!(
        out,
        "{indent}      - wait: {}",
        duration_text(lasting(times, faults.iter().copied()))
    );
    for line in lines.iter().skip(to) {
        let _ = writeln!(out, "{line}");
    }
    out
}

/// One fault as steps.
fn steps(fault: &Planned) -> Vec<String> {
    let mut steps = Vec::new();
    if !fault.at.is_zero() {
        steps.push(format!("wait: {}", duration_text(fault.at)));
    }
    steps.push(format!("{}: {}", fault.verb.info().word, flow(&fault.verb.arguments())));
    steps
}

/// A part of a plan on one line. JSON strings are valid YAML; plain words are written without quotes.
pub fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let each: Vec<String> = map.iter().map(|(k, v)| format!("{k}: {}", flow(v))).collect();
            format!("{{ {} }}", each.join(", "))
        }
        Value::Array(all) => {
            let each: Vec<String> = all.iter().map(flow).collect();
            format!("[{}]", each.join(", "))
        }
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
    }
}

/// Whether a text needs no quotes: letters, digits and characters of names, sizes, percentages and partitions; no
/// number, no keyword of YAML.
fn is_plain(text: &str) -> bool {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || "_-./%".contains(c);
    let word = ["true", "false", "null", "yes", "no", "on", "off"];
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(is_safe)
        && text.contains(|c: char| c.is_ascii_alphabetic() || c == '%')
        && text.parse::<f64>().is_err()
        && !text.starts_with("0x")
        && !text.starts_with("0o")
        && !word.contains(&text.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kplan_dsl::{Options, Plan, Verb, check_text, steps::Chaos};

    use super::*;
    use crate::stage::chaos::schedule;

    /// A fault with every form that what it strikes can have.
    const FORMS: &str = "
        - { kill_broker: random, for: 5s }
        - { kill_broker: [1, random], for: 3s }
        - { stop_broker: { any_of: { followers_of: orders/0 } }, for: 5s }
        - restart_broker: { broker: { not: random }, how: kill, down_for: 1s }
        - { partition_network: { isolate: { leader_of: orders/0 }, clients: cut }, for: 4s }
        - { partition_network: { groups: [[1], [2, 3]] }, for: 4s }
        - { degrade_network: { broker: random, loss: 10%, bandwidth: 1MiB/s }, for: 4s }";

    fn text(faults: &str) -> String {
        format!(
            "\
plan: v1
name: Chaos
steps:
  - start_cluster: {{ brokers: 3 }}
  - create_topic: orders
  - start_producer: {{ name: P, topic: orders }}
  - start_consumer: {{ name: C, topics: [orders], members: 2 }}
  - start_service: {{ name: invoicing, image: acme/invoicing:1.4, instances: 2 }}
  - name: storm
    chaos:
      for: 2m
      every: 10s
      faults:{faults}
  - stop_client: [P, C, invoicing]
  - assert:
      - lost: 0
"
        )
    }

    fn checked(text: &str) -> Plan {
        let checked = check_text(Path::new("chaos.yaml"), text, &Options::default());
        let plan = checked.suites.into_iter().next();
        plan.unwrap_or_else(|| panic!("{text}\n{:?}", checked.diagnostics))
    }

    fn chaos(plan: &Plan) -> (&StepHead, &Chaos, (Duration, Duration)) {
        let step = &plan.steps[5];
        let Some(Verb::Chaos(chaos)) = step.verb() else { panic!("a chaos step") };
        (&step.head, chaos, (*chaos.for_time, *chaos.every))
    }

    #[test]
    fn a_schedule_becomes_steps_that_the_checker_takes() {
        let text = text(FORMS);
        let plan = checked(&text);
        let (head, chaos, times) = chaos(&plan);
        let faults: Vec<Planned> = (1..=4)
            .flat_map(|seed| schedule(seed, "5", times, &chaos.faults, &[1, 2, 3]))
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        let each = faults.iter().filter(|p| seen.insert(p.verb.explain()));
        let each: Vec<Planned> =
            (1..).zip(each).map(|(number, p)| Planned { number, ..p.clone() }).collect();
        let all: Vec<&Planned> = each.iter().collect();
        checked(&with_faults(&text, head, times, &all, "of seed 1"));
        insta::assert_snapshot!(with_faults(&text, head, times, &all[1..5], "of seed 1"));
    }

    #[test]
    fn every_fault_becomes_a_step_that_the_checker_takes() {
        let faults = Verb::ALL
            .iter()
            .filter(|info| Verb::facts_of(info.word).is_some_and(|facts| facts.in_chaos));
        let examples = faults.flat_map(|info| info.examples);
        let examples: String = examples.map(|fault| format!("\n        - {fault}")).collect();
        let text = text(&format!("{FORMS}{examples}"));
        let plan = checked(&text);
        let (head, chaos, times) = chaos(&plan);
        assert!(chaos.faults.len() > 20, "{text}");
        for (number, fault) in (1..).zip(chaos.faults.iter()) {
            let planned = schedule(number, "5", times, std::slice::from_ref(fault), &[1, 2, 3]);
            let one = planned.first().expect("a fault");
            let again = checked(&with_faults(&text, head, times, &[one], "alone"));
            let inner: Vec<_> = again.steps[5].children().into_iter().flatten().collect();
            let words: Vec<String> = inner.iter().map(|step| step.explain()).collect();
            assert!(words.contains(&one.verb.explain()), "{words:?}: {one:?}");
        }
    }
}
