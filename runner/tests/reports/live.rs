use std::time::{Duration, Instant};

use kplan::{
    event::{Event, Stamped, Verdict},
    report::live::{Live, Screen, Waiting, Words, start},
};

use crate::junit::retried;
use crate::story::{Story, failing, passing, us};

fn told(words: Words, events: &[Stamped]) -> String {
    let mut screen = Screen::new(words, Live::default());
    let lines: Vec<_> = events.iter().flat_map(|e| screen.lines(e)).collect();
    anstream::adapter::strip_str(&lines.join("\n")).to_string()
}

#[test]
fn a_line_for_each_step() {
    insta::assert_snapshot!(told(Words::Normal, &failing().events));
}

#[test]
fn verbose_tells_faults_and_nodes() {
    let text = told(Words::Verbose, &failing().events);
    for part in
        ["fault begins: broker 2 killed", "broker 2 dead: killed by step 4", "corrupted: 0: 0"]
    {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn quiet_tells_what_goes_wrong() {
    assert_eq!(told(Words::Quiet, &passing().events), "");
    let text = told(Words::Quiet, &failing().events);
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("lost: 0: expected lost is 0, found: 36 of 2060"));
}

#[test]
fn a_status_line_has_step_rates_and_the_time_left() {
    let live = Live::default();
    let mut screen = Screen::new(Words::Normal, live.clone());
    for event in passing().events.iter().filter(|e| e.mono_us <= us(12.5)) {
        screen.lines(event);
    }
    let deadline = Some(Instant::now() + Duration::from_millis(24_900));
    live.waiting(1, Waiting { step: "5".into(), missing: "progressing P".into(), deadline });
    let status = screen.status();
    let expected = "5 wait until progressing · 24 s left · P 40/s acked · not yet: progressing P";
    assert_eq!(status, [(1, expected.to_owned())]);
    // What is told of an earlier step's end comes late, and is no end of this wait.
    screen.lines(&ended("4"));
    assert!(screen.status()[0].1.contains("24 s left"));
    screen.lines(&ended("5"));
    assert!(!screen.status()[0].1.contains("left"));
}

fn ended(step: &str) -> Stamped {
    let mut story = Story::new("docker", 1);
    story.end(1, step, Verdict::Passed);
    story.events.pop().expect("told")
}

#[test]
fn suites_side_by_side_are_told_apart() {
    let mut story = Story::new("docker", 2);
    for suite in [1, 2] {
        story.suite_of(suite, |info| info.name = format!("Plan {suite}"));
    }
    for suite in [2, 1] {
        story.begin(suite, "1");
    }
    let mut screen = Screen::new(Words::Normal, Live::default());
    story.events.iter().for_each(|e| drop(screen.lines(e)));
    let status: Vec<_> = screen.status().into_iter().map(|s| s.1).collect();
    assert!(status[0].starts_with("Plan 1") && status[1].starts_with("Plan 2"), "{status:?}");
    story.end(2, "1", Verdict::Passed);
    let line = screen.lines(story.events.last().expect("told")).concat();
    assert!(
        anstream::adapter::strip_str(&line).to_string().starts_with("Plan 2 [version=4.1.1]: ")
    );
}

#[test]
fn a_suite_that_passed_when_tried_again_is_flaky_and_never_silent() {
    for words in [Words::Normal, Words::Quiet, Words::Verbose] {
        let text = told(words, &retried().events);
        let last = text.lines().last().expect("the second attempt");
        assert!(last.ends_with("flaky: passed on attempt 2 of 3"), "{text}");
        assert_eq!(text.matches("flaky").count(), 1, "{text}");
    }
    assert!(!told(Words::Normal, &passing().events).contains("attempt"));
}

#[tokio::test]
async fn the_task_ends_with_the_run_or_the_channel() {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let (_live, task) = start(Words::Quiet, receiver);
    sender.send(Story::new("docker", 0).events.remove(0)).expect("watched");
    let end = Event::RunEnded { exit: 0, signal: None };
    let at = jiff::Timestamp::UNIX_EPOCH;
    sender.send(Stamped { at, mono_us: 0, suite: None, event: end }).expect("watched");
    tokio::time::timeout(Duration::from_secs(30), task).await.expect("ends").expect("no panic");
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let (_live, task) = start(Words::Normal, receiver);
    drop(sender);
    tokio::time::timeout(Duration::from_secs(30), task).await.expect("ends").expect("no panic");
}
