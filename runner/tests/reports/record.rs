use std::{fs, os::unix::fs::PermissionsExt as _};

use kplan::{
    event::{Event, FaultPhase, LaneState, Stamped, Verdict},
    record::{EventLog, KILLED_STEP, LogError, RunRecord, read_events},
    rundir::EVENTS,
};

use crate::story::{Story, failing, killed, passing, step_info, us};

fn write(events: &[Stamped]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut log = EventLog::create(&dir.path().join("run")).expect("a fresh directory");
    events.iter().for_each(|e| log.append(e).expect("room on the disk"));
    dir
}

#[test]
fn what_was_written_is_read_and_private() {
    let story = failing();
    let dir = write(&story.events);
    let path = dir.path().join("run").join(EVENTS);
    assert_eq!(read_events(&path).expect("readable").events, story.events);
    let mode = |p: &std::path::Path| fs::metadata(p).expect("exists").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(&dir.path().join("run"))), (0o600, 0o700));
    assert!(matches!(EventLog::create(&dir.path().join("run")), Err(LogError::Create { .. })));
}

#[test]
fn torn_lines_are_counted_and_the_rest_is_kept() {
    let story = passing();
    let dir = write(&story.events);
    let path = dir.path().join("run").join(EVENTS);
    let whole = fs::read(&path).expect("readable");
    for cut in [whole.len() - 1, whole.len() - 5, whole.len() / 2, 1_000] {
        fs::write(&path, &whole[..cut]).expect("write");
        let read = read_events(&path).expect("readable");
        let lines = whole[..cut].iter().filter(|b| **b == b'\n').count();
        assert!(read.events.len() >= lines, "{cut}: every whole line is an event");
        assert_eq!(read.events[..], story.events[..read.events.len()]);
        assert!(read.damaged_lines <= 1);
    }
    fs::write(&path, [&whole[..200], b"\xff\xfe\n\n{}\n", &whole[..]].concat()).expect("write");
    let record = RunRecord::read(dir.path().join("run").as_path()).expect("the run is in it");
    assert_eq!((record.damaged_lines, record.verdict()), (2, Verdict::Passed));
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let dir = tempfile::tempdir().expect("temporary directory");
    std::os::unix::fs::symlink("/dev/full", dir.path().join("full")).expect("link");
    // /dev/full cannot be made anew, so the log is opened on it by way of a directory of its own.
    let error = EventLog::open(&dir.path().join("full"))
        .and_then(|mut log| log.append(&passing().events[0]))
        .expect_err("no room");
    assert!(error.to_string().contains("full: No space left on device"), "{error}");
}

#[test]
fn a_file_without_a_run_is_refused() {
    let dir = write(&passing().events[1..]);
    let error = RunRecord::read(&dir.path().join("run")).expect_err("no beginning");
    assert!(matches!(error, LogError::Empty { .. }));
    assert!(matches!(RunRecord::read(dir.path()), Err(LogError::NoRun { .. })));
    let missing = dir.path().join("missing");
    assert!(matches!(RunRecord::read(&missing), Err(LogError::Read { .. })));
}

#[test]
fn a_whole_run_is_folded() {
    let record = failing().record();
    let suite = &record.suites[0];
    assert_eq!(record.verdict(), Verdict::Failed);
    assert_eq!((suite.verdict, suite.took_ms(), suite.steps.len()), (Verdict::Failed, 32_900, 10));
    assert_eq!(suite.title(), "Unclean election [version=4.1.1]");
    let step = suite.step(&"9".into()).expect("listed");
    assert_eq!((step.misses().count(), step.inconclusive(), step.took_ms), (1, false, 100));
    assert_eq!(suite.step(&"4".into()).expect("listed").targets[0].1, ["broker 2"]);
    assert_eq!(suite.values()["lost"], 36);
    assert_eq!(suite.values()["acked"]["P"], 2_060);
    let fault = suite.nearest_fault(us(9.9)).expect("one fault");
    assert_eq!((fault.from_us, fault.until_us), (us(10.0), Some(us(25.0))));
    let lanes: Vec<_> = suite.lanes.iter().map(|l| (l.name.as_str(), l.states.len())).collect();
    assert_eq!(lanes, [("broker 1", 2), ("broker 2", 4), ("broker 3", 2), ("P", 2)]);
    assert!(suite.lanes[1].states.is_sorted_by_key(|s| s.0));
    assert_eq!(suite.lanes[1].states[2].1, LaneState::Dead);
    assert_eq!(suite.wall(us(9.9)).to_string(), "2026-03-01T12:00:09.9Z");
}

#[test]
fn a_killed_run_keeps_what_was_known() {
    let record = killed().record();
    let suite = &record.suites[0];
    use Verdict::{Broken, Passed, Skipped};
    assert!(record.killed() && suite.interrupted());
    assert_eq!((record.verdict(), suite.verdict), (Broken, Broken));
    assert_eq!(record.unstarted(), 1);
    let verdicts: Vec<_> = suite.steps.iter().map(|s| s.verdict).collect();

    assert_eq!(verdicts[..6], [Passed, Passed, Passed, Passed, Broken, Skipped]);
    let wait = suite.step(&"5".into()).expect("listed");
    assert_eq!(wait.reason.as_deref(), Some(KILLED_STEP));
    assert_eq!(wait.took_ms, 1_800);
    let later = suite.step(&"9".into()).expect("listed");
    assert_eq!(later.reason.as_deref(), Some("the run was killed before this step"));
    assert_eq!(suite.faults[0].until_us, None);
}

#[test]
fn any_prefix_of_a_run_folds_and_is_never_green() {
    let story = passing();
    for cut in 1..story.events.len() {
        let record = RunRecord::fold(story.events[..cut].to_vec()).expect("begins");
        assert_eq!(record.verdict(), Verdict::Broken, "cut at {cut}");
    }
    assert_eq!(story.record().verdict(), Verdict::Passed);
}

#[test]
fn rounds_of_a_repeat_stand_one_after_the_other() {
    let mut story = Story::new("docker", 1);
    story.suite(|info| {
        let ids = ["1", "2", "2.1", "2.2", "3"];
        let verb = |id: &str| if id == "2" { "repeat" } else { "note" };
        info.steps = ids.iter().map(|id| step_info((id, "x", verb(id), 4, 4))).collect();
    });
    for id in ["1", "2.1", "2.2", "2.1#2", "2.2#2", "2.1#3", "2", "3", "2.2.7"] {
        story.begin(1, id).end(1, id, Verdict::Passed);
    }
    let record = story.end_suite(1, Verdict::Passed).end_run(0).record();
    let ids: Vec<_> = record.suites[0].steps.iter().map(|s| s.id.to_string()).collect();
    assert_eq!(ids, ["1", "2", "2.1", "2.2", "2.2.7", "2.1#2", "2.2#2", "2.1#3", "3"]);
}

#[test]
fn a_fault_is_over_when_all_that_it_struck_is_up_again() {
    use LaneState::{Dead, Starting, Up};
    let ends = |both_back: bool| {
        let mut story = Story::new("docker", 1);
        story.suite(|_| {});
        for client in ["C/1", "C/2"] {
            story.at(1.0).client(1, client, Up, "ready");
            story.at(9.9).client(1, client, Dead, "killed by step 4");
        }
        story.at(10.0).fault(1, "4", FaultPhase::Begins, "C killed");
        for (client, at) in [("C/1", 12.0), ("C/2", 15.0)] {
            if both_back || client == "C/1" {
                story.at(at - 1.0).client(1, client, Starting, "life 2");
                story.at(at).client(1, client, Up, "ready");
            }
        }
        story.at(20.0).end_suite(1, Verdict::Passed).end_run(0).record().suites[0].faults.clone()
    };
    assert_eq!(ends(true)[0].until_us, Some(us(15.0)));
    assert_eq!(ends(false)[0].until_us, None, "one of them never came back");
}

#[test]
fn a_retried_suite_counts_by_its_last_attempt() {
    let mut story = Story::new("docker", 1);
    for (number, verdict) in [(1, Verdict::Failed), (2, Verdict::Passed)] {
        story.suite_of(number, |info| info.attempt = number);
        story.end_suite(number, verdict);
    }
    let record = story.end_run(0).record();
    assert_eq!(record.verdict(), Verdict::Passed);
    let last: Vec<_> = record.decisive().collect();
    assert_eq!((last.len(), last[0].info.attempt), (1, 2));
    assert_eq!(record.earlier_attempts(last[0])[0].verdict, Verdict::Failed);
}

#[test]
fn a_signal_is_never_green_and_unknown_suites_are_passed_over() {
    let mut story = passing();
    story.events.pop();
    story.node(9, "broker 1", LaneState::Up, "no such suite");
    story.tell(Event::RunEnded { exit: 130, signal: Some("SIGINT".into()) });
    assert_eq!(story.record().verdict(), Verdict::Broken);
}
