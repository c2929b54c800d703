use kplan::{
    event::{Event, Verdict},
    report::compare::{Comparison, html, markdown, text},
};

use crate::{
    html::keep as keep_page,
    outage::outage,
    story::{Story, failing, passing},
};

fn plain(comparison: &Comparison) -> String {
    anstream::adapter::strip_str(&text(comparison)).to_string()
}

#[test]
fn two_runs_side_by_side() {
    let comparison = Comparison::of_runs(&passing().record(), &failing().record());
    assert!(comparison.worse());
    insta::assert_snapshot!(plain(&comparison) + &markdown(&comparison));
    let page = html(&comparison);
    keep_page("compare", &page);
    assert!(page.contains("+36 (worse)") && !page.contains("http:"), "{page}");
    assert!(!Comparison::of_runs(&failing().record(), &passing().record()).worse());
}

#[test]
fn cells_of_one_run_side_by_side() {
    let comparison = Comparison::of_cells(&outage(2).record());
    assert_eq!(comparison.pairs.len(), 1);
    let lost = comparison.pairs[0].rows.iter().find(|r| r.name == "lost").expect("counted");
    assert_eq!((lost.left.as_str(), lost.right.as_str(), lost.tone), ("36", "0", "better"));
}

#[test]
fn a_time_that_is_many_times_as_long_is_told_so() {
    let slow = |p99: f64| {
        let mut story = Story::new("docker", 1);
        story.suite(|_| {}).sample(1, "P", 9, 9, Some(p99));
        story.end_suite(1, Verdict::Passed).end_run(0).record()
    };
    let comparison = Comparison::of_runs(&slow(20.0), &slow(5_000.0));
    let row = comparison.pairs[0].rows.iter().find(|r| r.name.ends_with("p99")).expect("measured");
    let told = [row.left.as_str(), &row.right, &row.change];
    assert_eq!(told, ["20.0 ms", "5.0 s", "250 times"]);
}

#[test]
fn suites_of_one_side_are_told_and_another_cell_of_the_same_plan_is_paired() {
    let run = |suites: &[(&str, &str)]| {
        let mut story = Story::new("docker", 0);
        for (number, (name, cell)) in (1..).zip(suites) {
            story.suite_of(number, |info| {
                (info.name, info.cell) = ((*name).into(), (*cell).into());
            });
            story.tell_of(
                number,
                Event::SuiteEnded { verdict: Verdict::Passed, reasons: Vec::new() },
            );
        }
        story.end_run(0).record()
    };
    let left = run(&[("A", "version=3.9.1"), ("B", ""), ("C", "")]);
    let right = run(&[("A", "version=4.1.1"), ("C", ""), ("D|<b>", "")]);
    let comparison = Comparison::of_runs(&left, &right);
    let titles: Vec<_> = comparison.pairs.iter().map(|p| p.title.as_str()).collect();
    assert_eq!(titles, ["C", "A [version=3.9.1] → A [version=4.1.1]"]);
    assert_eq!(
        (comparison.only_left, comparison.only_right),
        (vec!["B".into()], vec!["D|<b>".into()])
    );
    let again = Comparison::of_runs(&left, &right);
    assert!(markdown(&again).contains("D\\|&lt;b&gt;") && html(&again).contains("D|&lt;b&gt;"));
}
