//! What the steps of one suite share: the cluster, its observer, the clients, what the plan did so far.

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
    /// Seed of everything random.
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
    /// Bytes of memory that each broker may take.
    pub broker_memory: u64,
    pub live: Live,
    /// kplan itself: what client processes are made of.
    pub binary: PathBuf,
    /// The repository's root, or the working directory: files are shown relative to it.
    pub root: PathBuf,
}

impl Run {
    /// A file as reports show it: relative to the repository's root where it lies below it.
    pub fn shown(&self, path: &Path) -> PathBuf {
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        full.strip_prefix(&self.root).map_or_else(|_| path.to_owned(), Path::to_owned)
    }
}

/// A cluster that runs, and who watches it.
#[derive(Clone)]
pub struct Running {
    pub cluster: Arc<dyn Cluster>,
    pub observer: Arc<Observer>,
}

impl Running {
    /// Every broker's address, as clients are told.
    pub fn bootstrap(&self) -> String {
        let brokers = self.cluster.brokers().into_iter();
        brokers.map(|b| self.cluster.address(b)).collect::<Vec<_>>().join(",")
    }
}

/// When a step ran, newest time round.
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
    /// Where what happens is recorded.
    pub tell: Telling,
    /// The suite's number.
    pub suite: SuiteId,
    pub plan: Arc<Plan>,
    /// The suite's directory.
    pub dir: PathBuf,
    /// Seed of its chaos: every time round of `--repeat` has the next one.
    pub seed: u64,
    /// Which of its chaos' faults it does.
    pub chaos: Faults,
    /// Breaking moments.
    pub breaks: Breaks,
    /// What each node is meant to be.
    pub wanted: Wanted,
    /// What is wrong with the network.
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
    /// What somebody else took away.
    pub taken: Taken,
    state: Mutex<State>,
    client_events: mpsc::Sender<(Who, ClientEvent)>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// Every broker of it was there once.
    up: bool,
    /// A cluster of an earlier suite, to go on with.
    warm: Option<Warm>,
    clusters: u32,
    steps: BTreeMap<StepRun, StepTimes>,
    /// The newest run of each named step.
    named: BTreeMap<String, StepRun>,
    newest_step: Option<StepRun>,
    topics: BTreeMap<String, TopicFacts>,
    given: Vec<Given>,
    captures: BTreeMap<String, serde_json::Value>,
    /// What a capture does not know, by capture and word, and why.
    unknown: BTreeMap<(String, String), String>,
    resolved: BTreeMap<StepRun, Vec<Node>>,
    spans: BTreeMap<(StepRun, Stretch, String), event::Measurement>,
    log_sizes: BTreeMap<Node, Vec<(i64, u64)>>,
    unclean: Vec<UncleanElection>,
}

/// Unclean elections that are remembered as evidence; all of them are in the events.
const UNCLEAN: usize = 1_000;

impl Stage {
    /// A stage on which nothing has happened yet, and what its clients will say.
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

    /// What is known of a step beforehand.
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

    /// Where client processes say what happens to them.
    pub fn client_events(&self) -> mpsc::Sender<(Who, ClientEvent)> {
        self.client_events.clone()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    pub fn running(&self) -> Result<Running, StepError> {
        self.state().running.clone().ok_or_else(|| StepError::not_so("no cluster runs"))
    }

    /// A cluster of an earlier suite that this one may go on with.
    pub fn give_warm(&self, warm: Option<Warm>) {
        self.state().warm = warm;
    }

    /// Takes that cluster, once.
    pub fn take_warm(&self) -> Option<Warm> {
        self.state().warm.take()
    }

    /// The cluster told of an unclean election.
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

    /// Sets or takes away the running cluster.
    pub fn set_running(&self, running: Option<Running>) -> Option<Running> {
        let mut state = self.state();
        state.up = false;
        std::mem::replace(&mut state.running, running)
    }

    /// Every broker of the running cluster is there.
    pub fn came_up(&self) {
        self.state().up = true;
    }

    /// Whether the running cluster was ever whole: before that there is nothing to judge.
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

    /// When a step ran, newest time round.
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

    /// A step's captured value.
    pub fn capture(&self, name: &str, value: serde_json::Value) {
        self.state().captures.insert(name.to_owned(), value);
    }

    /// A step captured all but this: what a `record` found inconclusive is no value.
    pub fn capture_unknown(&self, name: &str, words: BTreeMap<String, String>) {
        let mut state = self.state();
        state.unknown.retain(|(capture, _), _| capture != name);
        let all = words.into_iter().map(|(word, why)| ((name.to_owned(), word), why));
        state.unknown.extend(all);
    }

    /// What captures do not know, and why.
    pub fn unknown(&self) -> BTreeMap<(String, String), String> {
        self.state().unknown.clone()
    }

    /// All captured values.
    pub fn captures(&self) -> BTreeMap<String, serde_json::Value> {
        self.state().captures.clone()
    }

    /// Remembers which nodes a step meant, for `same_as`.
    pub fn resolved(&self, step: &StepRun, nodes: &[Node]) {
        self.state().resolved.insert(step.clone(), nodes.to_vec());
    }

    /// Which nodes a step meant.
    pub fn resolved_by(&self, step: &StepRun) -> Option<Vec<Node>> {
        self.state().resolved.get(step).cloned()
    }

    /// What templates may use now.
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

    /// The observer looks closely until the guard is dropped.
    pub fn watch_closely(&self) -> Option<Hurry> {
        self.running().ok().map(|r| r.observer.hurry())
    }

    /// The cluster as the observer sees it now.
    pub fn view(&self) -> Result<Arc<ClusterView>, StepError> {
        Ok(self.running()?.observer.view())
    }

    /// Has the cluster asked now: what is judged once must not be as old as the last look.
    pub async fn look_anew(&self) {
        if let Ok(running) = self.running() {
            running.observer.fresh().await;
        }
    }

    /// Waits until a view is as wanted; false when the limit has passed.
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

    /// What the consumers of a group see.
    pub fn isolation_of_group(&self, group: &str) -> Isolation {
        let uncommitted = self
            .clients
            .all()
            .iter()
            .any(|c| c.group() == Some((group, Isolation::ReadUncommitted)));
        if uncommitted { Isolation::ReadUncommitted } else { Isolation::ReadCommitted }
    }

    /// A stretch of time that a condition measured; the newest of each kind is told when its step ends.
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

    /// How long a node's log was at a time: where to look for later lines.
    pub fn log_size_at(&self, node: Node, us: i64) -> u64 {
        let state = self.state();
        let sizes = state.log_sizes.get(&node).into_iter().flatten();
        sizes.filter(|(at, _)| *at <= us).map(|(_, size)| *size).max().unwrap_or(0)
    }

    /// Notes how long the nodes' logs are now; called when a step begins.
    fn note_log_sizes(&self, at_us: i64) {
        let Ok(running) = self.running() else { return };
        let Ok(logs) = running.cluster.logs() else { return };
        for node in running.cluster.nodes() {
            let Some(path) = logs.log_file(node) else { continue };
            let size = std::fs::metadata(path).map_or(0, |m| m.len());
            self.state().log_sizes.entry(node).or_default().push((at_us, size));
        }
    }

    /// Tells the terminal what a wait waits for.
    pub fn waiting(&self, step: &StepRun, findings: &[Finding], left: Duration) {
        let missing: Vec<&str> = findings
            .iter()
            .filter(|f| f.holds != Holds::Yes)
            .map(|f| f.expected.as_str())
            .collect();
        self.talk(step, missing.join("; "), Some(left));
    }

    /// Tells the terminal what a step is at.
    pub fn talk(&self, step: &StepRun, missing: impl Into<String>, left: Option<Duration>) {
        let deadline = left.map(|left| Instant::now() + left);
        self.run
            .live
            .waiting(self.suite, Waiting { step: step.clone(), missing: missing.into(), deadline });
    }
}
