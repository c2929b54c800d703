//! The traffic of a service, judged by what kplan reads of its output.

use std::{
    env, fs,
    path::Path,
    process::Child,
    thread,
    time::{Duration, Instant},
};

use kplan::{
    event::{Holds, Verdict},
    processes::processes_of,
    record::RunRecord,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    GONE,
    common::{Ran, gone_within, run_id, start},
    services,
};

/// The argument with the service of the tests.
fn program() -> String {
    let own = env::current_exe().expect("this binary");
    format!("program={}", own.display())
}

fn relayed(plan: &str) -> Ran {
    services(plan, &["--param", &program()])
}

/// What the last step found.
fn last_finding(ran: &Ran) -> (Holds, String) {
    let step = ran.record.suites[0].steps.iter().rfind(|step| !step.findings.is_empty());
    let step = step.unwrap_or_else(|| panic!("nothing was judged: {}", ran.why()));
    let finding = step.findings.last().expect("one");
    (finding.holds, finding.found.clone())
}

#[test]
fn progress_recovery_gaps_and_latency_of_a_service_are_judged_over_its_kill() {
    let ran = relayed("traffic");
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let found: Vec<String> = ran.record.suites[0]
        .steps
        .iter()
        .flat_map(|step| step.findings.iter().map(|finding| finding.found.clone()))
        .collect();
    assert!(found.iter().any(|text| text == "S makes progress"), "{found:?}");
    let recovered = found.iter().find(|text| text.contains("recovered within"));
    assert!(recovered.is_some_and(|text| text.contains("S killed")), "{found:?}");
}

#[test]
fn a_service_that_lives_and_writes_nothing_makes_no_progress() {
    let ran = relayed("standstill");
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let (holds, found) = last_finding(&ran);
    assert_eq!(holds, Holds::No, "{found}");
    assert_eq!(found, "S has nothing processed on orders/0, orders/1");
}

#[test]
fn a_service_whose_input_has_no_identities_as_text_is_not_judged() {
    let ran = relayed("nameless");
    assert_eq!(ran.status(), Some(1), "{}", ran.why());
    let (holds, found) = last_finding(&ran);
    assert_eq!(holds, Holds::Inconclusive, "{found}");
    assert!(found.starts_with("the messages of P carry no identity that S can pass on"), "{found}");
}

#[test]
fn a_service_whose_output_kplan_no_longer_reads_is_never_judged() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("run");
    let plan = "runner/tests/plans/services/reader-gone.yaml";
    let (backend, program) = (["--backend", "embedded", "--allow-run"], program());
    let args = [&[plan, "--param", &program][..], &backend].concat();
    let mut runner = start(&args, &out);
    let id = run_id(&out, GONE).expect("the run began");
    let end = Instant::now() + GONE * 2;
    let begun = |text: &str| text.contains(r#""event":"step_started","step":"7""#);
    while !fs::read_to_string(out.join("events.jsonl")).is_ok_and(|text| begun(&text)) {
        assert!(Instant::now() < end, "it does not wait");
        thread::sleep(Duration::from_millis(50));
    }
    let is_reader = |pid: &u32| {
        let words = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
        String::from_utf8_lossy(&words.unwrap_or_default()).contains("--member\x000\0")
    };
    let readers: Vec<u32> = processes_of(&id).into_iter().filter(is_reader).collect();
    let [reader] = readers.as_slice() else { panic!("{readers:?}") };
    kill(Pid::from_raw(reader.cast_signed()), Signal::SIGKILL).expect("signalled");
    assert_eq!(ended(&mut runner, end), Some(3));
    let record = RunRecord::read(&out).expect("a record");
    let suite = &record.suites[0];
    assert_eq!(suite.verdict, Verdict::Broken);
    let reasons: Vec<&str> = suite.steps.iter().filter_map(|s| s.reason.as_deref()).collect();
    assert!(reasons.iter().any(|text| text.contains("reader of what S writes")), "{reasons:?}");
    assert!(gone_within(&id, GONE).is_empty());
}

/// The exit status of a run that ends by itself.
fn ended(runner: &mut Child, end: Instant) -> Option<i32> {
    loop {
        if let Some(status) = runner.try_wait().expect("its state") {
            return status.code();
        }
        assert!(Instant::now() < end, "it does not end");
        thread::sleep(Duration::from_millis(50));
    }
}
