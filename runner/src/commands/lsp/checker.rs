//! Checks open plans in a thread of its own, so that an answer never waits for a large matrix.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use kplan_dsl::{
    Checked, Code, Diagnostic, Files as _, Options, Sources, check_part, check_with,
    editor::PlanStates,
};

use super::documents::{Documents, OpenDocument};

/// What the check of one plan found.
#[derive(Debug)]
pub struct CheckedPlan {
    /// The version of the document that was checked.
    pub version: i32,
    pub path: PathBuf,
    pub diagnostics: Vec<Diagnostic>,
    pub sources: Arc<Sources>,
    /// The combinations of the matrix; none if there is an error.
    pub cells: Vec<Vec<(String, String)>>,
    /// The states of the first combination.
    pub states: Option<PlanStates>,
}

/// What was checked last.
#[derive(Debug, Default)]
struct Latest {
    generation: u64,
    plans: Vec<Arc<CheckedPlan>>,
}

/// The results, shared between the server and the thread that checks.
#[derive(Debug, Default)]
struct Board {
    latest: Mutex<Latest>,
    changed: Condvar,
}

/// What is to be checked.
struct CheckJob {
    generation: u64,
    documents: Documents,
}

/// Checks documents as they change.
pub struct Checker {
    jobs: Option<Sender<CheckJob>>,
    board: Arc<Board>,
    generation: u64,
    thread: Option<JoinHandle<()>>,
}

impl Checker {
    /// Starts the thread. It calls `done` after each check, with the documents that were checked.
    pub fn start(
        options: Arc<Options>,
        done: impl Fn(&Documents, &[Arc<CheckedPlan>]) + Send + 'static,
    ) -> Self {
        let (jobs, received) = channel();
        let board = Arc::new(Board::default());
        let own = Arc::clone(&board);
        let thread = std::thread::spawn(move || work(&received, &own, &options, &done));
        Self { jobs: Some(jobs), board, generation: 0, thread: Some(thread) }
    }

    /// Checks documents, instead of those that are not checked yet.
    pub fn check(&mut self, documents: &Documents) {
        self.generation += 1;
        let job = CheckJob { generation: self.generation, documents: documents.clone() };
        if let Some(jobs) = &self.jobs {
            // The thread ends only with the server.
            let _ = jobs.send(job);
        }
    }

    /// The results for the newest documents, or older ones if they are not there in a moment.
    pub fn results(&self) -> Vec<Arc<CheckedPlan>> {
        let latest = self.board.lock();
        let waits = |latest: &mut Latest| latest.generation < self.generation;
        let waited = self.board.changed.wait_timeout_while(latest, MOMENT, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.plans.clone()
    }

    /// The result for this document, if it is of the text that is open.
    pub fn result(&self, document: &OpenDocument) -> Option<Arc<CheckedPlan>> {
        let same = |plan: &&Arc<CheckedPlan>| {
            plan.path == document.path() && plan.version == document.version
        };
        self.results().iter().find(same).cloned()
    }
}

/// How long an answer waits for a check.
const MOMENT: Duration = Duration::from_millis(40);

impl Drop for Checker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(
    jobs: &Receiver<CheckJob>,
    board: &Board,
    options: &Options,
    done: &dyn Fn(&Documents, &[Arc<CheckedPlan>]),
) {
    let mut before: HashMap<PathBuf, Arc<CheckedPlan>> = HashMap::new();
    while let Ok(mut job) = jobs.recv() {
        while let Ok(newer) = jobs.try_recv() {
            job = newer;
        }
        let plans = check_all(&job.documents, &before, options);
        before = plans.iter().map(|plan| (plan.path.clone(), Arc::clone(plan))).collect();
        let mut latest = board.lock();
        *latest = Latest { generation: job.generation, plans: plans.clone() };
        drop(latest);
        board.changed.notify_all();
        done(&job.documents, &plans);
    }
}

/// Checks every plan that is open, those that include an open fragment, and fragments that no plan includes.
fn check_all(
    documents: &Documents,
    before: &HashMap<PathBuf, Arc<CheckedPlan>>,
    options: &Options,
) -> Vec<Arc<CheckedPlan>> {
    let mut plans: Vec<Arc<CheckedPlan>> = Vec::new();
    let mut add = |path: &Path, version: i32, alone: bool| {
        if plans.iter().any(|plan| plan.path == path) {
            return;
        }
        let known = before.get(path).filter(|plan| plan.version == version);
        plans.push(match known.filter(|plan| is_current(plan, documents)) {
            Some(plan) => Arc::clone(plan),
            None => Arc::new(check(path, version, alone, documents, options)),
        });
    };
    for document in documents.ours() {
        if !document.file.is_fragment() {
            add(document.path(), document.version, false);
        }
    }
    for document in documents.ours() {
        if document.file.is_fragment() {
            let includers = documents.includers(document.path());
            for plan in &includers {
                let path = plan.file().path();
                add(path, documents.at(path).map_or(0, |open| open.version), false);
            }
            if includers.is_empty() {
                add(document.path(), document.version, true);
            }
        }
    }
    plans
}

/// Whether the files of a check still have the texts that were checked.
fn is_current(plan: &CheckedPlan, documents: &Documents) -> bool {
    let missing = plan.diagnostics.iter().any(|d| matches!(d.code, Code::E005 | Code::E080));
    let same = |path: &Path, text: &str| {
        documents.read(path, u64::MAX).is_ok_and(|bytes| bytes == text.as_bytes())
    };
    !missing && plan.sources.iter().all(|(_, source)| same(source.path(), source.text()))
}

fn check(
    path: &Path,
    version: i32,
    alone: bool,
    documents: &Documents,
    options: &Options,
) -> CheckedPlan {
    let files = Box::new(documents.clone());
    let Checked { suites, diagnostics, sources, .. } =
        if alone { check_part(path, options, files) } else { check_with(path, options, files) };
    CheckedPlan {
        version,
        path: path.to_owned(),
        diagnostics,
        sources,
        cells: suites.iter().map(|suite| suite.cell.clone()).collect(),
        states: suites.first().map(|suite| PlanStates::of(suite, &options.backend)),
    }
}
