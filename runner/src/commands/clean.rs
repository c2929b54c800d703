//! `kplan clean`: removes what dead runs left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
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
    out::{say, tell},
};

/// How long killed processes may need to die.
const LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Arguments of `kplan clean`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without RUN: what every run left whose runner is dead. With it: only that run, if it does not live.

Exit status: 0 removed, or nothing is left; 3 the container engine does not answer, or something could not
be removed; 4 a run that was named left nothing, or still lives.

Examples:
  kplan clean
  kplan clean 20260301-120000-0badcafe     what `kplan run --keep always` kept
  kplan clean .kplan/latest                the same by the run's directory")]
pub struct CleanArgs {
    /// Only these runs: their ids, or their directories.
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// Only tell what would be removed.
    #[arg(long)]
    pub dry_run: bool,
    /// Also what belongs to runs that still live, other people's among them.
    #[arg(long)]
    pub all: bool,
}

/// Does it.
pub fn main(args: &CleanArgs) -> Exit {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        tell!("error: cannot start the async runtime");
        return Exit::Rig;
    };
    let mut said = String::new();
    let exit = match runtime.block_on(clean(args, &mut said)) {
        Ok(exit) => exit,
        Err(error) => {
            tell!("error: {error}");
            Exit::Rig
        }
    };
    say(&said, exit)
}

/// The id of a run that is named by it, or by its directory.
fn id_of(named: &str) -> String {
    let path = Path::new(named);
    let dir = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    dir.file_name().map_or_else(|| named.to_owned(), |name| name.to_string_lossy().into_owned())
}

async fn clean(args: &CleanArgs, said: &mut String) -> anyhow::Result<Exit> {
    // Without an engine there may still be processes; that it does not answer is told at the end.
    let (held, missing) = match cleanup::list_runs().await {
        Ok(held) => (held, None),
        Err(error) => (BTreeMap::new(), Some(error)),
    };
    let directories = local::cleanup::list_runs();
    let known = held.keys().chain(directories.keys()).cloned();
    let mut runs: BTreeSet<String> = known.chain(runs_with_processes()).collect();
    let named: Vec<String> = args.runs.iter().map(|run| id_of(run)).collect();
    let mut left_alone = false;
    if !named.is_empty() {
        runs.retain(|run| named.contains(run));
        for run in named.iter().filter(|run| !runs.contains(*run)) {
            tell!("nothing is left of run {}", kplan_dsl::visible::one_line(run));
            left_alone = true;
        }
    }
    let mut removed = 0;
    for run in runs {
        let traces = held.get(&run);
        let owners = [traces, directories.get(&run)];
        // Whether a runner of another machine lives cannot be known: who names its run knows.
        let owner = if named.is_empty() { Traces::owner_lives } else { Traces::owner_lives_here };
        let owned = owners.into_iter().flatten().any(owner) || has_living_runner(&run);
        if (runner_lives(&run) || owned) && !args.all {
            tell!("run {run} still lives: left alone (--all takes it too)");
            left_alone |= !named.is_empty();
            continue;
        }
        if args.dry_run {
            let count = processes_of(&run).len();
            said.push_str(&format!("would remove run {run} with {count} processes\n"));
            continue;
        }
        let processes = kill_processes(&run);
        let mut things = match traces {
            Some(_) => cleanup::remove_run(&run).await?,
            None => Traces::default(),
        };
        things.directories = remove_directories(&run).await?;
        said.push_str(&format!("removed run {run}: {}, {processes} processes\n", told(&things)));
        removed += 1;
    }
    if let Some(error) = missing {
        return Err(error.into());
    }
    if removed == 0 && !args.dry_run && !left_alone {
        said.push_str("nothing to remove\n");
    }
    Ok(if left_alone { Exit::Nothing } else { Exit::Passed })
}

/// Until the last process of the run is dead, something may be written anew.
async fn remove_directories(run: &str) -> std::io::Result<Vec<String>> {
    let end = Instant::now() + LIMIT;
    loop {
        match local::cleanup::remove_run(run) {
            Ok(removed) => {
                return Ok(removed.iter().map(|p| p.to_string_lossy().into_owned()).collect());
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_id_or_its_directory() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let run = dir.path().join("20260301-120000-0badcafe");
        std::fs::create_dir(&run).expect("a directory");
        std::os::unix::fs::symlink(&run, dir.path().join("latest")).expect("a link");
        let latest = dir.path().join("latest");
        for named in ["20260301-120000-0badcafe", &run.to_string_lossy(), &latest.to_string_lossy()]
        {
            assert_eq!(id_of(named), "20260301-120000-0badcafe");
        }
        assert_eq!(id_of("/"), "/");
    }
}
