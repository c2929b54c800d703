//! The runner's side of a client process.

use std::{
    collections::VecDeque,
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt},
        process::ExitStatusExt as _,
    },
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{sys::signal::Signal, unistd::Pid};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex, mpsc, watch},
    time::timeout,
};

mod errors;
mod orders;

pub use errors::{HandleError, NotInTime, is_refusal, kafkas_name};

use super::{
    program::{EndedBy, ProgramKind},
    protocol::{Answers, ClientReport, GIVES_UP, Position},
    spec::{ClientSpec, ClientStart, Common},
};
use crate::{codes::KafkaError, history::now_us};

/// librdkafka's code for a client whose brokers are all down.
const ALL_DOWN: &str = "_ALL_BROKERS_DOWN";
/// Errors kept in a [`ClientState`].
const ERRORS_KEPT: usize = 100;
/// How long to wait for a client whose credentials were refused: it retries, but a broker accepts refused
/// credentials later only while it starts.
pub const REFUSED: Duration = Duration::from_secs(3);
/// The exit status of a client that reported why it could not go on.
const GAVE_UP: i32 = 1;
/// Signals of a process that fails by itself.
const CRASHES: [Signal; 5] =
    [Signal::SIGABRT, Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE];
/// How long a process may take to end after SIGKILL.
const VANISH: Duration = Duration::from_secs(10);

/// Which client, and which of its lives.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Who {
    /// The client's name.
    pub name: String,
    /// The group's member, from 1.
    pub member: u16,
    pub life: u16,
}

/// What a client's process did, for the runner.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// A report.
    Report(ClientReport),
    /// The end of its process.
    Exited(Exit),
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit status or signal, in words.
    pub text: String,
    /// Status 0: it carried out all its orders.
    pub clean: bool,
    pub signalled: bool,
    /// By a signal that a crashing process sends to itself.
    pub crashed: bool,
    /// It could not go on, and reported why.
    pub gave_up: bool,
}

/// An error that a client reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenError {
    /// When, in monotonic microseconds.
    pub at_us: i64,
    /// Kafka's or librdkafka's name of it.
    pub code: String,
    pub text: String,
    /// The client could not go on.
    pub fatal: bool,
}

/// What is known about a client now.
#[derive(Clone, Debug, Default)]
pub struct ClientState {
    /// When it had first contact with the cluster, and with which broker.
    pub ready: Option<(i64, i32)>,
    /// A consumer's partitions with their start positions; none before the first assignment and
    /// during a rebalance.
    pub assignment: Option<Vec<Position>>,
    /// The partitions that it has, with the position at which each was assigned.
    pub given: Vec<Position>,
    /// Its latest errors, the newest last.
    pub errors: VecDeque<SeenError>,
    /// The answers in its connections' statistics.
    pub answers: Answers,
    /// The audit's reader: offsets read, of how many.
    pub progress: Option<(u64, u64)>,
    /// When it had sent all its messages, and every message had its answer.
    pub finished_us: Option<i64>,
    /// What it left when it ended as ordered.
    pub ended: Option<Ended>,
    /// True if its process runs a program.
    pub runs: Option<ProgramKind>,
    /// Signals that its program got.
    pub signals: u32,
    /// How its program ended, with its last lines.
    pub program: Option<(EndedBy, Vec<String>)>,
    /// How its process ended.
    pub exit: Option<Exit>,
    /// When its last report came (at first: when it was started), monotonic microseconds.
    pub heard_us: i64,
}

/// What a client left when it ended as ordered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Producer: messages without a report. Consumer, audit: offsets not read.
    pub left: u64,
    /// Partitions whose end was not reached, with the positions reached.
    pub unread: Vec<Position>,
}

impl ClientState {
    /// What is known of a process that begins now.
    fn of_process(began_us: i64, runs: Option<ProgramKind>) -> Self {
        let answers = Answers::of_process(began_us);
        Self { heard_us: began_us, answers, runs, ..Self::default() }
    }

    fn observe(&mut self, report: &ClientReport) {
        self.heard_us = now_us();
        match report {
            ClientReport::Ready { at_us, broker, .. } => self.ready = Some((*at_us, *broker)),
            ClientReport::Assigned { partitions, .. } => {
                // A cooperative group gives partitions in several steps.
                self.assignment.get_or_insert_default().extend_from_slice(partitions);
                self.given.extend_from_slice(partitions);
            }
            ClientReport::Revoked { partitions, .. } => {
                self.assignment = None;
                let taken = |p: &Position| {
                    partitions.iter().any(|t| t.topic == p.topic && t.partition == p.partition)
                };
                self.given.retain(|p| !taken(p));
            }
            ClientReport::Error { at_us, code, text, fatal, .. } => {
                if self.errors.len() == ERRORS_KEPT {
                    self.errors.pop_front();
                }
                self.errors.push_back(SeenError {
                    at_us: *at_us,
                    code: code.clone(),
                    text: text.clone(),
                    fatal: *fatal,
                });
            }
            ClientReport::Stats { at_us, brokers } => self.answers.observe(*at_us, brokers),
            ClientReport::Progress { read, of, .. } => self.progress = Some((*read, *of)),
            ClientReport::Finished { at_us } => self.finished_us = Some(*at_us),
            ClientReport::Ended { left, unread, .. } => {
                self.ended = Some(Ended { left: *left, unread: unread.clone() });
            }
            ClientReport::Signalled { .. } => self.signals += 1,
            ClientReport::ProgramEnded { how, last, .. } => {
                self.program = Some((*how, last.clone()));
            }
            ClientReport::Latency { .. }
            | ClientReport::Reset { .. }
            | ClientReport::Alive { .. } => {}
        }
    }

    /// A broker refused it: wrong credentials, or a certificate that is not trusted.
    pub fn is_refused(&self) -> bool {
        self.errors.iter().any(|error| is_refusal(&error.code))
    }

    /// The newest error of each code, the newest first. That all brokers are down is the least specific error,
    /// so it comes last.
    fn newest(&self) -> Vec<&SeenError> {
        let mut newest: Vec<&SeenError> = Vec::new();
        for error in self.errors.iter().rev() {
            if !newest.iter().any(|known| known.code == error.code) {
                newest.push(error);
            }
        }
        newest.sort_by_key(|e| e.code == ALL_DOWN);
        newest
    }

    /// The errors that explain its state, without their consequences: fatal errors; else those with which brokers
    /// refused it; else the newest of each code.
    pub fn reasons(&self) -> Vec<KafkaError> {
        let all = self.newest();
        let fatal = |e: &&&SeenError| e.fatal && e.code != GIVES_UP;
        let refused = |e: &&&SeenError| is_refusal(&e.code);
        let other = |e: &&&SeenError| e.code != ALL_DOWN && e.code != GIVES_UP;
        let mut chosen: Vec<&&SeenError> = all.iter().filter(fatal).collect();
        if chosen.is_empty() {
            chosen = all.iter().filter(refused).collect();
        }
        if chosen.is_empty() {
            chosen = all.iter().filter(other).collect();
        }
        if chosen.is_empty() {
            chosen = all.iter().collect();
        }
        let named = |e: &&SeenError| KafkaError { code: e.code.clone(), message: e.text.clone() };
        chosen.into_iter().map(named).collect()
    }

    /// The newest errors as text: why it has not reached its state.
    pub fn causes(&self) -> String {
        let newest: Vec<_> =
            self.newest().iter().take(3).map(|e| format!("{}: {}", e.code, e.text)).collect();
        match (&self.exit, newest.is_empty()) {
            (Some(exit), true) => format!("its process ended: {}", exit.text),
            (Some(exit), false) => {
                format!("its process ended: {}; {}", exit.text, newest.join("; "))
            }
            (None, true) => "it reported no error".to_owned(),
            (None, false) => newest.join("; "),
        }
    }
}

/// A running client.
#[derive(Debug)]
pub struct Handle {
    spec: ClientSpec,
    pid: Pid,
    stdin: Mutex<ChildStdin>,
    state: watch::Receiver<ClientState>,
}

impl Handle {
    /// Starts a client: `binary` (kplan itself) as `client`. Its reports also go to `events`.
    pub async fn spawn(
        binary: &Path,
        spec: ClientSpec,
        events: mpsc::Sender<(Who, ClientEvent)>,
    ) -> Result<Self, HandleError> {
        let common = spec.common();
        let name = common.name.clone();
        let failed = |what| {
            let name = name.clone();
            move |source| HandleError::Process { name, what, source }
        };
        let log = prepare(common).map_err(failed("its directories"))?;
        let mut child = command(binary, common, log).spawn().map_err(failed("start"))?;
        let missing = || io::Error::other("it has no pipe");
        let mut stdin = child.stdin.take().ok_or_else(missing).map_err(failed("stdin"))?;
        let stdout = child.stdout.take().ok_or_else(missing).map_err(failed("stdout"))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let pid = pid.ok_or_else(missing).map_err(failed("process id"))?;
        let (sender, state) =
            watch::channel(ClientState::of_process(now_us(), spec.kind().program()));
        let who = Who { name: name.clone(), member: common.member, life: common.life };
        tokio::spawn(follow(child, stdout, sender, who, events));
        let reported = ClientStart { spec: spec.clone(), secrets: crate::secrets::all() };
        let mut line =
            serde_json::to_vec(&reported).map_err(io::Error::from).map_err(failed("its spec"))?;
        line.push(b'\n');
        stdin.write_all(&line).await.map_err(failed("its spec"))?;
        Ok(Self { spec, pid, stdin: Mutex::new(stdin), state })
    }

    /// Its specification.
    pub fn spec(&self) -> &ClientSpec {
        &self.spec
    }

    pub fn pid(&self) -> i32 {
        self.pid.as_raw()
    }

    /// The history files that it writes.
    pub fn histories(&self) -> Vec<PathBuf> {
        self.spec.histories()
    }

    /// The file with the latencies that it has not reported yet.
    pub fn latencies(&self) -> PathBuf {
        self.spec.common().latency_path()
    }

    /// Its state; the receiver also notifies of changes.
    pub fn state(&self) -> watch::Receiver<ClientState> {
        self.state.clone()
    }

    /// Whether its process exists (running or paused).
    pub fn alive(&self) -> bool {
        self.state.borrow().exit.is_none()
    }

    /// Waits until a producer had contact with the cluster, or a consumer has its partitions and has
    /// recorded where it starts in them.
    pub async fn ready(&self, limit: Duration) -> Result<(), HandleError> {
        let reads = self.spec.kind().group().is_some();
        let is_ready =
            |s: &ClientState| if reads { s.assignment.is_some() } else { s.ready.is_some() };
        self.reach("ready", limit, |s| is_ready(s) || s.is_refused()).await?;
        if is_ready(&self.state.borrow()) {
            return Ok(());
        }
        self.reach("ready", limit.min(REFUSED), is_ready).await
    }

    /// Waits until `goal` holds.
    pub async fn reach(
        &self,
        what: &'static str,
        limit: Duration,
        mut goal: impl FnMut(&ClientState) -> bool,
    ) -> Result<(), HandleError> {
        let mut state = self.state.clone();
        let mut reached = false;
        let waited = timeout(
            limit,
            state.wait_for(|s| {
                reached = goal(s);
                reached || s.exit.is_some()
            }),
        )
        .await;
        drop(waited);
        if reached {
            return Ok(());
        }
        let name = self.spec.common().name.clone();
        let state = Box::new(self.state.borrow().clone());
        Err(HandleError::NotInTime(NotInTime { name, what, limit, state }))
    }
}

impl Drop for Handle {
    /// A client never outlives its handle.
    fn drop(&mut self) {
        let _ = self.signal_process(Signal::SIGKILL);
    }
}

/// Makes the directories of its files and opens its log.
fn prepare(common: &Common) -> io::Result<std::fs::File> {
    let mut dirs = DirBuilder::new();
    dirs.recursive(true).mode(0o700);
    dirs.create(common.dir.join("history"))?;
    dirs.create(common.dir.join("logs"))?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(common.log_path())
}

fn command(binary: &Path, common: &Common, log: std::fs::File) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["client", "--run", &common.run, "--name", &common.name])
        .args(["--member", &common.member.to_string(), "--life", &common.life.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // A Ctrl-C in the terminal is for the runner alone.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Passes on a client's reports until its process has ended.
async fn follow(
    mut child: Child,
    stdout: ChildStdout,
    state: watch::Sender<ClientState>,
    who: Who,
    events: mpsc::Sender<(Who, ClientEvent)>,
) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(report) = serde_json::from_str::<ClientReport>(&line) else { continue };
        state.send_modify(|s| s.observe(&report));
        // The runner may have stopped listening; the state is kept all the same.
        let _ = events.send((who.clone(), ClientEvent::Report(report))).await;
    }
    let exit = match child.wait().await {
        Ok(status) => Exit {
            text: status.to_string(),
            clean: status.success(),
            signalled: status.signal().is_some(),
            crashed: status
                .signal()
                .is_some_and(|signal| CRASHES.iter().any(|c| *c as i32 == signal)),
            gave_up: status.code() == Some(GAVE_UP),
        },
        Err(e) => Exit {
            text: e.to_string(),
            clean: false,
            signalled: false,
            crashed: false,
            gave_up: false,
        },
    };
    let mut exit = exit;
    if let Some((how, _)) = &state.borrow().program {
        exit.text = how.to_string();
    }
    state.send_modify(|s| s.exit = Some(exit.clone()));
    let _ = events.send((who, ClientEvent::Exited(exit))).await;
}
