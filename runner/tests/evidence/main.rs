//! What a verdict rests on: each cell of the table in `docs/judgement.md`, and what must not be green.

#[path = "../common/mod.rs"]
mod common;
mod proofs;

use std::{collections::BTreeMap, fmt::Write as _};

use common::{Ran, real, root, run};
use kplan::{
    event::{Holds, ReasonKind},
    record::SuiteRecord,
};
use kplan_dsl::conditions::Condition;

/// A row of the table: the condition, and what it is in each situation.
type Row = (String, BTreeMap<String, String>);

/// Every column of the table.
const SITUATIONS: [&str; 6] =
    ["evidence", "no traffic", "no fault", "nothing after", "client gone", "log unread"];

/// Words that the simulation cannot show: their rows are judged on real brokers.
const REAL: [&str; 8] = [
    "aborted",
    "committed",
    "aborted_read",
    "uncopied",
    "overcopied",
    "unprocessed",
    "overprocessed",
    "diverged",
];

/// The word of a condition as the table writes it.
fn word(condition: &str) -> &str {
    condition.split(':').next().unwrap_or(condition)
}

/// The rows that the simulation can show, or those that need real brokers.
fn rows(on_real_brokers: bool) -> Vec<Row> {
    let mut rows = table();
    rows.retain(|(condition, _)| REAL.contains(&word(condition)) == on_real_brokers);
    rows
}

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
  - wait: { until: [{ progressing: [P, C] }, { connected: { client: P, broker: 1 } }] }
";

/// What was on its way to the reader would be delivered during the fault, which is traffic: nothing is left.
const READ_ALL: &str = "  - wait: { until: [{ lag: { group: kplan-C, is: 0 } }] }\n";

/// What happens in a situation. What the checker must not foresee is said to depend on the run.
fn situation(name: &str) -> String {
    let stop = "  - { when: '{{ run.seed >= 0 }}', stop_client: [P, C] }\n";
    let kill = "  - { name: outage, kill_broker: 2 }\n  - wait: 2s\n  - start_broker: 2\n";
    match name {
        "evidence" => format!("{kill}  - wait: 1s\n{stop}"),
        "no traffic" => format!(
            "  - pause_client: P\n{READ_ALL}{kill}  - resume_client: P\n  - wait: 1s\n{stop}"
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

const WAYS: [&str; 6] = ["plain", "not", "any", "nested", "for", "within"];

fn step(condition: &str, way: &str) -> String {
    match way {
        "plain" => format!("assert: [{{ {condition} }}]"),
        "not" => format!("assert: [{{ not: [{{ {condition} }}] }}]"),
        "any" => format!("assert: [{{ any: [{{ {condition} }}, {{ brokers_alive: 99 }}] }}]"),
        "nested" => {
            let twice = format!("{{ not: [{{ all: [{{ not: [{{ {condition} }}] }}] }}] }}");
            format!("assert: [{{ any: [{{ all: [{twice}, {{ {condition} }}] }}] }}]")
        }
        "for" => format!("assert: {{ that: [{{ {condition} }}], for: 100ms }}"),
        _ => format!("assert: {{ that: [{{ {condition} }}], within: 100ms }}"),
    }
}

fn run_text(text: &str) -> Ran {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    run(&[file.path().to_str().expect("plain path"), "--backend", "embedded", "--seed", "7"])
}

/// Judges every condition of the table that the simulation shows in one situation, in every way.
fn holds_as_told(name: &str) {
    holds_after(name, &situation(name));
}

/// The same after these steps, which bring about that situation.
fn holds_after(name: &str, steps: &str) {
    let rows = rows(false);
    assert!(rows.len() > 15, "{} rows", rows.len());
    let mut plan = format!("plan: v1\nname: Evidence\nsteps:\n{}{steps}", begin(name));
    for (number, (condition, _)) in rows.iter().enumerate() {
        for way in WAYS {
            let step = step(condition, way);
            writeln!(plan, "  - {{ name: '{number} {way}', {step} }}").expect("text");
        }
    }
    let ran = run_text(&plan);
    let wrong = against_the_table(&rows, name, &ran.record.suites[0]);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", ran.text());
}

/// What a suite found otherwise than the table tells.
fn against_the_table(rows: &[Row], name: &str, suite: &SuiteRecord) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, (condition, of)) in rows.iter().enumerate() {
        let told = of.get(name).unwrap_or_else(|| panic!("no column {name}"));
        for way in WAYS {
            let title = format!("{number} {way}");
            let step = suite.steps.iter().find(|s| s.info.title == title);
            let Some(finding) = step.and_then(|s| s.findings.first()) else {
                wrong.push(format!("{name}, {condition}, {way}: was not judged"));
                continue;
            };
            let wanted = match (told.as_str(), way) {
                ("yes", "not") | ("no", "plain" | "any" | "nested" | "for" | "within") => Holds::No,
                ("no", "not") | ("yes", _) => Holds::Yes,
                ("inconclusive", _) => Holds::Inconclusive,
                (other, _) => panic!("{condition}: unknown word {other}"),
            };
            if finding.holds != wanted {
                let found = (finding.holds, &finding.found);
                wrong.push(format!("{name}, {condition}, {way}: {found:?}, and not {wanted:?}"));
            }
        }
    }
    wrong
}

#[test]
fn with_evidence() {
    holds_as_told("evidence");
}

#[test]
fn without_traffic() {
    holds_as_told("no traffic");
}

/// However short the fault and the absence around it are, and however soon the clients are back. Where the
/// fault follows at once the reader is away too: it would be given what was on its way.
#[test]
fn without_traffic_during_a_short_fault() {
    for (away, then, back) in [
        ("pause_client: [P, C]", "", "resume_client: [P, C]"),
        ("pause_client: P", READ_ALL, "resume_client: P"),
        ("stop_client: P", READ_ALL, "start_client: P"),
    ] {
        let away = format!("  - {{ when: '{{{{ run.seed >= 0 }}}}', {away} }}\n{then}");
        let kill = "  - { name: outage, kill_broker: { broker: 2, for: 300ms } }\n";
        let stop = "  - { when: '{{ run.seed >= 0 }}', stop_client: [P, C] }\n";
        holds_after("no traffic", &format!("{away}{kill}  - {back}\n  - wait: 1s\n{stop}"));
    }
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

/// What `always` may give where a condition gives `plain` once the situation is over.
fn in_always<'t>(condition: &str, name: &str, plain: &'t str) -> Vec<&'t str> {
    match word(condition) {
        // Judged while the client is there; then its time is over, and what was judged stands.
        "progressing" | "connected" if name == "no traffic" || name == "nothing after" => {
            match word(condition) {
                "progressing" => vec!["inconclusive"],
                _ => vec!["yes"],
            }
        }
        // The fault comes as soon as it is connected: before a look, or after one.
        "connected" if name == "client gone" || name == "log unread" => vec!["yes", "inconclusive"],
        "progressing" | "connected" => vec!["yes"],
        // What must be reached is not reached at a look before: seen or not, by when the looks are.
        _ if condition.contains("at_least: 1, since") && plain == "yes" => vec!["yes", "no"],
        // What must be reached is not reached before the first message: told by a look that was as early.
        "delivered" | "committed" => vec!["no", plain],
        // Nothing is ever lost: a look before the end says so, if there was one that could tell.
        "lost" if condition.contains("at_least") => vec!["no", plain],
        _ => vec![plain],
    }
}

/// What a suite's rules gave otherwise than `always` tells; the rules stand from line 4 on.
fn against_always(rows: &[Row], name: &str, suite: &SuiteRecord) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, (condition, of)) in (4..).zip(rows) {
        let reason = suite.reasons.iter().find(|r| r.line == Some(line));
        let gave = match reason.map(|r| r.kind) {
            None => "yes",
            Some(ReasonKind::Inconclusive) => "inconclusive",
            Some(ReasonKind::Violated) => "no",
            Some(_) => "broken",
        };
        if !in_always(condition, name, &of[name]).contains(&gave) {
            let text = reason.map(|r| r.text.as_str());
            wrong.push(format!("{name}, always: {condition}: {gave}: {text:?}"));
        }
    }
    wrong
}

fn rules(rows: &[Row]) -> String {
    rows.iter().map(|(condition, _)| format!("  - {condition}\n")).collect()
}

/// Every rule, in every situation: what the table tells, but for what a look before the end decides.
fn always_gives(name: &str) {
    let rows = rows(false);
    let steps = format!("{}{}", begin(name), situation(name));
    let text = format!("plan: v1\nname: x\nalways:\n{}steps:\n{steps}", rules(&rows));
    let ran = run_text(&text);
    let wrong = against_always(&rows, name, &ran.record.suites[0]);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", ran.text());
}

#[test]
fn always_with_evidence() {
    always_gives("evidence");
}

#[test]
fn always_without_traffic() {
    always_gives("no traffic");
}

#[test]
fn always_without_a_fault() {
    always_gives("no fault");
}

#[test]
fn always_with_nothing_after() {
    always_gives("nothing after");
}

#[test]
fn always_with_the_client_gone() {
    always_gives("client gone");
}

#[test]
fn always_with_the_log_unread() {
    always_gives("log unread");
}

/// The clients of the rows that need real brokers: transactions, and a copier of them.
fn begin_on_real_brokers(name: &str) -> String {
    // A transaction for each message: a slow machine makes few a second, and one that is behind sends nothing that was
    // due after a step began.
    let begin = begin(name).replace("200/s", "2/s");
    let begin = begin.replace(", rate", ", transactional: { messages: 1, abort: 20% }, rate");
    let (before, wait) = begin.split_once("  - wait:").expect("a wait");
    let copier = "  - create_topic: { name: copies, partitions: 3, replicas: 3 }\n  \
                  - start_copier: { name: X, from: orders, to: copies }\n";
    // P sends nothing while it waits for a commit, and when the brokers are gone it waits for long. T mostly sends.
    let open = match name {
        "log unread" => OPEN,
        _ => "",
    };
    // At one message a second each partition has its turn only after a while.
    let wait = wait.replace("[P, C]", &format!("[{}]", clients(name)));
    let wait = wait.replace("}] }", "}], within: 2m }");
    format!("{before}{copier}{open}  - wait:{wait}")
}

const OPEN: &str = "  - create_topic: { name: others, partitions: 3, replicas: 3 }
  - start_producer: { name: T, topic: others, transactional: { messages: 20 }, rate: 5/s }
";

/// The clients on real brokers.
fn clients(name: &str) -> &'static str {
    if name == "log unread" { "P, C, X, T" } else { "P, C, X" }
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn transactions_and_copies_on_real_brokers() {
    let _turn = real();
    let rows = rows(true);
    let dir = tempfile::tempdir().expect("a directory");
    let mut args = Vec::new();
    for name in SITUATIONS {
        let steps = format!(
            "{}{}",
            begin_on_real_brokers(name),
            situation(name).replace("[P, C]", &format!("[{}]", clients(name)))
        );
        let mut plan = format!("plan: v1\nname: {name}\nalways:\n{}steps:\n{steps}", rules(&rows));
        for (number, (condition, _)) in rows.iter().enumerate() {
            for way in WAYS {
                let step = step(condition, way);
                writeln!(plan, "  - {{ name: '{number} {way}', {step} }}").expect("text");
            }
        }
        let path = dir.path().join(format!("{}.yaml", name.replace(' ', "-")));
        std::fs::write(&path, plan).expect("written");
        args.push(path.to_str().expect("plain path").to_owned());
    }
    let mut args: Vec<&str> = args.iter().map(String::as_str).collect();
    args.extend(["--seed", "7", "--jobs", "2"]);
    let ran = run(&args);
    let mut wrong = Vec::new();
    for name in SITUATIONS {
        let suite = ran.record.suites.iter().find(|suite| suite.info.name == name);
        let suite = suite.unwrap_or_else(|| panic!("{name}: {}", ran.why()));
        wrong.extend(against_the_table(&rows, name, suite));
        wrong.extend(against_always(&rows, name, suite));
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", ran.why());
}

/// Every condition that there is stands in the table, or the rules say why it does not.
#[test]
fn no_condition_is_left_out_of_the_table() {
    let text = std::fs::read_to_string(root().join("docs/judgement.md")).expect("the rules");
    let (_, part) = text.split_once("### What each condition needs").expect("the table");
    let (_, without) = part.split_once("Not in the table: ").expect("why some are not in it");
    let rows = table();
    for info in Condition::ALL {
        let told = rows.iter().any(|(condition, _)| word(condition) == info.word);
        let why = without.contains(&format!("`{}`", info.word));
        assert!(told != why, "{}: in the table {told}, said why not {why}", info.word);
    }
    for word in REAL {
        assert!(rows.iter().any(|(c, _)| c.split(':').next() == Some(word)), "{word}");
    }
    assert!(!rows.is_empty());
    for (condition, of) in &rows {
        assert!(of.keys().map(String::as_str).eq(sorted(SITUATIONS)), "{condition}: {of:?}");
    }
}

fn sorted(mut names: [&'static str; 6]) -> impl Iterator<Item = &'static str> {
    names.sort_unstable();
    names.into_iter()
}
