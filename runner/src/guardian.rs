//! The guardian: a process that outlives the runner and removes what a killed runner left behind.
//!
//! It holds the reading end of a pipe whose writing end only the runner has. The line `done` means
//! that the runner removed everything itself; the pipe's end without it means that the runner died.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;

use crate::{
    cluster::backend::{Backend, Sweep},
    exit::Exit,
    processes::kill_processes,
};

/// The runner's end of the pipe: dropping it without [`Guard::dismiss`] makes the guardian clean up.
pub struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts the guardian in a process group of its own, so that Ctrl-C does not reach it. `backend`
    /// is the value of `--backend`.
    pub fn post(run: &str, backend: OsString) -> anyhow::Result<Self> {
        let mut child =
            Command::new(std::env::current_exe().context("cannot find the kplan binary")?)
                .args(["guardian", "--run", run, "--backend"])
                .arg(backend)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .context("cannot start the guardian process")?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Everything was removed (or is kept on purpose): the guardian ends without removing anything.
    pub fn dismiss(mut self) {
        use std::io::Write as _;
        if let Some(mut pipe) = self.pipe.take() {
            // A guardian that has ended already needs no message.
            let _ = pipe.write_all(b"done\n");
        }
        let end = Instant::now() + FAREWELL;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > end {
                // Something paused the guardian process: it has nothing left to do.
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// How long the guardian may take to end after it is dismissed.
const FAREWELL: Duration = Duration::from_secs(5);

/// Time between two looks; two empty looks in a row end the work.
pub const LOOK: Duration = Duration::from_millis(1_500);
/// How long the guardian looks for leftovers: a container whose creation was under way when the runner died may
/// appear after its death.
pub const LIMIT: Duration = Duration::from_secs(10);

/// The guardian's own process.
pub fn main(run: &str, backend: &dyn Backend) -> Exit {
    // A closing terminal must not end the guardian. nix's `signal()` is unsafe, so its own process group and
    // null streams protect it instead.
    let reported =
        BufReader::new(std::io::stdin()).lines().map_while(Result::ok).any(|l| l == "done");
    if reported {
        return Exit::Passed;
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return Exit::Rig;
    };
    runtime.block_on(sweep(run, backend))
}

async fn sweep(run: &str, backend: &dyn Backend) -> Exit {
    let begun = Instant::now();
    let mut end = begun + LIMIT;
    let mut empty_looks = 0;
    loop {
        let killed = kill_processes(run);
        let removed = backend.sweep(run, Sweep::All).await;
        if removed.is_err() && begun.elapsed() < backend.patience() {
            end = Instant::now() + LIMIT;
            tokio::time::sleep(LOOK).await;
            continue;
        }
        // Files that a dying process writes meanwhile are removed by the next look.
        let nothing = killed == 0 && removed.is_ok_and(|traces| traces.is_empty());
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
