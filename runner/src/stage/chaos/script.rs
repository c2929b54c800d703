//! A schedule as steps of a plan that a person reads.

use std::{fmt::Write, time::Duration};

use kplan_dsl::{StepHead, value::duration_text};
use serde_json::Value;

use crate::stage::chaos::{Planned, lasting};

/// The plan's text with a chaos step, of so long and with a fault every so often, replaced by these
/// faults at their times: each in a branch of its own, because a step lasts until what it broke is back.
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
        // Others may refer to it. JSON's quotes are YAML's.
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

/// A part of a plan on one line. JSON's quotes are YAML's; what cannot be read as anything else needs none.
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

/// Letters, digits and what stands in names, sizes, percentages and partitions; no number, no word of YAML.
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

    use kplan_dsl::{Options, Verb, check_text};

    use super::*;
    use crate::stage::chaos::schedule;

    const PLAN: &str = "\
plan: v1
name: Chaos
steps:
  - start_cluster: { brokers: 3 }
  - create_topic: orders
  - start_producer: { name: P, topic: orders }
  - name: storm
    chaos:
      for: 2m
      every: 10s
      faults:
        - { kill_broker: random, for: 5s }
        - { stop_broker: { any_of: { followers_of: orders/0 } }, for: 5s }
        - { pause_broker: [1, random], for: 3s }
        - restart_broker: { broker: { not: random }, how: kill, down_for: 1s }
        - { partition_network: { isolate: { leader_of: orders/0 }, clients: cut }, for: 4s }
        - { partition_network: { groups: [[1], [2, 3]] }, for: 4s }
        - { degrade_network: { broker: random, loss: 10%, bandwidth: 1MiB/s }, for: 4s }
        - { fill_disk: 2, for: 4s }
        - { pause_client: P, for: 1s }
  - stop_client: P
  - assert:
      - lost: 0
";

    #[test]
    fn a_schedule_becomes_steps_that_the_checker_takes() {
        let checked = check_text(Path::new("chaos.yaml"), PLAN, &Options::default());
        let plan = checked.suites.first().unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        let step = &plan.steps[3];
        let Some(Verb::Chaos(chaos)) = step.verb() else { panic!("a chaos step") };
        let times = (*chaos.for_time, *chaos.every);
        let faults: Vec<Planned> =
            (1..=4).flat_map(|seed| schedule(seed, "4", times, &chaos.faults, 3)).collect();
        let mut seen = std::collections::BTreeSet::new();
        let each: Vec<&Planned> = faults.iter().filter(|p| seen.insert(p.verb.explain())).collect();
        let each: Vec<Planned> =
            (1..).zip(each).map(|(number, p)| Planned { number, ..p.clone() }).collect();
        let all: Vec<&Planned> = each.iter().collect();
        let text = with_faults(PLAN, &step.head, times, &all, "of seed 1");
        let again = check_text(Path::new("shrunk.yaml"), &text, &Options::default());
        assert!(!again.suites.is_empty(), "{text}\n{:?}", again.diagnostics);
        let words: std::collections::BTreeSet<&str> =
            each.iter().map(|p| p.verb.info().word).collect();
        assert_eq!(words.len(), 8, "every word has its turn: {words:?}");
        insta::assert_snapshot!(with_faults(PLAN, &step.head, times, &all[..3], "of seed 1"));
    }
}
