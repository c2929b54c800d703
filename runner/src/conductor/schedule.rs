//! Which suites run side by side: as many as the command line, the processors and the memory allow.

use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use clap::ValueEnum;
use kplan_dsl::{
    plan::{Plan, Step},
    steps::{StartCluster, Verb},
    value::{Controllers, MetadataMode},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    task::JoinSet,
};

use crate::{
    conductor::{
        suite::{Suite, SuiteResult, run_suite},
        warm::{Shelf, key_of_plan},
    },
    event::Verdict,
    processes::available_memory,
    rundir::RunDir,
    stage::{Run, warm::Warm},
};

/// When a run keeps its clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// Always removed.
    Never,
    /// Kept when the plan did not pass.
    Failed,
    /// Always kept.
    Always,
}

/// Memory of a suite's clients and, on the embedded backend, of its simulated brokers.
const CLIENTS_BYTES: u64 = 150 << 20;

/// How many suites run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// At most this many.
    Count(u32),
    /// As many as processors and memory allow: most of a plan's time is waiting, so one more than
    /// there are processors.
    Auto,
}

impl FromStr for Jobs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(count @ 1..=256)) => Ok(Self::Count(count)),
            _ => Err(format!("`{text}` is neither auto nor a number from 1 to 256")),
        }
    }
}

/// One suite to run: a plan in one cell, one repetition.
#[derive(Clone)]
pub struct Job {
    /// The plan in its cell.
    pub plan: Arc<Plan>,
    /// Which repetition of `--repeat`, from 1.
    pub repetition: u32,
}

/// A suite that was carried out.
pub struct Ended {
    /// Its number within the run.
    pub number: u32,
    pub attempt: u32,
    pub job: Job,
    pub result: SuiteResult,
}

/// The rules for every suite of a run.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How many at once.
    pub jobs: Jobs,
    /// How often a suite that did not pass is retried.
    pub retries: u32,
    /// Start no more suites after one that did not pass.
    pub fail_fast: bool,
    /// Replaces the plans' own timeout.
    pub timeout: Option<Duration>,
    /// When clusters are kept.
    pub keep: Keep,
}

/// A suite in the queue.
struct Queued {
    number: u32,
    job: Job,
    attempt: u32,
    /// The declaration of its cluster, if that may be reused.
    key: Option<String>,
}

/// The capacity of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    suites: u32,
    bytes: u64,
}

impl Room {
    fn of_machine(jobs: Jobs) -> Self {
        let suites = match jobs {
            Jobs::Count(count) => count,
            Jobs::Auto => {
                std::thread::available_parallelism().map_or(2, |n| n.get() as u32).saturating_add(1)
            }
        };
        // A tenth is left for other programs.
        let bytes = available_memory().map_or(u64::MAX, |bytes| bytes / 10 * 9);
        Self { suites, bytes }
    }

    fn fits(self, need: u64) -> bool {
        self.suites > 0 && self.bytes >= need
    }

    fn less(self, need: u64) -> Self {
        Self { suites: self.suites - 1, bytes: self.bytes.saturating_sub(need) }
    }
}

/// Memory that a plan needs at its largest cluster, in bytes.
fn need_of(plan: &Plan, node_bytes: u64) -> u64 {
    let nodes = clusters(&plan.steps).map(nodes).max().unwrap_or(0);
    node_bytes * u64::from(nodes) + CLIENTS_BYTES
}

fn clusters(steps: &[Step]) -> Box<dyn Iterator<Item = &StartCluster> + '_> {
    Box::new(steps.iter().flat_map(|one| {
        let own = match one.verb() {
            Some(Verb::StartCluster(args)) => Some(&**args),
            _ => None,
        };
        own.into_iter()
            .chain(one.inside().into_iter().flat_map(|child| clusters(std::slice::from_ref(child))))
    }))
}

fn nodes(cluster: &StartCluster) -> u32 {
    let beside = match (cluster.mode.value, cluster.controllers.value) {
        (MetadataMode::Zookeeper, _) => 1,
        (MetadataMode::Kraft, Controllers::Combined) => 0,
        (MetadataMode::Kraft, Controllers::Own(count)) => count,
    };
    cluster.brokers.value.saturating_add(beside)
}

/// Runs all suites, several at once if the capacity allows, in the order of the queue: a suite that does
/// not fit waits, and a smaller one behind it may go first. One suite always runs, however large.
/// The next one begins when a suite has passed and only its removal is left: that does not disturb its
/// measurements, while two running plans would slow each other down. Of a suite that was retried, only the
/// last result is returned.
pub async fn run_all(
    run: &Arc<Run>,
    dir: &RunDir,
    jobs: Vec<Job>,
    rules: Rules,
) -> anyhow::Result<Vec<Ended>> {
    let mut desk = Desk::new(run, dir, jobs, rules);
    loop {
        desk.begin().await;
        tokio::select! {
            Some(number) = desk.judged.1.recv() => desk.free(number),
            ended = desk.running.join_next() => match ended {
                Some(ended) => desk.end(ended.ok()).await,
                None => break,
            },
        }
    }
    while let Some(warm) = desk.shelf.give_up() {
        // What cannot be removed here is removed with the run.
        let _ = warm.cluster.destroy().await;
    }
    desk.trouble.map_or(Ok(desk.results), Err)
}

/// A suite that ended, and what it was.
type Over = (SuiteResult, Queued, u64);

/// Starts the suites of a run and collects their results.
struct Desk<'a> {
    run: &'a Arc<Run>,
    dir: &'a RunDir,
    rules: Rules,
    /// The newest suite's number.
    number: u32,
    queue: VecDeque<Queued>,
    room: Room,
    running: JoinSet<Over>,
    /// Suites that count against the number of jobs.
    at_work: BTreeSet<u32>,
    /// Numbers of suites of which only the removal is left.
    judged: (UnboundedSender<u32>, UnboundedReceiver<u32>),
    shelf: Shelf,
    results: Vec<Ended>,
    trouble: Option<anyhow::Error>,
}

impl<'a> Desk<'a> {
    fn new(run: &'a Arc<Run>, dir: &'a RunDir, jobs: Vec<Job>, rules: Rules) -> Self {
        let number = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
        let reuses =
            |job: &Job| (rules.keep == Keep::Never).then(|| key_of_plan(&job.plan, run)).flatten();
        let mut queue = VecDeque::new();
        for (number, job) in (1..).zip(jobs) {
            let key = reuses(&job);
            queue.push_back(Queued { number, job, attempt: 1, key });
        }
        let mut shelf = Shelf::default();
        shelf.expect(queue.iter().filter_map(|q: &Queued| q.key.clone()));
        Self {
            run,
            dir,
            rules,
            number,
            queue,
            room: Room::of_machine(rules.jobs),
            running: JoinSet::new(),
            at_work: BTreeSet::new(),
            judged: tokio::sync::mpsc::unbounded_channel(),
            shelf,
            results: Vec::new(),
            trouble: None,
        }
    }

    /// Starts the suites that fit.
    async fn begin(&mut self) {
        loop {
            let needs = self.queue.iter().map(|queued| self.need(queued));
            let at = choose(self.room, self.running.is_empty(), needs);
            let Some(next) = at.and_then(|at| self.queue.remove(at)) else { return };
            // A suite always runs when it is alone: idle clusters must not prevent it.
            while !self.room.fits(self.need(&next))
                && let Some(warm) = self.shelf.give_up()
            {
                let _ = warm.cluster.destroy().await;
                self.room.bytes =
                    self.room.bytes.saturating_add(self.run.backend.node_bytes() * size(&warm));
            }
            let (run, need) = (self.run.clone(), self.need(&next));
            let (warm, leaves) =
                next.key.as_deref().map_or((None, false), |key| self.shelf.begin(key));
            let suite = match suite(self.dir, &next, self.rules) {
                Ok(suite) => suite,
                Err(error) => {
                    self.trouble = Some(error);
                    self.clear();
                    return;
                }
            };
            let leave = next.key.clone().filter(|_| leaves);
            // A suite that hands its cluster on is waited for: the next suite may reuse the cluster.
            let early = !self.rules.fail_fast && leave.is_none();
            let suite = Suite { warm, leave, ..suite };
            self.room = self.room.less(need);
            self.at_work.insert(next.number);
            let (sender, number) = (self.judged.0.clone(), next.number);
            let judged = move |verdict| {
                if early && verdict == Verdict::Passed {
                    // The receiver is gone when the run is over.
                    let _ = sender.send(number);
                }
            };
            let whole = need_of(&next.job.plan, run.backend.node_bytes());
            self.running.spawn(async move { (run_suite(run, suite, judged).await, next, whole) });
        }
    }

    /// Memory that a suite needs in addition to an idle cluster that it would reuse.
    fn need(&self, queued: &Queued) -> u64 {
        if self.shelf.has(queued.key.as_deref()) {
            CLIENTS_BYTES
        } else {
            need_of(&queued.job.plan, self.run.backend.node_bytes())
        }
    }

    /// Only the removal of a suite is left: the next suite may begin if memory allows.
    fn free(&mut self, number: u32) {
        if !self.stops() && self.at_work.remove(&number) {
            self.room.suites += 1;
        }
    }

    fn stops(&self) -> bool {
        self.run.interrupt.signal().is_some() || self.run.sink.trouble().is_some()
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.shelf.expect_none();
    }

    /// A suite is over and removed; none if a defect of kplan ended it.
    async fn end(&mut self, over: Option<Over>) {
        let Some((mut result, done, need)) = over else {
            self.trouble = Some(anyhow::anyhow!("a defect in kplan ended a suite"));
            return;
        };
        if self.at_work.remove(&done.number) {
            self.room.suites += 1;
        }
        self.room.bytes = self.room.bytes.saturating_add(need);
        let passed = result.verdict == Verdict::Passed;
        if self.stops() || (self.rules.fail_fast && !passed) {
            self.clear();
        }
        if let Some(key) = &done.key {
            let left = result.warm.take();
            let bytes = left.as_ref().map_or(0, |warm| self.run.backend.node_bytes() * size(warm));
            match self.shelf.end(key, left) {
                Some(unwanted) => drop(unwanted.cluster.destroy().await),
                None => self.room.bytes = self.room.bytes.saturating_sub(bytes),
            }
        }
        let again = !passed && done.attempt <= self.rules.retries;
        if again && !self.stops() && self.trouble.is_none() {
            self.number = self.number.saturating_add(1);
            let (number, attempt) = (self.number, done.attempt + 1);
            // The retry gets a cluster of its own: the reused one may have been the cause.
            self.queue.push_front(Queued { number, attempt, job: done.job, key: None });
            return;
        }
        self.results.push(Ended {
            number: done.number,
            attempt: done.attempt,
            job: done.job,
            result,
        });
    }
}

/// Nodes of a cluster.
fn size(warm: &Warm) -> u64 {
    warm.cluster.nodes().len() as u64
}

/// The first suite in the queue that fits; the first of all if nothing else runs.
fn choose(room: Room, alone: bool, mut needs: impl Iterator<Item = u64>) -> Option<usize> {
    if alone { needs.next().map(|_| 0) } else { needs.position(|need| room.fits(need)) }
}

fn suite(dir: &RunDir, queued: &Queued, rules: Rules) -> anyhow::Result<Suite> {
    let dir: PathBuf = dir.suite(queued.number)?;
    Ok(Suite {
        number: queued.number,
        dir,
        repetition: queued.job.repetition,
        attempt: queued.attempt,
        timeout: rules.timeout.unwrap_or(*queued.job.plan.timeout),
        keep: rules.keep,
        plan: queued.job.plan.clone(),
        only: None,
        warm: None,
        leave: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE_BYTES: u64 = 450 << 20;

    fn plan(cluster: &str) -> Job {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("p.yaml");
        let text = format!(
            "plan: v1\nname: P\nsteps:\n  - repeat:\n      times: 1\n      steps:\n        \
             - start_cluster: {cluster}\n  - assert:\n      - brokers_alive: {{ at_least: 1 }}\n"
        );
        std::fs::write(&path, text).expect("file");
        let checked = kplan_dsl::check_file(&path, &kplan_dsl::Options::default());
        let plan = checked.suites.into_iter().next();
        Job {
            plan: Arc::new(plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics))),
            repetition: 1,
        }
    }

    fn queue(clusters: &[&str]) -> VecDeque<Queued> {
        let numbered = (1..).zip(clusters);
        numbered.map(|(number, c)| Queued { number, job: plan(c), attempt: 1, key: None }).collect()
    }

    fn take(queue: &mut VecDeque<Queued>, room: Room, alone: bool) -> Option<Queued> {
        let needs = queue.iter().map(|q| need_of(&q.job.plan, NODE_BYTES));
        let at = choose(room, alone, needs)?;
        queue.remove(at)
    }

    #[test]
    fn jobs_are_a_number_or_auto() {
        assert_eq!("auto".parse(), Ok(Jobs::Auto));
        assert_eq!("4".parse(), Ok(Jobs::Count(4)));
        assert!("0".parse::<Jobs>().is_err() && "many".parse::<Jobs>().is_err());
    }

    #[test]
    fn a_plan_needs_what_its_largest_cluster_needs() {
        let three = need_of(&plan("{ brokers: 3 }").plan, NODE_BYTES);
        let with = need_of(&plan("{ brokers: 3, controllers: 2 }").plan, NODE_BYTES);
        assert_eq!(three, 3 * NODE_BYTES + CLIENTS_BYTES);
        assert_eq!(with, 5 * NODE_BYTES + CLIENTS_BYTES);
        assert_eq!(need_of(&plan("{ brokers: 3 }").plan, 0), CLIENTS_BYTES);
    }

    #[test]
    fn what_does_not_fit_waits_and_a_smaller_one_goes_first() {
        let mut waiting = queue(&["{ brokers: 9 }", "{ brokers: 1 }"]);
        let room = Room { suites: 2, bytes: 2 * NODE_BYTES };
        let first = take(&mut waiting, room, false).expect("the small one fits");
        assert_eq!(first.number, 2);
        assert!(take(&mut waiting, room, false).is_none());
        let alone = take(&mut waiting, room, true).expect("alone, it always runs");
        assert_eq!(alone.number, 1);
    }

    #[test]
    fn no_more_suites_than_asked_for() {
        let mut waiting = queue(&["{ brokers: 1 }"]);
        let full = Room { suites: 0, bytes: u64::MAX };
        assert!(take(&mut waiting, full, false).is_none());
    }
}
