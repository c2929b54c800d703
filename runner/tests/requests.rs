//! Disturbed requests: on the simulation, and on real brokers (ignored unless asked for).

mod common;

use common::{Ran, left_behind, real, run};
use kplan::{
    event::{Holds, Verdict},
    record::StepRecord,
};

/// The step of this name.
fn named<'a>(ran: &'a Ran, name: &str) -> &'a StepRecord {
    let mut steps = ran.record.suites[0].steps.iter();
    let step = steps.find(|step| step.info.title == name);
    step.unwrap_or_else(|| panic!("no step {name}: {}", ran.why()))
}

/// The step `nothing` fails the plan because it is inconclusive, for no other reason.
fn nothing_is_proven(ran: &Ran) -> &StepRecord {
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let step = named(ran, "nothing");
    assert_eq!(step.verdict, Verdict::Failed);
    let holds: Vec<_> = step.findings.iter().map(|finding| finding.holds).collect();
    assert_eq!(holds, [Holds::Inconclusive], "{:?}", step.findings);
    step
}

/// What the step of this name says at its end: how many requests it disturbed, of how many.
fn counts(ran: &Ran, name: &str) -> (u64, u64) {
    let step = named(ran, name);
    let notes = ran.record.suites[0].notes.iter().filter(|note| note.who == step.id);
    let mut said = notes.filter_map(|note| {
        let (disturbed, rest) = note.text.split_once(" of ")?;
        Some((disturbed.parse().ok()?, rest.split(' ').next()?.parse().ok()?))
    });
    said.next_back().unwrap_or_else(|| panic!("{name} says no counts: {}", ran.why()))
}

fn plan(steps: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("requests.yaml");
    let text = format!(
        "plan: v1\nname: Requests\nsteps:\n  - start_cluster: {{ brokers: 3 }}\n  \
         - create_topic: {{ name: orders, partitions: 1, replicas: 3 }}\n{steps}"
    );
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("plain").to_owned();
    (dir, path)
}

#[test]
fn each_request_that_reaches_the_broker_twice_is_a_duplicate() {
    let (_dir, path) = plan(
        "  - start_producer:
      name: P
      topic: orders
      rate: 100/s
      idempotent: false
      config: { batch.num.messages: 1, max.in.flight.requests.per.connection: 1 }
  - wait: [progressing: P]
  - name: twice
    disturb_requests: { api: Produce, client: P, share: 25%, how: duplicate, for: 2s }
  - name: all
    disturb_requests: { api: Produce, client: P, how: duplicate, for: 1s }
  - wait: [progressing: P]
  - stop_client: P
  - assert: [{ lost: 0 }, { phantom: 0 }]
  - record: [duplicated]
",
    );
    let ran = run(&[&path, "--backend", "embedded", "--seed", "7"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let ((some, of_some), (all, of_all)) = (counts(&ran, "twice"), counts(&ran, "all"));
    assert!(some > 0 && some * 2 < of_some, "a quarter of the requests: {some} of {of_some}");
    assert_eq!(all, of_all, "without a share it is each request");
    let found = ran.record.suites[0].anomalies.iter().find(|a| a.kind == "duplicated");
    assert_eq!(found.map(|found| found.count), Some(some + all), "{}", ran.why());
}

#[test]
fn a_step_that_disturbs_nothing_is_inconclusive() {
    let (_dir, path) = plan(
        "  - start_producer: { name: P, topic: orders, rate: 100/s }
  - wait: [progressing: P]
  - name: nothing
    disturb_requests: { api: Fetch, client: P, how: disconnect, for: 1s }
  - stop_client: P
  - assert: [{ lost: 0 }]
",
    );
    let ran = run(&[&path, "--backend", "embedded"]);
    nothing_is_proven(&ran);
    assert_eq!(counts(&ran, "nothing"), (0, 0));
}

/// A chaos does not judge by a fault that met nothing: that one is left out, with its reason.
#[test]
fn a_chaos_of_disturbances_that_meet_nothing_broke_nothing() {
    let (_dir, path) = plan(
        "  - start_producer: { name: P, topic: orders, rate: 100/s }
  - wait: [progressing: P]
  - name: nothing
    chaos: { for: 3s, every: 1s, faults: [{ disturb_requests: { api: Fetch, client: P, how: disconnect, for: 500ms } }] }
  - stop_client: P
  - assert: [{ lost: 0 }]
",
    );
    let ran = run(&[&path, "--backend", "embedded"]);
    let step = nothing_is_proven(&ran);
    let steps = ran.record.suites[0].steps.iter();
    let faults: Vec<_> = steps.filter(|one| one.info.fault && one.id != step.id).collect();
    assert!(!faults.is_empty(), "{}", ran.why());
    for fault in faults {
        assert_eq!(fault.verdict, Verdict::Skipped, "{:?}", fault.reason);
        let why = fault.reason.as_deref().unwrap_or_default();
        assert!(why.starts_with("left out: none of 0 Fetch requests"), "{why}");
    }
}

/// What cuts off a disturbance that met nothing is the reason; the disturbance is undone all the same.
#[test]
fn what_cuts_off_a_disturbance_is_the_reason() {
    let (_dir, path) = plan(
        "  - start_producer: { name: P, topic: orders, rate: 100/s }
  - wait: [progressing: P]
  - name: nothing
    timeout: 1s
    disturb_requests: { api: Fetch, client: P, how: disconnect, for: 20s }
  - stop_client: P
",
    );
    let ran = run(&[&path, "--backend", "embedded"]);
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let notes = ran.record.suites[0].notes.iter();
    let undone: Vec<_> = notes.filter(|note| note.text.contains("undone")).collect();
    assert!(undone.is_empty(), "{undone:?}");
    let step = named(&ran, "nothing");
    assert!(step.timed_out && step.findings.is_empty(), "{:?}", step.findings);
}

/// Producers (idempotent or not, with transactions), consumers of both protocols and a copier, with each kind of
/// disturbance: nothing is lost, and what the proxy did is counted exactly where the log shows it.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn no_disturbance_leads_to_a_false_verdict() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/requests.yaml"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let suite = &ran.record.suites[0];
    let twice = counts(&ran, "twice").0 + counts(&ran, "after append").0;
    let of_d = suite.anomalies.iter().filter(|a| a.kind == "duplicated");
    let of_d = of_d.map(|found| found.count).sum::<u64>();
    assert_eq!(of_d, twice, "{:?}\n{}", suite.notes, ran.why());
    let faults = suite.faults.iter();
    let open: Vec<_> = faults.filter(|fault| fault.until_us.is_none()).collect();
    assert!(open.is_empty(), "each is over: {open:?}");
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
}
