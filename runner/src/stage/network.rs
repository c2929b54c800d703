//! The network faults of steps, each with the check of its effect.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};

use crate::{
    cluster::{Network, Node},
    event::{FaultKind, StepRun},
    history::now_us,
    stage::{Running, Stage, faults::Struck, outcome::StepError},
};

/// The faults of the network in force, by the step that made each, oldest first.
#[derive(Debug, Default)]
pub struct Disturbed(Mutex<Vec<Fault>>);

#[derive(Clone, Debug)]
struct Fault {
    step: StepRun,
    network: Network,
}

impl Disturbed {
    fn all(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.0.lock().expect("no holder panics")
    }

    /// A new cluster has a whole network.
    pub fn forget(&self) {
        self.all().clear();
    }

    /// All network faults now.
    pub fn sum(&self) -> Network {
        let mut sum = Network::default();
        for fault in self.all().iter() {
            sum.add(&fault.network);
        }
        sum
    }

    fn push(&self, fault: Fault) {
        self.all().push(fault);
    }

    /// Removes the faults of a step, or all.
    fn take(&self, step: Option<&StepRun>) -> Vec<Fault> {
        let is_meant = |fault: &mut Fault| step.is_none_or(|s| *s == fault.step);
        self.all().extract_if(.., is_meant).collect()
    }
}

impl Stage {
    /// Adds a network fault to those in force, and checks that it has its effect. If it fails, it is
    /// undone.
    pub async fn disturb(
        &self,
        step: &StepRun,
        network: Network,
        what: String,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        let way = running.cluster.network()?;
        let before = self.disturbed.sum();
        let hidden: BTreeSet<Node> =
            network.unreachable.difference(&before.unreachable).copied().collect();
        self.disturbed.push(Fault { step: step.clone(), network });
        let acted = match way.set_network(&self.disturbed.sum()).await {
            Ok(acted) => acted,
            Err(error) => {
                self.disturbed.take(Some(step));
                // The first error is reported; what cannot be undone now is removed with the cluster.
                let _ = way.set_network(&before).await;
                return Err(error.into());
            }
        };
        let struck = Struck::Cluster(BTreeSet::new());
        self.fault_begins(acted, step, FaultKind::Network, struck, &what);
        way.try_network(&before).await?;
        hidden_from_here(&running, &hidden).await
    }

    /// Undoes the network faults of one step, or of every step, and checks that packets pass again.
    pub async fn heal(&self, only: Option<&StepRun>) -> Result<(), StepError> {
        let running = self.running()?;
        let before = self.disturbed.sum();
        let healed = self.disturbed.take(only);
        if healed.is_empty() {
            return Ok(());
        }
        let way = running.cluster.network()?;
        way.set_network(&self.disturbed.sum()).await?;
        let at_us = now_us();
        for fault in healed {
            self.faults_end(&self.breaks.step_over(&fault.step, at_us), at_us);
        }
        Ok(way.try_network(&before).await?)
    }
}

/// Clients use the same connection as kplan itself: a broker that is cut off from clients does not answer kplan.
async fn hidden_from_here(running: &Running, nodes: &BTreeSet<Node>) -> Result<(), StepError> {
    for node in nodes {
        let Node::Broker(id) = node else { continue };
        if running.observer.ask().listener_reachable(*id).await.is_ok() {
            return Err(StepError::rig(format!(
                "{node} was cut off from clients, but still answers them"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(step: &str, from: u32) -> Fault {
        let cuts = [(Node::Broker(from), Node::Broker(9))].into();
        let network = Network { cuts, ..Network::default() };
        Fault { step: step.into(), network }
    }

    #[test]
    fn a_step_takes_only_its_own_faults_away() {
        let disturbed = Disturbed::default();
        disturbed.push(fault("1", 1));
        disturbed.push(fault("2", 2));
        assert_eq!(disturbed.sum().cuts.len(), 2);
        assert_eq!(disturbed.take(Some(&"1".into())).len(), 1);
        assert_eq!(disturbed.sum(), fault("2", 2).network);
        assert_eq!(disturbed.take(None).len(), 1);
        assert!(disturbed.sum().is_whole());
    }
}
