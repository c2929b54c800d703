use std::{collections::HashSet, fs, path::Path};

use kplan::{
    event::{Event, Holds, Reason, ReasonKind, Verdict},
    record::RunRecord,
    report::junit::{render, render_strict},
};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, XmlString};

use crate::outage::outage;
use crate::story::{Story, broken, failing, finding, killed, passing, step_info};

fn xml(record: &RunRecord) -> String {
    let xml = render(record, Path::new("/ci"));
    roxmltree::Document::parse(&xml).expect("well-formed");
    xml
}

fn read(record: &RunRecord) -> Report {
    Report::deserialize_from_str(&xml(record)).expect("JUnit")
}

fn case<'a>(report: &'a Report, name: &str) -> &'a TestCase {
    let cases = || report.test_suites.iter().flat_map(|s| &s.test_cases);
    let names: Vec<_> = cases().map(|c| c.name.as_str()).collect();
    cases().find(|c| c.name == *name).unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

/// Kind, type, message, body of a case that did not pass.
fn non_success(case: &TestCase) -> (NonSuccessKind, String, String, String) {
    match &case.status {
        TestCaseStatus::NonSuccess { kind, message, ty, description, .. } => {
            let text = |s: &Option<XmlString>| s.as_deref().unwrap_or_default().to_owned();
            (*kind, text(ty), text(message), text(description))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failing_run_in_full() {
    insta::assert_snapshot!(xml(&failing().record()));
}

#[test]
fn a_passing_run_has_only_successes() {
    let report = read(&passing().record());
    assert_eq!((report.tests, report.failures, report.errors, report.skipped), (10, 0, 0, 0));
}

#[test]
fn a_broken_rig_is_an_error_and_the_rest_is_skipped() {
    let report = read(&broken().record());
    assert_eq!((report.tests, report.failures, report.errors, report.skipped), (10, 0, 1, 8));
    let (kind, ty, message, body) = non_success(case(&report, "start a cluster of 3 brokers"));
    assert_eq!((kind, ty.as_str()), (NonSuccessKind::Error, "broken"));
    assert!(message.contains("broker 3 exited by itself (137)") && body.contains(&message));
    match &case(&report, "outage").status {
        TestCaseStatus::Skipped { message, description, .. } => {
            let why = Some("an earlier step could not be done");
            assert_eq!((message.as_deref(), description.as_deref()), (why, why));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_killed_run_tells_what_was_known() {
    let report = read(&killed().record());
    assert_eq!((report.tests, report.errors, report.skipped), (11, 2, 5));
    let (kind, _, message, _) = non_success(case(&report, "wait until progressing"));
    assert_eq!(kind, NonSuccessKind::Error);
    assert_eq!(message, "the run was killed during this step");
    let (_, _, message, _) = non_success(case(&report, "the run"));
    assert_eq!(message, "the run was killed before its end; 1 suite never began");
}

#[test]
fn a_run_that_was_not_begun_in_full_says_so() {
    let mut story = Story::new("docker", 3);
    story.suite(|_| {}).end_suite(1, Verdict::Passed).end_run(0);
    let report = read(&story.record());
    assert!(matches!(case(&report, "the run").status, TestCaseStatus::Skipped { .. }));
}

#[test]
fn reasons_of_the_suite_are_cases_of_their_own() {
    let mut story = Story::new("embedded", 1);
    story.suite(|info| info.steps.clear());
    let mut violated = Reason::new(ReasonKind::Violated, "brokers_alive was 2 at 12:00:07");
    violated.evidence.push("broker 3 was last seen at 12:00:06".into());
    let all = vec![
        violated,
        Reason::new(ReasonKind::Inconclusive, "every assert was skipped"),
        Reason::new(ReasonKind::TimedOut, "10 min ran out in step 4"),
        Reason::new(ReasonKind::Rig, "the engine went away"),
    ];
    story.tell(Event::SuiteEnded { verdict: Verdict::Failed, reasons: all }).end_run(1);
    let report = read(&story.record());
    let kinds: Vec<_> = report.test_suites[0].test_cases.iter().map(non_success).collect();
    assert_eq!(
        kinds.iter().map(|k| k.1.as_str()).collect::<Vec<_>>(),
        ["failed", "inconclusive", "timeout", "broken"]
    );
    assert_eq!(kinds[3].0, NonSuccessKind::Error);
    assert!(kinds[0].3.contains("  - broker 3 was last seen at 12:00:06"));
}

#[test]
fn a_suite_that_failed_without_a_word_is_not_green() {
    for (verdict, expected) in [(Verdict::Failed, (1, 0)), (Verdict::Broken, (0, 1))] {
        let mut story = Story::new("docker", 1);
        story.suite(|info| info.steps.clear()).end_suite(1, verdict).end_run(1);
        let report = read(&story.record());
        assert_eq!((report.failures, report.errors), expected);
    }
}

#[test]
fn types_tell_inconclusive_and_timeout_apart() {
    let mut story = Story::new("docker", 1);
    story.suite(|_| {});
    story.begin(1, "5").end_with(1, "5", Verdict::Failed, |end| {
        end.timed_out = true;
        end.findings.push(finding("progressing: [P]", 11, Holds::No, "progress", "none"));
    });
    story.begin(1, "9").end_with(1, "9", Verdict::Failed, |end| {
        let found = "nothing was sent during the fault";
        end.findings.push(finding("lost: 0", 17, Holds::Inconclusive, "lost is 0", found));
    });
    let report = read(&story.end_suite(1, Verdict::Failed).end_run(1).record());
    assert_eq!(non_success(case(&report, "wait until progressing")).1, "timeout");
    let (kind, ty, message, _) = non_success(case(&report, "assert lost, corrupted"));
    assert_eq!((kind, ty.as_str()), (NonSuccessKind::Failure, "inconclusive"));
    let all = "lost: 0: expected lost is 0, inconclusive: nothing was sent during the fault";
    assert_eq!(message, all);
}

#[test]
fn an_optional_failure_fails_nothing_and_is_told() {
    let mut story = passing();
    for stamped in &mut story.events {
        if let Event::StepEnded(end) = &mut stamped.event
            && end.step == "9".into()
        {
            (end.verdict, end.optional) = (Verdict::Failed, true);
            end.reason = Some("too slow".into());
        }
    }
    let report = read(&story.record());
    assert_eq!((report.failures, report.skipped), (0, 1));
    assert!(xml(&story.record()).contains("optional: too slow"));
}

#[test]
fn names_are_unique_also_for_rounds_and_equal_titles() {
    let mut story = Story::new("docker", 2);
    for suite in [1, 2] {
        story.suite_of(suite, |info| {
            info.repetition = suite;
            let ids = ["1", "2", "3", "4", "5"];
            let title = |id| if id == "4" { "wait 5s (2)" } else { "wait 5s" };
            info.steps = ids.iter().map(|id| step_info((id, title(*id), "wait", 4, 4))).collect();
        });
        for id in ["1", "2", "2#2", "2#3", "3", "4", "5"] {
            story.begin(suite, id).end(suite, id, Verdict::Passed);
        }
        story.end_suite(suite, Verdict::Passed);
    }
    let report = read(&story.end_run(0).record());
    let keys: HashSet<_> = report
        .test_suites
        .iter()
        .flat_map(|s| &s.test_cases)
        .map(|c| (c.classname.clone(), c.name.clone()))
        .collect();
    assert_eq!((keys.len(), report.tests), (14, 14));
    assert_ne!(report.test_suites[0].name, report.test_suites[1].name);
}

pub fn retried() -> Story {
    let mut story = Story::new("docker", 1);
    for (number, verdict) in [(1, Verdict::Failed), (2, Verdict::Passed)] {
        story.suite_of(number, |info| info.attempt = number);
        story.begin(number, "9").end_with(number, "9", verdict, |end| {
            if verdict == Verdict::Failed {
                end.findings.push(finding("lost: 0", 17, Holds::No, "lost is 0", "3"));
            }
        });
        story.end_suite(number, verdict);
    }
    story.end_run(0);
    story
}

#[test]
fn a_retry_that_passed_is_flaky() {
    let report = read(&retried().record());
    assert_eq!((report.test_suites.len(), report.failures), (1, 0));
    match &case(&report, "assert lost, corrupted").status {
        TestCaseStatus::Success { flaky_runs } => {
            let message = flaky_runs[0].message.as_deref();
            assert_eq!(message, Some("lost: 0: expected lost is 0, found: 3"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn logs_are_attached_and_their_ends_are_shown() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let logs = dir.path().join("suite-1/logs");
    fs::create_dir_all(&logs).expect("made");
    let long: String = (0..2_000).map(|n| format!("line {n}\n")).collect();
    fs::write(logs.join("broker-2.log"), long).expect("written");
    let fatal = "\x1b[31mFATAL\x1b[0m bad \u{1} ]]> &\n[[ATTACHMENT|/etc/passwd]]\n";
    fs::write(logs.join("broker-10.log"), fatal).expect("written");
    let mut record = failing().record();
    record.set_dir(dir.path());
    let report = Report::deserialize_from_str(&render(&record, dir.path())).expect("JUnit");
    let case = case(&report, "assert lost, corrupted");
    let out = case.system_out.as_ref().expect("standard output").as_str();
    let links =
        "[[ATTACHMENT|suite-1/logs/broker-2.log]]\n[[ATTACHMENT|suite-1/logs/broker-10.log]]";
    assert!(out.trim_end().ends_with(links), "{out}");
    assert!(out.contains("line 1999") && !out.contains("line 1000\n"), "bounded");
    assert!(out.contains(r"\u{1b}[31mFATAL\u{1b}[0m bad \u{1} ]]> &"), "{out}");
    assert_eq!(out.matches("[[ATTACHMENT|").count(), 2, "a log cannot make a link: {out}");
    let evidence = out.find("does not hold").expect("the evidence");
    assert!(evidence < out.find("the end of broker-2's log").expect("a log's end"));
}

/// The logs of a failing suite are named in each of its failures, their ends only in the first.
#[test]
fn the_ends_of_logs_come_once() {
    let dir = tempfile::tempdir().expect("temporary directory");
    fs::create_dir_all(dir.path().join("suite-1/logs")).expect("made");
    fs::write(dir.path().join("suite-1/logs/P.log"), "the last line\n").expect("written");
    let mut story = Story::new("docker", 1);
    story.suite(|_| {});
    for step in ["5", "9"] {
        story.begin(1, step).end_with(1, step, Verdict::Failed, |end| {
            end.findings.push(finding("lost: 0", 17, Holds::No, "lost is 0", "3"));
        });
    }
    let mut record = story.end_suite(1, Verdict::Failed).end_run(1).record();
    record.set_dir(dir.path());
    let xml = render(&record, dir.path());
    assert_eq!(xml.matches("the last line").count(), 1);
    assert_eq!(xml.matches("[[ATTACHMENT|suite-1/logs/P.log]]").count(), 2);
}

const HOSTILE: [&str; 5] = [
    "]]>",
    "\0\u{1}\u{b}\u{c}\u{1f}\u{7f}\u{85}",
    "\u{fffe}\u{ffff}",
    "😀 & <b> \" ' <!-- --> <![CDATA[ x ]]> </testsuite>",
    "\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link",
];

fn hostile(text: &str) -> Story {
    let mut story = Story::new(text, 2);
    story.suite(|info| {
        info.name = text.into();
        info.cell = text.into();
        info.params.insert(text.into(), text.into());
        info.steps.iter_mut().for_each(|s| s.title = text.into());
    });
    story.begin(1, "9").end_with(1, "9", Verdict::Failed, |end| {
        let mut miss = finding(text, 17, Holds::No, text, text);
        miss.evidence.push(text.into());
        end.findings.push(miss);
        end.reason = Some(text.into());
    });
    story.skip(1, "f1", text).end_suite(1, Verdict::Failed).end_run(1);
    story
}

/// Runs whose XML `ci/readers` gives to other programs.
fn told_runs() -> Vec<(&'static str, RunRecord)> {
    let mut signalled = killed();
    let why = vec![Reason::new(ReasonKind::Interrupted, "SIGINT")];
    signalled.end_with(1, "5", Verdict::Broken, |end| end.reason = Some("interrupted".into()));
    signalled.tell(Event::SuiteEnded { verdict: Verdict::Broken, reasons: why });
    signalled.tell(Event::RunEnded { exit: 130, signal: Some("SIGINT".into()) });
    vec![
        ("passing", passing().record()),
        ("failing", failing().record()),
        ("broken", broken().record()),
        ("killed", killed().record()),
        ("interrupted", signalled.record()),
        ("outage", outage(2).record()),
        ("flaky", retried().record()),
        ("hostile", hostile(&HOSTILE.concat()).record()),
        ("huge", hostile(&HOSTILE.concat().repeat(1 << 14)).record()),
    ]
}

#[test]
fn other_readers_get_every_kind_of_run() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for part in ["junit", "junit-strict"] {
        fs::create_dir_all(dir.join(part)).expect("made");
    }
    let runs = told_runs();
    assert!(!runs.is_empty());
    for (name, record) in runs {
        let name = format!("{name}.xml");
        fs::write(dir.join("junit").join(&name), xml(&record)).expect("written");
        let strict = render_strict(&record, Path::new("/ci"));
        assert!(!strict.contains(" line=") && strict.contains("<testcase"));
        fs::write(dir.join("junit-strict").join(&name), strict).expect("written");
    }
}

#[test]
fn hostile_strings_stay_well_formed_and_bounded() {
    let huge = HOSTILE.concat().repeat(1 << 14);
    assert!(huge.len() > 1 << 20);
    for text in HOSTILE.iter().map(|t| (*t).to_owned()).chain([huge]) {
        let xml = xml(&hostile(&text).record());
        let forbidden =
            |c: char| matches!(c, '\0'..='\x08' | '\x0b'..='\x1f' | '\u{fffe}' | '\u{ffff}');
        assert!(!xml.contains(forbidden));
        assert!(xml.len() < 2 << 20, "{} bytes", xml.len());
    }
}
