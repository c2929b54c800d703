//! The actions of steps on the calls of nodes on their disks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    cluster::{Acted, CallDelays, CallErrors, CallFaults, CallsMet, Node, counted},
    event::{Event, FaultKind, StepRun},
    history::now_us,
    stage::{Running, Stage, disks::MetNodes, faults::Struck, nodes::names, outcome::StepError},
};

/// How long a step waits for the first call that its fault meets.
const FIRST_CALL: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);

/// One fault of calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallFault {
    Fail(CallErrors),
    Delay(CallDelays),
}

impl CallFault {
    /// The calls that this fault has met, of all that faults of its node have met.
    fn own(self, met: CallsMet) -> [u64; 3] {
        match self {
            Self::Fail(_) => met.failed,
            Self::Delay(_) => met.delayed,
        }
    }

    /// What happened to these calls.
    fn told(self, calls: [u64; 3]) -> String {
        let calls = counted(calls);
        match self {
            Self::Fail(CallErrors { errno, .. }) => format!("{calls} failed with {errno}"),
            Self::Delay(_) => format!("{calls} took longer"),
        }
    }
}

/// The newest fault of each kind on a node.
#[derive(Debug, Default)]
struct OfNode {
    fails: Option<InForce>,
    delays: Option<InForce>,
}

#[derive(Clone, Debug)]
struct InForce {
    step: StepRun,
    fault: CallFault,
    /// What faults of the node had met before.
    before: CallsMet,
}

impl OfNode {
    fn place(&mut self, fault: CallFault) -> &mut Option<InForce> {
        match fault {
            CallFault::Fail(_) => &mut self.fails,
            CallFault::Delay(_) => &mut self.delays,
        }
    }
}

/// Which faults the calls of nodes have, each by the step that made it last.
#[derive(Debug, Default)]
pub struct DiskCalls {
    all: Mutex<BTreeMap<Node, OfNode>>,
    /// Nodes of which calls were made to fail at some time since their last start.
    met: MetNodes,
}

impl DiskCalls {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Node, OfNode>> {
        self.all.lock().expect("no holder panics")
    }

    /// Whether a node may have ended because the plan made calls on its disk fail.
    pub fn explains(&self, node: Node) -> bool {
        self.met.has(node)
    }

    /// These nodes are started again: from now on only errors that are still in force can explain their end.
    pub fn started(&self, nodes: &[Node]) {
        let all = self.all();
        self.met.started(nodes, |node| all.get(node).is_some_and(|one| one.fails.is_some()));
    }

    /// What befalls the calls of a node now.
    fn of(&self, node: Node) -> CallFaults {
        let mut faults = CallFaults::default();
        let all = self.all();
        let Some(OfNode { fails, delays }) = all.get(&node) else { return faults };
        for one in fails.iter().chain(delays) {
            match one.fault {
                CallFault::Fail(errors) => faults.errors = Some(errors),
                CallFault::Delay(delays) => faults.delays = delays,
            }
        }
        faults
    }

    /// Records a fault of a node; returns the one that it replaces.
    fn put(&self, node: Node, one: InForce) -> Option<InForce> {
        if let CallFault::Fail(_) = one.fault {
            self.met.add(&[node]);
        }
        self.all().entry(node).or_default().place(one.fault).replace(one)
    }

    /// Forgets the faults of a step that no other has replaced; returns them by their nodes.
    fn take(&self, step: &StepRun) -> Vec<(Node, InForce)> {
        let mut all = self.all();
        let own = all.iter_mut().flat_map(|(node, OfNode { fails, delays })| {
            [fails, delays].into_iter().filter_map(move |one| {
                one.take_if(|one| one.step == *step).map(|taken| (*node, taken))
            })
        });
        own.collect()
    }
}

impl Stage {
    /// Makes calls of nodes on their disks fail or take longer; `what` says which.
    pub async fn meet_calls(
        &self,
        step: &StepRun,
        nodes: &[Node],
        fault: CallFault,
        what: &str,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        if let Some(node) = nodes.iter().find(|node| matches!(node, Node::Zookeeper(_))) {
            return Err(StepError::not_so(format!("the disk of {node} cannot be changed")));
        }
        self.all_there(&running, nodes).await?;
        let calls = running.cluster.disk_calls()?;
        let mut acted: Option<Acted> = None;
        for &node in nodes {
            let before = calls.calls_met(node).await?;
            // Recorded first: if the step is cut off, a part of it may be done.
            let older = self.disk_calls.put(node, InForce { step: step.clone(), fault, before });
            let one = calls.set_calls(node, &self.disk_calls.of(node)).await?;
            acted = Some(acted.map_or(one, |all| all.and(one)));
            if let Some(older) = older {
                self.tell_calls(node, &older, before);
            }
        }
        let acted = acted.unwrap_or_else(|| now_us().into());
        let what = format!("disk of {}: {what}", names(nodes));
        let struck = Struck::Cluster(BTreeSet::new());
        self.fault_begins(acted, step, FaultKind::Disk, struck, &what);
        self.first_calls(&running, step, nodes).await
    }

    /// Waits until the fault has met a call of each node, and reports those of which it has not.
    async fn first_calls(
        &self,
        running: &Running,
        step: &StepRun,
        nodes: &[Node],
    ) -> Result<(), StepError> {
        let end = Instant::now() + FIRST_CALL;
        let mut quiet = nodes.to_vec();
        loop {
            let mut rest = Vec::new();
            for node in quiet {
                if self.own_calls(running, step, node).await? == Some([0; 3]) {
                    rest.push(node);
                }
            }
            if rest.is_empty() {
                return Ok(());
            }
            if Instant::now() >= end {
                let text = format!("in {FIRST_CALL:?} the fault met no call of {}", names(&rest));
                self.tell.emit(Event::Note { step: step.clone(), text });
                return Ok(());
            }
            quiet = rest;
            sleep(PAUSE).await;
        }
    }

    /// The calls of a node that a step's fault has met; none if another step has replaced the fault.
    async fn own_calls(
        &self,
        running: &Running,
        step: &StepRun,
        node: Node,
    ) -> Result<Option<[u64; 3]>, StepError> {
        let met = running.cluster.disk_calls()?.calls_met(node).await?;
        let all = self.disk_calls.all();
        let faults = all.get(&node).into_iter().flat_map(|one| one.fails.iter().chain(&one.delays));
        let own = faults.into_iter().find(|one| one.step == *step);
        Ok(own.map(|one| one.fault.own(met.since(one.before))))
    }

    /// Ends what a step did to calls, and reports how many they were. False if the fault has met no call of any node.
    pub async fn spare_calls(&self, step: &StepRun) -> Result<bool, StepError> {
        let running = self.running()?;
        let calls = running.cluster.disk_calls()?;
        let taken = self.disk_calls.take(step);
        let mut any = taken.is_empty();
        for (node, one) in taken {
            calls.set_calls(node, &self.disk_calls.of(node)).await?;
            let met = calls.calls_met(node).await?;
            any |= self.tell_calls(node, &one, met);
        }
        let at_us = now_us();
        self.faults_end(&self.breaks.step_over(step, at_us), at_us);
        Ok(any)
    }

    /// Reports how many calls a fault of a node has met; false if none.
    fn tell_calls(&self, node: Node, one: &InForce, met: CallsMet) -> bool {
        let calls = one.fault.own(met.since(one.before));
        let (step, text) = (one.step.clone(), format!("{node}: {}", one.fault.told(calls)));
        self.tell.emit(Event::Note { step, text });
        calls != [0; 3]
    }
}

#[cfg(test)]
mod tests {
    use kplan_dsl::value::{DiskCall, DiskError, Percent};

    use super::*;

    fn errors(share: f64) -> CallFault {
        let (kind, errno, share) = (DiskCall::Sync, DiskError::Io, Percent(share));
        CallFault::Fail(CallErrors { kind, errno, share })
    }

    fn slow() -> CallFault {
        CallFault::Delay(CallDelays { sync: Duration::from_secs(1), ..CallDelays::default() })
    }

    fn put(calls: &DiskCalls, step: &str, fault: CallFault) -> Option<StepRun> {
        let one = InForce { step: step.into(), fault, before: CallsMet::default() };
        calls.put(Node::Broker(1), one).map(|older| older.step)
    }

    #[test]
    fn a_later_fault_of_a_kind_replaces_the_earlier_and_leaves_the_other_kind() {
        let (calls, node) = (DiskCalls::default(), Node::Broker(1));
        assert_eq!(put(&calls, "1", errors(100.0)), None);
        assert_eq!(put(&calls, "2", slow()), None);
        assert_eq!(put(&calls, "3", errors(50.0)), Some("1".into()));
        let faults = calls.of(node);
        assert_eq!(faults.errors.map(|errors| errors.share), Some(Percent(50.0)));
        assert_eq!(faults.delays.sync, Duration::from_secs(1));
        assert!(calls.take(&"1".into()).is_empty(), "another step has it now");
        assert_eq!(calls.take(&"3".into()).len(), 1);
        assert_eq!(calls.of(node).errors, None);
        assert_eq!(calls.of(node).delays.sync, Duration::from_secs(1));
    }

    #[test]
    fn errors_explain_the_end_of_that_life_and_delays_of_none() {
        let (calls, node) = (DiskCalls::default(), Node::Broker(1));
        put(&calls, "1", slow());
        assert!(!calls.explains(node));
        put(&calls, "2", errors(100.0));
        calls.started(&[node]);
        assert!(calls.explains(node), "they are still in force");
        calls.take(&"2".into());
        assert!(calls.explains(node), "it may have ended before");
        calls.started(&[node]);
        assert!(!calls.explains(node));
    }
}
