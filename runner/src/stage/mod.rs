//! What the steps of one suite share: the cluster, its observer, the clients, and what the plan has done so far.

pub mod audits;
pub mod chaos;
pub mod clients;
pub mod disks;
pub mod ended;
pub mod faults;
pub mod hearing;
pub mod judge;
pub mod messages;
pub mod network;
pub mod nodes;
pub mod outcome;
pub mod rig;
pub mod sampler;
pub mod segments;
pub mod settings;
pub mod sight;
pub mod signals;
pub mod sink;
pub mod targets;
pub mod tell;
pub mod throttles;
pub mod totals;
pub mod wants;
pub mod warm;

mod topics;

pub use crate::stage::topics::{Given, TopicFacts};

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kplan_dsl::{Plan, Span, Values, plan::StepHead, value::Isolation};
use tokio::sync::mpsc;

use crate::{
    client::handle::{ClientEvent, Who},
    cluster::{Cluster, Node, backend::Backend},
    event::{self, Event, Finding, Holds, StepInfo, StepRun, Stretch, SuiteId},
    observer::{ClusterView, Hurry, Observer},
    record::UncleanElection,
    report::live::{Live, Waiting},
    stage::{
        audits::Audits, chaos::Faults, clients::Clients, disks::Full, ended::Ended, faults::Breaks,
        network::Disturbed, nodes::Wanted, outcome::StepError, rig::Taken, signals::Interrupt,
        sink::Sink, tell::Telling, throttles::Throttles, warm::Warm,
    },
};

/// What all suites of a run share.
pub struct Run {
    /// The run's id.
    pub id: String,
    /// Seed of all random choices.
    pub seed: u64,
    /// The run's directory.
    pub dir: PathBuf,
    /// Where events go.
    pub sink: Sink,
    /// Ctrl-C and SIGTERM.
    pub interrupt: Interrupt,
    /// Where clusters run.
    pub backend: Arc<dyn Backend>,
    /// Image template of the command line.
    pub image: Option<String>,
    /// Memory limit of each broker, in bytes.
    pub broker_memory: u64,
    pub live: Live,
    /// The kplan binary, which client processes run.
    pub binary: PathBuf,
    /// The repository's root, or the working directory: files are shown relative to it.
    pub root: PathBuf,
}

impl Run {
    /// A file as reports show it: relative to the repository's root if it is below it.
    pub fn shown(&self, path: &Path) -> PathBuf {
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        full.strip_prefix(&self.root).map_or_else(|_| path.to_owned(), Path::to_owned)
    }
}

/// A running cluster and its observer.
#[derive(Clone)]
pub struct Running {
    pub cluster: Arc<dyn Cluster>,
    pub observer: Arc<Observer>,
}

impl Running {
    /// The addresses of all brokers, for clients.
    pub fn bootstrap(&self) -> String {
        let brokers = self.cluster.brokers().into_iter();
        brokers.map(|b| self.cluster.address(b)).collect::<Vec<_>>().join(",")
    }
}

/// When the newest run of a step began and ended.
#[derive(Clone, Copy, Debug)]
pub struct StepTimes {
    /// Begin, monotonic microseconds.
    pub began_us: i64,
    /// End; none while it runs.
    pub ended_us: Option<i64>,
}

/// The shared state of one suite. Every part has its own short lock; none is held over an await.
pub struct Stage {
    pub run: Arc<Run>,
    /// Records events.
    pub tell: Telling,
    /// The suite's number.
    pub suite: SuiteId,
    pub plan: Arc<Plan>,
    /// The suite's directory.
    pub dir: PathBuf,
    /// Seed of its chaos: every repetition of `--repeat` has the next seed.
    pub seed: u64,
    /// Which faults of its chaos it does, and did.
    pub chaos: Faults,
    /// The moments of faults.
    pub breaks: Breaks,
    /// The state that the plan wants for each node.
    pub wanted: Wanted,
    /// The network faults.
    pub disturbed: Disturbed,
    /// Which disks are full.
    pub full: Full,
    /// Which topics' replication is throttled.
    pub throttles: Throttles,
    /// Producers and consumers.
    pub clients: Clients,
    /// Which nodes ended by themselves.
    pub ended: Ended,
    /// What the audits found.
    pub audits: Audits,
    /// What was changed from outside this plan.
    pub taken: Taken,
    state: Mutex<State>,
    client_events: mpsc::Sender<(Who, ClientEvent)>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// All of its brokers have been up together.
    up: bool,
    /// A cluster of an earlier suite, to reuse.
    warm: Option<Warm>,
    clusters: u32,
    steps: BTreeMap<StepRun, StepTimes>,
    /// The newest run of each named step.
    named: BTreeMap<String, StepRun>,
    newest_step: Option<StepRun>,
    topics: BTreeMap<String, TopicFacts>,
    given: Vec<Given>,
    captures: BTreeMap<String, serde_json::Value>,
    /// Captured values that are unknown, by capture and word, and why.
    unknown: BTreeMap<(String, String), String>,
    resolved: BTreeMap<StepRun, Vec<Node>>,
    spans: BTreeMap<(StepRun, Stretch, String), event::Measurement>,
    log_sizes: BTreeMap<Node, Vec<(i64, u64)>>,
    unclean: Vec<UncleanElection>,
}

/// The most unclean elections that are kept as evidence; all of them are in the events.
const UNCLEAN: usize = 1_000;

impl Stage {
    /// A new stage, and the channel of its clients' reports.
    pub fn new(
        run: Arc<Run>,
        suite: SuiteId,
        plan: Arc<Plan>,
        dir: PathBuf,
    ) -> (Self, mpsc::Receiver<(Who, ClientEvent)>) {
        let (client_events, heard) = mpsc::channel(1_024);
        let stage = Self {
            seed: run.seed,
            chaos: Faults::default(),
            tell: Telling::new(Arc::clone(&run), suite),
            run,
            suite,
            plan,
            dir,
            breaks: Breaks::default(),
            wanted: Wanted::default(),
            disturbed: Disturbed::default(),
            full: Full::default(),
            throttles: Throttles::default(),
            clients: Clients::default(),
            ended: Ended::default(),
            audits: Audits::default(),
            taken: Taken::default(),
            state: Mutex::default(),
            client_events,
        };
        (stage, heard)
    }

    /// What is known about a step before it runs.
    pub fn step_info(&self, head: &StepHead, title: String, finally: bool) -> StepInfo {
        StepInfo {
            id: StepRun::new(&head.id, &[]),
            title,
            verb: head.word.to_owned(),
            file: self.run.shown(self.plan.file_of(head)),
            line: head.lines.0,
            end_line: head.lines.1,
            finally,
            fault: head.facts.is_fault(),
        }
    }

    /// The channel for the reports of client processes.
    pub fn client_events(&self) -> mpsc::Sender<(Who, ClientEvent)> {
        self.client_events.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    pub fn running(&self) -> Result<Running, StepError> {
        self.state().running.clone().ok_or_else(|| StepError::not_so("no cluster runs"))
    }

    /// Sets the cluster of an earlier suite that this suite may reuse.
    pub fn give_warm(&self, warm: Option<Warm>) {
        self.state().warm = warm;
    }

    /// Takes the cluster to reuse, once.
    pub fn take_warm(&self) -> Option<Warm> {
        self.state().warm.take()
    }

    /// Records an unclean election.
    pub fn elected_uncleanly(&self, election: UncleanElection) {
        let mut state = self.state();
        if state.unclean.len() < UNCLEAN {
            state.unclean.push(election);
        }
    }

    /// The unclean elections that were seen in a topic, or in any.
    pub fn unclean_elections(&self, topic: Option<&str>) -> Vec<UncleanElection> {
        let of_topic = |e: &&UncleanElection| topic.is_none_or(|t| e.topic == t);
        self.state().unclean.iter().filter(of_topic).cloned().collect()
    }

    /// Sets or removes the running cluster.
    pub fn set_running(&self, running: Option<Running>) -> Option<Running> {
        let mut state = self.state();
        state.up = false;
        std::mem::replace(&mut state.running, running)
    }

    /// Records that all brokers of the running cluster are up.
    pub fn came_up(&self) {
        self.state().up = true;
    }

    /// Whether all brokers of the running cluster have been up together: before that there is nothing to judge.
    pub fn is_up(&self) -> bool {
        self.state().up
    }

    /// A name for the next cluster of this suite.
    pub fn cluster_name(&self) -> String {
        let mut state = self.state();
        state.clusters += 1;
        if state.clusters == 1 {
            format!("s{}", self.suite)
        } else {
            format!("s{}-{}", self.suite, state.clusters)
        }
    }

    pub fn step_began(&self, id: &StepRun, name: Option<&str>, began_us: i64) {
        self.note_log_sizes(began_us);
        let mut state = self.state();
        state.steps.insert(id.clone(), StepTimes { began_us, ended_us: None });
        state.newest_step = Some(id.clone());
        if let Some(name) = name {
            state.named.insert(name.to_owned(), id.clone());
        }
    }

    pub fn step_ended(&self, id: &StepRun, ended_us: i64) {
        if let Some(times) = self.state().steps.get_mut(id) {
            times.ended_us = Some(ended_us);
        }
    }

    /// When the newest run of a step began and ended.
    pub fn step_times(&self, id: &StepRun) -> Option<StepTimes> {
        self.state().steps.get(id).copied()
    }

    /// The newest run of a named step.
    pub fn step_named(&self, name: &str) -> Option<StepRun> {
        self.state().named.get(name).cloned()
    }

    /// Whether a named step has begun.
    pub fn has_begun(&self, name: &str) -> bool {
        self.step_named(name).is_some()
    }

    /// Whether a named step has ended.
    pub fn has_ended(&self, name: &str) -> bool {
        self.step_named(name)
            .and_then(|id| self.step_times(&id))
            .is_some_and(|t| t.ended_us.is_some())
    }

    /// The step that began last.
    pub fn newest_step(&self) -> Option<StepRun> {
        self.state().newest_step.clone()
    }

    /// Stores a step's captured value.
    pub fn capture(&self, name: &str, value: serde_json::Value) {
        self.state().captures.insert(name.to_owned(), value);
    }

    /// Stores which words a step could not capture, and why: an inconclusive value of `record` is no value.
    pub fn capture_unknown(&self, name: &str, words: BTreeMap<String, String>) {
        let mut state = self.state();
        state.unknown.retain(|(capture, _), _| capture != name);
        let all = words.into_iter().map(|(word, why)| ((name.to_owned(), word), why));
        state.unknown.extend(all);
    }

    /// The unknown captured values, and why.
    pub fn unknown(&self) -> BTreeMap<(String, String), String> {
        self.state().unknown.clone()
    }

    /// All captured values.
    pub fn captures(&self) -> BTreeMap<String, serde_json::Value> {
        self.state().captures.clone()
    }

    /// Records which nodes a step's target selected, for `same_as`.
    pub fn resolved(&self, step: &StepRun, nodes: &[Node]) {
        self.state().resolved.insert(step.clone(), nodes.to_vec());
    }

    /// The nodes that a step's target selected.
    pub fn resolved_by(&self, step: &StepRun) -> Option<Vec<Node>> {
        self.state().resolved.get(step).cloned()
    }

    /// The values that templates can use now.
    pub fn values(&self) -> Values {
        Values {
            run_id: self.run.id.clone(),
            seed: self.run.seed,
            captures: self.state().captures.clone(),
        }
    }

    /// The line of a place in the plan, from 1.
    pub fn line_of(&self, span: Span) -> u32 {
        self.plan.sources.positions(span).map_or(0, |(from, _)| from.line)
    }

    /// Makes the observer poll more often until the guard is dropped.
    pub fn watch_closely(&self) -> Option<Hurry> {
        self.running().ok().map(|r| r.observer.hurry())
    }

    /// The cluster as the observer sees it now.
    pub fn view(&self) -> Result<Arc<ClusterView>, StepError> {
        Ok(self.running()?.observer.view())
    }

    /// Makes the observer ask the cluster now: a condition that is judged once must not use an older view.
    pub async fn look_anew(&self) {
        if let Ok(running) = self.running() {
            running.observer.fresh().await;
        }
    }

    /// Waits until a view meets a condition; false when the limit has passed.
    pub async fn view_until(
        &self,
        limit: Duration,
        wanted: impl Fn(&ClusterView) -> bool,
    ) -> Result<bool, StepError> {
        let running = self.running()?;
        Ok(running.observer.until(limit, |view| wanted(view).then_some(())).await.is_ok())
    }

    /// Topics that the consumers of a group read.
    pub fn topics_of_group(&self, group: &str) -> Vec<String> {
        let all = self.clients.all();
        let own = all.iter().filter(|c| c.group().is_some_and(|(name, _)| name == group));
        let mut topics: Vec<String> = own.flat_map(|c| c.read_topics()).collect();
        topics.sort();
        topics.dedup();
        topics
    }

    /// The isolation level of a group's consumers.
    pub fn isolation_of_group(&self, group: &str) -> Isolation {
        let uncommitted = self
            .clients
            .all()
            .iter()
            .any(|c| c.group() == Some((group, Isolation::ReadUncommitted)));
        if uncommitted { Isolation::ReadUncommitted } else { Isolation::ReadCommitted }
    }

    /// Stores a time span that a condition measured; the newest of each kind is reported when its step ends.
    pub fn measured(&self, span: event::Measurement) {
        let key = (span.step.clone(), span.kind, span.client.clone());
        self.state().spans.insert(key, span);
    }

    /// Puts what a step measured into the timeline.
    pub fn tell_measured(&self, step: &StepRun) {
        let mut told = Vec::new();
        self.state().spans.retain(|key, span| {
            if key.0 == *step {
                told.push(span.clone());
            }
            key.0 != *step
        });
        for span in told {
            self.tell.emit(Event::Span(Box::new(span)));
        }
    }

    /// The size of a node's log at a time: later lines begin there.
    pub fn log_size_at(&self, node: Node, us: i64) -> u64 {
        let state = self.state();
        let sizes = state.log_sizes.get(&node).into_iter().flatten();
        sizes.filter(|(at, _)| *at <= us).map(|(_, size)| *size).max().unwrap_or(0)
    }

    /// Records the size of the nodes' logs; called when a step begins.
    fn note_log_sizes(&self, at_us: i64) {
        let Ok(running) = self.running() else { return };
        let Ok(logs) = running.cluster.logs() else { return };
        for node in running.cluster.nodes() {
            let Some(path) = logs.log_file(node) else { continue };
            let size = std::fs::metadata(path).map_or(0, |m| m.len());
            self.state().log_sizes.entry(node).or_default().push((at_us, size));
        }
    }

    /// Shows on the terminal what a wait waits for.
    pub fn waiting(&self, step: &StepRun, findings: &[Finding], left: Duration) {
        let missing: Vec<&str> = findings
            .iter()
            .filter(|f| f.holds != Holds::Yes)
            .map(|f| f.expected.as_str())
            .collect();
        self.talk(step, missing.join("; "), Some(left));
    }

    /// Shows on the terminal what a step is doing.
    pub fn talk(&self, step: &StepRun, missing: impl Into<String>, left: Option<Duration>) {
        let deadline = left.map(|left| Instant::now() + left);
        self.run
            .live
            .waiting(self.suite, Waiting { step: step.clone(), missing: missing.into(), deadline });
    }
}
