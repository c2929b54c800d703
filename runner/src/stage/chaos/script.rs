//! A schedule as steps of a plan that a person reads.

use std::{fmt::Write, time::Duration};

use kplan_dsl::{
    StepHead, Verb,
    value::{Target, duration_text},
};

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
    steps.push(step(&fault.verb, &duration_text(fault.lasts())));
    steps
}

/// A fault, lasting that long.
fn step(verb: &Verb, lasts: &str) -> String {
    let word = verb.info().word;
    let mut args: Vec<(&str, Option<String>)> = Vec::new();
    match verb {
        Verb::RestartBroker(it) => {
            args.push(("broker", Some(target(&it.broker))));
            args.push(("how", Some(it.how.to_string())));
            args.push(("down_for", Some(duration_text(it.down_for))));
            args.push(("rolling", it.rolling.then(|| "true".to_owned())));
            return format!("{word}: {}", map(args));
        }
        Verb::PartitionNetwork(it) => {
            let group = |g: &Vec<kplan_dsl::Spanned<u32>>| list(g.iter());
            let groups = it.groups.as_ref().map(|all| list(all.iter().map(group)));
            args.push(("groups", groups));
            args.push(("isolate", it.isolate.as_deref().map(target)));
            args.push(("from", it.from.as_deref().map(target)));
            args.push(("to", it.to.as_deref().map(target)));
            args.push(("clients", Some(it.clients.to_string())));
        }
        Verb::DegradeNetwork(it) => {
            args.push(("broker", Some(target(&it.broker))));
            args.push(("latency", it.latency.as_deref().map(|d| duration_text(*d))));
            args.push(("jitter", it.jitter.as_deref().map(|d| duration_text(*d))));
            args.push(("loss", it.loss.as_deref().map(ToString::to_string)));
            args.push(("bandwidth", it.bandwidth.as_deref().map(ToString::to_string)));
        }
        Verb::FillDisk(it) => {
            args.push(("broker", Some(target(&it.broker))));
            args.push(("leave", Some(it.leave.to_string())));
        }
        Verb::KillClient(it) => args.push(("client", Some(list(it.client.iter())))),
        Verb::PauseClient(it) => args.push(("client", Some(list(it.client.iter())))),
        other => args.push(("broker", other.target().map(|t| target(t)))),
    }
    args.push(("for", Some(lasts.to_owned())));
    format!("{word}: {}", map(args))
}

fn map(args: Vec<(&str, Option<String>)>) -> String {
    let given = args.into_iter().filter_map(|(key, value)| Some(format!("{key}: {}", value?)));
    format!("{{ {} }}", given.collect::<Vec<_>>().join(", "))
}

fn list(items: impl Iterator<Item = impl std::fmt::Display>) -> String {
    format!("[{}]", items.map(|i| i.to_string()).collect::<Vec<_>>().join(", "))
}

/// A target as it stands in a plan.
fn target(it: &Target) -> String {
    match it {
        Target::Broker(n) => n.to_string(),
        Target::Several(all) => list(all.iter().map(|t| target(t))),
        Target::All => "all".to_owned(),
        Target::Random => "random".to_owned(),
        Target::Controller => "controller".to_owned(),
        Target::Controllers => "controllers".to_owned(),
        Target::Zookeeper => "zookeeper".to_owned(),
        Target::LeaderOf(p) => format!("{{ leader_of: {p} }}"),
        Target::FollowersOf(p) => format!("{{ followers_of: {p} }}"),
        Target::CoordinatorOf(g) => format!("{{ coordinator_of: {g} }}"),
        Target::AnyOf(inner) => format!("{{ any_of: {} }}", target(inner)),
        Target::Not(inner) => format!("{{ not: {} }}", target(inner)),
        // A name of a step may hold anything; JSON's quotes are YAML's.
        Target::SameAs(name) => format!("{{ same_as: {} }}", serde_json::json!(name.as_str())),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kplan_dsl::{Options, check_text};

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
