//! Markdown, JSON, TAP and annotations.

use std::{fs, path::Path};

use kplan::{
    event::{Event, Holds, Reason, ReasonKind, Verdict},
    report::{github, html, json, junit, markdown, tap, terminal},
};

use crate::story::{Story, broken, failing, finding, killed, passing};

fn hostile() -> Story {
    let text = "a|b\n# x `c` ``` <script>alert(1)</script> @someone [l](javascript:x) %0A::error::";
    let mut story = Story::new("docker", 1);
    story.suite(|info| {
        info.name = text.into();
        info.steps.iter_mut().for_each(|s| s.title = text.into());
    });
    story.begin(1, "9").end_with(1, "9", Verdict::Failed, |end| {
        let mut miss = finding(text, 17, Holds::No, text, text);
        miss.evidence.push(text.into());
        end.findings.push(miss);
    });
    story.end_suite(1, Verdict::Failed).end_run(1);
    story
}

#[test]
fn markdown_of_a_failure() {
    insta::assert_snapshot!(markdown::render(&failing().record(), markdown::SUMMARY_LIMIT));
}

#[test]
fn markdown_of_a_killed_run() {
    insta::assert_snapshot!(markdown::render(&killed().record(), markdown::SUMMARY_LIMIT));
}

#[test]
fn markdown_escapes_what_a_run_says() {
    let text = markdown::render(&hostile().record(), markdown::SUMMARY_LIMIT);
    let outside: String = text.split("````").step_by(2).collect();
    assert!(!outside.contains("<script") && !outside.contains("@someone"), "{text}");
    let row = text.lines().find(|l| l.contains("❌ failed")).expect("a row");
    assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{row}");
}

#[test]
fn markdown_keeps_its_limit_and_tells_what_is_left_out() {
    let mut story = Story::new("docker", 200);
    for suite in 1..=200 {
        story.suite_of(suite, |info| info.name = format!("Plan {suite}"));
        story.begin(suite, "9").end_with(suite, "9", Verdict::Failed, |end| {
            let mut miss = finding("lost: 0", 17, Holds::No, "none", "3");
            miss.evidence.push("x".repeat(300));
            end.findings.push(miss);
        });
        story.end_suite(suite, Verdict::Failed);
    }
    let record = story.end_run(1).record();
    let text = markdown::render(&record, 40_000);
    assert!(text.len() <= 40_000, "{}", text.len());
    assert!(text.contains("failures left out here"));
    assert!(!markdown::render(&record, markdown::SUMMARY_LIMIT).contains("left out"));
}

#[test]
fn json_follows_its_schema() {
    let schema: serde_json::Value = serde_json::from_str(&json::schema()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for story in [passing(), failing(), broken(), killed(), hostile()] {
        let report: serde_json::Value =
            serde_json::from_str(&json::render(&story.record())).expect("JSON");
        let errors: Vec<_> = validator.iter_errors(&report).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
    assert!(!validator.is_valid(&serde_json::json!({ "format": "kplan-report/1" })));
}

#[test]
fn json_of_a_failure() {
    let report: serde_json::Value =
        serde_json::from_str(&json::render(&failing().record())).expect("JSON");
    let suite = &report["suites"][0];
    assert_eq!(suite["totals"]["lost"], 36);
    assert_eq!(suite["troubles"][0]["kind"], "failed");
    assert_eq!(suite["anomalies"][0]["examples"][0]["at"], "2026-03-01T12:00:09.9Z");
    assert_eq!(suite["measured"][0]["took_ms"], 4_300);
    assert_eq!(suite["steps"][3]["targets"]["2"][0], "broker 2");
}

/// Set KPLAN_WRITE=1 to write the schema anew.
#[test]
fn the_reports_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/report.schema.json");
    if std::env::var_os("KPLAN_WRITE").is_some() {
        fs::write(&path, json::schema()).expect("written");
    }
    let text = fs::read_to_string(&path).expect("schemas/report.schema.json");
    assert!(text == json::schema(), "write it anew: KPLAN_WRITE=1 cargo test the_reports_schema");
}

#[test]
fn tap_of_a_failure_and_of_a_killed_run() {
    insta::assert_snapshot!(tap::render(&failing().record()) + &tap::render(&killed().record()));
}

#[test]
fn tap_cannot_be_forged() {
    let text = tap::render(&hostile().record());
    assert!(text.lines().all(|l| !l.trim_start().starts_with("# x")), "{text}");
    assert_eq!(text.lines().filter(|l| l.starts_with("not ok")).count(), 1);
}

#[test]
fn a_flaky_suite_is_a_warning_with_why_it_failed_at_first() {
    let text = github::render(&crate::junit::retried().record());
    assert!(text.starts_with("::warning file="), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in ["flaky: passed on attempt 2 of 3", "attempt 1", "expected lost is 0, found: 3"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

/// With `--flaky fail` such a run failed: no report says anything else.
#[test]
fn a_run_that_does_not_excuse_flaky_suites_failed_in_every_report() {
    let mut record = crate::junit::retried().record();
    record.ended.as_mut().expect("an end").exit = 1;
    assert_eq!(record.verdict(), Verdict::Failed);
    let why = "1 suite passed only on a retry, which fails this run (--flaky fail)";
    let all = [
        github::render(&record),
        tap::render(&record),
        markdown::render(&record, markdown::SUMMARY_LIMIT),
        json::render(&record),
        terminal::render(&record, true),
        html::render(&record),
        junit::render(&record, Path::new("/")),
    ];
    for text in &all {
        assert!(text.contains(why), "{text}");
    }
    let [_, tap, markdown, json, terminal, _, junit] = all;
    assert!(tap.contains("not ok"), "{tap}");
    assert!(markdown.contains("failed"), "{markdown}");
    assert!(json.contains("\"verdict\": \"failed\""), "{json}");
    assert!(
        anstream::adapter::strip_str(&terminal).to_string().contains("\nfailed: 1 suite"),
        "{terminal}"
    );
    assert!(junit.contains("failures=\"1\""), "{junit}");
}

#[test]
fn annotations_stand_at_the_plans_line() {
    insta::assert_snapshot!(github::render(&failing().record()));
    assert_eq!(github::render(&passing().record()), "");
    let text = github::render(&hostile().record());
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn annotations_are_ten_at_most() {
    let mut story = Story::new("docker", 1);
    story.suite(|info| info.steps.clear());
    let reasons =
        (0..25).map(|n| Reason::new(ReasonKind::Violated, format!("violation {n}"))).collect();
    story.tell(Event::SuiteEnded { verdict: Verdict::Failed, reasons });
    story.tell(Event::RunEnded { exit: 130, signal: Some("SIGINT".into()) });
    let text = github::render(&story.record());
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 10);
    assert_eq!(lines[0], "::error title=kplan::the run was interrupted by SIGINT");
    assert_eq!(lines[9], "::error title=kplan::17 more: see the report");
}

#[test]
fn a_kill_is_told_as_a_crash_and_not_as_a_loss_of_power() {
    let record = passing().record();
    let caution = "SIGKILL keeps the page cache: a process crash, not a loss of power";
    let faults = &record.suites[0].faults;
    assert!(faults.iter().any(|f| f.what.contains("killed")), "{faults:?}");
    assert!(json::render(&record).contains(caution));
    assert!(html::render(&record).contains(caution));
}

#[test]
fn an_unclean_election_stands_in_every_timeline() {
    let mut story = Story::new("docker", 1);
    story.suite(|_| {});
    story.at(5.0).tell(Event::Partition {
        topic: "orders".into(),
        partition: 0,
        leader: Some(2),
        epoch: Some(7),
        in_sync: vec![2],
        replicas: vec![1, 2, 3],
        unclean: Some(vec![1, 3]),
    });
    story.end_suite(1, Verdict::Passed).end_run(0);
    let record = story.record();
    let words = "nclean election of orders/0: broker 2, which was not in sync (1, 3 were), became \
                 leader in epoch 7";
    let html = html::render(&record).replace("&#x2f;", "/");
    assert!(html.contains(words), "the story tells it");
    assert!(html.contains("leader 2, elected uncleanly"), "the lane shows it");
    let json: serde_json::Value = serde_json::from_str(&json::render(&record)).expect("JSON");
    let election = &json["suites"][0]["unclean_elections"][0];
    assert_eq!((&election["place"], &election["leader"]), (&"orders/0".into(), &2.into()));
    assert_eq!(election["in_sync_before"], serde_json::json!([1, 3]));
}
