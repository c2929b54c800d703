//! What steps do to nodes, each with its events, its breaking moment and its proof.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use kplan_dsl::value::DataFate;

use crate::{
    cluster::{Acted, Node, NodeState, RigError, Version},
    event::{Event, FaultPhase, LaneState},
    history::now_us,
    observer::Vigil,
    stage::{Running, Stage, faults::Struck, outcome::StepError},
};

/// What the plan did to each node last.
#[derive(Debug, Default)]
pub struct Wanted(Mutex<BTreeMap<Node, Made>>);

/// What a node was made to be, when, and by which step.
#[derive(Debug)]
struct Made {
    state: NodeState,
    at_us: i64,
    step: String,
}

impl Wanted {
    /// Remembers what a step made of nodes, and when.
    pub fn set(&self, nodes: &[Node], state: NodeState, step: &str) {
        let at_us = now_us();
        let mut wanted = self.0.lock().expect("no holder panics");
        wanted.extend(nodes.iter().map(|&n| (n, Made { state, at_us, step: step.to_owned() })));
    }

    /// The nodes that a step made so, and that nobody made anything else since.
    pub fn made_by(&self, step: &str, state: NodeState) -> Vec<Node> {
        let wanted = self.0.lock().expect("no holder panics");
        let own = wanted.iter().filter(|(_, made)| made.step == step && made.state == state);
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
    pub async fn take_down(&self, step: &str, nodes: &[Node], how: Down) -> Result<(), StepError> {
        let running = self.running()?;
        for &node in nodes {
            if self.wanted.get(node) == NodeState::Dead {
                return Err(StepError::not_so(format!("{node} is down already")));
            }
        }
        self.all_there_or_full(step, &running, nodes).await?;
        self.wanted.set(nodes, NodeState::Dead, step);
        let (state, word) = match how {
            Down::Kill => (LaneState::Dead, "killed"),
            Down::Stop => (LaneState::Stopped, "stopped"),
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
        self.bite(step, acted, nodes, word, state);
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
        step: &str,
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
        step: &str,
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
        step: &str,
        running: &Running,
        nodes: &[Node],
        word: &str,
    ) -> Result<(), StepError> {
        self.wanted.set(nodes, NodeState::Running, step);
        self.lanes(nodes, LaneState::Starting, &format!("{word} by step {step}"));
        let brokers = brokers_of(nodes);
        self.joined(running, &brokers, nodes, JOIN_LIMIT).await?;
        self.controlled(running, nodes).await?;
        self.lanes(nodes, LaneState::Up, "the others list it");
        self.back(nodes);
        Ok(())
    }

    pub async fn freeze(&self, step: &str, nodes: &[Node]) -> Result<(), StepError> {
        let running = self.running()?;
        self.all_there(&running, nodes).await?;
        // Said first: who finds them frozen must know that it was asked for.
        self.wanted.set(nodes, NodeState::Paused, step);
        let vigil = watch(&running, nodes).await;
        if let Err(error) = running.cluster.pause(nodes).await {
            self.wanted.set(nodes, NodeState::Running, step);
            return Err(error.into());
        }
        self.bite(step, vigil.end(), nodes, "paused", LaneState::Paused);
        Ok(())
    }

    pub async fn thaw(&self, step: &str, nodes: &[Node]) -> Result<(), StepError> {
        let running = self.running()?;
        self.all_there(&running, nodes).await?;
        running.cluster.resume(nodes).await?;
        self.wanted.set(nodes, NodeState::Running, step);
        self.lanes(nodes, LaneState::Up, &format!("resumed by step {step}"));
        self.back(nodes);
        Ok(())
    }

    /// Leaves a cluster that is not kplan's as it was found, and says in the timeline what that took.
    pub async fn give_back(&self, running: &Running) -> Result<(), RigError> {
        for text in running.cluster.give_back().await? {
            let step = self.newest_step().unwrap_or_default();
            self.tell.emit(Event::Note { step, text });
        }
        Ok(())
    }

    /// Ends the faults that struck only nodes that are back.
    fn back(&self, nodes: &[Node]) {
        let at_us = now_us();
        for (step, what) in self.breaks.over(nodes, at_us) {
            self.fault(&step, at_us, FaultPhase::Ends, &what);
        }
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

    fn bite(&self, step: &str, acted: Acted, nodes: &[Node], word: &str, state: LaneState) {
        let what = format!("{} {word}", names(nodes));
        self.lanes_at(acted.from_us, nodes, state, &format!("{word} by step {step}"));
        self.breaks.push(acted, step, Struck::Cluster(nodes.iter().copied().collect()), &what);
        self.fault(step, acted.from_us, FaultPhase::Begins, &what);
    }

    /// Tells the timeline that a fault begins or ends.
    pub fn fault(&self, step: &str, at_us: i64, phase: FaultPhase, what: &str) {
        self.tell
            .emit_at(at_us, Event::Fault { step: step.to_owned(), phase, what: what.to_owned() });
    }

    /// Tells the timeline what nodes are now.
    pub fn lanes(&self, nodes: &[Node], state: LaneState, why: &str) {
        self.lanes_at(now_us(), nodes, state, why);
    }

    /// Tells the timeline what nodes have been since a moment.
    fn lanes_at(&self, at_us: i64, nodes: &[Node], state: LaneState, why: &str) {
        for node in nodes {
            let (node, why) = (node.to_string(), why.to_owned());
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
