//! `kplan clean`: removes what dead runs left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use clap::Args;

use crate::{
    cluster::{
        docker::cleanup::{self, Traces},
        local,
    },
    exit::Exit,
    guardian::{
        has_living_runner, kill_processes, processes_of, runner_lives, runs_with_processes,
    },
};

/// How long killed processes may need to die.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Arguments of `kplan clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Only tell what would be removed.
    #[arg(long)]
    pub dry_run: bool,
    /// Also what belongs to runs that still live.
    #[arg(long)]
    pub all: bool,
}

/// Does it.
#[must_use]
pub fn main(args: &CleanArgs) -> Exit {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        eprintln!("error: cannot start the async runtime");
        return Exit::Rig;
    };
    match runtime.block_on(clean(args)) {
        Ok(()) => Exit::Passed,
        Err(error) => {
            eprintln!("error: {error}");
            Exit::Rig
        }
    }
}

async fn clean(args: &CleanArgs) -> anyhow::Result<()> {
    // Without an engine there may still be processes; that it does not answer is told at the end.
    let (held, missing) = match cleanup::list_runs().await {
        Ok(held) => (held, None),
        Err(error) => (BTreeMap::new(), Some(error)),
    };
    let directories = local::cleanup::list_runs();
    let known = held.keys().chain(directories.keys()).cloned();
    let runs: BTreeSet<String> = known.chain(runs_with_processes()).collect();
    let mut removed = 0;
    for run in runs {
        let traces = held.get(&run);
        let owners = [traces, directories.get(&run)];
        let owned =
            owners.into_iter().flatten().any(Traces::owner_lives) || has_living_runner(&run);
        if (runner_lives(&run) || owned) && !args.all {
            eprintln!("run {run} still lives: left alone (--all takes it too)");
            continue;
        }
        if args.dry_run {
            println!("would remove run {run} with {} processes", processes_of(&run).len());
            continue;
        }
        let processes = kill_processes(&run);
        let mut things = match traces {
            Some(_) => cleanup::remove_run(&run).await?,
            None => Traces::default(),
        };
        things.directories = remove_directories(&run).await?;
        println!("removed run {run}: {}, {processes} processes", told(&things));
        removed += 1;
    }
    if let Some(error) = missing {
        return Err(error.into());
    }
    if removed == 0 && !args.dry_run {
        println!("nothing to remove");
    }
    Ok(())
}

/// Until the last process of the run is dead, something may be written anew.
async fn remove_directories(run: &str) -> std::io::Result<Vec<String>> {
    let end = Instant::now() + LIMIT;
    loop {
        match local::cleanup::remove_run(run) {
            Ok(removed) => return Ok(removed.iter().map(|p| p.display().to_string()).collect()),
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn told(traces: &Traces) -> String {
    let mut text = format!(
        "{} containers, {} networks, {} volumes",
        traces.containers.len(),
        traces.networks.len(),
        traces.volumes.len()
    );
    if !traces.directories.is_empty() {
        text.push_str(&format!(", {} directories", traces.directories.len()));
    }
    text
}
