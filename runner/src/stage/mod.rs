//! What the steps of one suite share: the cluster, its observer, the clients, what the plan did so far.

pub mod audits;
pub mod captures;
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
pub mod place;
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
        audits::Audits, captures::Captures, chaos::Faults, clients::Clients, disks::Full,
        ended::Ended, faults::Breaks, network::Disturbed, nodes::Wanted, outcome::StepError,
        place::ClusterPlace, rig::Taken, signals::Interrupt, sink::Sink, tell::Telling,
        throttles::Throttles, timeline::StepTimeline, topics::PlanTopics,
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
            place: ClusterPlace::default(),
            timeline: StepTimeline::default(),
            captures: Captures::default(),
            topics: PlanTopics::default(),
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
        self.timeline.began(id, name, began_us);
    }

    /// Puts what a step measured into the events.
    pub fn tell_measured(&self, step: &StepRun) {
        for span in self.timeline.take_measured(step) {
            self.tell.emit(Event::Span(Box::new(span)));
        }
    }

    /// What templates may use now.
    pub fn values(&self) -> Values {
        Values { run_id: self.run.id.clone(), seed: self.run.seed, captures: self.captures.all() }
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
