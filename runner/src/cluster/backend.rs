//! Backends: where clusters run. [`Backend`] abstracts all differences between them; the roster names them, and
//! nothing outside a backend's own folder does.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::{Abilities, BackendFile, Capability, Diagnostic, Sources};

use super::{Cluster, ClusterSpec, RigError};
use crate::processes;

/// Memory of one node: its heap of 384 MiB and the other memory of a JVM (340 to 420 MiB resident were
/// measured).
pub(super) const NODE_BYTES: u64 = 450 << 20;
/// How long the leftovers of a dead runner are looked for: what it had requested may appear after its death.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Where clusters run. One value serves all suites of a run, also in parallel.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;
    /// What it can do, without asking an engine or a cluster: plans are checked against it.
    fn abilities(&self) -> Abilities;
    /// True if its clusters are simulated.
    fn simulated(&self) -> bool {
        false
    }
    /// librdkafka settings that every client of its clusters needs.
    fn client_config(&self) -> IndexMap<String, String> {
        IndexMap::new()
    }
    /// Whether an ability of [`Self::abilities`] is missing all the same, because its engine refuses it.
    async fn lacks(&self, _needed: Capability) -> Result<bool, RigError> {
        Ok(false)
    }
    /// Checks that it answers: one clear message before anything is created, instead of a broken step in each plan.
    async fn reach(&self) -> Result<(), RigError> {
        Ok(())
    }
    /// Fetches what these versions of Kafka need, so that it does not count as time of a plan.
    async fn prepare(&self, _versions: &BTreeSet<String>, _run: &str) -> Result<(), RigError> {
        Ok(())
    }
    /// Starts a cluster's processes, or attaches to the cluster that exists. The caller observes whether the
    /// brokers find each other. After an error nothing is left behind: [`RigError::Missing`] when something that
    /// it needs does not exist (nothing was started then), [`RigError::NodeExited`] when a node ended at once,
    /// [`RigError::Unsupported`] for what the backend cannot do.
    async fn launch(&self, spec: ClusterSpec) -> Result<Arc<dyn Cluster>, RigError>;
    /// Every run that left something behind, by id.
    async fn runs(&self) -> Result<BTreeMap<String, Traces>, RigError> {
        Ok(BTreeMap::new())
    }
    /// Removes what is left of a run whose processes are dead. Returns what it found.
    async fn sweep(&self, _run: &str, _how: Sweep) -> Result<Traces, RigError> {
        Ok(Traces::default())
    }
    /// Lets what is left of a run outlive this process.
    async fn keep(&self, _run: &str) -> Result<(), RigError> {
        Ok(())
    }
    /// How long a dead runner's guardian waits for an engine that does not answer: when the engine comes back, it
    /// still holds what the run left.
    fn patience(&self) -> Duration {
        LOOK_LIMIT
    }
    /// The lines of `kplan doctor` about it.
    async fn examine(&self) -> Vec<Line>;
    /// Bytes of this machine's memory that one node takes.
    fn node_bytes(&self) -> u64 {
        0
    }
    /// The most suites that run at once; none: limited only by this machine.
    fn at_once(&self) -> Option<u32> {
        None
    }
    /// Whether a running cluster is handed on from one plan to the next that declares the same one.
    fn hands_on(&self) -> bool {
        false
    }
}

/// A backend's entry in the roster: how the command line names it, and how it is created.
pub trait Enrolled: Backend + Sized + 'static {
    const NAME: &'static str;
    /// One line of help.
    const ABOUT: &'static str;
    /// Its syntax on the command line: `NAME`, or `NAME=FILE` if it needs a file.
    const USAGE: &'static str = Self::NAME;
    /// Whether commands without `--backend` look at it too: what it needs is on this machine.
    const STANDING: bool = true;

    /// Creates it; asks no engine or cluster, and reads only its file.
    fn choose(setup: Setup) -> Chosen;
}

/// The command line's settings of a backend.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The file of `NAME=FILE`.
    pub file: Option<PathBuf>,
    /// Image template of the command line.
    pub image: Option<String>,
    /// Kafka's directory on this machine.
    pub kafka_dir: Option<String>,
    /// Abilities that were found to be missing ([`Backend::lacks`]).
    pub lacks: BTreeSet<Capability>,
    /// Finds the mistakes in a backend file that only librdkafka knows.
    pub refused: fn(&BackendFile) -> Vec<Diagnostic>,
}

impl Default for Setup {
    fn default() -> Self {
        let (file, image, kafka_dir) = (None, None, None);
        Self { file, image, kafka_dir, lacks: BTreeSet::new(), refused: |_| Vec::new() }
    }
}

/// The chosen backend, and the diagnostics of its file.
pub struct Chosen {
    pub backend: Arc<dyn Backend>,
    pub reported: Option<(Vec<Diagnostic>, Arc<Sources>)>,
}

impl Chosen {
    /// A backend without a file.
    pub(super) fn plain(backend: impl Backend + 'static) -> Self {
        Self { backend: Arc::new(backend), reported: None }
    }
}

/// An entry of the roster.
#[derive(Clone, Copy)]
pub struct BackendKind {
    pub name: &'static str,
    pub about: &'static str,
    pub usage: &'static str,
    pub standing: bool,
    pub choose: fn(Setup) -> Chosen,
}

impl BackendKind {
    const fn of<B: Enrolled>() -> Self {
        Self {
            name: B::NAME,
            about: B::ABOUT,
            usage: B::USAGE,
            standing: B::STANDING,
            choose: B::choose,
        }
    }

    /// Whether its syntax is `NAME=FILE`.
    pub fn takes_file(&self) -> bool {
        self.usage != self.name
    }
}

impl PartialEq for BackendKind {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for BackendKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! backends {
    ($($backend:path,)+) => {
        /// Every backend, in the order of help.
        pub const ROSTER: &[BackendKind] = &[$(BackendKind::of::<$backend>()),+];
    };
}

backends! {
    super::docker::DockerBackend,
    super::local::LocalBackend,
    super::kubernetes::KubernetesBackend,
    super::external::ExternalBackend,
    super::embedded::EmbeddedBackend,
}

/// Every backend of this machine that needs no file: these can list what they hold here.
pub fn standing(setup: &Setup) -> Vec<Arc<dyn Backend>> {
    let plain = ROSTER.iter().filter(|kind| kind.standing && !kind.takes_file());
    plain.map(|kind| (kind.choose)(setup.clone()).backend).collect()
}

/// The command that removes what a run of a backend left behind.
pub fn clean_command(backend: &str, run: &str) -> String {
    let apart = ROSTER.iter().any(|kind| kind.name == backend && !kind.standing);
    let option = if apart { format!("--backend {backend} ") } else { String::new() };
    format!("kplan clean {option}{run}")
}

/// What a backend holds of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The process that started the run ([`processes::owner`]), if known.
    pub owner: Option<String>,
    /// Names by kind, e.g. `containers`.
    pub things: BTreeMap<&'static str, Vec<String>>,
}

impl Traces {
    /// Nothing is left.
    pub fn is_empty(&self) -> bool {
        self.things.values().all(Vec::is_empty)
    }

    /// How many of each kind: `3 containers, 1 networks`.
    pub fn counts(&self) -> String {
        let counts = self.things.iter().map(|(what, names)| format!("{} {what}", names.len()));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// The process that started the run is one of this machine, and is alive.
    pub fn owner_lives_here(&self) -> bool {
        self.owner.as_deref().is_some_and(processes::owner_lives_here)
    }

    /// The process that started the run is still alive. False without a label.
    pub fn owner_lives(&self) -> bool {
        self.owner.as_deref().is_some_and(processes::owner_lives)
    }
}

/// How thoroughly a run's leftovers are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// The run ended by itself and has no request under way: one look that finds nothing is enough.
    Rest,
    /// The run was interrupted: the engine may still be serving one of its requests.
    All,
}

/// The state of one thing that `kplan doctor` checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    /// Some plans need it.
    Lacks,
    /// No plan runs without it.
    Missing,
}

/// One line of `kplan doctor`.
#[derive(Debug)]
pub struct Line {
    pub what: String,
    pub state: Health,
    pub found: String,
    pub mend: Option<String>,
}

impl Line {
    pub fn good(what: &str, found: String) -> Self {
        Self { what: what.to_owned(), state: Health::Good, found, mend: None }
    }

    pub fn missing(what: &str, error: &RigError) -> Self {
        let (found, mend) = match error {
            RigError::Missing { what, help } => (what.clone(), Some(help.clone())),
            other => (other.to_string(), None),
        };
        Self { what: what.to_owned(), state: Health::Missing, found, mend }
    }

    /// The same for something that plans can run without.
    pub fn lacking(what: &str, error: &RigError) -> Self {
        Self { state: Health::Lacks, ..Self::missing(what, error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_label_no_process_owns_it() {
        assert!(!Traces::default().owner_lives() && !Traces::default().owner_lives_here());
        assert!(Traces::default().is_empty());
        let none = Traces { things: [("volumes", Vec::new())].into(), ..Traces::default() };
        assert!(none.is_empty() && none.counts() == "0 volumes");
    }

    #[test]
    fn every_backend_is_called_what_the_roster_says() {
        for kind in ROSTER {
            let chosen = (kind.choose)(Setup::default());
            assert_eq!(chosen.backend.name(), kind.name);
            assert_eq!(chosen.backend.abilities().backend, kind.name);
        }
    }

    /// Only some backends look, and these must not promise what they found missing.
    #[test]
    fn what_was_found_missing_is_no_ability() {
        for missing in [Capability::NetworkPartition, Capability::FullDisk, Capability::PowerLoss] {
            for kind in ROSTER {
                let setup = Setup { lacks: [missing].into(), ..Setup::default() };
                let can = (kind.choose)(setup).backend.abilities().can;
                let mut expected = (kind.choose)(Setup::default()).backend.abilities().can;
                if ["docker", "kubernetes"].contains(&kind.name) {
                    expected.remove(&missing);
                }
                assert_eq!(can, expected, "{} without {missing:?}", kind.name);
            }
        }
    }

    #[test]
    fn what_cleans_up_names_a_backend_that_is_not_this_machines() {
        assert_eq!(clean_command("docker", "r"), "kplan clean r");
        assert_eq!(clean_command("kubernetes", "r"), "kplan clean --backend kubernetes r");
        assert_eq!(clean_command("a backend of an older kplan", "r"), "kplan clean r");
    }
}
