//! The HTML page, as far as it can be judged without a browser; `ci/browser` judges the rest by the
//! pages that these tests leave in the target directory.

use std::{fs, path::PathBuf, time::Instant};

use kplan::{
    event::{Event, Holds, Verdict},
    record::RunRecord,
    report::html::render,
};

use crate::{
    outage::{outage, write_logs},
    story::{Story, broken, failing, finding, killed, passing},
};

/// Leaves a page for `ci/browser`.
pub fn keep(name: &str, html: &str) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&dir).expect("made");
    fs::write(dir.join(format!("{name}.html")), html).expect("written");
}

/// Text between tags, without scripts and styles.
fn visible(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let end = ["<script", "<style"]
            .iter()
            .find(|tag| rest.starts_with(**tag))
            .map_or(">", |tag| if *tag == "<script" { "</script>" } else { "</style>" });
        let close = rest.find(end).expect("closed") + end.len();
        rest = &rest[close..];
        out.push(' ');
    }
    let out = out.replace("&#x2f;", "/").replace("&amp;", "&");
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(name: &str, record: &RunRecord) -> String {
    let html = render(record);
    keep(name, &html);
    assert!(!html.contains("could not be made"), "{html}");
    html
}

#[test]
fn the_outage_says_at_once_how_many_were_lost_where_and_how_long_recovery_took() {
    let dir = tempfile::tempdir().expect("temporary directory");
    write_logs(dir.path(), 2);
    let mut record = outage(2).record();
    record.set_dir(dir.path());
    let html = page("outage", &record);
    let text = visible(&html);
    let head = &text[..text.find("Verdict Suite").expect("the overview")];
    for part in [
        "36 acknowledged messages lost",
        "of 25,312 acknowledged",
        "orders/0: 20, orders/2: 16",
        "15.1 s until recovered",
        "C 15.1 s (orders/1)",
    ] {
        assert!(head.contains(part), "no {part} in {head}");
    }
    assert!(text.contains("40 ms before “brokers 1, 2, 3 killed”"));
    assert!(html.contains("Shrinking ISR"), "the log lines of that second");
}

#[test]
fn traffic_is_shown_by_partition_and_of_many_those_that_stood_still() {
    let few = visible(&render(&failing().record()));
    assert!(
        few.contains(
            "Acknowledged by partition orders/0 peak 67/s orders/1 peak 33/s orders/2 peak 0/s"
        ),
        "{few}"
    );
    let mut story = failing();
    for stamped in &mut story.events {
        if let Event::Sample(sample) = &mut stamped.event {
            let done = |n: u64| if n == 7 { 0 } else { 100 - n };
            sample.partitions = (0..8).map(|n| (format!("orders/{n}"), done(n))).collect();
        }
    }
    let many = visible(&render(&story.record()));
    let title = "Acknowledged, 6 of 8 partitions: those with the fewest messages";
    assert!(many.contains(&format!("{title} orders/2 peak 98/s")), "{many}");
    assert!(many.contains("orders/6 peak 94/s orders/7 peak 0/s"), "{many}");
}

#[test]
fn thirty_minutes_stay_small_and_quick() {
    let dir = tempfile::tempdir().expect("temporary directory");
    write_logs(dir.path(), 30);
    let mut record = outage(30).record();
    record.set_dir(dir.path());
    let begun = Instant::now();
    let html = page("thirty-minutes", &record);
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn many_suites_keep_the_limit() {
    let mut story = Story::new("docker", 300);
    for suite in 1..=300 {
        story.suite_of(suite, |info| info.name = format!("Plan {suite}"));
        story.begin(suite, "9").end_with(suite, "9", Verdict::Failed, |end| {
            let mut miss = finding("lost: 0", 17, Holds::No, "none", "3");
            miss.evidence = vec!["e".repeat(590); 38];
            end.findings.push(miss);
        });
        story.end_suite(suite, Verdict::Failed);
    }
    let html = page("many", &story.end_run(1).record());
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
    assert!(html.contains("suites are not shown in detail, to limit the size of the page"));
}

#[test]
fn every_kind_of_run_has_a_page() {
    for (name, story, words) in [
        ("passing", passing(), "Passed: 1 suite"),
        ("failing", failing(), "Failed: 36 acknowledged messages lost"),
        ("broken", broken(), "Broken: start a cluster of 3 brokers"),
        ("killed", killed(), "Broken: the run was killed before its end; 1 suite never began"),
    ] {
        let html = page(name, &story.record());
        assert!(html.contains(&format!("<h1>{words}</h1>")), "{name}");
    }
    assert!(page("killed", &killed().record()).contains("the run was killed during this step"));
}

#[test]
fn a_loss_that_the_plan_allows_is_told_and_is_no_failure() {
    let mut story = failing();
    story.events.retain(|e| !matches!(e.event, Event::SuiteEnded { .. } | Event::RunEnded { .. }));
    for stamped in &mut story.events {
        if let Event::StepEnded(end) = &mut stamped.event {
            (end.verdict, end.findings) = (Verdict::Passed, Vec::new());
        }
    }
    let record = story.end_suite(1, Verdict::Passed).end_run(0).record();
    let html = render(&record);
    assert!(html.contains("<h1>Passed: 1 suite; 36 acknowledged messages lost</h1>"));
    let text = visible(&html);
    assert!(text.contains("of 2,060 acknowledged · orders/1: 36 · the plan allows it"), "{text}");
    assert!(text.contains("producer P 4.3 s (orders/1)"));
}

#[test]
fn nothing_of_a_run_is_markup() {
    let text = "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>\" onload=\"x' {{ 7*7 }} <!-- ";
    let mut story = Story::new(text, 1);
    story.suite(|info| {
        info.name = text.into();
        info.cell = text.into();
        info.description = Some(text.into());
        info.params.insert(text.into(), text.into());
        info.steps.iter_mut().for_each(|s| s.title = text.into());
        info.sources.values_mut().for_each(|s| *s = format!("{text}\n").repeat(20));
    });
    story.node(1, text, kplan::event::LaneState::Up, text);
    story.sample(1, text, 1, 1, Some(1.0));
    story.tell(Event::Note { step: "1".into(), text: text.into() });
    story.tell(Event::Described { step: "1".into(), title: text.into(), text: text.into() });
    story.fault(1, text, kplan::event::FaultPhase::Begins, text);
    story.begin(1, "9").end_with(1, "9", Verdict::Failed, |end| {
        let mut miss = finding(text, 17, Holds::No, text, text);
        miss.evidence.push(text.into());
        end.findings.push(miss);
        end.reason = Some(text.into());
    });
    let html = page("hostile", &story.end_suite(1, Verdict::Failed).end_run(1).record());
    assert!(!html.contains("<img") && !html.contains("<script>document"));
    assert_eq!(html.matches("<script").count(), 2, "the page's own and its data");
    assert!(!html.contains("<!-- "));
}

#[test]
fn a_page_asks_nothing_of_the_network() {
    let html = page("passing", &passing().record());
    for outside in ["http:", "https:", "src=", "url(", "@import", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
}
