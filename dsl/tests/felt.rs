//! The plans of the tests with brokers say that their faults acted: a fault that did nothing must not be
//! green. What a plan leaves to the test that runs it stands in [`LEFT`].

mod common;

use std::path::Path;

use common::below;
use serde_json::Value;

/// Plans whose fault is seen by a test: which looks at more than the end of the run.
const LEFT: [(&str, &str, &str); 25] = [
    ("chaos", "faults.rs", "chaos_keeps_what_it_must_and_repeats_its_schedule"),
    ("chaos-weak", "faults.rs", "a_failing_chaos_shrinks_to_the_fault_that_is_enough"),
    ("clocks", "clocks.rs", "the_times_of_a_broker_follow_its_clock_and_no_other"),
    ("cut-off", "embedded.rs", "a_fault_that_is_cut_off_is_undone"),
    ("damaged", "lies/disks.rs", "damaged_segments_are_counted_message_by_message"),
    ("dead-consumer", "embedded.rs", "a_consumer_that_never_catches_up_proves_nothing"),
    ("during", "embedded.rs", "the_steps_of_during_run_while_the_fault_is_in_force"),
    ("during-nested", "during.rs", "in_rounds_and_side_by_side_each_step_runs_within_its_fault"),
    ("during-twice", "during.rs", "what_did_not_hold_is_told_apart_in_every_report"),
    ("fenced", "causes.rs", "a_fenced_producer_that_no_step_looks_at_fails_the_plan"),
    ("fenced-judged", "causes.rs", "a_fenced_producer_is_judged_to_the_end"),
    ("half-killed", "embedded.rs", "a_step_on_a_whole_client_works_on_the_members_that_run"),
    (
        "java-leader",
        "real.rs",
        "kafkas_verifiable_clients_lose_nothing_through_the_death_of_a_leader",
    ),
    ("left-behind", "real.rs", "what_a_broker_tells_that_missed_the_elections_is_inconclusive"),
    (
        "moments",
        "moments.rs",
        "a_fault_begins_and_a_client_is_back_when_an_observer_outside_sees_it",
    ),
    ("nested-rounds", "embedded.rs", "each_round_is_told_as_what_it_did_and_in_its_order"),
    ("power", "power.rs", "all_three_lose_what_no_disk_had"),
    ("power-twin-killed", "power.rs", "its_twin_of_ext4_loses_the_same"),
    ("power-twin", "power.rs", "its_twin_of_ext4_loses_the_same"),
    ("quiet-fault", "embedded.rs", "traffic_that_stops_for_the_fault_proves_nothing"),
    ("requests", "requests.rs", "no_disturbance_leads_to_a_false_verdict"),
    ("reuse/3", "trust/reuse.rs", "a_cluster_goes_on_until_a_plan_leaves_a_trace"),
    ("unreadable-log", "embedded.rs", "a_log_that_cannot_be_read_proves_nothing"),
    ("untold", "embedded.rs", "what_a_client_of_another_program_does_not_tell_is_not_known"),
    ("written", "embedded.rs", "messages_that_the_plan_writes_are_found_again"),
];

/// Faults; the last one is over when its step ends.
const FAULTS: [&str; 18] = [
    "chaos",
    "corrupt_disk",
    "degrade_network",
    "disk_errors",
    "disturb_requests",
    "fill_disk",
    "kill_broker",
    "kill_client",
    "partition_network",
    "pause_broker",
    "pause_client",
    "power_loss",
    "skew_clock",
    "slow_disk",
    "stop_broker",
    "stop_cluster",
    "upgrade_broker",
    "restart_broker",
];
/// Steps that undo a fault, or may.
const UNDOING: [&str; 7] = [
    "include",
    "free_disk",
    "heal_network",
    "resume_broker",
    "resume_client",
    "start_broker",
    "start_client",
];
/// What a cluster says of itself, and what changes with a fault.
const STATE: [&str; 10] = [
    "brokers_alive",
    "connected",
    "controller",
    "in_sync",
    "leader",
    "listener",
    "offline_partitions",
    "running",
    "under_min_isr_partitions",
    "under_replicated_partitions",
];
/// What a fault does to messages, where a bound refuses 0.
const DAMAGE: [&str; 11] = [
    "corrupted",
    "diverged",
    "duplicated",
    "latency",
    "log",
    "lost",
    "redelivered",
    "reordered",
    "replicas_differ",
    "unavailable",
    "undelivered",
];

/// A step: what it does, how it is called, and all that it says.
struct Step<'p> {
    verb: &'p str,
    name: Option<&'p str>,
    args: &'p Value,
}

fn verb_of(step: &Value) -> Option<(&str, &Value)> {
    let beside = ["name", "timeout", "when", "optional", "expect_error", "capture"];
    match step {
        Value::String(verb) => Some((verb, &Value::Null)),
        Value::Object(map) => {
            map.iter().find(|(k, _)| !beside.contains(&k.as_str())).map(|(k, v)| (k.as_str(), v))
        }
        _ => None,
    }
}

/// The steps in the order of the text, those of rounds and branches too; what is done during a fault stays in it.
fn flat<'p>(steps: &'p Value, into: &mut Vec<Step<'p>>) {
    for step in steps.as_array().into_iter().flatten() {
        let (verb, args) = verb_of(step).unwrap_or_else(|| panic!("no verb: {step}"));
        into.push(Step { verb, name: step["name"].as_str(), args });
        flat(&args["steps"], into);
        let branches = args.as_object().filter(|_| verb == "parallel");
        branches.into_iter().flat_map(|map| map.values()).for_each(|branch| flat(branch, into));
        flat(&args["during"], into);
    }
}

/// Every condition of a step, those in others too, with what is said of it.
fn conditions<'v>(value: &'v Value, found: &mut Vec<(&'v str, &'v Value)>) {
    match value {
        Value::Array(all) => all.iter().for_each(|one| conditions(one, found)),
        Value::Object(map) => {
            for (word, args) in map {
                found.push((word, args));
                conditions(args, found);
            }
        }
        _ => {}
    }
}

/// A bound that nothing at all does not meet.
fn refuses_none(args: &Value) -> bool {
    let more = |v: &Value| match v {
        Value::Number(n) => n.as_f64() > Some(0.0),
        Value::String(text) => !text.starts_with('0'),
        _ => false,
    };
    let own = (args.is_number() && more(args)) || more(&args["is"]) || more(&args["at_least"]);
    own || args["between"].get(0).is_some_and(more)
        || args
            .as_object()
            .is_some_and(|map| map.values().any(|v| v.is_object() && refuses_none(v)))
}

/// Whether what is said of a state or a message depends on the fault `at`, before it is undone or of it by name.
fn felt(steps: &[Step<'_>], at: usize) -> bool {
    let fault = &steps[at];
    let judging = |s: &&Step<'_>| ["assert", "wait"].contains(&s.verb);
    let tells = |s: &Step<'_>, state: bool| {
        let mut found = Vec::new();
        conditions(s.args, &mut found);
        found.iter().any(|(word, args)| {
            let newer = args["since"].as_str().or(args["during"].as_str());
            let own = newer.is_none() || newer == fault.name;
            (own && DAMAGE.contains(word) && refuses_none(args)) || state && (STATE.contains(word))
        })
    };
    let after = &steps[at + 1..];
    let mut inside = Vec::new();
    flat(&fault.args["during"], &mut inside);
    if !inside.is_empty() {
        return inside.iter().filter(judging).any(|s| tells(s, true));
    }
    let undone = |s: &Step<'_>| {
        let other = s.args.is_number() && fault.args.is_number() && s.args != fault.args;
        UNDOING.contains(&s.verb) && !other
    };
    let over = !fault.args["for"].is_null() || fault.verb == "restart_broker";
    let in_force = if over { 0 } else { after.iter().take_while(|s| !undone(s)).count() };
    let leads =
        |s: &Step<'_>| fault.verb == "restart_broker" && s.args.to_string().contains("\"leader\":");
    after[..in_force].iter().filter(judging).any(|s| tells(s, true))
        || after.iter().filter(judging).any(|s| tells(s, false) || leads(s))
}

/// The faults of a plan of which nothing is said that depends on them.
fn unfelt(text: &str) -> Vec<String> {
    let plan: Value = serde_yaml::from_str(text).expect("YAML");
    let mut steps = Vec::new();
    flat(&plan["steps"], &mut steps);
    let faults = (0..steps.len()).filter(|at| FAULTS.contains(&steps[*at].verb));
    let missing = faults.filter(|at| !felt(&steps, *at));
    missing.map(|at| format!("{} {}", steps[at].verb, steps[at].args)).collect()
}

#[test]
fn every_fault_of_a_test_plan_is_one_that_something_depends_on() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runner/tests");
    let (mut wrong, mut faulty) = (Vec::new(), 0);
    for path in below(&tests.join("plans")) {
        let text = std::fs::read_to_string(&path).expect("a plan");
        let name = path.strip_prefix(tests.join("plans")).expect("below").with_extension("");
        let name = name.to_str().expect("plain");
        let unfelt = unfelt(&text);
        faulty += usize::from(FAULTS.iter().any(|fault| text.contains(&format!("{fault}:"))));
        match LEFT.iter().find(|(plan, ..)| *plan == name) {
            None => wrong.extend(unfelt.iter().map(|fault| format!("{name}: {fault}"))),
            Some(_) if unfelt.is_empty() => {
                wrong.push(format!("{name} needs no test for its fault"))
            }
            Some((_, file, test)) => {
                let source = std::fs::read_to_string(tests.join(file)).expect("a source");
                let is_there = source.contains(&format!("fn {test}("));
                wrong.extend((!is_there).then(|| format!("{name}: no {test} in {file}")));
            }
        }
    }
    let gone = |plan: &&str| !tests.join("plans").join(format!("{plan}.yaml")).exists();
    let gone = LEFT.iter().map(|(plan, ..)| *plan).filter(gone);
    wrong.extend(gone.map(|plan| format!("{plan}: there is no such plan")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(faulty > 20, "only {faulty} plans with faults were seen");
}

#[test]
fn what_holds_without_the_fault_is_found() {
    let green = "  - wait: [progressing: P]\n  - assert: [lost: 0, { recovered: { client: P, at_most: 60s } }]\n";
    for (fault, felt, not) in [
        (
            "kill_broker: 2",
            "wait: [brokers_alive: 2]",
            "start_broker: 2\n  - wait: [brokers_alive: 3]",
        ),
        (
            "kill_broker: { broker: 2, for: 5s }",
            "assert: [{ unavailable: { client: P, at_least: 1s } }]",
            "wait: [brokers_alive: 3]",
        ),
        (
            "degrade_network: { broker: 1, loss: 10% }",
            "assert: [{ latency: { client: P, max: { at_least: 1s } } }]",
            "assert: [{ latency: { client: P, max: { at_most: 1s } } }]",
        ),
        (
            "restart_broker: 1",
            "assert: [{ log: { broker: 1, matches: started, at_least: 1 } }]",
            "assert: [{ in_sync: { topic: t, replicas: 3 } }]",
        ),
        (
            "pause_broker: { broker: 2, during: [{ wait: [brokers_alive: 2] }] }",
            "note: x",
            "note: x",
        ),
    ] {
        let plan = |after: &str| format!("steps:\n  - {fault}\n  - {after}\n{green}");
        assert_eq!(unfelt(&plan(felt)), Vec::<String>::new(), "{fault}");
        let during = fault.contains("during");
        assert_eq!(unfelt(&plan(not)).is_empty(), during, "{fault}");
    }
    let idle = "steps:\n  - pause_broker: { broker: 2, during: [{ wait: 5s }] }\n  - wait: [brokers_alive: 3]\n";
    assert_eq!(unfelt(idle).len(), 1);
    let nested = "steps:\n  - repeat: { times: 2, steps: [{ parallel: { a: [{ kill_broker: 1 }], b: [{ note: x }] } }] }\n";
    assert_eq!(unfelt(nested).len(), 1);
}
