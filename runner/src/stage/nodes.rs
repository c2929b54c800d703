//! What steps do to nodes, each with its events, its breaking moment and its proof.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use kplan_dsl::value::DataFate;

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

/// What the plan did to each node last.
#[derive(Debug, Default)]
pub struct Wanted(Mutex<BTreeMap<Node, Made>>);

/// What a node was made to be, when, and by which step.
#[derive(Debug)]
struct Made {
    state: NodeState,
    at_us: i64,
    step: StepRun,
}

impl Wanted {
    /// Remembers what a step made of nodes, and when.
    pub fn set(&self, nodes: &[Node], state: NodeState, step: &StepRun) {
        let at_us = now_us();
        let mut wanted = self.0.lock().expect("no holder panics");
        wanted.extend(nodes.iter().map(|&n| (n, Made { state, at_us, step: step.clone() })));
    }

    /// The nodes that a step made so, and that nobody made anything else since.
    pub fn made_by(&self, step: &StepRun, state: NodeState) -> Vec<Node> {
        let wanted = self.0.lock().expect("no holder panics");
        let own = wanted.iter().filter(|(_, made)| made.step == *step && made.state == state);
        own.map(|(node, _)| *node).collect()
    }

    /// What a node is meant to be; running where the plan never touched it.
    pub fn get(&self, node: Node) -> NodeState {
        let wanted = self.0.lock().expect("no holder panics");
        wanted.get(&node).map_or(NodeState::Running, |made| made.state)
    }

    /// When a node was last made what it is, monotonic microseconds.
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
}

/// Limit of a graceful shutdown before it counts as not graceful.
pub const STOP_LIMIT: Duration = Duration::from_secs(60);
/// Limit until the others list a started broker: KRaft refuses the old session's id for about 9 s,
/// ZooKeeper's session may last 30 s, and on two busy cores a broker with TLS took 33 s beside that.
pub const JOIN_LIMIT: Duration = Duration::from_secs(120);

impl Stage {
    /// Takes nodes down together and records when that began to act.
    pub async fn take_down(
        &self,
        step: &StepRun,
        nodes: &[Node],
        how: Down,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        for &node in nodes {
            if self.wanted.get(node) == NodeState::Dead {
                return Err(StepError::not_so(format!("{node} is down already")));
            }
        }
        self.all_there_or_full(step, &running, nodes).await?;
        self.wanted.set(nodes, NodeState::Dead, step);
        let kind = match how {
            Down::Kill => FaultKind::NodeKilled,
            Down::Stop => FaultKind::NodeStopped,
        };
        let acted = match how {
            Down::Kill => {
                let vigil = watch(&running, nodes).await;
                running.cluster.kill(nodes).await?;
                vigil.end()
            }
            Down::Stop => {
                let begun = now_us();
                running.cluster.stop(nodes, STOP_LIMIT).await?;
                // It acts from its beginning: the broker hands its leaders over before it ends, and what is
                // answered meanwhile counts.
                begun.into()
            }
        };
        self.bite(step, acted, nodes, kind);
        Ok(())
    }

    /// Takes those down that were to be taken down and still live, since what did it was cut off.
    pub async fn end_taking_down(&self, nodes: &[Node], how: Down) -> Result<(), StepError> {
        let running = self.running()?;
        for &node in nodes {
            if running.cluster.state(node).await? == NodeState::Dead {
                continue;
            }
            match how {
                Down::Kill => running.cluster.kill(&[node]).await?,
                Down::Stop => running.cluster.stop(&[node], STOP_LIMIT).await?,
            }
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
            // It may have ended by itself: on a full disk a broker does.
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
        self.lanes(nodes, LaneState::Up, "the others list it");
        self.back(nodes);
        Ok(())
    }

    pub async fn freeze(&self, step: &StepRun, nodes: &[Node]) -> Result<(), StepError> {
        let running = self.running()?;
        self.all_there(&running, nodes).await?;
        // Said first: who finds them frozen must know that it was asked for.
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

    /// Leaves a cluster that is not kplan's as it was found, and says in the timeline what that took.
    pub async fn give_back(&self, running: &Running) -> Result<(), RigError> {
        for text in running.cluster.give_back().await? {
            let step = self.timeline.newest().unwrap_or_default();
            self.tell.emit(Event::Note { step, text });
        }
        Ok(())
    }

    /// Ends the faults that struck only nodes that are back.
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

    /// Nobody lists controllers and ZooKeeper: they are back when the cluster has a controller and
    /// they have not ended meanwhile. Too few of them cannot choose one, and are left alone.
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
            _ => ("killed", LaneState::Dead),
        };
        self.lanes_at(acted.from_us, nodes, state, &Why::step(word, step));
        let struck = Struck::Cluster(nodes.iter().copied().collect());
        self.fault_begins(acted, step, kind, struck, &format!("{} {word}", names(nodes)));
    }

    /// A fault acts: it is remembered, and the timeline has it.
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

    /// Faults are over, for the timeline.
    pub fn faults_end(&self, over: &[Break], at_us: i64) {
        over.iter().for_each(|fault| self.fault(fault, at_us, FaultPhase::Ends));
    }

    fn fault(&self, fault: &Break, at_us: i64, phase: FaultPhase) {
        let Break { id, kind, step, what, .. } = fault.clone();
        self.tell.emit_at(at_us, Event::Fault { id, step, phase, kind, what });
    }

    /// Tells the timeline what nodes are now.
    pub fn lanes(&self, nodes: &[Node], state: LaneState, why: impl Into<Why>) {
        self.lanes_at(now_us(), nodes, state, &why.into());
    }

    /// Tells the timeline what nodes have been since a moment.
    fn lanes_at(&self, at_us: i64, nodes: &[Node], state: LaneState, why: &Why) {
        for node in nodes {
            let (node, why) = (node.to_string(), why.clone());
            self.tell.emit_at(at_us, Event::Node { node, state, why });
        }
    }
}

/// Watches the brokers among nodes while something is done to them.
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

/// Returns when one of the nodes ended while it was starting, or the engine cannot say.
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
