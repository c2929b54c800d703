//! `kplan run`: checks plans, runs them, writes the reports.

use std::{
    collections::BTreeSet,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use kplan_dsl::{Capability, Plan, facts::Strikes};
use tokio::task::JoinHandle;

use crate::{
    cluster::{
        self, RigError,
        backend::{Backend, Setup, Sweep, clean_command},
    },
    commands::{
        kafka,
        plans::{self, Checked, Selection},
        reports::{self, ReportFiles},
        shrink::{self, Again},
    },
    conductor::{
        SuiteResult,
        schedule::{self, Ended, Job, Jobs, Keep, Rules},
        shard::{DURATIONS, Durations, Shard},
    },
    event::{Event, RunStarted, Verdict},
    exit::Exit,
    guardian::Guard,
    history::RunClock,
    out::{self, Shown as _, tell},
    processes::{kill_processes, processes_of},
    record::{EventLog, RunRecord},
    report::{self, live},
    rundir::{RunDir, private_dir},
    secrets,
    stage::{Run, signals::Interrupt, sink::Sink, wants},
};

/// How a suite counts that failed and then passed on a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flaky {
    /// As passed; every report marks it as flaky.
    Pass,
    /// As passed and flaky, but the exit status is 1.
    Fail,
}

/// Whether failures become annotations at the plan's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Annotations {
    /// GitHub's annotations on GitHub Actions (`GITHUB_ACTIONS` is true), else none.
    Auto,
    /// GitHub's annotations.
    Github,
    /// No annotations.
    Never,
}

/// Arguments of `kplan run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kplan run plans/outage.yaml --junit report.xml --html report.html
  kplan run plans/ --tag failover --param version=3.9.1
  kplan run plans/quickstart.yaml --backend embedded --seed 7
  kplan run plans/quickstart.yaml --backend local
  kplan run plans/quickstart.yaml --backend external=staging.yaml
  kplan run chaos.yaml --seed 42 --shrink
  kplan run plans/ --retries 2 --flaky fail            retry, and exit with 1 if a suite was flaky")]
pub struct RunArgs {
    /// The plans.
    #[command(flatten)]
    pub selection: Selection,
    /// Seed of all random choices; the report shows it [default: random].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Replaces the `timeout` of every plan, e.g. 5m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// How many suites run at once: a number, or auto (limited by processors and memory).
    #[arg(long, value_name = "N|auto", default_value = "1")]
    pub jobs: Jobs,
    /// Run only part I of N: every machine splits the suites alike, balanced by their earlier durations.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Retry a suite that did not pass up to N times; a suite that passes on a retry is marked as flaky.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub retries: u32,
    /// How a suite counts that passed on a retry (--retries): every report marks it as flaky; with
    /// `fail` the exit status is also 1, as for a failure.
    #[arg(long, value_enum, default_value = "pass")]
    pub flaky: Flaky,
    /// Run each plan N times.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub repeat: u32,
    /// When a plan with `chaos` fails, search for the fewest faults that still make it fail, and write
    /// them as a plan into the run's directory. Runs the plan again up to 20 times.
    #[arg(long)]
    pub shrink: bool,
    /// Start no more suites after the first one that does not pass.
    #[arg(long)]
    pub fail_fast: bool,
    /// Keep clusters after the run, to inspect them; `kplan clean` removes them.
    #[arg(long, value_enum, default_value = "never")]
    pub keep: Keep,
    /// Image of the brokers, e.g. registry.example/kafka:{version}.
    #[arg(long, value_name = "TEMPLATE", env = "KPLAN_IMAGE")]
    pub image: Option<String>,
    /// With --backend local: directory of an Apache Kafka distribution, e.g. /opt/kafka-{version};
    /// without it kplan downloads Kafka into its cache.
    #[arg(long, value_name = "DIR", env = "KPLAN_KAFKA_DIR")]
    pub kafka_dir: Option<String>,
    /// Memory limit of each broker's container, in MiB; the kernel kills a broker that exceeds it.
    #[arg(long, value_name = "MIB", default_value_t = 2048, value_parser = clap::value_parser!(u64).range(256..))]
    pub broker_memory: u64,
    /// Report files.
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Print failures as annotations at the lines of the plan.
    #[arg(long, value_enum, default_value = "auto", help_heading = "Reports")]
    pub annotations: Annotations,
    /// Directory for the run's files [default: .kplan/runs/<id>; .kplan/latest links to it].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print less while the run goes on.
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print more while the run goes on.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Runs the command.
pub fn main(args: &RunArgs) -> Exit {
    let setup =
        Setup { image: args.image.clone(), kafka_dir: args.kafka_dir.clone(), ..Setup::default() };
    let checked = match plans::check(&args.selection, setup.clone()) {
        Ok(checked) => checked,
        Err(error) => {
            tell!("error: {error:#}");
            return Exit::Usage;
        }
    };
    checked.tell();
    if checked.has_errors() {
        return Exit::Usage;
    }
    let backend = Arc::clone(&checked.backend);
    let inputs = inputs(&checked, &args.selection);
    let jobs = match jobs(checked, args) {
        Ok(jobs) => jobs,
        Err(error) => {
            tell!("error: {error:#}");
            return Exit::Usage;
        }
    };
    if jobs.is_empty() {
        tell!("error: no plan matches the paths, tags and filters");
        return Exit::Nothing;
    }
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tell!("error: cannot start the async runtime: {error}");
                return Exit::Rig;
            }
        };
    match runtime.block_on(lacks(backend.as_ref(), &jobs)) {
        Ok(lacks) => {
            if let Some(exit) = refused(&args.selection, Setup { lacks, ..setup }) {
                return exit;
            }
        }
        Err(error) => return out::reported(&error.into()),
    }
    let ready = args.reports.prepare(&inputs);
    let ready = ready.and_then(|()| args.out.as_deref().map_or(Ok(()), RunDir::prepare));
    if let Err(error) = ready {
        return out::reported(&error);
    }
    match runtime.block_on(run(args, backend, jobs)) {
        Ok(exit) => exit,
        Err(error) => out::reported(&error),
    }
}

/// What the backend is found not to be able to do here, of what the plans need. Only these depend on more than the
/// backend.
async fn lacks(backend: &dyn Backend, jobs: &[Job]) -> Result<BTreeSet<Capability>, RigError> {
    let wanted = |wants: &dyn Fn(&Plan) -> bool| jobs.iter().any(|job| wants(&job.plan));
    let needed = [
        (Capability::FullDisk, wanted(&|plan| wants::strikes(plan, &[Strikes::Disks]))),
        (Capability::PowerLoss, wanted(&wants::takes_power)),
        (Capability::SkewClock, wanted(&wants::skews_clocks)),
        (Capability::DiskCalls, wanted(&wants::meets_calls)),
        (Capability::NetworkPartition, wanted(&|plan| wants::strikes(plan, &[Strikes::Routes]))),
        (Capability::NetworkDegradation, wanted(&|plan| wants::strikes(plan, &[Strikes::Lines]))),
    ];
    let mut lacks = BTreeSet::new();
    for (capability, _) in needed.into_iter().filter(|(_, wanted)| *wanted) {
        if backend.lacks(capability).await? {
            lacks.insert(capability);
        }
    }
    Ok(lacks)
}

/// Reports the steps that need what is missing here, as for a backend that never has it. None if no step is known to
/// need it.
fn refused(selection: &Selection, setup: Setup) -> Option<Exit> {
    if setup.lacks.is_empty() {
        return None;
    }
    match plans::check(selection, setup) {
        Ok(checked) if !checked.has_errors() => return None,
        Ok(checked) => checked.tell(),
        Err(error) => tell!("error: {error:#}"),
    }
    Some(Exit::Usage)
}

/// Every file that the run reads: no report may overwrite one.
fn inputs(checked: &Checked, selection: &Selection) -> Vec<PathBuf> {
    let sources = checked.diagnostics.iter().flat_map(|(_, sources)| sources.iter());
    let read = sources.map(|(_, source)| source.path().to_owned());
    read.chain(selection.backend.file.clone()).chain(selection.params_file.clone()).collect()
}

fn jobs(checked: Checked, args: &RunArgs) -> anyhow::Result<Vec<Job>> {
    let selection = &args.selection;
    let mut plans: Vec<Arc<Plan>> =
        checked.plans.into_iter().filter(|plan| selection.wants(plan)).map(Arc::new).collect();
    if let Some(shard) = args.shard {
        let durations = Durations::read(Path::new(DURATIONS))?;
        let cell = |plan: &Arc<Plan>| plan.cell_label().unwrap_or_default();
        plans = shard.keep(plans, &durations, |plan| Durations::name(&plan.path, &cell(plan)));
    }
    let rounds = (1..=args.repeat).flat_map(|repetition| {
        plans.iter().map(move |plan| Job { plan: plan.clone(), repetition })
    });
    Ok(rounds.collect())
}

/// Carries the plans out and writes every report.
async fn run(args: &RunArgs, backend: Arc<dyn Backend>, jobs: Vec<Job>) -> anyhow::Result<Exit> {
    let interrupt = Interrupt::listen().context("cannot listen for signals")?;
    cluster::security::possible(jobs.iter().any(|job| wants::needs_tls(&job.plan)))?;
    backend.reach().await?;
    let seed = args.seed.unwrap_or_else(rand::random);
    let dir = RunDir::create(args.out.as_deref(), seed)?;
    let guard = Guard::post(&dir.id, args.selection.backend.argument())?;
    let versions = kafka::versions(&jobs);
    tokio::select! {
        biased;
        prepared = backend.prepare(&versions, &dir.id) => prepared?,
        () = interrupt.soft().cancelled() => {
            // No suite has begun. The guardian removes a half-finished download.
            return Ok(Exit::by_signal(interrupt.signal().unwrap_or_default()));
        }
    }
    let (run, screen) = begin(args, (&dir, seed), interrupt, backend)?;
    run.sink.emit(None, Event::RunStarted(started(args, &run, jobs.len())));
    let results = schedule::run_all(&run, &dir, jobs, rules(args, &run)).await?;
    if args.shrink {
        shrink_failed(&run, &dir, &results, args.timeout).await?;
    }
    let leftovers = sweep(&run, &results).await;
    let exit = exit(&run, &results, leftovers.is_some(), args.flaky);
    run.sink.emit(
        None,
        Event::RunEnded { exit: exit.status(), signal: run.interrupt.signal().map(str::to_owned) },
    );
    // The screen ends with the last event; a panic in it must not prevent the reports.
    let _ = screen.await;
    match leftovers {
        Some(text) => tell!("error: {}", secrets::mask(&text)),
        None => guard.dismiss(),
    }
    reported(args, &run)?;
    Ok(exit)
}

/// What all suites share, and the screen that shows them.
fn begin(
    args: &RunArgs,
    (dir, seed): (&RunDir, u64),
    interrupt: Interrupt,
    backend: Arc<dyn Backend>,
) -> anyhow::Result<(Arc<Run>, JoinHandle<()>)> {
    let (sender, events) = tokio::sync::mpsc::unbounded_channel();
    let (live, screen) = live::start(words(args), events);
    let log = EventLog::create(&dir.path)?;
    let run = Run {
        id: dir.id.clone(),
        seed,
        dir: dir.path.clone(),
        sink: Sink::new(log, sender, RunClock::now()),
        interrupt,
        backend,
        image: args.image.clone(),
        broker_memory: args.broker_memory.saturating_mul(1 << 20),
        live,
        binary: std::env::current_exe().context("kplan cannot find itself")?,
        root: reports::root(),
    };
    Ok((Arc::new(run), screen))
}

fn started(args: &RunArgs, run: &Run, suites: usize) -> RunStarted {
    RunStarted {
        run: run.id.clone(),
        kplan: env!("CARGO_PKG_VERSION").to_owned(),
        seed: run.seed,
        backend: run.backend.name().to_owned(),
        command: command(args),
        suites: u32::try_from(suites).unwrap_or(u32::MAX),
        attempts: args.retries.saturating_add(1),
    }
}

fn rules(args: &RunArgs, run: &Run) -> Rules {
    Rules {
        jobs: run.backend.at_once().map_or(args.jobs, Jobs::Count),
        retries: args.retries,
        fail_fast: args.fail_fast,
        timeout: args.timeout,
        keep: args.keep,
    }
}

/// Writes the reports, also of a run whose events could not all be written: no verdict stands on that one.
fn reported(args: &RunArgs, run: &Run) -> anyhow::Result<()> {
    let reported = report(args, run);
    if let Some(trouble) = run.sink.trouble() {
        if let Err(error) = reported {
            tell!("error: {error:#}");
        }
        anyhow::bail!(
            "the run ended early because not all of its events could be written: {trouble}"
        );
    }
    reported?;
    if args.shard.is_none() {
        learn(run);
    }
    Ok(())
}

/// Looks for the fewest faults that make a failed plan fail, one plan after the other.
async fn shrink_failed(
    run: &Arc<Run>,
    dir: &RunDir,
    results: &[Ended],
    timeout: Option<Duration>,
) -> anyhow::Result<()> {
    for ended in results {
        let SuiteResult { verdict, faults, .. } = &ended.result;
        if *verdict != Verdict::Failed || faults.is_empty() || run.interrupt.signal().is_some() {
            continue;
        }
        let plan = ended.job.plan.clone();
        let timeout = timeout.unwrap_or(*plan.timeout);
        let seed = run.seed.wrapping_add(u64::from(ended.job.repetition.saturating_sub(1)));
        let again = Again { plan, number: ended.number, timeout };
        shrink::shrink(run, dir, &again, seed, faults).await?;
    }
    Ok(())
}

/// Records how long the suites took, for `--shard`. A run with `--shard` does not record it: the parts
/// would no longer agree on the split. An error is a warning and does not change the exit status.
fn learn(run: &Run) {
    let path = Path::new(DURATIONS);
    let learned = || {
        private_dir(path.parent().unwrap_or(path))?;
        let mut durations = Durations::read(path)?;
        durations.learn(&RunRecord::read(&run.dir)?);
        durations.write(path)
    };
    if let Err(error) = learned() {
        tell!("warning: {error:#}");
    }
}

/// The last look: removes whatever still carries the run's label, unless `--keep` keeps it.
async fn sweep(run: &Run, results: &[Ended]) -> Option<String> {
    let clean = clean_command(run.backend.name(), &run.id);
    if results.iter().any(|r| r.result.kept) {
        let kept = run.backend.keep(&run.id).await;
        if let Err(error) = kept {
            return Some(format!("the clusters cannot be kept: {error}"));
        }
        tell!("the clusters are kept; to remove them: {clean}");
        return None;
    }
    // A command of a `run` step may have left its process group.
    kill_processes(&run.id);
    // A suite that was interrupted may have a request that the engine still serves.
    let broken_off = run.interrupt.signal().is_some()
        || results.iter().any(|r| r.result.verdict != Verdict::Passed);
    let removed =
        run.backend.sweep(&run.id, if broken_off { Sweep::All } else { Sweep::Rest }).await;
    if let Err(error) = removed {
        return Some(format!(
            "not everything of the run could be removed; try again with {clean}: {error}"
        ));
    }
    let left = processes_of(&run.id);
    (!left.is_empty()).then(|| format!("processes of the run are still alive: {left:?}"))
}

fn exit(run: &Run, results: &[Ended], leftovers: bool, flaky: Flaky) -> Exit {
    if let Some(signal) = run.interrupt.signal() {
        return Exit::by_signal(signal);
    }
    let has = |verdict| results.iter().any(|r| r.result.verdict == verdict);
    let retried = results.iter().any(|r| r.attempt > 1 && r.result.verdict == Verdict::Passed);
    if has(Verdict::Failed) || (retried && flaky == Flaky::Fail) {
        Exit::Failed
    } else if has(Verdict::Broken) || leftovers {
        Exit::Rig
    } else {
        Exit::Passed
    }
}

/// Writes every report, from the events on disk: `kplan report` can make the same ones again.
fn report(args: &RunArgs, run: &Run) -> anyhow::Result<()> {
    let record = RunRecord::read(&run.dir)?;
    let written = args.reports.write(&record, &run.root);
    let mut said = out::print(&report::terminal::render(&record, args.quiet));
    if annotates(args.annotations) {
        said = said.and(out::print(&report::github::render(&record)));
    }
    // A closed terminal takes no more output: only the report files remain.
    let gone = run.interrupt.signal() == Some("SIGHUP");
    written.and(match said {
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            let dir = run.dir.shown();
            tell!("warning: the reader of standard output stopped reading: kplan report {dir} prints the report again");
            Ok(())
        }
        Err(error) if !gone => Err(error.into()),
        _ => Ok(()),
    })
}

/// GitHub reads annotations from what a step prints.
fn annotates(how: Annotations) -> bool {
    match how {
        Annotations::Auto => std::env::var("GITHUB_ACTIONS").as_deref() == Ok("true"),
        Annotations::Github => true,
        Annotations::Never => false,
    }
}

fn words(args: &RunArgs) -> live::Words {
    if args.quiet {
        live::Words::Quiet
    } else if args.verbose {
        live::Words::Verbose
    } else {
        live::Words::Normal
    }
}

/// The command line; values of parameters that plans hold secret are masked by name there, so here all
/// values are.
fn command(args: &RunArgs) -> Vec<String> {
    let secret = |(name, _): &(String, String)| format!("{name}=...");
    let mut words: Vec<String> = std::env::args().collect();
    for param in &args.selection.params {
        let plain = format!("{}={}", param.0, param.1);
        for word in &mut words {
            *word = word.replace(&plain, &secret(param));
        }
    }
    words
}

fn duration(text: &str) -> Result<Duration, String> {
    let known = humantime::parse_duration(text);
    known.map_err(|_| format!("`{text}` is not a duration such as 30s or 5m"))
}
