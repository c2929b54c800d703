//! What the steps of one suite share: the cluster, its observer, the clients, and what the plan has done so far.

pub mod altered;
pub mod audits;
pub mod captures;
pub mod chaos;
pub mod clients;
pub mod clocks;
pub mod collected;
pub mod damage;
pub mod disk_calls;
pub mod disks;
pub mod ended;
pub mod faults;
pub mod hearing;
pub mod judge;
pub mod messages;
pub mod network;
pub mod nodes;
pub mod outcome;
pub mod place;
pub mod power;
pub mod requests;
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
pub mod timeline;
pub mod totals;
pub mod wants;
pub mod warm;

mod topics;

pub use crate::stage::topics::{Given, TopicFacts};

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use kplan_dsl::{Plan, Span, Values, plan::StepHead, value::Isolation};
use tokio::sync::mpsc;

use crate::{
    client::handle::{ClientEvent, Who},
    cluster::{Cluster, backend::Backend},
    event::{Event, Finding, Holds, StepInfo, StepRun, SuiteId},
    observer::{ClusterView, Hurry, Observer},
    report::live::{Live, Waiting},
    stage::{
        altered::Altered, audits::Audits, captures::Captures, chaos::Faults, clients::Clients,
        clocks::Skewed, collected::Collected, disk_calls::DiskCalls, disks::Full, ended::Ended,
        faults::Breaks, network::Disturbed, nodes::Wanted, outcome::StepError, place::ClusterPlace,
        power::Dark, requests::Requests, rig::Taken, signals::Interrupt, sink::Sink, tell::Telling,
        throttles::Throttles, timeline::StepTimeline, topics::PlanTopics,
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
    /// Whose calls on their disks fail or take longer.
    pub disk_calls: DiskCalls,
    /// Which clocks are wrong.
    pub skewed: Skewed,
    /// What the disks held when no broker had power.
    pub dark: Dark,
    /// Which requests are disturbed.
    pub requests: Requests,
    /// Which topics' replication is throttled.
    pub throttles: Throttles,
    /// Which settings of the running cluster were changed.
    pub altered: Altered,
    /// Producers and consumers.
    pub clients: Clients,
    /// Which nodes ended by themselves.
    pub ended: Ended,
    /// What the audits found.
    pub audits: Audits,
    /// What services wrote elsewhere than into topics.
    pub collected: Collected,
    /// What was changed from outside this plan.
    pub taken: Taken,
    /// The cluster that runs.
    pub place: ClusterPlace,
    /// When steps ran.
    pub timeline: StepTimeline,
    /// What steps captured.
    pub captures: Captures,
    /// What the plan did to its topics.
    pub topics: PlanTopics,
    client_events: mpsc::Sender<(Who, ClientEvent)>,
}

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
            disk_calls: DiskCalls::default(),
            skewed: Skewed::default(),
            dark: Dark::default(),
            requests: Requests::default(),
            throttles: Throttles::default(),
            altered: Altered::default(),
            clients: Clients::default(),
            ended: Ended::default(),
            audits: Audits::default(),
            collected: Collected::default(),
            taken: Taken::default(),
            place: ClusterPlace::default(),
            timeline: StepTimeline::default(),
            captures: Captures::default(),
            topics: PlanTopics::default(),
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

    /// The cluster that runs.
    pub fn running(&self) -> Result<Running, StepError> {
        self.place.running().ok_or_else(|| StepError::not_so("no cluster runs"))
    }

    /// A name for the next cluster of this suite.
    pub fn cluster_name(&self) -> String {
        match self.place.next() {
            1 => format!("s{}", self.suite),
            number => format!("s{}-{number}", self.suite),
        }
    }

    /// A step begins; `name` is its own in the plan.
    pub fn step_began(&self, id: &StepRun, name: Option<&str>, began_us: i64) {
        if let Ok(running) = self.running() {
            self.place.note_log_sizes(&running, began_us);
        }
        self.clients.note_log_sizes(began_us);
        self.timeline.began(id, name, began_us);
    }

    /// Puts what a step measured into the events.
    pub fn tell_measured(&self, step: &StepRun) {
        for span in self.timeline.take_measured(step) {
            self.tell.emit(Event::Span(Box::new(span)));
        }
    }

    /// The values that templates can use now.
    pub fn values(&self) -> Values {
        Values { run_id: self.run.id.clone(), seed: self.run.seed, captures: self.captures.all() }
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
        let unseen = all.iter().filter_map(|c| c.reads_unseen()).filter(|(own, _)| *own == group);
        topics.extend(unseen.map(|(_, topic)| topic.to_owned()));
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
