//! Faults with steps of their own (`during`), wherever they stand: what they do, how their steps are named in
//! every report, and what ends them. Those on real brokers are ignored unless asked for.

mod common;

use std::{collections::BTreeSet, time::Duration};

use common::{Ran, kplan, real, run};
use kplan::{event::Verdict, record::StepRecord};
use serde_json::Value;

const NESTED: &str = "runner/tests/plans/during-nested.yaml";

/// Runs a plan of these steps, behind a cluster of three, on the embedded backend.
fn plan(steps: &str) -> Ran {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("plan.yaml");
    let head = "plan: v1\nname: A fault with steps\nsteps:\n  - start_cluster: { brokers: 3 }\n";
    std::fs::write(&path, format!("{head}{steps}")).expect("written");
    run(&[path.to_str().expect("plain"), "--backend", "embedded"])
}

/// The step of this title in this round of its `repeat`.
fn step<'a>(ran: &'a Ran, title: &str) -> &'a StepRecord {
    let mut all = ran.record.suites[0].steps.iter();
    all.find(|s| s.title() == title).unwrap_or_else(|| panic!("no {title}: {}", ran.text()))
}

fn step_of<'a>(ran: &'a Ran, id: &str) -> &'a StepRecord {
    ran.record.suites[0].step(&id.into()).unwrap_or_else(|| panic!("no {id}: {}", ran.text()))
}

/// Class and name of every case, in the order of the file.
fn cases(junit: &str) -> Vec<(String, String)> {
    let attribute = |case: &str, name: &str| {
        let (_, rest) = case.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let each = junit.split("<testcase").skip(1).map(|case| {
        let case = case.split_once('>').map_or(case, |(head, _)| head);
        (attribute(case, "classname"), attribute(case, "name"))
    });
    each.map(|(class, name)| (class.expect("a class"), name.expect("a name"))).collect()
}

/// What another report of a run says.
fn report(ran: &Ran, format: &str) -> String {
    let dir = ran.record.dir.to_str().expect("plain");
    let output = kplan(&["report", dir, "--format", format]).output().expect("kplan starts");
    assert!(output.status.success(), "{format}");
    String::from_utf8(output.stdout).expect("text")
}

/// While the steps inside ran, the fault around them was in force: they began after it, and ended before it did.
fn inside(ran: &Ran, fault: &str, steps: &[&str]) {
    let suite = &ran.record.suites[0];
    let id = &step(ran, fault).id;
    let bite = suite.faults.iter().find(|f| f.step == *id).expect("the fault's span");
    let until = bite.until_us.expect("it is over");
    for title in steps {
        let step = step(ran, title);
        let (from, to) = (step.started_us.expect("began"), step.ended_us.expect("ended"));
        assert_eq!(step.verdict, Verdict::Passed, "{title}: {}", ran.text());
        assert!(bite.from_us <= from && to <= until, "{title} ran within {fault}");
    }
}

#[test]
fn in_rounds_and_side_by_side_each_step_runs_within_its_fault() {
    let ran = run(&[NESTED, "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.text());
    inside(&ran, "outage", &["seen down"]);
    inside(&ran, "outage (round 2)", &["seen down (round 2)"]);
    let ids: BTreeSet<String> =
        ran.record.suites[0].steps.iter().map(|s| s.id.to_string()).collect();
    for id in ["6.1.1", "6.1.1#2", "7.left.1.2", "7.right.1.1", "7.right.1.2.1", "7.right.1.2.1#2"]
    {
        assert!(ids.contains(id), "{id}: {ids:?}");
    }
}

#[test]
fn their_names_are_unique_and_the_same_in_every_run() {
    let first = run(&[NESTED, "--backend", "embedded"]);
    let all = cases(&first.junit);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
    assert_eq!(all.len(), first.record.suites[0].steps.len(), "each step is a case");
    for _ in 0..2 {
        let again = run(&[NESTED, "--backend", "embedded"]);
        assert_eq!(cases(&again.junit), all, "{}", again.text());
    }
}

/// Equal steps in faults of two branches and two rounds: each report tells each of them apart.
#[test]
fn what_did_not_hold_is_told_apart_in_every_report() {
    let ran = run(&["runner/tests/plans/during-twice.yaml", "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let failed = ["5.1.left.1.1", "5.1.right.1.1", "5.1.left.1.1#2", "5.1.right.1.1#2"];
    let markdown = report(&ran, "markdown");
    let json: Value = serde_json::from_str(&report(&ran, "json")).expect("JSON");
    let page = ran.record.dir.join("page.html");
    let (dir, page_text) = (ran.record.dir.to_str(), page.to_str());
    let words = ["report", dir.expect("plain"), "--html", page_text.expect("plain")];
    assert!(kplan(&words).output().expect("kplan starts").status.success());
    let page = std::fs::read_to_string(page).expect("a page");
    let steps = json["suites"][0]["steps"].as_array().expect("steps");
    for id in failed {
        let title = step_of(&ran, id).title();
        let heading = format!("step {id}: \"{title}\" did not hold (failed)");
        assert_eq!(markdown.matches(&heading).count(), 1, "{markdown}");
        assert!(
            ran.text().contains(&format!("step {id}: \"{title}\" did not hold")),
            "{}",
            ran.text()
        );
        assert_eq!(steps.iter().filter(|s| s["id"] == id).count(), 1, "{id}");
        let anchor = format!("id=\"s1-step-{}\"", id.replace('#', "-23-"));
        assert_eq!(page.matches(&anchor).count(), 1, "{anchor}");
    }
    let all = cases(&ran.junit);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
}

#[test]
fn a_step_that_fails_within_a_fault_of_a_branch_is_told_and_all_faults_are_undone() {
    let ran = plan(
        "  - create_topic: { name: orders, partitions: 1, replicas: 1 }
  - start_producer: { name: P, topic: orders, rate: 100/s }
  - parallel:
      left:
        - name: death
          kill_broker:
            broker: 2
            for: 10m
            during:
              - name: never so
                wait: { until: [acked: { client: P, at_least: 1000000 }], within: 1s }
      right:
        - name: freeze
          pause_client:
            client: P
            during: [{ name: beside it, wait: 2s }]
finally:
  - name: undone
    assert: [brokers_alive: 3]
",
    );
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    for (title, verdict) in [
        ("never so", Verdict::Failed),
        ("death", Verdict::Failed),
        ("beside it", Verdict::Passed),
        ("freeze", Verdict::Passed),
        ("undone", Verdict::Passed),
    ] {
        assert_eq!(step(&ran, title).verdict, verdict, "{title}: {}", ran.text());
    }
    let why = step(&ran, "death").reason.clone().unwrap_or_default();
    assert!(why.starts_with("ended early: step 4.left.1.1 (wait)"), "{why}");
}

#[test]
fn the_limit_of_a_fault_ends_its_steps_in_a_round_and_the_fault_is_undone() {
    let ran = plan(
        "  - repeat:
      times: 2
      steps:
        - name: death
          kill_broker:
            broker: 2
            during:
              - name: too long
                wait: 10m
              - note: left out
          timeout: 2s
finally:
  - name: undone
    assert: [brokers_alive: 3]
",
    );
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let (inner, outer) = (step(&ran, "too long"), step(&ran, "death"));
    assert_eq!((inner.verdict, outer.verdict), (Verdict::Failed, Verdict::Failed));
    assert!(inner.timed_out, "{:?}", inner.reason);
    let why = inner.reason.clone().unwrap_or_default();
    assert!(why.contains("the limit of the fault around this step ran out"), "{why}");
    assert!(Duration::from_millis(outer.took_ms) < Duration::from_secs(30));
    assert_eq!(step(&ran, "undone").verdict, Verdict::Passed, "{}", ran.text());
    assert!(ran.record.suites[0].steps.iter().all(|s| s.id.rounds().is_empty()), "no other round");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn on_real_brokers_the_steps_of_a_kill_a_freeze_and_a_cut_see_them_in_force() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/during-real.yaml"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    inside(&ran, "death", &["broker 2 is dead"]);
    inside(&ran, "freeze", &["broker 3 is silent"]);
    inside(&ran, "freeze (round 2)", &["broker 3 is silent (round 2)"]);
    inside(&ran, "cut", &["broker 1 is out of sync"]);
    let all = cases(&ran.junit);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
}
