//! What a verdict rests on: each cell of the table in `docs/judgement.md`, and what must not be green.

mod common;

use std::{collections::BTreeMap, fmt::Write as _};

use common::{Ran, root, run};
use kplan::event::{Holds, ReasonKind, Verdict};

/// A row of the table: the condition, and what it is in each situation.
type Row = (String, BTreeMap<String, String>);

/// The table under "What each condition needs".
fn table() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("docs/judgement.md")).expect("the rules");
    let (_, part) = text.split_once("### What each condition needs").expect("the table");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()
    };
    let mut lines = part.lines().filter(|line| line.starts_with('|')).map(cells);
    let head = lines.next().expect("a head");
    let rows = lines.filter(|row| !row[0].starts_with("---"));
    let row = |row: Vec<String>| {
        let of = head.iter().cloned().zip(row.iter().cloned()).skip(1).collect();
        (row[0].clone(), of)
    };
    rows.map(row).collect()
}

/// So slow that nothing is on its way, and nothing is sent, between the wait and the step behind it: what a
/// fault cuts off would depend on the moment.
fn begin(name: &str) -> String {
    match name {
        "client gone" | "log unread" => BEGIN.replace("200/s", "1/s"),
        _ => BEGIN.to_owned(),
    }
}

const BEGIN: &str = "  - start_cluster: { brokers: 3 }
  - create_topic: { name: orders, partitions: 3, replicas: 3 }
  - start_producer: { name: P, topic: orders, rate: 200/s }
  - start_consumer: { name: C, topics: [orders] }
  - wait: { until: [{ progressing: [P, C] }] }
";

/// What happens in a situation. What the checker must not foresee is said to depend on the run.
fn situation(name: &str) -> String {
    let stop = "  - { when: '{{ run.seed >= 0 }}', stop_client: [P, C] }\n";
    let kill = "  - { name: outage, kill_broker: 2 }\n  - wait: 2s\n  - start_broker: 2\n";
    match name {
        "evidence" => format!("{kill}  - wait: 1s\n{stop}"),
        "no traffic" => format!(
            "  - pause_client: P\n  - wait: 1s\n{kill}  - resume_client: P\n  - wait: 1s\n{stop}"
        ),
        "no fault" => format!(
            "  - {{ name: outage, when: '{{{{ run.seed < 0 }}}}', kill_broker: 2 }}\n  - wait: 1s\n{stop}"
        ),
        "nothing after" => format!("{stop}{kill}"),
        "client gone" => {
            "  - { name: outage, when: '{{ run.seed >= 0 }}', kill_client: [P, C] }\n".to_owned()
        }
        "log unread" => {
            "  - { name: outage, when: '{{ run.seed >= 0 }}', kill_broker: all }\n  - wait: 2s\n  \
                         - { when: '{{ run.seed >= 0 }}', kill_client: [P, C] }\n"
                .to_owned()
        }
        other => panic!("unknown situation {other}"),
    }
}

const WAYS: [&str; 5] = ["plain", "not", "any", "for", "within"];

fn step(condition: &str, way: &str) -> String {
    match way {
        "plain" => format!("assert: [{{ {condition} }}]"),
        "not" => format!("assert: [{{ not: [{{ {condition} }}] }}]"),
        "any" => format!("assert: [{{ any: [{{ {condition} }}, {{ brokers_alive: 99 }}] }}]"),
        "for" => format!("assert: {{ that: [{{ {condition} }}], for: 100ms }}"),
        _ => format!("assert: {{ that: [{{ {condition} }}], within: 100ms }}"),
    }
}

fn run_text(text: &str) -> Ran {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    run(&[file.path().to_str().expect("plain path"), "--backend", "embedded", "--seed", "7"])
}

/// Judges every condition of the table in one situation, in every way.
fn holds_as_told(name: &str) {
    let rows = table();
    assert!(rows.len() > 15, "{} rows", rows.len());
    let mut plan = format!("plan: v1\nname: Evidence\nsteps:\n{}{}", begin(name), situation(name));
    for (number, (condition, _)) in rows.iter().enumerate() {
        for way in WAYS {
            let step = step(condition, way);
            writeln!(plan, "  - {{ name: '{number} {way}', {step} }}").expect("text");
        }
    }
    let ran = run_text(&plan);
    let suite = &ran.record.suites[0];
    for (number, (condition, of)) in rows.iter().enumerate() {
        let told = of.get(name).unwrap_or_else(|| panic!("no column {name}"));
        for way in WAYS {
            let title = format!("{number} {way}");
            let step = suite.steps.iter().find(|s| s.info.title == title);
            let finding = step.and_then(|s| s.findings.first());
            let finding = finding.unwrap_or_else(|| panic!("{title}: {}", ran.text()));
            let wanted = match (told.as_str(), way) {
                ("yes", "not") | ("no", "plain" | "any" | "for" | "within") => Holds::No,
                ("no", "not") | ("yes", _) => Holds::Yes,
                ("inconclusive", _) => Holds::Inconclusive,
                (other, _) => panic!("{condition}: unknown word {other}"),
            };
            assert_eq!(finding.holds, wanted, "{name}, {condition}, {way}: {}", finding.found);
        }
    }
}

#[test]
fn with_evidence() {
    holds_as_told("evidence");
}

#[test]
fn without_traffic() {
    holds_as_told("no traffic");
}

#[test]
fn without_a_fault() {
    holds_as_told("no fault");
}

#[test]
fn with_nothing_after() {
    holds_as_told("nothing after");
}

#[test]
fn with_the_client_gone() {
    holds_as_told("client gone");
}

#[test]
fn with_the_log_unread() {
    holds_as_told("log unread");
}

/// The rules that hold with evidence hold in `always`; those that lack it at the end do not.
#[test]
fn always_asks_for_the_same_evidence() {
    let rows = table();
    // What must be reached is not reached at the beginning, and a rule says so at once.
    let quiet = |c: &str| c.contains("at_least");
    let always: Vec<&Row> =
        rows.iter().filter(|(c, of)| of["evidence"] == "yes" && !quiet(c)).collect();
    let rules: String = always.iter().map(|(c, _)| format!("  - {c}\n")).collect();
    for name in ["evidence", "no traffic"] {
        let steps = format!("{BEGIN}{}", situation(name));
        let ran = run_text(&format!("plan: v1\nname: x\nalways:\n{rules}steps:\n{steps}"));
        let reasons = &ran.record.suites[0].reasons;
        for (line, (condition, of)) in (4..).zip(&always) {
            let reason = reasons.iter().find(|r| r.line == Some(line));
            match of[name].as_str() {
                "yes" => assert!(reason.is_none(), "{name}, {condition}: {reason:?}"),
                "inconclusive" => {
                    let kind = reason.map(|r| r.kind);
                    assert_eq!(kind, Some(ReasonKind::Inconclusive), "{name}, {condition}");
                }
                _ => {}
            }
        }
    }
}

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
fn what_judges_nothing_is_never_green() {
    let start = "steps:\n  - start_cluster: { brokers: 3 }\n  - create_topic: { name: orders, partitions: 1 }\n";
    for nothing in [
        "  - assert: [{ expr: true }]\n",
        "  - assert: [{ brokers_alive: { at_least: 0 } }]\n",
        "  - kill_broker: 1\n  - { optional: true, assert: [{ not: [{ brokers_alive: 2 }] }] }\n",
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

#[test]
fn what_a_record_does_not_know_is_no_number() {
    let quiet = "  - stop_client: [P, C]\n  - kill_broker: 2\n  - start_broker: 2\n  \
                 - { record: [lost, acked], capture: counted }\n";
    let expr = "  - assert: [{ expr: '{{ counted.lost.total | default(0) == 0 }}' }]\n";
    ends(&format!("steps:\n{BEGIN}{quiet}{expr}"), Verdict::Failed, "lost is not known");
    ends(&format!("steps:\n{BEGIN}{quiet}"), Verdict::Passed, "lost unknown");
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
