//! The actions of steps on nodes, each with its events, the moment of its fault and the check of its effect.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use kplan_dsl::value::{DataFate, PowerKeep};

use crate::{
    cluster::{Acted, Node, NodeState, RigError, Version},
    event::{Event, FaultKind, FaultPhase, LaneState, StepRun, Why},
    history::now_us,
    observer::Vigil,
    stage::{
        Running, Stage,
        faults::{Break, Struck},
        outcome::StepError,
    },
};

/// The last action of the plan on each node.
#[derive(Debug, Default)]
pub struct Wanted(Mutex<BTreeMap<Node, Made>>);

/// The state that a step gave a node, when, and which step.
#[derive(Debug)]
struct Made {
    state: NodeState,
    at_us: i64,
    step: StepRun,
}

impl Wanted {
    /// Records the state that a step gave to nodes, and when.
    pub fn set(&self, nodes: &[Node], state: NodeState, step: &StepRun) {
        let at_us = now_us();
        let mut wanted = self.0.lock().expect("no holder panics");
        wanted.extend(nodes.iter().map(|&n| (n, Made { state, at_us, step: step.clone() })));
    }

    /// The nodes that a step put into this state and that no other step has changed since.
    pub fn made_by(&self, step: &StepRun, state: NodeState) -> Vec<Node> {
        let wanted = self.0.lock().expect("no holder panics");
        let own = wanted.iter().filter(|(_, made)| made.step == *step && made.state == state);
        own.map(|(node, _)| *node).collect()
    }

    /// The state that the plan wants for a node; running if no step changed it.
    pub fn get(&self, node: Node) -> NodeState {
        let wanted = self.0.lock().expect("no holder panics");
        wanted.get(&node).map_or(NodeState::Running, |made| made.state)
    }

    /// When a step last changed the state of a node, monotonic microseconds.
    pub fn since(&self, node: Node) -> Option<i64> {
        self.0.lock().expect("no holder panics").get(&node).map(|made| made.at_us)
    }
}

/// How a broker is taken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    Kill,
    /// Graceful shutdown.
    Stop,
    /// SIGKILL, and the loss of what was not synced.
    Power(PowerKeep),
}

/// Limit of a graceful shutdown before it counts as not graceful.
pub const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Limit until the others list a started broker: KRaft refuses the old session's id for about 9 s,
/// ZooKeeper's session may last 30 s, and on two busy cores a broker with TLS took another 33 s.
pub const JOIN_LIMIT: Duration = Duration::from_secs(120);

impl Stage {
    /// Takes nodes down together and records when that took effect.
    pub async fn take_down(
        &self,
        step: &StepRun,
        nodes: &[Node],
        how: Down,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        for &node in nodes {
            if self.wanted.get(node) == NodeState::Dead {
                return Err(StepError::not_so(format!("{node} is already down")));
            }
        }
        self.all_there_or_excused(step, &running, nodes).await?;
        if let Down::Power(_) = how {
            self.can_lose_power(&running, nodes).await?;
        }
        self.wanted.set(nodes, NodeState::Dead, step);
        let kind = match how {
            Down::Kill => FaultKind::NodeKilled,
            Down::Stop => FaultKind::NodeStopped,
            Down::Power(_) => FaultKind::PowerLost,
        };
        let acted = match how {
            Down::Kill | Down::Power(_) => {
                let vigil = watch(&running, nodes).await;
                running.cluster.kill(nodes).await?;
                vigil.end()
            }
            Down::Stop => {
                let begun = now_us();
                running.cluster.stop(nodes, STOP_LIMIT).await?;
                // A shutdown takes effect from its beginning: the broker moves its leaders away before it ends, and
                // answers meanwhile count.
                begun.into()
            }
        };
        self.bite(step, acted, nodes, kind);
        if let Down::Power(keep) = how {
            self.cut_power(&running, step, nodes, keep).await?;
        }
        Ok(())
    }

    /// Takes down nodes that are still alive because the step that took them down was cut off.
    pub async fn end_taking_down(
        &self,
        step: &StepRun,
        nodes: &[Node],
        how: Down,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        for &node in nodes {
            if running.cluster.state(node).await? == NodeState::Dead {
                continue;
            }
            match how {
                Down::Kill | Down::Power(_) => running.cluster.kill(&[node]).await?,
                Down::Stop => running.cluster.stop(&[node], STOP_LIMIT).await?,
            }
        }
        if let Down::Power(keep) = how {
            self.cut_power(&running, step, nodes, keep).await?;
        }
        Ok(())
    }

    /// Starts nodes together and waits until the living brokers list the started ones.
    pub async fn bring_up(
        &self,
        step: &StepRun,
        nodes: &[Node],
        data: DataFate,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        for &node in nodes {
            let wanted_down = self.wanted.get(node) == NodeState::Dead;
            // It may have ended by itself, as a broker does on a full disk.
            if !wanted_down && running.cluster.state(node).await? != NodeState::Dead {
                return Err(StepError::not_so(format!(
                    "{node} was not killed or stopped: it runs"
                )));
            }
        }
        self.start_again(&running, nodes).await?;
        running.cluster.start(nodes, data).await?;
        self.up(step, &running, nodes, "started").await
    }

    /// Starts nodes that are down with another version, and waits as [`Self::bring_up`] does.
    pub async fn exchange(
        &self,
        step: &StepRun,
        nodes: &[Node],
        version: &Version,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        self.start_again(&running, nodes).await?;
        running.cluster.upgrades()?.exchange(nodes, version).await?;
        self.up(step, &running, nodes, &format!("started with Kafka {version}")).await
    }

    async fn up(
        &self,
        step: &StepRun,
        running: &Running,
        nodes: &[Node],
        word: &str,
    ) -> Result<(), StepError> {
        self.wanted.set(nodes, NodeState::Running, step);
        self.lanes(nodes, LaneState::Starting, Why::step(word, step));
        let brokers = brokers_of(nodes);
        self.joined(running, &brokers, nodes, JOIN_LIMIT).await?;
        self.controlled(running, nodes).await?;
        self.followed(running, nodes).await?;
        self.lanes(nodes, LaneState::Up, "the others list it");
        self.back(nodes);
        Ok(())
    }

    pub async fn pause_nodes(&self, step: &StepRun, nodes: &[Node]) -> Result<(), StepError> {
        let running = self.running()?;
        self.all_there(&running, nodes).await?;
        // Set first: a check that finds them paused must know that the plan paused them.
        self.wanted.set(nodes, NodeState::Paused, step);
        let vigil = watch(&running, nodes).await;
        if let Err(error) = running.cluster.pause(nodes).await {
            self.wanted.set(nodes, NodeState::Running, step);
            return Err(error.into());
        }
        self.bite(step, vigil.end(), nodes, FaultKind::NodePaused);
        Ok(())
    }

    pub async fn thaw(&self, step: &StepRun, nodes: &[Node]) -> Result<(), StepError> {
        let running = self.running()?;
        self.all_there(&running, nodes).await?;
        running.cluster.resume(nodes).await?;
        self.wanted.set(nodes, NodeState::Running, step);
        self.lanes(nodes, LaneState::Up, Why::step("resumed", step));
        self.back(nodes);
        Ok(())
    }

    /// Leaves an external cluster as it was found, and reports in the timeline what was done for it.
    pub async fn give_back(&self, running: &Running) -> Result<(), RigError> {
        let mended = running.cluster.give_back().await;
        let unaltered = match running.cluster.borrowed() {
            true => self.unalter(running).await.map_err(|e| RigError::Other(e.to_string())),
            false => Ok(Vec::new()),
        };
        self.altered.forget();
        for text in mended?.into_iter().chain(unaltered?) {
            let step = self.timeline.newest().unwrap_or_default();
            self.tell.emit(Event::Note { step, text });
        }
        Ok(())
    }

    /// Ends the faults that affected only nodes that are back.
    fn back(&self, nodes: &[Node]) {
        let at_us = now_us();
        self.faults_end(&self.breaks.over(nodes, at_us), at_us);
    }

    /// Waits until every living broker lists `brokers`; a node that dies meanwhile ends the wait.
    pub async fn joined(
        &self,
        running: &Running,
        brokers: &[u32],
        nodes: &[Node],
        limit: Duration,
    ) -> Result<(), StepError> {
        tokio::select! {
            listed = running.observer.all_listed(brokers, limit) => listed.map_err(|view| {
                let alive = view.brokers_alive();
                let what = format!(
                    "not every broker lists {brokers:?}; alive and listed are {alive:?}"
                );
                StepError::not_in_time(what, limit)
            }),
            error = first_death(running, nodes) => Err(error),
        }
    }

    /// Brokers do not list controllers and ZooKeeper: those are back when the cluster has a controller and
    /// they have not ended meanwhile. Without a majority they cannot elect one, and this does not wait.
    async fn controlled(&self, running: &Running, nodes: &[Node]) -> Result<(), StepError> {
        if nodes.iter().all(|n| matches!(n, Node::Broker(_))) {
            return Ok(());
        }
        let all = running.cluster.nodes();
        let controllers = all.iter().filter(|n| matches!(n, Node::Controller(_)));
        let (up, down): (Vec<&Node>, Vec<&Node>) =
            controllers.partition(|n| self.wanted.get(**n) == NodeState::Running);
        if up.len() < down.len() + usize::from(!down.is_empty()) {
            return Ok(());
        }
        tokio::select! {
            known = running.observer.until(JOIN_LIMIT, |view| view.controller) => {
                known.map(drop).map_err(|_| {
                    let what = format!("no controller after the start of {}", names(nodes));
                    StepError::not_in_time(what, JOIN_LIMIT)
                })
            }
            error = first_death(running, nodes) => Err(error),
        }
    }

    fn bite(&self, step: &StepRun, acted: Acted, nodes: &[Node], kind: FaultKind) {
        let (word, state) = match kind {
            FaultKind::NodeStopped => ("stopped", LaneState::Stopped),
            FaultKind::NodePaused => ("paused", LaneState::Paused),
            FaultKind::PowerLost => ("without power", LaneState::Dead),
            _ => ("killed", LaneState::Dead),
        };
        self.lanes_at(acted.from_us, nodes, state, &Why::step(word, step));
        let struck = Struck::Cluster(nodes.iter().copied().collect());
        self.fault_begins(acted, step, kind, struck, &format!("{} {word}", names(nodes)));
    }

    /// Records that a fault took effect, also in the timeline.
    pub fn fault_begins(
        &self,
        acted: Acted,
        step: &StepRun,
        kind: FaultKind,
        struck: Struck,
        what: &str,
    ) {
        let fault = self.breaks.push(acted, step, kind, struck, what);
        self.fault(&fault, fault.at_us, FaultPhase::Begins);
    }

    /// Records in the timeline that faults are over.
    pub fn faults_end(&self, over: &[Break], at_us: i64) {
        over.iter().for_each(|fault| self.fault(fault, at_us, FaultPhase::Ends));
    }

    fn fault(&self, fault: &Break, at_us: i64, phase: FaultPhase) {
        let Break { id, kind, step, what, .. } = fault.clone();
        self.tell.emit_at(at_us, Event::Fault { id, step, phase, kind, what });
    }

    /// Records the current state of nodes in the timeline.
    pub fn lanes(&self, nodes: &[Node], state: LaneState, why: impl Into<Why>) {
        self.lanes_at(now_us(), nodes, state, &why.into());
    }

    /// Records the state of nodes since a moment in the timeline.
    fn lanes_at(&self, at_us: i64, nodes: &[Node], state: LaneState, why: &Why) {
        for node in nodes {
            let (node, why) = (node.to_string(), why.clone());
            self.tell.emit_at(at_us, Event::Node { node, state, why });
        }
    }
}

/// Watches the brokers among nodes during an action.
async fn watch(running: &Running, nodes: &[Node]) -> Vigil {
    let brokers = brokers_of(nodes);
    running.observer.ask().vigil(&brokers, brokers.len() == nodes.len()).await
}

/// `broker 2`, `broker 2 and broker 3`, `broker 1, broker 2 and broker 3`.
pub fn names(nodes: &[Node]) -> String {
    let words: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// Numbers of the brokers among nodes.
pub fn brokers_of(nodes: &[Node]) -> Vec<u32> {
    nodes.iter().filter_map(|n| if let Node::Broker(id) = n { Some(*id) } else { None }).collect()
}

/// Returns when one of the nodes ended while it was starting, or the engine fails to report its state.
async fn first_death(running: &Running, nodes: &[Node]) -> StepError {
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        tick.tick().await;
        for &node in nodes {
            if !matches!(running.cluster.state(node).await, Ok(NodeState::Dead)) {
                continue;
            }
            match running.cluster.obituary(node).await {
                Ok(Some(death)) => return death.into(),
                Ok(None) => {}
                Err(error) => return error.into(),
            }
        }
    }
}
