//! `kplan run --shrink`: searches for the fewest faults of a `chaos` that still make its plan fail.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use kplan_dsl::{Plan, Step, Verb};

use crate::{
    conductor::{Suite, run_suite, schedule::Keep},
    event::{Event, RunStarted, StepRun, SuiteId, Verdict},
    history::RunClock,
    out::{Shown as _, tell},
    record::EventLog,
    report::live,
    rundir::{RunDir, private_dir, private_file},
    secrets,
    stage::{
        Run,
        chaos::{DoneFault, Planned, Shrinker, with_faults},
        sink::Sink,
    },
};

/// The most runs of the plan.
const MOST: u32 = 20;

/// The suite that failed.
pub struct Again {
    pub plan: Arc<Plan>,
    pub number: SuiteId,
    pub timeout: Duration,
}

/// Runs the plan with fewer and fewer faults, and writes a plan with the fewest that still make it fail. These
/// runs have directories of their own (`shrink-N`), so that the reports show only the run that was asked for.
pub async fn shrink(
    run: &Arc<Run>,
    dir: &RunDir,
    again: &Again,
    seed: u64,
    faults: &[DoneFault],
) -> anyhow::Result<()> {
    let mut shrinker = Shrinker::new(faults.len(), MOST);
    let mut tries = 0;
    while let Some(set) = shrinker.propose() {
        tries += 1;
        let only: BTreeSet<StepRun> = set.iter().map(|i| faults[*i].id()).collect();
        let path = dir.path.join(format!("shrink-{}-{tries}", again.number));
        let verdict = attempt(run, again, seed, only, path).await?;
        if run.interrupt.signal().is_some() {
            break;
        }
        let fails = verdict == Verdict::Failed;
        tell!(
            "shrink: run {tries} of at most {MOST}: with {} of {} faults the plan {}",
            set.len(),
            faults.len(),
            if fails { "fails" } else { "does not fail" }
        );
        shrinker.reported(fails);
    }
    let fewest: Vec<&DoneFault> = shrinker.fewest().iter().map(|i| &faults[*i]).collect();
    let words: Vec<String> = fewest.iter().map(|f| f.planned.verb.explain()).collect();
    let about = format!(
        "Chaos of seed {seed}: {} of its {} faults are enough to make the plan fail",
        fewest.len(),
        faults.len()
    );
    tell!("{about}: {}", secrets::mask(&words.join("; ")));
    let Some(text) = written(&again.plan, &fewest, &about) else {
        tell!("no plan is written: the chaos step is not in the plan's own file");
        return Ok(());
    };
    let file = dir.path.join(format!("shrunk-{}.yaml", again.number));
    private_file(&file, &secrets::mask(&text))
        .with_context(|| format!("cannot write {}", file.shown()))?;
    tell!("the plan with these faults: {}", file.shown());
    Ok(())
}

/// Runs the plan with only some of the faults.
async fn attempt(
    run: &Arc<Run>,
    again: &Again,
    seed: u64,
    only: BTreeSet<StepRun>,
    path: PathBuf,
) -> anyhow::Result<Verdict> {
    private_dir(&path)?;
    let dir = RunDir { id: run.id.clone(), path };
    let (sender, events) = tokio::sync::mpsc::unbounded_channel();
    let (live, screen) = live::start(live::Words::Quiet, events);
    let log = EventLog::create(&dir.path)?;
    let own = Arc::new(Run {
        id: run.id.clone(),
        seed,
        dir: dir.path.clone(),
        sink: Sink::new(log, sender, RunClock::now()),
        interrupt: run.interrupt.clone(),
        backend: run.backend.clone(),
        image: run.image.clone(),
        broker_memory: run.broker_memory,
        live,
        binary: run.binary.clone(),
        root: run.root.clone(),
    });
    own.sink.emit(
        None,
        Event::RunStarted(RunStarted {
            attempts: 1,
            run: own.id.clone(),
            kplan: env!("CARGO_PKG_VERSION").to_owned(),
            seed,
            backend: own.backend.name().to_owned(),
            command: Vec::new(),
            suites: 1,
        }),
    );
    let suite = Suite {
        number: again.number,
        plan: again.plan.clone(),
        dir: dir.suite(again.number)?,
        repetition: 1,
        attempt: 1,
        timeout: again.timeout,
        keep: Keep::Never,
        only: Some(only),
        warm: None,
        leave: None,
    };
    let verdict = run_suite(own.clone(), suite, |_| ()).await.verdict;
    own.sink.emit(None, Event::RunEnded { exit: 0, signal: None });
    // The screen ends with the last event.
    let _ = screen.await;
    Ok(verdict)
}

/// The plan with its chaos steps replaced; none if a chaos step is not in the plan's own file.
fn written(plan: &Plan, faults: &[&DoneFault], about: &str) -> Option<String> {
    let source = plan.sources.iter().find(|(_, s)| s.path() == plan.path)?.1;
    let mut text = source.text().to_owned();
    let mut all: Vec<&Step> = Vec::new();
    plan.steps.iter().for_each(|step| collect(step, &mut all));
    // From the last step to the first, so that the line numbers of the others stay valid.
    for step in all.into_iter().rev() {
        let Some(Verb::Chaos(chaos)) = step.verb() else { continue };
        if plan.file_of(&step.head) != Path::new(&plan.path) {
            return None;
        }
        let id = StepRun::new(&step.head.id, &[]);
        let own: Vec<&Planned> =
            faults.iter().filter(|f| f.step == id).map(|f| &f.planned).collect();
        let times = (*chaos.for_time, *chaos.every);
        text = with_faults(&text, &step.head, times, &own, about);
    }
    Some(text)
}

fn collect<'p>(step: &'p Step, all: &mut Vec<&'p Step>) {
    all.push(step);
    step.inside_once().into_iter().for_each(|inner| collect(inner, all));
}
