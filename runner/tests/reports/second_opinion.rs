//! The junit-report crate as a second opinion: for plain results, whatever it writes stands in ours.

use std::path::Path;

use kplan::{
    event::{Holds, Verdict},
    report::junit::render,
};
use roxmltree::{Document, Node};

use crate::story::{Story, finding, step_info};

const CASES: [(&str, Verdict); 4] = [
    ("create a topic", Verdict::Passed),
    ("nothing is lost", Verdict::Failed),
    ("start a broker", Verdict::Broken),
    ("stop the cluster", Verdict::Skipped),
];
const MISS: &str = "lost: 0: expected 0, found: 3";

fn ours() -> String {
    let mut story = Story::new("docker", 1);
    story.at(0.0).suite(|info| {
        info.cell.clear();
        info.steps = CASES.iter().map(|(t, _)| step_info((t, t, "note", 4, 4))).collect();
    });
    for (second, (title, verdict)) in CASES.into_iter().enumerate() {
        if verdict == Verdict::Skipped {
            story.skip(1, title, "");
            continue;
        }
        story.at(second as f64).begin(1, title).at(second as f64 + 1.0);
        story.end_with(1, title, verdict, |end| match verdict {
            Verdict::Failed => end.findings.push(finding("lost: 0", 4, Holds::No, "0", "3")),
            Verdict::Broken => end.reason = Some("the engine went away".into()),
            _ => {}
        });
    }
    render(&story.end_suite(1, Verdict::Broken).end_run(3).record(), Path::new(""))
}

fn theirs() -> String {
    use junit_report::{Duration, ReportBuilder, TestCaseBuilder, TestSuiteBuilder};
    let second = Duration::seconds(1);
    let cases = CASES.map(|(title, verdict)| {
        let mut case = match verdict {
            Verdict::Passed => TestCaseBuilder::success(title, second),
            Verdict::Failed => TestCaseBuilder::failure(title, second, "failed", MISS),
            Verdict::Broken => {
                TestCaseBuilder::error(title, second, "broken", "the engine went away")
            }
            Verdict::Skipped => TestCaseBuilder::skipped(title),
        };
        case.set_classname("plans.unclean").set_filepath("plans/unclean.yaml").build()
    });
    let begin = time::OffsetDateTime::from_unix_timestamp(1_772_366_400).expect("a time");
    let suite =
        TestSuiteBuilder::new("Unclean election").set_timestamp(begin).add_testcases(cases).build();
    let mut xml = Vec::new();
    let report = ReportBuilder::new().add_testsuite(suite).build();
    report.write_xml(&mut xml).expect("memory");
    String::from_utf8(xml).expect("UTF-8")
}

fn same(name: &str, theirs: &str, ours: &str) -> bool {
    match name {
        "time" => theirs.parse::<f64>().ok() == ours.parse::<f64>().ok(),
        "timestamp" => theirs.parse::<jiff::Timestamp>().ok() == ours.parse().ok(),
        _ => theirs == ours,
    }
}

/// Every element and attribute of `theirs` stands in `ours`, in the same order.
fn contains(ours: Node<'_, '_>, theirs: Node<'_, '_>) -> usize {
    assert_eq!(ours.tag_name(), theirs.tag_name());
    for attribute in theirs.attributes() {
        let value = ours.attribute(attribute.name());
        let value = value.unwrap_or_else(|| panic!("{theirs:?}: no {}", attribute.name()));
        let (name, wanted) = (attribute.name(), attribute.value());
        assert!(same(name, wanted, value), "{theirs:?}: {name} is {value}, wanted {wanted}");
    }
    let elements = |node| Node::children(&node).filter(Node::is_element).collect::<Vec<_>>();
    let mut rest = elements(ours).into_iter();
    let mut seen = theirs.attributes().len() + 1;
    for child in elements(theirs) {
        let found = rest.find(|c| c.tag_name() == child.tag_name());
        seen += contains(found.unwrap_or_else(|| panic!("no {}", child.tag_name().name())), child);
    }
    seen
}

#[test]
fn whatever_junit_report_writes_stands_in_ours() {
    let (ours, theirs) = (ours(), theirs());
    let [ours, theirs] = [&ours, &theirs].map(|xml| Document::parse(xml).expect("well-formed"));
    let seen = contains(ours.root_element(), theirs.root_element());
    assert!(seen > 30, "the comparison saw {seen} elements and attributes");
}

#[test]
#[should_panic(expected = "no system-out")]
fn the_comparison_can_fail() {
    let with = Document::parse("<a><system-out/></a>").expect("well-formed");
    let without = Document::parse("<a/>").expect("well-formed");
    contains(without.root_element(), with.root_element());
}
