//! What is known of the cluster around each step, for hints and for the meaning of targets.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::backend::Abilities;
use crate::follow::{self, StepStates};
use crate::ground::{KnownCluster, KnownState, Liveness};
use crate::library::Library;
use crate::plan::Plan;
use crate::source::{FileId, Sources};
use crate::value::{FromText as _, PartitionRef};
use crate::words;

/// What is known around each step of a plan.
#[derive(Debug, Clone)]
pub struct PlanStates {
    sources: Arc<Sources>,
    steps: Vec<StepStates>,
}

/// A few words behind a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateHint {
    /// The byte behind which they stand: the end of the step's first line.
    pub at: u32,
    /// The words.
    pub text: String,
    /// More about it.
    pub more: String,
}

impl PlanStates {
    /// Follows a plan.
    pub fn of(plan: &Plan, backend: &Abilities) -> Self {
        let library = Library::of_sources((*plan.sources).clone());
        let steps = follow::states(plan, backend, &library);
        Self { sources: Arc::clone(&plan.sources), steps }
    }

    fn file(&self, path: &Path) -> Option<FileId> {
        self.sources.iter().find(|(_, source)| source.path() == path).map(|(file, _)| file)
    }

    /// The state of the cluster after each step of a file. Of the rounds of a loop the last one counts.
    pub fn hints(&self, path: &Path) -> Vec<StateHint> {
        let Some(file) = self.file(path) else { return Vec::new() };
        let Some(source) = self.sources.get(file) else { return Vec::new() };
        let mut all = BTreeMap::new();
        for step in self.steps.iter().filter(|step| step.span.file == file) {
            let Some(cluster) = &step.after.cluster else { continue };
            let line = source.line(step.span.start);
            let start =
                source.text()[..step.span.start as usize].rfind('\n').map_or(0, |at| at + 1);
            let end = start + source.lines(line, line).len();
            let at = u32::try_from(end).unwrap_or(u32::MAX);
            let hint = StateHint { at, text: alive(cluster), more: lives(&step.after, cluster) };
            all.insert(at, hint);
        }
        all.into_values().collect()
    }

    /// The state before the innermost step at a byte of a file.
    pub(super) fn before(&self, path: &Path, byte: u32) -> Option<&KnownState> {
        let file = self.file(path)?;
        let holds = |step: &&StepStates| {
            step.span.file == file && step.span.start <= byte && byte <= step.span.end
        };
        let steps = self.steps.iter().filter(holds);
        steps.min_by_key(|step| step.span.end - step.span.start).map(|step| &step.before)
    }
}

/// `alive 2 of 3`.
fn alive(cluster: &KnownCluster) -> String {
    let up = cluster.count(|life| life == Liveness::Up);
    let maybe = cluster.count(|life| life == Liveness::Maybe);
    let paused = cluster.count(|life| life == Liveness::Paused);
    let mut text = match maybe {
        0 => format!("alive {up} of {}", cluster.brokers),
        _ => format!("alive {up} to {} of {}", up + maybe, cluster.brokers),
    };
    if paused > 0 {
        text.push_str(&format!(", {paused} paused"));
    }
    if cluster.quorum_is_lost() {
        text.push_str(", no quorum");
    }
    text
}

/// The state of each node.
fn lives(state: &KnownState, cluster: &KnownCluster) -> String {
    let node = |n: u32| if cluster.is_dedicated(n) { "controller" } else { "broker" };
    let mut lines: Vec<String> = cluster
        .lives
        .iter()
        .map(|(n, life)| format!("- {} {n}: {}", node(*n), word(*life)))
        .collect();
    match cluster.named().count() {
        0 => lines.push(format!("- every broker: {}", word(cluster.others))),
        n if n < cluster.brokers as usize => {
            lines.push(format!("- every other broker: {}", word(cluster.others)));
        }
        _ => {}
    }
    let topics =
        state.topics.iter().filter(|(_, topic)| !topic.gone).map(|(name, _)| format!("`{name}`"));
    let topics: Vec<String> = topics.collect();
    if !topics.is_empty() {
        lines.push(format!("- topics: {}", topics.join(", ")));
    }
    lines.push("- which broker leads is known only while the plan runs".to_owned());
    format!("After this step, as far as it is known before the run:\n\n{}", lines.join("\n"))
}

fn word(life: Liveness) -> &'static str {
    match life {
        Liveness::Up => "running",
        Liveness::Down => "down",
        Liveness::Stopped => "stopped",
        Liveness::Paused => "paused",
        Liveness::Maybe => "not known",
    }
}

/// Which brokers a target can mean in a state: `key` is its key or word, `text` the value of the key.
pub(super) fn candidates(state: &KnownState, key: &str, text: &str) -> Option<String> {
    let cluster = state.cluster.as_ref()?;
    let brokers: Vec<u32> = cluster.named().collect();
    let controllers = || cluster.lives.keys().copied().filter(|n| cluster.is_dedicated(*n));
    let placed = || {
        let partition = PartitionRef::from_text(text).ok()?;
        let topic = state.topics.get(partition.topic.as_str())?;
        topic.assignment.as_ref()?.get(partition.partition as usize).cloned()
    };
    if !cluster.knows_all() && placed().is_none() {
        return None;
    }
    let (mut able, living) = match key {
        "leader_of" => (placed().unwrap_or(brokers), true),
        "followers_of" => (placed().unwrap_or(brokers), false),
        "coordinator_of" | "transaction_coordinator_of" => (brokers, true),
        "random" | "all" => (brokers, false),
        "controller" if cluster.controllers > 0 => (controllers().collect(), true),
        "controller" => (brokers, true),
        "controllers" => (controllers().collect(), false),
        _ => return None,
    };
    let down = |number: &u32| {
        let life = cluster.life(*number);
        life.filter(|life| !matches!(life, Liveness::Up | Liveness::Maybe))
    };
    let gone: Vec<String> =
        able.iter().filter_map(|n| down(n).map(|life| format!("{n} is {}", word(life)))).collect();
    if living {
        able.retain(|number| down(number).is_none());
    }
    let all = words::list(&able);
    let can = match able.len() {
        0 => "Here it means no broker".to_owned(),
        1 => format!("Here it can only mean {all}"),
        _ if matches!(key, "all" | "controllers") => format!("Here it means {all}"),
        _ => format!("Here it can mean {}", all.replace(" and ", " or ")),
    };
    let gone = if gone.is_empty() { String::new() } else { format!(" ({})", gone.join(", ")) };
    Some(format!("{can}{gone}. It is chosen when the step runs."))
}
