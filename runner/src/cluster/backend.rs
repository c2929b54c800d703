//! Backends: where clusters come from. What differs from one to the other is asked of [`Backend`]; the roster
//! names them, and nothing outside a backend's own folder does.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::{Abilities, BackendFile, Diagnostic, Sources};

use super::{Cluster, ClusterSpec, RigError};
use crate::processes;

/// Memory that one node takes: its heap of 384 MiB and what a Java machine needs beside it (340 to 420 MiB
/// resident were measured).
pub(super) const NODE_BYTES: u64 = 450 << 20;
/// How long what a dead runner left is looked for: what it had asked for may appear only after it.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Where clusters come from. One value serves a whole run, all its suites at once.
#[async_trait]
pub trait Backend: Send + Sync {
    /// As the command line calls it.
    fn name(&self) -> &'static str;
    /// What it can do, without asking anybody: what plans are checked for.
    fn abilities(&self) -> Abilities;
    /// True where results are of a simulation.
    fn simulated(&self) -> bool {
        false
    }
    /// librdkafka settings that every client of its clusters needs.
    fn client_config(&self) -> IndexMap<String, String> {
        IndexMap::new()
    }
    /// Whether it answers: one clear message before anything is made, instead of one broken step for each plan.
    async fn reach(&self) -> Result<(), RigError> {
        Ok(())
    }
    /// Gets what these versions of Kafka need, so that no plan's time goes into it.
    async fn prepare(&self, _versions: &BTreeSet<String>, _run: &str) -> Result<(), RigError> {
        Ok(())
    }
    /// Starts a cluster's processes, or attaches to the cluster that exists. Whether the brokers found each
    /// other is observed by the caller; after an error nothing is left behind: [`RigError::Missing`] when
    /// something that it needs is not there (nothing was started then), [`RigError::NodeExited`] when a node
    /// ended at once, [`RigError::Unsupported`] for what the backend cannot do.
    async fn launch(&self, spec: ClusterSpec) -> Result<Arc<dyn Cluster>, RigError>;
    /// Every run of which something is left, by id.
    async fn runs(&self) -> Result<BTreeMap<String, Traces>, RigError> {
        Ok(BTreeMap::new())
    }
    /// Removes what is left of a run whose processes are dead. Returns what it found.
    async fn sweep(&self, _run: &str, _how: Sweep) -> Result<Traces, RigError> {
        Ok(Traces::default())
    }
    /// How long a dead runner's guardian waits for a place that does not answer: what it held is still there
    /// when it comes back.
    fn patience(&self) -> Duration {
        LOOK_LIMIT
    }
    /// What `kplan doctor` tells of it.
    async fn examine(&self) -> Vec<Line>;
    /// Bytes of this machine's memory that one node takes.
    fn node_bytes(&self) -> u64 {
        0
    }
    /// The most suites that run at once; none: as many as this machine carries.
    fn at_once(&self) -> Option<u32> {
        None
    }
    /// Whether a cluster goes on warm from one plan to the next that declares the same one.
    fn hands_on(&self) -> bool {
        false
    }
}

/// A backend's line of the roster: how the command line names it, and how it is made.
pub trait Enrolled: Backend + Sized + 'static {
    const NAME: &'static str;
    /// What it is, in a line of help.
    const ABOUT: &'static str;
    /// As the command line takes it: `NAME`, or `NAME=FILE` where it is named with a file.
    const USAGE: &'static str = Self::NAME;

    /// Makes it; asks nobody, and reads no more than its file.
    fn choose(setup: Setup) -> Chosen;
}

/// What the command line says to a backend.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The file it was named with.
    pub file: Option<PathBuf>,
    /// Image template of the command line.
    pub image: Option<String>,
    /// Where this machine has Kafka.
    pub kafka_dir: Option<String>,
    /// What only librdkafka can tell of a backend file.
    pub refused: fn(&BackendFile) -> Vec<Diagnostic>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { file: None, image: None, kafka_dir: None, refused: |_| Vec::new() }
    }
}

/// A backend that was named, and what is wrong with its file.
pub struct Chosen {
    pub backend: Arc<dyn Backend>,
    pub told: Option<(Vec<Diagnostic>, Arc<Sources>)>,
}

impl Chosen {
    /// One without a file.
    pub(super) fn plain(backend: impl Backend + 'static) -> Self {
        Self { backend: Arc::new(backend), told: None }
    }
}

/// A line of the roster.
#[derive(Clone, Copy)]
pub struct BackendKind {
    pub name: &'static str,
    pub about: &'static str,
    pub usage: &'static str,
    pub choose: fn(Setup) -> Chosen,
}

impl BackendKind {
    const fn of<B: Enrolled>() -> Self {
        Self { name: B::NAME, about: B::ABOUT, usage: B::USAGE, choose: B::choose }
    }

    /// It is named with a file.
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
    super::external::ExternalBackend,
    super::embedded::EmbeddedBackend,
}

/// Every backend that needs no file: those that can be asked what this machine holds.
pub fn standing(setup: &Setup) -> Vec<Arc<dyn Backend>> {
    let plain = ROSTER.iter().filter(|kind| !kind.takes_file());
    plain.map(|kind| (kind.choose)(setup.clone()).backend).collect()
}

/// What a place holds of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// The process that started it ([`processes::owner`]), where that is known.
    pub owner: Option<String>,
    /// Names by what they are, e.g. `containers`.
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

    /// The process that started it is one of this machine, and lives.
    pub fn owner_lives_here(&self) -> bool {
        self.owner.as_deref().is_some_and(processes::owner_lives_here)
    }

    /// The process that started it still lives. Without a label nobody is known to.
    pub fn owner_lives(&self) -> bool {
        self.owner.as_deref().is_some_and(processes::owner_lives)
    }
}

/// How thoroughly what a run left is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// It came to its own end and has no request under way: a look that finds nothing is enough.
    Rest,
    /// It was broken off: a request of its may still be being served.
    All,
}

/// How one thing that `kplan doctor` looked at stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    /// Some plans need it.
    Lacks,
    /// No plan runs without it.
    Missing,
}

/// One line of what `kplan doctor` tells.
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

    /// The same, where plans run without it.
    pub fn lacking(what: &str, error: &RigError) -> Self {
        Self { state: Health::Lacks, ..Self::missing(what, error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_label_nobody_owns_it() {
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
}
