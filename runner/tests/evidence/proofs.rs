//! What proves something, and what must not be green.

use std::fmt::Write as _;

use kplan::event::{Holds, Verdict};

use super::{BEGIN, WAYS, run_text, step};

fn ends(plan: &str, verdict: Verdict, word: &str) {
    let ran = run_text(&format!("plan: v1\nname: x\n{plan}"));
    assert_eq!(ran.record.suites[0].verdict, verdict, "{}", ran.text());
    assert!(ran.text().contains(word), "{word}: {}", ran.text());
}

#[test]
fn always_does_not_forget_what_it_could_not_judge() {
    let all_dead = "  - { name: outage, kill_broker: all }\n  - wait: 6s\n  - start_broker: all\n  \
                    - wait: 3s\n";
    let rule = "always:\n  - progressing: { client: P, within: 3s }\nsteps:\n";
    ends(&format!("{rule}{BEGIN}{all_dead}"), Verdict::Failed, "nothing acknowledged");
    let fine = "  - wait: 5s\n  - kill_client: P\n  - wait: 4s\n  - start_client: P\n  - wait: 4s\n  \
                - stop_client: [P, C]\n  - wait: 4s\n";
    ends(&format!("{rule}{BEGIN}{fine}"), Verdict::Passed, "passed");
}

#[test]
fn always_between_steps_that_did_not_run_is_never_green() {
    let steps = "steps:\n  - start_cluster: { brokers: 3 }\n  - { note: one, name: one }\n  - wait: 500ms\n  \
                 - { note: two, name: two }\n  - { note: never, name: never, when: false }\n  \
                 - assert: [{ brokers_alive: 3 }]\nfinally:\n  - { note: last, name: last }\n";
    let rule =
        |bounds: &str| format!("always: [{{ that: [{{ brokers_alive: 3 }}], {bounds} }}]\n{steps}");
    ends(&rule("from: one, to: two"), Verdict::Passed, "passed");
    for (bounds, words) in [
        ("from: never", "never judged: step \"never\" did not run"),
        ("to: never", "not judged to its end: step \"never\" did not run"),
        ("from: one, to: never", "not judged to its end: step \"never\" did not run"),
        ("from: never, to: two", "never judged: step \"never\" did not run"),
        ("from: one, to: last", "not judged to its end: step \"last\" did not run"),
    ] {
        ends(&rule(bounds), Verdict::Failed, words);
    }
}

#[test]
fn what_judges_nothing_is_never_green() {
    let start = "steps:\n  - start_cluster: { brokers: 3 }\n  - create_topic: { name: orders, partitions: 1 }\n";
    for nothing in [
        "  - assert: [{ expr: true }]\n",
        "  - assert: [{ brokers_alive: { at_least: 0 } }]\n",
        "  - kill_broker: 1\n  - { optional: true, assert: [{ not: [{ brokers_alive: 2 }] }] }\n",
        "  - kill_broker: 1\n  - { optional: true, repeat: { times: 1, steps: [{ assert: [{ brokers_alive: 2 }] }] } }\n",
        "  - { optional: true, parallel: { a: [{ assert: [{ brokers_alive: 3 }] }] } }\n",
        "  - consume: { topic: orders, until: { count: 0 } }\n",
        "  - consume: { topic: orders, until: { count: 0 }, expect: [] }\n",
        "  - assert: [{ expr: true }]\n  - { when: '{{ run.seed < 0 }}', assert: [{ brokers_alive: 3 }] }\n",
        "  - chaos: { for: 3s, every: 1s, faults: [{ kill_broker: { broker: random, for: 500ms } }], keep: \
         [{ brokers_alive: 3 }] }\n  - assert: [{ brokers_alive: 3 }]\n",
        "  - assert: [{ not: [{ expr: false }] }]\n",
    ] {
        ends(&format!("{start}{nothing}"), Verdict::Failed, "inconclusive");
    }
}

#[test]
fn what_an_optional_step_holds_fails_without_a_consequence() {
    let start = "steps:\n  - start_cluster: { brokers: 3 }\n  - create_topic: { name: orders, partitions: 1 }\n  - kill_broker: 1\n";
    let wrong = "[{ assert: [{ not: [{ brokers_alive: 2 }] }] }, { wait: { until: [{ not: [{ brokers_alive: 2 }] }], within: 100ms } }]";
    let counts = "  - assert: [{ brokers_alive: 2 }]\n";
    for around in [
        format!("  - {{ optional: true, repeat: {{ times: 2, steps: {wrong} }} }}\n"),
        format!("  - {{ optional: true, parallel: {{ a: {wrong} }} }}\n"),
        format!(
            "  - optional: true\n    parallel:\n      a: [{{ repeat: {{ times: 1, steps: {wrong} }} }}]\n"
        ),
    ] {
        ends(&format!("{start}{around}{counts}"), Verdict::Passed, "passed");
        let inside = around.replace("optional: true, ", "").replace("optional: true\n    ", "");
        ends(&format!("{start}{inside}{counts}"), Verdict::Failed, "failed");
    }
}

#[test]
fn what_never_ran_is_judged_neither_way() {
    let never = "  - { when: '{{ run.seed < 0 }}', start_producer: { name: Q, topic: orders } }\n";
    for condition in ["progressing: Q", "recovered: { client: Q, at_most: 1s }", "progressing: P"] {
        let plan = format!("steps:\n{BEGIN}{never}  - assert: [{{ not: [{{ {condition} }}] }}]\n");
        ends(&plan, Verdict::Failed, "");
    }
    let note = "  - { name: mark, note: here }\n  - wait: 1s\n  - stop_client: [P, C]\n  \
                - assert: [{ lost: { is: 0, since: mark } }]\n";
    ends(&format!("steps:\n{BEGIN}{note}"), Verdict::Failed, "is a note");
}

/// Messages that were sent during a fault say nothing of a reader that was to be given none of them.
#[test]
fn a_reader_that_was_to_be_given_nothing_of_the_fault_proves_nothing() {
    let begin =
        BEGIN.replace("start_consumer: { name: C, topics: [orders] }", "note: no reader yet");
    let begin = begin.replace("[P, C]", "[P]");
    let fault = "  - kill_broker: { broker: 2, for: 1s }\n";
    let join = |from: &str| {
        format!(
            "  - start_consumer: {{ name: C, topics: [orders], from: {from} }}\n  \
             - wait: {{ until: [{{ progressing: [P, C] }}] }}\n  - wait: 1s\n  \
             - stop_client: [P, C]\n"
        )
    };
    let (latest, earliest) = (join("latest"), join("earliest"));
    for condition in ["undelivered: 0", "redelivered: 0", "skipped: 0"] {
        let plan = format!("steps:\n{begin}{fault}{latest}  - assert: [{{ {condition} }}]\n");
        ends(&plan, Verdict::Failed, "while this fault was in effect");
    }
    let plan = format!("steps:\n{begin}{fault}{earliest}  - assert: [{{ undelivered: 0 }}]\n");
    ends(&plan, Verdict::Passed, "passed");
    // Another topic's traffic is none of the reader's.
    let other = "  - create_topic: { name: other, partitions: 1 }\n  \
                 - start_producer: { name: Q, topic: other, rate: 200/s }\n  - pause_client: P\n  \
                 - wait: 1s\n";
    let end = "  - resume_client: P\n  - wait: 1s\n  - stop_client: [P, Q, C]\n";
    let plan = format!("steps:\n{BEGIN}{other}{fault}{end}  - assert: [{{ undelivered: 0 }}]\n");
    ends(&plan, Verdict::Failed, "that a consumer should receive");
}

#[test]
fn what_a_record_does_not_know_is_no_number() {
    let quiet = "  - stop_client: [P, C]\n  - kill_broker: 2\n  - start_broker: 2\n  \
                 - { record: [lost, acked], capture: counted }\n";
    let expr = "  - assert: [{ expr: '{{ counted.lost.total | default(0) == 0 }}' }]\n";
    ends(&format!("steps:\n{BEGIN}{quiet}{expr}"), Verdict::Failed, "lost is not known");
    ends(&format!("steps:\n{BEGIN}{quiet}"), Verdict::Passed, "lost unknown");
    // Also where it is a bound, an argument or the condition of a step.
    for needs in [
        "assert: [{ acked: { at_least: '{{ counted.lost.total }}' } }]",
        "wait: '{{ counted.lost.total | default(1) }}s'",
        "{ when: '{{ counted.lost.total == 0 }}', wait: 1s }",
        "parallel: { one: [{ wait: '{{ counted.lost.total }}s' }] }",
    ] {
        let plan = format!("steps:\n{BEGIN}{quiet}  - {needs}\n");
        ends(&plan, Verdict::Failed, "counted.lost is not known");
    }
    let known = "  - assert: [{ expr: '{{ counted.acked.total > 0 }}' }]\n";
    ends(&format!("steps:\n{BEGIN}{quiet}{known}"), Verdict::Passed, "lost unknown");
}

/// A chaos breaks what its faults break, a repeat what the steps in it break: in the second round too.
#[test]
fn the_faults_of_a_step_are_those_of_all_that_it_does() {
    let storm = "{ for: 4s, every: 2s, faults: [{ kill_broker: { broker: random, for: 500ms } }] }";
    let after = "  - assert:\n      - recovered: { client: P, since: outage, at_most: 60s }\n      - latency: \
                 { client: P, before: outage, max: { at_most: 60s } }\n      - latency: { client: P, during: \
                 outage, max: { at_most: 60s } }\n      - latency: { client: P, after: outage, max: { at_most: \
                 60s } }\n      - lost: { is: 0, sent: before, of: outage }\n";
    let more = "  - wait: 2s\n  - stop_client: [P, C]\n";
    for outage in [
        format!("  - {{ name: outage, chaos: {storm} }}\n"),
        format!("  - repeat:\n      times: 2\n      steps:\n        - {{ name: outage, chaos: {storm} }}\n"),
        "  - name: outage\n    repeat:\n      times: 2\n      steps:\n        - kill_broker: { broker: 2, for: 1s }\n        - wait: 1s\n".to_owned(),
    ] {
        let plan = format!("steps:\n{BEGIN}{outage}{more}{after}");
        let ran = run_text(&format!("plan: v1\nname: x\n{plan}"));
        let suite = &ran.record.suites[0];
        assert_eq!(suite.verdict, Verdict::Passed, "{}", ran.text());
        let mut findings = suite.steps.iter().flat_map(|step| &step.findings);
        let recovered = findings.find(|f| f.condition.contains("recovered")).expect("a finding");
        assert!(recovered.found.contains("killed"), "from the fault: {}", recovered.found);
    }
}

/// A step that broke nothing begins nothing that could be judged, whatever is asked of it.
#[test]
fn what_did_nothing_is_counted_from_by_nothing() {
    let storm = "{ for: 2s, every: 1s, faults: [{ kill_broker: { broker: random, for: 500ms } }], keep: \
                 [{ acked: { client: P, at_least: 100000000 } }] }";
    let end = "  - wait: 1s\n  - stop_client: [P, C]\n";
    let counted = ["lost: { is: 0, since: quiet }", "lost: { is: 0, sent: before, of: quiet }"];
    let broken = [
        "recovered: { client: P, since: quiet, at_most: 60s }",
        "latency: { client: P, during: quiet, max: { at_most: 60s } }",
    ];
    let left_out =
        "  - { name: quiet, when: '{{ run.seed < 0 }}', kill_broker: { broker: 3, for: 1s } }\n";
    let storm = format!("  - {{ name: quiet, optional: true, chaos: {storm} }}\n");
    let all: Vec<_> = counted.into_iter().chain(broken).collect();
    for (quiet, asked) in [
        (left_out, all.as_slice()),
        ("  - { name: quiet, note: here }\n", &all),
        (&storm, &all),
        ("  - { name: quiet, wait: 1s }\n", &broken),
        ("  - { name: quiet, start_broker: 2 }\n", &broken),
    ] {
        let before = if quiet.contains("start_broker") { "  - stop_broker: 2\n" } else { "" };
        let mut plan = format!("steps:\n{BEGIN}{before}{quiet}{end}");
        for condition in asked {
            for way in ["plain", "not", "any"] {
                writeln!(plan, "  - {}", step(condition, way)).expect("text");
            }
        }
        let ran = run_text(&format!("plan: v1\nname: x\n{plan}"));
        let asserts = ran.record.suites[0].steps.iter().filter(|s| s.info.verb == "assert");
        let found: Vec<_> = asserts.flat_map(|step| &step.findings).collect();
        assert_eq!(found.len(), 3 * asked.len(), "{}", ran.text());
        let judged: Vec<_> = found.iter().filter(|f| f.holds != Holds::Inconclusive).collect();
        assert!(judged.is_empty(), "{quiet}{judged:#?}");
    }
}

/// An assert that counts its time from a step which did not run judges nothing, and the plan goes on.
#[test]
fn a_time_that_never_began_is_judged_neither_way() {
    let never =
        "  - { name: never, when: '{{ run.seed < 0 }}', kill_broker: { broker: 3, for: 1s } }\n";
    let asked = "  - assert: { that: [{ brokers_alive: 3 }], within: 5s, since: never }\n  \
                 - assert: [{ brokers_alive: 3 }]\n";
    let ran = run_text(&format!("plan: v1\nname: x\nsteps:\n{BEGIN}{never}{asked}"));
    let asserts = ran.record.suites[0].steps.iter().filter(|s| s.info.verb == "assert");
    let holds: Vec<_> = asserts.flat_map(|step| &step.findings).map(|f| f.holds).collect();
    assert_eq!(holds, [Holds::Inconclusive, Holds::Yes], "{}", ran.text());
    assert!(ran.text().contains("\"never\" has not run"), "{}", ran.text());
}

const FAST: &str = "{ reconnect.backoff.ms: 20, reconnect.backoff.max.ms: 50, retry.backoff.ms: 20, \
                    retry.backoff.max.ms: 50 }";

/// `latency` with `since` is of what was sent since then, whenever it was answered.
#[test]
fn latency_since_a_step_is_of_what_was_sent_since_it_began() {
    let begin = |config: &str| {
        let rate = format!("rate: 200/s, config: {config}");
        format!("steps:\n{}", BEGIN.replace("rate: 200/s", &rate))
    };
    // What was sent as the fault began waited for its end: the interval of its answer began before.
    let short = "  - wait: 1s\n  - { name: outage, kill_broker: { broker: all, for: 400ms } }\n  \
                 - wait: 1s\n  - stop_client: P\n  \
                 - assert: [{ latency: { client: P, since: outage, max: { at_most: 200ms } } }]\n";
    ends(&format!("{}{short}", begin(FAST)), Verdict::Failed, "max ");
    // What was sent before and answered after does not count.
    let slow = "{ reconnect.backoff.ms: 900, reconnect.backoff.max.ms: 900 }";
    let long = "  - kill_broker: { broker: all, for: 3s }\n  - { name: calm, wait: 1500ms }\n  \
                - assert: [{ latency: { client: P, since: calm, max: { at_most: 2500ms } } }]\n  \
                - stop_client: P\n";
    ends(&format!("{}{long}", begin(slow)), Verdict::Passed, "passed");
}

/// Of a producer that has sent all that it was to send nothing is asked any more.
#[test]
fn who_has_sent_all_has_nothing_left_to_fail_at() {
    let begin = |count: &str| {
        format!(
            "steps:\n  - start_cluster: {{ brokers: 3 }}\n  - create_topic: {{ name: orders, partitions: 3, \
             replicas: 3 }}\n  - start_producer: {{ name: P, topic: orders, {count} }}\n"
        )
    };
    let rule = "always:\n  - progressing: { client: P, within: 1s }\n";
    let few = begin("count: 20, rate: 20/s");
    let fine = "  - wait: [{ progressing: P }]\n  - wait: 3s\n  - stop_client: P\n  - assert: [{ acked: 20 }]\n";
    ends(&format!("{rule}{few}{fine}"), Verdict::Passed, "passed");
    // It was answered before anybody looked; and nothing runs that the log's end could miss.
    let many = begin("count: 100, rate: max");
    let there = "  - wait: 1s\n  - assert: { that: [{ connected: { client: P, broker: all } }], within: 1s }\n  \
                 - assert: [{ acked: 100 }, { lost: 0 }, { unresolved: 0 }]\n";
    let ran = run_text(&format!("plan: v1\nname: x\n{many}{there}"));
    assert_eq!(ran.record.suites[0].verdict, Verdict::Passed, "{}", ran.text());
    assert!(!ran.text().contains("was still running"), "{}", ran.text());
    let anew = "  - wait: 1s\n  - restart_broker: { broker: 1, how: kill }\n  - assert: { that: [{ connected: \
                { client: P, broker: 1 } }], within: 3s }\n";
    ends(&format!("{many}{anew}"), Verdict::Failed, "inconclusive");
}

/// A broker that a client waits for in vain, or that is dead, is not connected to it; that no answer came proves it
/// only then.
#[test]
fn connected_is_certainly_not_so_only_where_an_answer_is_overdue() {
    let asked = |steps: &str| {
        let assert =
            "  - assert: { that: [{ connected: { client: P, broker: 2 } }], within: 3s }\n";
        let ran = run_text(&format!("plan: v1\nname: x\nsteps:\n{BEGIN}{steps}{assert}"));
        let step = ran.record.suites[0].steps.iter().rfind(|s| s.info.verb == "assert");
        let found = step.expect("it ran").findings[0].clone();
        (found.holds, found.found)
    };
    let (holds, found) = asked("  - { when: '{{ run.seed >= 0 }}', kill_broker: 2 }\n");
    assert_eq!(holds, Holds::No, "{found}");
    let (holds, found) = asked("  - kill_broker: { broker: 2, for: 1s }\n");
    assert_eq!(holds, Holds::Yes, "{found}");
}

/// With `acks: 0` nothing that a client sends is answered: what is measured by answers is not known. The checker
/// does not know the value, which comes from the run.
#[test]
fn what_no_broker_answers_is_not_judged_by_answers() {
    let late = "  - { record: [brokers_alive], capture: seen }\n";
    let begin = BEGIN
        .replace("  - start_producer", &format!("{late}  - start_producer"))
        .replace("rate: 200/s", "rate: 200/s, acks: '{{ 0 if seen.brokers_alive else 1 }}'")
        .replace(
            "{ progressing: [P, C] }, { connected: { client: P, broker: 1 } }",
            "{ progressing: C }",
        );
    let mut plan =
        format!("steps:\n{begin}  - {{ name: outage, restart_broker: 1 }}\n  - wait: 2s\n");
    let asked = [
        "progressing: P",
        "unavailable: { client: P, at_most: 1ms }",
        "recovered: { client: P, since: outage, at_most: 1ms }",
        "latency: { client: P, max: { at_most: 1ms } }",
        "lost: { client: P, is: 0 }",
        "expired: { client: P, is: 0 }",
        "unexpected_success: { client: P, is: 0 }",
        "failed: { client: P, is: 0 }",
    ];
    for condition in asked {
        for way in WAYS {
            writeln!(plan, "  - {}", step(condition, way)).expect("text");
        }
    }
    // A broker answers what else it is asked for; that it did not says nothing.
    plan.push_str("  - assert: [{ connected: { client: P, broker: 1 } }]\n");
    let ran = run_text(&format!("plan: v1\nname: x\n{plan}"));
    let asserts = ran.record.suites[0].steps.iter().filter(|s| s.info.verb == "assert");
    let mut found: Vec<_> = asserts.flat_map(|step| &step.findings).collect();
    let connected = found.pop().expect("the last");
    assert_ne!(connected.holds, Holds::No, "{connected:#?}");
    assert_eq!(found.len(), WAYS.len() * asked.len(), "{}", ran.text());
    let judged: Vec<_> = found.iter().filter(|f| f.holds != Holds::Inconclusive).collect();
    assert!(judged.is_empty(), "{judged:#?}");
    assert!(!ran.text().contains("recovered after"), "no headline either: {}", ran.text());
}

/// What is looked at when the time is over tells neither that it held in that time nor that it did not.
#[test]
fn an_assert_that_comes_when_its_time_is_over_judges_nothing() {
    let late = "  - { name: outage, kill_broker: 2 }\n  - wait: 1s\n  - start_broker: 2\n";
    let ask = |condition: &str| {
        format!("  - assert: {{ that: [{condition}], within: 500ms, since: outage }}\n")
    };
    let asked: String = [
        "{ brokers_alive: 3 }",
        "{ lag: { group: kplan-C, at_least: 1000000 } }",
        "{ progressing: P }",
    ]
    .map(ask)
    .concat();
    let ran = run_text(&format!("plan: v1\nname: x\nsteps:\n{BEGIN}{late}{asked}"));
    let asserts = ran.record.suites[0].steps.iter().filter(|s| s.info.verb == "assert");
    let holds: Vec<_> = asserts.flat_map(|step| &step.findings).map(|f| f.holds).collect();
    assert_eq!(holds, [Holds::Inconclusive; 3], "{}", ran.text());
    assert!(ran.text().contains("before this step could judge"), "{}", ran.text());
}

/// What was owed counts: not the client's own pauses, not the time in which it had nothing to send, and not what
/// was before the moment that is asked about.
#[test]
fn a_client_waits_only_for_what_was_to_be_answered() {
    let begin = "steps:\n  - start_cluster: { brokers: 3 }\n  \
                 - create_topic: { name: orders, partitions: 3, replicas: 3 }\n";
    let busy = format!("  - start_producer: {{ name: P, topic: orders, config: {FAST} }}\n");
    let seldom = "  - start_producer: { name: P, topic: orders, rate: 1/s }\n";
    let wait = "  - wait: [progressing: P]\n";
    let twice = "  - kill_broker: { broker: all, for: 3s }\n  - { name: later, wait: 1s }\n  \
                 - kill_broker: { broker: all, for: 1500ms }\n  - wait: 1s\n  - stop_client: P\n";
    let paused = "  - kill_broker: all\n  - wait: 1s\n  - { name: mark, wait: 100ms }\n  \
                  - pause_client: P\n  - start_broker: all\n  - wait: 3s\n  - resume_client: P\n  \
                  - wait: 1s\n  - stop_client: P\n";
    let short = "  - kill_broker: { broker: 2, for: 200ms }\n  - wait: 4s\n  - stop_client: P\n";
    let stopped = "  - kill_broker: 2\n  - stop_client: P\n  - wait: 3s\n  - start_client: P\n  \
                   - wait: [progressing: P]\n  - stop_client: P\n";
    let other = "  - start_producer: { name: Q, topic: orders }\n  - wait: [progressing: Q]\n  \
                 - kill_broker: { broker: 2, for: 500ms }\n  - wait: 2s\n";
    let asked = |condition: &str| format!("  - assert: [{{ {condition} }}]\n");
    let unavailable = |step, most| {
        asked(&format!("unavailable: {{ client: P, since: {step}, at_most: {most} }}"))
    };
    let recovered = asked("recovered: { client: P, at_most: 1s }");
    let all = [
        (
            format!("{busy}{wait}{twice}{}", unavailable("later", "1s")),
            Verdict::Failed,
            "without service for",
        ),
        (format!("{busy}{wait}{paused}{}", unavailable("mark", "2s")), Verdict::Passed, "passed"),
        (format!("{seldom}{wait}{short}{recovered}"), Verdict::Passed, "passed"),
        (format!("{busy}{wait}{stopped}{recovered}"), Verdict::Passed, "P recovered after"),
        (
            format!("{other}{busy}{wait}{recovered}"),
            Verdict::Failed,
            "P started after this was over: broker 2 killed: there is nothing to recover from",
        ),
    ];
    side_by_side(all.map(|(plan, verdict, words)| (format!("{begin}{plan}"), verdict, words)));
}

#[test]
fn a_reader_waits_for_its_own_partitions() {
    let begin = "steps:\n  - start_cluster: { brokers: 3 }\n  \
                 - create_topic: { name: orders, partitions: 4, replicas: 3 }\n  \
                 - start_producer: { name: P, topic: orders }\n  \
                 - start_consumer: { name: C, topics: [orders], group: g }\n  \
                 - start_consumer: { name: D, topics: [orders], group: g }\n  \
                 - wait: { until: [{ progressing: [P, C, D] }], within: 30s }\n";
    let asked = "  - { name: now, wait: 3s }\n  \
                 - assert: { that: [{ progressing: C }, { progressing: D }], within: 3s }\n  \
                 - assert: { that: [{ progressing: { client: [C, D], within: 1s } }], for: 3s }\n  \
                 - { name: outage, kill_broker: { broker: 2, for: 500ms } }\n  - wait: 3s\n  \
                 - stop_client: [P, C, D]\n  \
                 - assert: [{ unavailable: { client: [C, D], since: now, at_most: 5s } }]\n  \
                 - assert: [{ recovered: { client: [C, D], at_most: 5s } }]\n";
    // What D held is nobody's until C takes it over.
    let gone = "  - kill_client: D\n  - assert: [{ progressing: C }]\n";
    side_by_side([
        (format!("{begin}{asked}"), Verdict::Passed, "passed"),
        (format!("{begin}{gone}"), Verdict::Failed, "inconclusive"),
    ]);
}

#[test]
fn what_no_broker_answered_was_perhaps_there_to_be_read() {
    let plan = BEGIN.replace("rate: 200/s", "rate: 200/s, acks: 0").replace(
        "{ progressing: [P, C] }, { connected: { client: P, broker: 1 } }",
        "{ progressing: C }",
    );
    let end = "  - kill_broker: { broker: 2, for: 500ms }\n  - wait: 3s\n  - stop_client: [P, C]\n";
    let all = [
        ("20s", Verdict::Passed, "passed"),
        (
            "1ms",
            Verdict::Failed,
            "no broker acknowledges its messages, so it may have been shorter",
        ),
    ];
    side_by_side(all.map(|(most, verdict, words)| {
        let asked = format!("  - assert: [{{ unavailable: {{ client: C, at_most: {most} }} }}]\n");
        (format!("steps:\n{plan}{end}{asked}"), verdict, words)
    }));
}

/// How several plans end that run side by side.
fn side_by_side<const N: usize>(plans: [(String, Verdict, &'static str); N]) {
    std::thread::scope(|scope| {
        for (plan, verdict, words) in plans {
            scope.spawn(move || ends(&plan, verdict, words));
        }
    });
}
