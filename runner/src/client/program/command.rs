//! A program as a process of this machine, in a process group of its own.
#![allow(unsafe_code)]

use std::{
    io::{self, ErrorKind as K, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, SyncSender, channel},
    },
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{Signal, kill, killpg},
        wait::{Id, WaitPidFlag, waitid},
    },
    unistd::{Pid, getpid, getppid},
};

use super::{
    EndedBy, ProgramEnd, ProgramError, ProgramEvent, ProgramLog, ProgramOwner, ProgramSpec,
    output::ProgramOutput,
};
use crate::{history::now_us, processes};

/// How long output is read after the end of a program and of all that it started: something outside of the run may
/// hold the pipes open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How often the processes of a killed program are looked for.
const ROUNDS: usize = 10;

/// A running process, with all that it starts.
pub(crate) struct CommandProcess {
    pid: Pid,
    owner: ProgramOwner,
    stdin: Option<ChildStdin>,
    /// True when its number may belong to another process.
    reaped: Arc<Mutex<bool>>,
}

impl CommandProcess {
    pub(super) fn start(
        words: &[String],
        dir: &Path,
        spec: &ProgramSpec,
        owner: ProgramOwner,
        log: ProgramLog,
        events: SyncSender<ProgramEvent>,
    ) -> Result<Self, ProgramError> {
        let program = words.first().map(String::as_str).unwrap_or_default();
        let what = format!("cannot start {program}");
        let failed = |error: io::Error| match error.kind() {
            K::OutOfMemory | K::WouldBlock | K::ResourceBusy | K::StorageFull => {
                ProgramError::machine(&what, error)
            }
            _ => ProgramError::program(&what, error),
        };
        let mut command = Command::new(program);
        command.args(words.get(1..).unwrap_or_default()).current_dir(dir).envs(&spec.env);
        command.envs(marks(&owner)).process_group(0);
        command.stdin(if spec.stdin { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        die_with_this_thread(&mut command);
        let mut child = command.spawn().map_err(failed)?;
        let no_pipe = || failed(io::Error::other("it has no pipe"));
        let stdout = child.stdout.take().ok_or_else(no_pipe)?;
        let stderr = child.stderr.take().ok_or_else(no_pipe)?;
        let stdin = child.stdin.take();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        let output = ProgramOutput::new(log, events);
        let (reading, done) = channel();
        let (out, out_reading) = (output.clone(), reading.clone());
        thread::spawn(move || out.read(stdout, false, out_reading));
        let errors = output.clone();
        thread::spawn(move || errors.read(stderr, true, reading));
        let this = Self { pid, owner, stdin, reaped: Arc::default() };
        let (reaped, owner) = (this.reaped.clone(), this.owner.clone());
        thread::spawn(move || follow(child, pid, &owner, &reaped, &output, &done));
        Ok(this)
    }

    pub(super) fn tell(&mut self, line: &str) -> io::Result<()> {
        self.stdin.as_mut().map_or(Ok(()), |stdin| writeln!(stdin, "{line}"))
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<(), ProgramError> {
        let reaped = locked(&self.reaped);
        if *reaped {
            return Ok(());
        }
        let sent = match signal {
            Signal::SIGKILL | Signal::SIGSTOP | Signal::SIGCONT => {
                to_all(self.pid, &self.owner, signal)
            }
            other => kill(self.pid, other),
        };
        match sent {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(error) => {
                Err(ProgramError::machine(&format!("cannot send {signal}"), error.into()))
            }
        }
    }
}

impl Drop for CommandProcess {
    fn drop(&mut self) {
        // A process that cannot be killed here is found by the run's end, or by the guardian.
        let _ = self.signal(Signal::SIGKILL);
    }
}

fn locked(reaped: &Mutex<bool>) -> MutexGuard<'_, bool> {
    reaped.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the environment of the program, and of all that it starts, carries. Suites that run at the same time have
/// instances of the same name: the client process tells them apart.
fn marks(owner: &ProgramOwner) -> [(&'static str, String); 3] {
    let [run, instance] = owner.marks();
    [run, instance, ("KPLAN_CLIENT", std::process::id().to_string())]
}

/// Signals the process group, and what has left it.
fn to_all(group: Pid, owner: &ProgramOwner, signal: Signal) -> nix::Result<()> {
    let sent = killpg(group, signal);
    for _ in 0..ROUNDS {
        let others = processes::carrying(&marks(owner));
        for pid in &others {
            // One that ended meanwhile is no error.
            let _ = kill(Pid::from_raw(i32::try_from(*pid).unwrap_or(i32::MAX)), signal);
        }
        // A process may have started another one before its own end.
        if others.is_empty() || signal != Signal::SIGKILL {
            break;
        }
    }
    sent
}

/// The kernel sends SIGKILL to the program when this thread ends.
fn die_with_this_thread(command: &mut Command) {
    let parent = getpid();
    // SAFETY: the closure makes two system calls between fork and exec, and allocates nothing.
    unsafe {
        command.pre_exec(move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have ended before the call.
            if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
        });
    }
}

/// Waits for the end of the process, ends what it left behind, and reports.
fn follow(
    mut child: Child,
    pid: Pid,
    owner: &ProgramOwner,
    reaped: &Mutex<bool>,
    output: &ProgramOutput,
    done: &Receiver<()>,
) {
    while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
    let at_us = now_us();
    let status = {
        let mut reaped = locked(reaped);
        // As at the end of a container: what a program leaves in the background ends with it.
        let _ = to_all(pid, owner, Signal::SIGKILL);
        *reaped = true;
        child.wait()
    };
    // Both readers drop their end when they are done.
    let _ = done.recv_timeout(LAST_WORDS);
    let how = status.map_or(EndedBy::Status(-1), ended_by);
    output.ended(ProgramEnd { at_us, how, last: output.last() });
}

fn ended_by(status: ExitStatus) -> EndedBy {
    match (status.code(), status.signal()) {
        (Some(code), _) => EndedBy::Status(code),
        (None, Some(signal)) => EndedBy::Signal(signal),
        (None, None) => EndedBy::Status(-1),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{Receiver, sync_channel},
        time::Instant,
    };

    use indexmap::IndexMap;

    use super::{super::Origin, *};

    /// Longer than anything here takes.
    const LIMIT: Duration = Duration::from_secs(30);

    struct StartedCommand {
        process: CommandProcess,
        events: Receiver<ProgramEvent>,
        owner: ProgramOwner,
    }

    fn spec(words: &[String]) -> ProgramSpec {
        let origin = Origin::Command { words: words.to_vec(), dir: "/".into() };
        let env = IndexMap::from([("GREETING".to_owned(), "hello".to_owned())]);
        ProgramSpec { origin, env, stdin: true }
    }

    fn start(name: &str, script: &str) -> StartedCommand {
        let words = ["/bin/sh", "-c", script].map(str::to_owned);
        let spec = spec(&words);
        let owner = ProgramOwner {
            run: format!("programs-{}", std::process::id()),
            service: name.to_owned(),
            member: 1,
            life: 1,
        };
        let (sender, events) = sync_channel(1_000);
        let log = log();
        let process =
            CommandProcess::start(&words, Path::new("/"), &spec, owner.clone(), log, sender);
        StartedCommand { process: process.expect("it starts"), events, owner }
    }

    fn log() -> ProgramLog {
        ProgramLog { file: tempfile::tempfile().expect("a file"), is_data: |_| false }
    }

    impl StartedCommand {
        fn line(&self) -> String {
            match self.events.recv_timeout(LIMIT).expect("a line") {
                ProgramEvent::Line(line) => String::from_utf8(line.bytes).expect("text"),
                ProgramEvent::Ended(end) => panic!("{end:?}"),
            }
        }

        fn end(&self) -> ProgramEnd {
            loop {
                if let ProgramEvent::Ended(end) = self.events.recv_timeout(LIMIT).expect("its end")
                {
                    return end;
                }
            }
        }

        fn all(&self) -> Vec<u32> {
            processes::carrying(&marks(&self.owner))
        }
    }

    fn wait_for(what: &str, goal: impl Fn() -> bool) {
        let begun = Instant::now();
        while !goal() {
            assert!(begun.elapsed() < LIMIT, "{what}");
            thread::yield_now();
        }
    }

    #[test]
    fn its_end_comes_after_its_last_line_with_the_status() {
        let program = start("status", "echo $GREETING $KPLAN_INSTANCE; echo no >&2; exit 7");
        let end = program.end();
        assert_eq!((end.how, end.how.to_string().as_str()), (EndedBy::Status(7), "exit status 7"));
        let mut last = end.last;
        last.sort();
        assert_eq!(last, ["hello status/1", "no"]);
    }

    #[test]
    fn a_signal_to_the_program_is_no_status() {
        let program = start("signal", "echo up; exec sleep 600");
        assert_eq!(program.line(), "up");
        program.process.signal(Signal::SIGTERM).expect("sent");
        let end = program.end();
        assert_eq!(end.how.to_string(), "killed by SIGTERM");
        program.process.signal(Signal::SIGKILL).expect("nothing happens to one that has ended");
    }

    #[test]
    fn what_left_its_process_group_is_killed_with_it() {
        let script = "setsid sh -c 'echo child; exec sleep 600' & trap '' TERM; wait; sleep 600";
        let program = start("children", script);
        assert_eq!(program.line(), "child");
        assert!(program.all().len() >= 2, "{:?}", program.all());
        program.process.signal(Signal::SIGKILL).expect("sent");
        assert_eq!(program.end().how, EndedBy::Signal(Signal::SIGKILL as i32));
        wait_for("all are gone", || program.all().is_empty());
    }

    #[test]
    fn what_it_leaves_in_the_background_ends_with_it() {
        let program = start("background", "setsid sh -c 'echo child; exec sleep 600' & exit 0");
        assert_eq!(program.end().how, EndedBy::Status(0));
        wait_for("all are gone", || program.all().is_empty());
    }

    #[test]
    fn it_ends_with_the_thread_that_started_it() {
        let program = thread::spawn(|| {
            let program = start("orphan", "echo up; exec sleep 600");
            assert_eq!(program.line(), "up");
            program
        });
        let program = program.join().expect("it started");
        assert_eq!(program.end().how, EndedBy::Signal(Signal::SIGKILL as i32));
    }

    #[test]
    fn a_paused_program_writes_nothing_until_it_is_resumed() {
        let program = start("paused", "echo up; exec sleep 600");
        assert_eq!(program.line(), "up");
        program.process.signal(Signal::SIGSTOP).expect("sent");
        let pid = program.process.pid.as_raw();
        wait_for("paused", || processes::is_frozen(pid));
        program.process.signal(Signal::SIGCONT).expect("sent");
        wait_for("resumed", || !processes::is_frozen(pid));
        drop(program.process);
        assert!(matches!(
            program.events.into_iter().last(),
            Some(ProgramEvent::Ended(ProgramEnd { how: EndedBy::Signal(9), .. }))
        ));
    }

    #[test]
    fn a_line_reaches_its_standard_input() {
        let mut program = start("told", "read line; echo \"got $line\"; exec sleep 1000");
        program.process.tell("end").expect("told");
        assert_eq!(program.line(), "got end");
        let mut deaf = start("deaf", "exec true");
        assert!(matches!(deaf.events.recv_timeout(LIMIT), Ok(ProgramEvent::Ended(_))));
        let error = deaf.process.tell("end").expect_err("nothing reads");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn one_that_is_not_there_is_named() {
        let words = ["/nowhere/program".to_owned()];
        let (run, service) = ("r".to_owned(), "s".to_owned());
        let owner = ProgramOwner { run, service, member: 1, life: 1 };
        let log = log();
        let (dir, spec) = (Path::new("/"), spec(&words));
        let error = CommandProcess::start(&words, dir, &spec, owner, log, sync_channel(1).0).err();
        let error = error.expect("no such program");
        assert!(error.is_no_program());
        assert_eq!(
            error.to_string(),
            "cannot start /nowhere/program: No such file or directory (os error 2)"
        );
    }
}
