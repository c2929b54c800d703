//! Nodes and clients that ended by themselves while the plan ran: the verdict must take them into account.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};

use crate::{
    cluster::{Death, Node, NodeState},
    event::{Event, Reason, ReasonKind, StepRun, Verdict},
    stage::{
        Running, Stage,
        outcome::{Party, StepError},
    },
};

/// Which ends of nodes steps have reported, and the unreported deaths of nodes that were started again.
#[derive(Debug, Default)]
pub struct Ended(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    reported: BTreeSet<Node>,
    past: Vec<Death>,
}

impl Ended {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().expect("no holder panics")
    }

    /// Records that a step reported a node's end.
    pub fn tell(&self, node: Node) {
        self.known().reported.insert(node);
    }

    /// These nodes are started again; no step has reported these deaths.
    fn again(&self, nodes: &[Node], deaths: Vec<Death>) {
        let mut known = self.known();
        known.past.extend(deaths);
        known.reported.retain(|node| !nodes.contains(node));
    }
}

impl Stage {
    /// Records that a step's error reports the client and the node that it names.
    pub fn tells(&self, error: &StepError) {
        match error.own_party() {
            Some(Party::Client(client)) => self.clients.end_reported(&client),
            Some(Party::Node(node)) => self.ended.tell(node),
            Some(Party::Own(_)) | None => {}
        }
    }

    /// How a node ended that the plan did not take down. Not for an external cluster: a node that does not answer
    /// there may be alive.
    async fn own_death(&self, running: &Running, node: Node) -> Result<Option<Death>, StepError> {
        let asked = self.wanted.get(node) == NodeState::Dead;
        if asked || running.cluster.borrowed() {
            return Ok(None);
        }
        if running.cluster.state(node).await? != NodeState::Dead {
            return Ok(None);
        }
        Ok(running.cluster.obituary(node).await?)
    }

    /// Fails if one of a step's nodes has ended by itself.
    pub async fn all_there(&self, running: &Running, nodes: &[Node]) -> Result<(), StepError> {
        for &node in nodes {
            let Some(death) = self.own_death(running, node).await? else { continue };
            return Err(match self.excuse(node) {
                Some(why) => StepError::not_so(format!("{}; {why}", death.words())),
                None => death.into(),
            });
        }
        Ok(())
    }

    /// What the plan did to a node's disk, if that may have ended it.
    fn excuse(&self, node: Node) -> Option<&'static str> {
        let filled = self.full.explains(node).then_some("the plan filled its disk");
        let failed = || {
            let failed = self.disk_calls.explains(node);
            failed.then_some("the plan made calls on its disk fail")
        };
        filled.or_else(failed)
    }

    /// The same for nodes that a step takes down: a node that ended because of what the plan did to its disk is no
    /// error, and its end is reported.
    pub async fn all_there_or_excused(
        &self,
        step: &StepRun,
        running: &Running,
        nodes: &[Node],
    ) -> Result<(), StepError> {
        let mut other = Vec::new();
        for &node in nodes {
            let Some(why) = self.excuse(node) else {
                other.push(node);
                continue;
            };
            if let Some(death) = self.own_death(running, node).await? {
                let (step, text) = (step.clone(), format!("{}; {why}", death.words()));
                self.tell.emit(Event::Note { step, text });
            }
        }
        self.all_there(running, &other).await
    }

    /// Nodes are about to be started: keeps their unreported deaths until the plan's end.
    pub async fn start_again(&self, running: &Running, nodes: &[Node]) -> Result<(), StepError> {
        let mut deaths = Vec::new();
        for &node in nodes {
            deaths.extend(self.unreported_death(running, node).await?);
        }
        self.ended.again(nodes, deaths);
        self.full.started(nodes);
        self.disk_calls.started(nodes);
        Ok(())
    }

    async fn unreported_death(
        &self,
        running: &Running,
        node: Node,
    ) -> Result<Option<Death>, StepError> {
        if self.excuse(node).is_some() || self.ended.known().reported.contains(&node) {
            return Ok(None);
        }
        self.own_death(running, node).await
    }

    /// Each client and node that ended by itself and that no step reported, at the end of the steps. Nodes are
    /// checked only if the rig has worked so far (`holds`): an engine that hangs does not answer.
    pub async fn unreported_ends(&self, holds: bool) -> Vec<Reason> {
        let clients = self.clients.unreported();
        let mut all: Vec<Reason> =
            clients.iter().map(|end| reason(&end.error(), end.last_lines())).collect();
        let mut deaths = std::mem::take(&mut self.ended.known().past);
        if let Some(running) = self.running().ok().filter(|_| holds) {
            for node in running.cluster.nodes() {
                match self.unreported_death(&running, node).await {
                    Ok(death) => deaths.extend(death),
                    Err(error) => {
                        all.push(reason(&error, Vec::new()));
                        break;
                    }
                }
            }
        }
        all.extend(deaths.into_iter().map(|death| {
            let log = death.log_tail.lines().map(str::to_owned).collect();
            let words = death.words();
            Reason { text: format!("{words}{NOT_REPORTED}"), ..reason(&death.into(), log) }
        }));
        all
    }
}

const NOT_REPORTED: &str = "; no step reported it";

fn reason(error: &StepError, evidence: Vec<String>) -> Reason {
    let kind = match error.verdict() {
        Verdict::Broken => ReasonKind::Rig,
        _ => ReasonKind::Ended,
    };
    let text = format!("{}{NOT_REPORTED}", error.words().unwrap_or_default());
    Reason { evidence, ..Reason::new(kind, text) }
}
