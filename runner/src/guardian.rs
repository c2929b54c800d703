//! The guardian: a process that outlives the runner and removes what a killed runner left behind.
//!
//! It holds the reading end of a pipe whose writing end only the runner has. The line `done` means
//! that the runner removed everything itself; the pipe's end without it means that the runner died.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    cluster::{docker::cleanup, local},
    exit::Exit,
};

/// What the runner holds: dropping it without [`Guard::dismiss`] sets the guardian to work.
pub struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guardian in a process group of its own, so that Ctrl-C does not reach it. With
    /// `engine` a container engine holds parts of the run.
    pub fn post(run: &str, engine: bool) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe().context("own binary")?)
            .args(["guardian", "--run", run])
            .args(engine.then_some("--engine"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start the guardian process")?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Everything was removed (or is kept on purpose): the guardian goes without touching anything.
    pub fn dismiss(mut self) {
        use std::io::Write as _;
        if let Some(mut pipe) = self.pipe.take() {
            // A guardian that is gone already has nothing left to be told.
            let _ = pipe.write_all(b"done\n");
        }
        let end = Instant::now() + FAREWELL;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                // Somebody froze it: it has nothing left to do.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// How long the guardian may take to go when it is told to.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long the guardian looks for leftovers: a container whose creation was under way when the
/// runner died appears only after it.
const LIMIT: Duration = Duration::from_secs(10);
/// Time between two looks; two empty looks in a row end the work.
const LOOK: Duration = Duration::from_millis(1_500);
/// How long an engine that went away under a run is waited for: what it held is still there when it
/// comes back.
const ENGINE_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The guardian's own process.
pub fn main(run: &str, engine: bool) -> Exit {
    // A closing terminal must not take the guardian with it.
    // SAFETY-free: nix's signal() is unsafe, so the group of its own and the null streams serve here.
    let told = BufReader::new(std::io::stdin()).lines().map_while(Result::ok).any(|l| l == "done");
    if told {
        return Exit::Passed;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Exit::Rig;
    };
    runtime.block_on(sweep(run, engine))
}

async fn sweep(run: &str, engine: bool) -> Exit {
    let begun = Instant::now();
    let mut end = begun + LIMIT;
    let mut empty_looks = 0;
    loop {
        let killed = kill_processes(run);
        let removed = cleanup::remove_run(run).await;
        if removed.is_err() && engine && begun.elapsed() < ENGINE_LIMIT {
            end = Instant::now() + LIMIT;
            tokio::time::sleep(LOOK).await;
            continue;
        }
        // What a process that is still dying writes meanwhile goes with the next look.
        let directories = local::cleanup::remove_run(run).map_or(1, |found| found.len());
        // Without an engine there are no containers to remove: the local and embedded backends.
        let nothing = killed + directories == 0 && removed.map_or(true, |t| t.is_empty());
        empty_looks = if nothing { empty_looks + 1 } else { 0 };
        if empty_looks >= 2 {
            return Exit::Passed;
        }
        if Instant::now() > end {
            return Exit::Rig;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// SIGKILLs every process of this run. Returns how many there were.
pub fn kill_processes(run: &str) -> usize {
    let own = std::process::id();
    let pids = processes_of(run);
    for &pid in pids.iter().filter(|&&pid| pid != own) {
        // Gone in the meantime is as good as killed.
        let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)), Signal::SIGKILL);
    }
    pids.iter().filter(|&&pid| pid != own).count()
}

/// Process ids of a run, the guardian's own excepted: see [`run_of`].
pub fn processes_of(run: &str) -> Vec<u32> {
    numbers().filter(|pid| run_of(*pid).as_deref() == Some(run)).collect()
}

/// Every run that has a process on this machine, the guardians excepted.
pub fn runs_with_processes() -> BTreeSet<String> {
    numbers().filter_map(run_of).collect()
}

/// Whether a runner still lives above a process of this run: what a dead runner started has another
/// parent.
pub fn has_living_runner(run: &str) -> bool {
    let own = name(std::process::id());
    let under = |pid: u32| {
        let ancestors = std::iter::successors(parent(pid), |up| parent(*up)).take(MOST_ANCESTORS);
        let mut runners = ancestors.filter(|up| run_of(*up).is_none());
        runners.any(|up| name(up) == own)
    };
    processes_of(run).into_iter().any(under)
}

/// Nobody's line of ancestors is as long.
const MOST_ANCESTORS: usize = 1_000;

fn numbers() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// The run of a process: its command line shows `client ... --run <id>` or `-Dkplan.run=<id>` (brokers
/// of a local backend), or its environment holds `KPLAN_RUN=<id>` (commands of the step `run`, and what
/// they started).
fn run_of(pid: u32) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let args: Vec<&[u8]> = line.split(|b| *b == 0).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if args.get(1).is_some_and(|a| *a == b"client")
        && let Some(pair) = args.windows(2).find(|w| w[0] == b"--run")
    {
        return Some(text(pair[1]));
    }
    // The whole word, or a Java property: not a command that only speaks of a run.
    let labelled = args.iter().find_map(|a| {
        let word = a.strip_prefix(b"-D").unwrap_or(a);
        word.strip_prefix(b"kplan.run=").map(text)
    });
    labelled.or_else(|| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|b| *b == 0).find_map(|v| v.strip_prefix(b"KPLAN_RUN=".as_slice()).map(text))
    })
}

/// A process's name and parent, the second and fourth field of /proc/PID/stat; the name may hold
/// blanks and parentheses.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = stat.rsplit_once(')')?;
    let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
    Some((head.split_once('(')?.1.to_owned(), parent))
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid).map(|(_, parent)| parent).filter(|parent| *parent > 1)
}

fn name(pid: u32) -> Option<String> {
    stat(pid).map(|(name, _)| name)
}

/// A run lives while its guardian has the runner above it: one that lost it cleans up, and is in nobody's
/// way.
pub fn runner_lives(run: &str) -> bool {
    let own = name(std::process::id());
    numbers().filter(|pid| guards(*pid, run)).any(|pid| parent(pid).and_then(name) == own)
}

/// Whether a process is the guardian of a run.
fn guards(pid: u32, run: &str) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let args: Vec<&[u8]> = line.split(|b| *b == 0).collect();
    args.get(1) == Some(&b"guardian".as_slice()) && args.contains(&run.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_by_what_its_processes_carry() {
        let run = format!("test-{}", std::process::id());
        let mut child =
            Command::new("sleep").arg("60").env("KPLAN_RUN", &run).spawn().expect("sleep starts");
        assert_eq!(processes_of(&run), [child.id()]);
        assert!(runs_with_processes().contains(&run));
        assert!(has_living_runner(&run), "this process started it and lives");
        assert_eq!(kill_processes(&run), 1);
        child.wait().expect("reaped");
        assert!(processes_of(&run).is_empty() && !has_living_runner(&run));
    }
}
