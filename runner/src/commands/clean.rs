//! `kplan clean`: removes what dead runs left behind.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Instant};

use clap::Args;

use crate::{
    cluster::{
        RigError,
        backend::{Backend, Setup, Sweep, Traces},
    },
    commands::backend::{BackendName, BackendParser, backends},
    exit::Exit,
    guardian,
    out::{say, tell},
    processes::{
        has_living_runner, kill_processes, processes_of, runner_lives, runs_with_processes,
    },
};

/// Arguments of `kplan clean`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without RUN, removes what every run with a dead runner left behind. With RUN, removes only that run's
leftovers, and only if its runner is dead.

Exit status: 0 removed, or nothing was left; 3 the container engine does not answer, or something could not
be removed; 4 a named run left nothing behind, or is still alive.

Examples:
  kplan clean
  kplan clean 20260301-120000-0badcafe     remove what `kplan run --keep always` kept
  kplan clean .kplan/latest                the same, named by the run's directory
  kplan clean --backend kubernetes         what runs left in the namespace of kubectl's context")]
pub struct CleanArgs {
    /// Clean up only these runs: their ids or directories.
    #[arg(value_name = "RUN")]
    pub runs: Vec<String>,
    /// Only list what would be removed.
    #[arg(long)]
    pub dry_run: bool,
    /// Look in this backend instead of this machine's own, e.g. kubernetes.
    #[arg(long, value_parser = BackendParser)]
    pub backend: Option<BackendName>,
    /// Also remove what belongs to runs that are still alive, including runs of other users.
    #[arg(long)]
    pub all: bool,
}

/// Runs the command.
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

/// The id of a run that the user named by its id or its directory.
fn id_of(named: &str) -> String {
    let path = Path::new(named);
    let dir = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    dir.file_name().map_or_else(|| named.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// What a backend holds of a run.
type HeldThere = (Arc<dyn Backend>, String, Traces);

/// What every backend holds, and why a backend did not answer: without an engine there may still be processes.
async fn held(chosen: Option<&BackendName>) -> (Vec<HeldThere>, Option<RigError>) {
    let (mut held, mut missing) = (Vec::new(), None);
    for backend in backends(chosen, &Setup::default()) {
        match backend.runs().await {
            Ok(runs) => {
                held.extend(runs.into_iter().map(|(run, t)| (Arc::clone(&backend), run, t)))
            }
            Err(error) => missing = Some(error),
        }
    }
    (held, missing)
}

/// Looks until nothing is there any more: the container engine may still be making what a run asked for before it was
/// killed.
async fn clean(args: &CleanArgs, said: &mut String) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let Cleaned { mut removed, left_alone } = look(args, false, said).await?;
    while !args.dry_run && begun.elapsed() < guardian::LIMIT {
        tokio::time::sleep(guardian::LOOK).await;
        let more = look(args, true, said).await?.removed;
        if more == 0 {
            break;
        }
        removed += more;
    }
    if removed == 0 && !args.dry_run && !left_alone {
        said.push_str("nothing to remove\n");
    }
    Ok(if left_alone { Exit::Nothing } else { Exit::Passed })
}

/// What one look found.
struct Cleaned {
    /// Runs of which something was removed.
    removed: usize,
    /// True if a named run left nothing behind, or is alive.
    left_alone: bool,
}

/// Removes what dead runs left. A look that is not the first says only what it removes.
async fn look(args: &CleanArgs, again: bool, said: &mut String) -> anyhow::Result<Cleaned> {
    let (held, missing) = held(args.backend.as_ref()).await;
    let known = held.iter().map(|(_, run, _)| run.clone());
    let mut runs: BTreeSet<String> = known.chain(runs_with_processes()).collect();
    let named: Vec<String> = args.runs.iter().map(|run| id_of(run)).collect();
    let mut looked = Cleaned { removed: 0, left_alone: false };
    if !named.is_empty() {
        runs.retain(|run| named.contains(run));
        for run in named.iter().filter(|run| !again && !runs.contains(*run)) {
            tell!("run {} left nothing behind", kplan_dsl::visible::one_line(run));
            looked.left_alone = true;
        }
    }
    for run in runs {
        // Whether a runner on another machine is alive cannot be known: a user who names its run decides.
        let lives = if named.is_empty() { Traces::owner_lives } else { Traces::owner_lives_here };
        let own = || held.iter().filter(|(_, of, _)| *of == run);
        let owned = own().any(|(_, _, traces)| lives(traces)) || has_living_runner(&run);
        if (runner_lives(&run) || owned) && !args.all {
            if !again {
                tell!("run {run} is still alive: not removed (--all removes it too)");
            }
            looked.left_alone |= !named.is_empty();
            continue;
        }
        if args.dry_run {
            let count = processes_of(&run).len();
            said.push_str(&format!("would remove run {run} with {count} processes\n"));
            continue;
        }
        let processes = kill_processes(&run);
        said.push_str(&format!("removed run {run}: "));
        for (backend, ..) in own() {
            let traces = backend.sweep(&run, Sweep::All).await?;
            said.push_str(&format!("{}, ", traces.counts()));
        }
        said.push_str(&format!("{processes} processes\n"));
        looked.removed += 1;
    }
    // A backend that does not answer is an error; it is reported at the end.
    missing.map_or(Ok(looked), |error| Err(error.into()))
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
