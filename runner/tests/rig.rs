//! Faults against kplan itself: what the machine takes away is a broken rig, never a broken Kafka.
//! Those on real brokers are ignored unless asked for.

mod common;

use std::{
    fs::File,
    io::{PipeReader, PipeWriter, Read as _, Write as _, pipe},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use common::{gone_within, real, root, run, run_id, start};
use kplan::{event::Verdict, processes::processes_of, record::RunRecord};
use nix::{
    fcntl::{FcntlArg, FdFlag, OFlag, fcntl},
    pty::openpty,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

const PLAN: &str = "runner/tests/plans/patient.yaml";
/// Until a run notices, reports and removes everything.
const NOTICED: Duration = Duration::from_secs(60);

/// A run of the patient plan that waits for its condition by now.
struct Waiting {
    child: std::process::Child,
    id: String,
    out: PathBuf,
    junit: PathBuf,
    _dir: tempfile::TempDir,
}

impl Waiting {
    fn start(backend: &str) -> Self {
        Self::start_within(backend, "3m")
    }

    /// A run that waits no longer than this for what never comes.
    fn start_within(backend: &str, within: &str) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (out, junit) = (dir.path().join("run"), dir.path().join("junit.xml"));
        let junit_text = junit.to_str().expect("plain");
        let within = format!("within={within}");
        let args = [PLAN, "--backend", backend, "--junit", junit_text, "--param", &within];
        let child = start(&args, &out);
        let id = run_id(&out, Duration::from_secs(20)).expect("the run began");
        let waiting = Self { child, id, out, junit, _dir: dir };
        waiting.until(Duration::from_secs(60), "the wait to begin", |w| {
            let events = std::fs::read_to_string(w.out.join("events.jsonl")).unwrap_or_default();
            events.contains(r#""suite":1,"event":"step_started","step":"4""#)
        });
        waiting
    }

    fn until(&self, limit: Duration, what: &str, done: impl Fn(&Self) -> bool) {
        let end = Instant::now() + limit;
        while !done(self) {
            assert!(Instant::now() < end, "{what} took longer than {limit:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The container of its only broker.
    fn broker(&self) -> String {
        docker(&["ps", "--quiet", "--filter", &format!("label=kplan.run={}", self.id)])
    }

    /// The run ends by itself as broken, with a report that says why, and leaves nothing.
    fn ends_broken(self, why: &str) {
        self.ends(3, Verdict::Broken, &[why]);
    }

    /// The run ends by itself as failed, with a report that says why; broker 1 is said to have ended by itself.
    fn ends_failed(self, why: &[&str]) {
        self.ends(1, Verdict::Failed, &[&["broker 1 ended by itself"], why].concat());
    }

    /// The run ends by itself with this status and verdict and a report that says why, and leaves nothing.
    fn ends(mut self, code: i32, verdict: Verdict, why: &[&str]) {
        let status = self.ended();
        let record = RunRecord::read(&self.out).expect("a record");
        let suite = &record.suites[0];
        let mut reasons: Vec<String> =
            suite.steps.iter().filter_map(|s| s.reason.clone()).collect();
        if verdict == Verdict::Failed {
            // A node that ended by itself stands beside what was judged.
            let findings = suite.steps.iter().flat_map(|s| &s.findings);
            reasons.extend(findings.map(|f| f.evidence.join("\n")));
            let own = suite.reasons.iter();
            reasons.extend(own.map(|r| format!("{}\n{}", r.text, r.evidence.join("\n"))));
        }
        assert_eq!((status.code(), suite.verdict), (Some(code), verdict), "{reasons:?}");
        let told = |reason: &String| why.iter().all(|words| reason.contains(words));
        assert!(reasons.iter().any(told), "{why:?} in {reasons:?}");
        let junit = std::fs::read_to_string(&self.junit).expect("a report");
        let (error, failure) = (junit.contains("<error"), junit.contains("<failure"));
        assert_eq!((error, failure), (verdict == Verdict::Broken, verdict == Verdict::Failed));
        let left = gone_within(&self.id, Duration::from_secs(15));
        assert!(left.is_empty(), "{left:?}");
    }
}

/// Also where an assert fails: its guardian removes what it started.
impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run in a terminal of its own, whose session it leads: a client of it works by now. `before` starts it.
fn in_a_terminal(before: &[&str], output: bool) -> (Waiting, File) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (out, junit) = (dir.path().join("run"), dir.path().join("junit.xml"));
    let pty = openpty(None, None).expect("a terminal");
    fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("not waited for");
    // The run must not hold the other end of its own terminal: it would never be closed.
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("kept here");
    }
    let screen = || match output {
        true => Stdio::from(pty.slave.try_clone().expect("a terminal")),
        false => Stdio::null(),
    };
    let mut command = Command::new("setsid");
    command.arg("--ctty").args(before).arg(env!("CARGO_BIN_EXE_kplan"));
    command.args(["run", PLAN, "--backend", "embedded"]).args([Path::new("--out"), &out]);
    command.args([Path::new("--junit"), &junit]).current_dir(root());
    command.stdin(pty.slave.try_clone().expect("a terminal")).stdout(screen()).stderr(screen());
    let child = command.spawn().expect("setsid starts");
    drop((command, pty.slave));
    let terminal = File::from(pty.master);
    let id = run_id(&out, Duration::from_secs(20)).expect("the run began");
    let waiting = Waiting { child, id, out, junit, _dir: dir };
    waiting.until(Duration::from_secs(60), "the wait to begin", |w| {
        // A terminal that nobody reads takes nothing more after some lines. It has nothing to say at times.
        let _ = terminal.try_clone().expect("a terminal").read(&mut [0; 4096]);
        w.events().contains(r#""suite":1,"event":"step_started","step":"4""#)
    });
    (waiting, terminal)
}

impl Waiting {
    fn events(&self) -> String {
        std::fs::read_to_string(self.out.join("events.jsonl")).unwrap_or_default()
    }

    /// How the process ends.
    fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + NOTICED;
        loop {
            if let Some(ended) = self.child.try_wait().expect("waited for") {
                return ended;
            }
            assert!(Instant::now() < end, "no end within {NOTICED:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The run ends with this status, with reports that name the signal, and leaves nothing.
    fn ends_by(mut self, signal: &str, status: i32) {
        let ended = self.ended();
        assert_eq!(ended.code(), Some(status), "{signal}: {ended}");
        let junit = std::fs::read_to_string(&self.junit).expect("a report");
        assert!(junit.contains(signal) && junit.contains("<testsuite"), "{signal}: {junit}");
        let record = RunRecord::read(&self.out).expect("a record");
        assert_eq!(record.ended.expect("the record has its end").signal.as_deref(), Some(signal));
        let left = gone_within(&self.id, Duration::from_secs(15));
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_closed_terminal_ends_a_run_with_its_reports() {
    let (waiting, terminal) = in_a_terminal(&[], true);
    drop(terminal);
    waiting.ends_by("SIGHUP", 129);
}

#[test]
fn keys_of_a_terminal_end_a_run_with_its_reports() {
    for (key, signal, status) in [(0x03, "SIGINT", 130), (0x1c, "SIGQUIT", 131)] {
        let (waiting, mut terminal) = in_a_terminal(&[], true);
        terminal.write_all(&[key]).expect("typed");
        // Who still looks at the terminal sees what is said.
        let looking = std::thread::spawn(move || {
            let end = Instant::now() + NOTICED;
            let mut said = Vec::new();
            while Instant::now() < end {
                let mut some = [0; 4096];
                match terminal.read(&mut some) {
                    Ok(length) => said.extend_from_slice(&some[..length]),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    // The last one who could write is gone.
                    Err(_) => break,
                }
            }
            String::from_utf8_lossy(&said).into_owned()
        });
        waiting.ends_by(signal, status);
        let said = looking.join().expect("it was looked at");
        assert!(said.contains(&format!("interrupted by {signal}")), "{said}");
    }
}

#[test]
fn under_nohup_a_run_outlives_its_terminal() {
    let (mut waiting, terminal) = in_a_terminal(&["nohup"], false);
    drop(terminal);
    let before = waiting.events().matches(r#""event":"sample""#).count();
    waiting.until(Duration::from_secs(30), "the run to go on", |w| {
        w.events().matches(r#""event":"sample""#).count() > before + 2
    });
    assert_eq!(waiting.child.try_wait().expect("asked"), None);
    kill(Pid::from_raw(waiting.child.id().cast_signed()), Signal::SIGTERM).expect("signalled");
    waiting.ends_by("SIGTERM", 143);
}

/// A pipe that is full and that nobody reads.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("not waited for");
    while writer.write(&[b'.'; 4096]).is_ok() {}
    fcntl(&writer, FcntlArg::F_SETFL(OFlag::empty())).expect("waited for");
    (reader, writer)
}

/// A terminal that somebody stopped with Ctrl-S: its other end, and what is written to.
fn stopped_terminal() -> (File, OwnedFd) {
    let pty = openpty(None, None).expect("a terminal");
    for end in [&pty.master, &pty.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("kept here");
    }
    let mut keys = File::from(pty.master);
    keys.write_all(&[0x13]).expect("typed");
    (keys, pty.slave)
}

/// A run of a plan on the embedded backend that says what it says there.
fn said_to(plan: &str, output: Stdio, error: Stdio) -> Waiting {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (out, junit) = (dir.path().join("run"), dir.path().join("junit.xml"));
    let mut command = common::kplan(&["run", plan, "--backend", "embedded", "--verbose"]);
    command.args([Path::new("--out"), &out]).args([Path::new("--junit"), &junit]);
    let child = command.stdout(output).stderr(error).spawn().expect("kplan starts");
    let id = run_id(&out, Duration::from_secs(20)).expect("the run began");
    Waiting { child, id, out, junit, _dir: dir }
}

#[test]
fn a_signal_ends_a_run_that_nobody_reads() {
    let (_reader, pipe) = full_pipe();
    let (_keys, terminal) = stopped_terminal();
    let of_pipe = || Stdio::from(pipe.try_clone().expect("a pipe"));
    let of_terminal = || Stdio::from(terminal.try_clone().expect("a terminal"));
    for screen in [&of_pipe as &dyn Fn() -> Stdio, &of_terminal] {
        let waiting = said_to(PLAN, screen(), screen());
        waiting.until(NOTICED, "the wait to begin", |w| {
            w.events().contains(r#""suite":1,"event":"step_started","step":"4""#)
        });
        kill(Pid::from_raw(waiting.child.id().cast_signed()), Signal::SIGTERM).expect("signalled");
        waiting.ends_by("SIGTERM", 143);
    }
}

/// A plan that says much and takes a moment.
const TALKS: &str = "plan: v1
name: Many words
steps:
  - start_cluster: { brokers: 1 }
  - create_topic: { name: orders, partitions: 1, replicas: 1 }
  - start_producer: { name: P, topic: orders, rate: 100/s, count: 50 }
  - repeat: { times: 300, steps: [note: Lorem ipsum dolor sit amet consectetur adipiscing elit sed do] }
  - stop_client: P
  - assert: [lost: 0]
";

#[test]
fn a_run_that_nobody_reads_goes_on_and_says_what_it_could_not_print() {
    let plans = tempfile::tempdir().expect("temporary directory");
    let plan = plans.path().join("talks.yaml");
    std::fs::write(&plan, TALKS).expect("written");
    let plan = plan.to_str().expect("plain");

    // Nothing at all is read.
    let (_keys, terminal) = stopped_terminal();
    let screen = || Stdio::from(terminal.try_clone().expect("a terminal"));
    let mut waiting = said_to(plan, screen(), screen());
    waiting.until(NOTICED, "the end", |w| w.events().contains(r#""event":"run_ended""#));
    assert_eq!(waiting.ended().code(), Some(0));
    let junit = std::fs::read_to_string(&waiting.junit).expect("a report");
    assert!(junit.contains("<testsuite") && !junit.contains("<failure"), "{junit}");

    // Only standard output is not.
    let (_reader, unread) = full_pipe();
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut waiting = said_to(plan, unread.into(), writer.into());
    let mut said = String::new();
    reader.read_to_string(&mut said).expect("text");
    assert_eq!(waiting.ended().code(), Some(0), "{said}");
    assert!(said.contains("the reader of standard output stopped reading"), "{said}");
    assert!(said.contains(&format!("kplan report {}", waiting.out.display())), "{said}");
}

/// The moments of a run at which a signal finds something else under way.
const MOMENTS: [&str; 5] = [
    r#""event":"run_started""#,
    r#""event":"suite_started""#,
    r#""suite":1,"event":"step_started","step":"2""#,
    r#""suite":1,"event":"step_started","step":"3""#,
    r#""suite":1,"event":"step_started","step":"4""#,
];

#[test]
fn a_signal_at_any_moment_and_two_of_them_end_a_run_with_its_reports() {
    for moment in MOMENTS {
        for signals in [1, 2] {
            let waiting = said_to(PLAN, Stdio::null(), Stdio::null());
            waiting.until(NOTICED, moment, |w| w.events().contains(moment));
            for _ in 0..signals {
                kill(Pid::from_raw(waiting.child.id().cast_signed()), Signal::SIGTERM)
                    .expect("signalled");
            }
            waiting.ends_by("SIGTERM", 143);
        }
    }
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().expect("docker starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_client_that_somebody_kills_is_a_broken_rig() {
    let waiting = Waiting::start("embedded");
    let is_client = |pid: &u32| {
        let words = std::fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline"));
        String::from_utf8_lossy(&words.unwrap_or_default()).contains("client\0--run")
    };
    let clients: Vec<u32> = processes_of(&waiting.id).into_iter().filter(is_client).collect();
    assert_eq!(clients.len(), 1, "the producer");
    kill(Pid::from_raw(clients[0].cast_signed()), Signal::SIGKILL).expect("signalled");
    waiting.ends_broken("client P was ended from outside");
}

#[test]
fn a_command_does_not_outlive_a_killed_runner() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let plan = "runner/tests/plans/long-command.yaml";
    let mut child = start(&[plan, "--backend", "embedded", "--allow-run"], &out);
    let id = run_id(&out, Duration::from_secs(20)).expect("the run began");
    let end = Instant::now() + Duration::from_secs(30);
    while processes_of(&id).is_empty() {
        assert!(Instant::now() < end, "the command began");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("reaped");
    let left = gone_within(&id, Duration::from_secs(15));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_container_that_vanishes_is_a_broken_rig() {
    let _turn = real();
    let waiting = Waiting::start("docker");
    docker(&["rm", "--force", &waiting.broker()]);
    waiting.ends_broken("broker 1");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_that_somebody_kills_is_a_broken_rig() {
    let _turn = real();
    let waiting = Waiting::start("docker");
    docker(&["kill", &waiting.broker()]);
    waiting.ends_broken("broker 1");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_crash_that_somebody_causes_is_a_broken_rig() {
    let _turn = real();
    let waiting = Waiting::start("docker");
    docker(&["kill", "--signal", "SEGV", &waiting.broker()]);
    waiting.ends_broken("the JVM crashed by a signal from another process");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_that_the_kernel_kills_for_memory_is_a_broken_rig() {
    let _turn = real();
    let waiting = Waiting::start("docker");
    // Takes what is left of the container's memory: the JVM is the largest in it, and dies of it.
    let eat = "echo 1000 > /proc/1/oom_score_adj; exec tail /dev/zero";
    let broker = waiting.broker();
    docker(&["exec", "--detach", &broker, "sh", "-c", eat]);
    waiting.ends_broken("out of memory: killed by the kernel");
}

/// Kafka makes room for a whole request once its length is known: several of 100 MB are more than the heap.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_whose_own_heap_is_full_fails_the_plan_with_its_last_words() {
    let _turn = real();
    let waiting = Waiting::start_within("docker", "20s");
    let events = waiting.events();
    let settings =
        events.lines().find(|l| l.contains(r#""who":"broker 1""#)).expect("its settings");
    let (_, rest) = settings.split_once("127.0.0.1:").expect("where clients reach it");
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let ask = |_| {
        let mut stream =
            std::net::TcpStream::connect(format!("127.0.0.1:{port}")).expect("connected");
        stream.write_all(&100_000_000_i32.to_be_bytes()).expect("sent");
        stream
    };
    let _open: Vec<_> = (0..5).map(ask).collect();
    waiting
        .ends_failed(&["the JVM's heap was full", "java.lang.OutOfMemoryError: Java heap space"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_that_ends_by_itself_fails_the_plan_with_its_last_words() {
    let _turn = real();
    let waiting = Waiting::start_within("docker", "20s");
    // Kafka ends itself once it cannot write any of its directories.
    docker(&["exec", "--user", "0", &waiting.broker(), "rm", "-rf", "/kplan/data"]);
    waiting.ends_failed(&["exit code 1", "log dirs"]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_network_that_somebody_takes_away_is_a_broken_rig() {
    let _turn = real();
    let waiting = Waiting::start("docker");
    let label = format!("label=kplan.run={}", waiting.id);
    let broker = waiting.broker();
    let network = docker(&["network", "ls", "--quiet", "--filter", &label]);
    docker(&["network", "disconnect", "--force", &network, &broker]);
    waiting.ends_broken("broker 1 was disconnected from the brokers' network");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_broker_that_cannot_take_a_setting_is_the_plans() {
    let _turn = real();
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("plan.yaml");
    let plan = "plan: v1\nname: A setting\nsteps:\n  - start_cluster: { brokers: 1, config: { num.io.threads: \"{{ 0 if run.id else 1 }}\" } }\n  \
                - assert:\n      - brokers_alive: 1\n";
    std::fs::write(&path, plan).expect("written");
    let ran = run(&[path.to_str().expect("plain")]);
    assert_eq!(ran.status(), Some(1), "{}", ran.text());
    let step = &ran.record.suites[0].steps[0];
    let cause = step.cause.as_ref().expect("a cause");
    assert_eq!(cause.whose, kplan::event::Whose::Plan, "{:?}", step.reason);
    let words = step.reason.clone().unwrap_or_default();
    assert!(words.contains("num.io.threads"), "{words}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_image_that_cannot_start_kafka_says_so() {
    let _turn = real();
    let ran = run(&[PLAN, "--image", "kplan/base:bookworm"]);
    assert_eq!(ran.status(), Some(3), "{}", ran.text());
    assert_eq!(ran.record.suites[0].verdict, Verdict::Broken);
    assert!(ran.text().contains("broker 1"), "{}", ran.text());
    let left = gone_within(&ran.record.info.run, Duration::from_secs(15));
    assert!(left.is_empty(), "{left:?}");
}
