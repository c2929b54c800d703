//! SIGKILLs of runner, guardian and clients at random moments, by a seed.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use kplan::{event::Verdict, processes::processes_of, record::RunRecord};
use nix::sys::signal::Signal;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::{
    GONE, Under,
    common::{gone_within, kplan, real},
    send, until,
};

/// A plan with kplan's own clients, and one with a service and a client of another program.
const PLANS: [&str; 2] = ["runner/tests/plans/long.yaml", "runner/tests/plans/long-programs.yaml"];
/// Runs side by side.
const LANES: u64 = 4;

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Runner,
    Clients,
    Guardian,
    RunnerAndGuardian,
}

/// One run, one victim, one moment.
fn one(plan: &str, seed: u64, backend: &str, victim: Victim, latest_ms: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut run = Under::start(&[plan, "--backend", backend, "--allow-run"], &[]);
    let moment = Duration::from_millis(rng.random_range(0..latest_ms));
    std::thread::sleep(moment);
    let told = format!("{plan}, seed {seed}, {victim:?} after {moment:?}");
    match victim {
        Victim::Runner => {
            run.signal(Signal::SIGKILL);
            run.ends();
        }
        Victim::Clients => clients(&mut run, &told),
        Victim::Guardian => {
            // The runner needs none to end well.
            run.guardian().into_iter().for_each(|pid| send(pid, Signal::SIGKILL));
            run.signal(Signal::SIGTERM);
            assert_eq!(run.ends().code(), Some(143), "{told}: {}", run.said());
        }
        Victim::RunnerAndGuardian => {
            run.guardian().into_iter().for_each(|pid| send(pid, Signal::SIGKILL));
            run.signal(Signal::SIGKILL);
            run.ends();
            let cleaned = kplan(&["clean"]).output().expect("kplan starts");
            let said = String::from_utf8_lossy(&cleaned.stderr);
            assert!(backend != "docker" || cleaned.status.success(), "{told}: {said}");
        }
    }
    let left = gone_within(&run.id, GONE);
    assert!(left.is_empty(), "{told}: {left:?}");
}

/// All clients at once: the run notices by itself. Where none has started yet there is none to kill.
fn clients(run: &mut Under, told: &str) {
    run.until_step("5");
    run.clients().into_iter().for_each(|pid| send(pid, Signal::SIGKILL));
    // The plan only waits: what its stop finds is found at once by a second signal's end.
    until(GONE, told, || run.clients().is_empty());
    run.signal(Signal::SIGINT);
    assert_eq!(run.ends().code(), Some(130), "{told}: {}", run.said());
    let record = RunRecord::read(&run.out).expect("a record");
    assert_eq!(record.suites[0].verdict, Verdict::Broken, "{told}");
}

#[test]
fn fifty_sigkills_of_each_plan_at_random_moments_leave_nothing() {
    let seed: u64 = 20_261_125;
    let next = AtomicU64::new(0);
    let victims = [Victim::Runner, Victim::Clients, Victim::Guardian, Victim::RunnerAndGuardian];
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= 100 {
                        break;
                    }
                    let (plan, victim) = (PLANS[(number % 2) as usize], (number / 2 % 4) as usize);
                    one(plan, seed + number, "embedded", victims[victim], 2_500);
                }
            });
        }
    });
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn what_runner_and_guardian_left_is_cleaned() {
    let _turn = real();
    for plan in PLANS {
        one(plan, 7, "docker", Victim::RunnerAndGuardian, 6_000);
    }
}

#[test]
fn a_command_that_nobody_ended_is_cleaned() {
    let plan = "runner/tests/plans/long-command.yaml";
    let mut run = Under::start(&[plan, "--backend", "embedded", "--allow-run"], &[]);
    until(GONE, "the command", || !processes_of(&run.id).is_empty());
    // While its runner lives it is left alone.
    let cleaned = kplan(&["clean"]).output().expect("kplan starts");
    let said = String::from_utf8_lossy(&cleaned.stderr);
    assert!(said.contains(&format!("run {} is still alive", run.id)), "{said}");
    assert!(!processes_of(&run.id).is_empty(), "{said}");
    run.guardian().into_iter().for_each(|pid| send(pid, Signal::SIGKILL));
    run.signal(Signal::SIGKILL);
    run.ends();
    assert!(!processes_of(&run.id).is_empty(), "nobody is there to end it");
    let cleaned = kplan(&["clean"]).output().expect("kplan starts");
    let said = String::from_utf8_lossy(&cleaned.stdout);
    assert!(said.contains(&format!("removed run {}", run.id)), "{said}");
    assert!(gone_within(&run.id, GONE).is_empty());
}
