//! The network faults of steps, each with the check of its effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::{
    cluster::{Network, Node, ServiceLine},
    event::{FaultKind, StepRun},
    history::now_us,
    stage::{
        Running, Stage,
        clients::{Client, Member, shown},
        faults::Struck,
        outcome::StepError,
    },
};

/// An instance of a service: its client's name, and its number.
type ServiceInstance = (String, u16);

/// The faults of the network.
#[derive(Debug, Default)]
pub struct Disturbed {
    /// Those in force, by the step that made each, oldest first.
    in_force: Mutex<Vec<Fault>>,
    /// When clients, and kplan with them, were last cut off from a broker; monotonic microseconds.
    hidden_us: Mutex<Option<i64>>,
}

#[derive(Clone, Debug)]
struct Fault {
    step: StepRun,
    network: Network,
    lines: BTreeMap<ServiceInstance, ServiceLine>,
}

impl Disturbed {
    fn all(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.in_force.lock().expect("no holder panics")
    }

    /// Until when clients, and kplan with them, were cut off from a broker: until now if they still are.
    pub fn hidden_until_us(&self) -> Option<i64> {
        match self.sum().unreachable.is_empty() {
            true => *self.hidden_us.lock().expect("no holder panics"),
            false => Some(now_us()),
        }
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

    /// What is wrong between an instance of a service and the nodes now.
    pub fn line(&self, client: &str, member: u16) -> ServiceLine {
        let (all, instance) = (self.all(), (client.to_owned(), member));
        let mut sum = ServiceLine::default();
        all.iter().filter_map(|fault| fault.lines.get(&instance)).for_each(|line| sum.add(line));
        sum
    }

    fn push(&self, fault: Fault) {
        self.all().push(fault);
    }

    /// What is wrong between each instance of a service and the nodes now.
    fn lines(&self) -> BTreeMap<ServiceInstance, ServiceLine> {
        let instances: BTreeSet<ServiceInstance> =
            self.all().iter().flat_map(|fault| fault.lines.keys().cloned()).collect();
        let line = |instance: ServiceInstance| {
            let line = self.line(&instance.0, instance.1);
            (instance, line)
        };
        instances.into_iter().map(line).collect()
    }

    /// Removes what a step made wrong between an instance and the nodes.
    fn forget_line(&self, step: &StepRun, instance: &ServiceInstance) {
        for fault in self.all().iter_mut().filter(|fault| fault.step == *step) {
            fault.lines.remove(instance);
        }
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
        let lines = BTreeMap::new();
        self.disturbed.push(Fault { step: step.clone(), network, lines });
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

    /// Adds the same fault between each of these instances of services and the nodes, and checks that it has its
    /// effect. It is a fault for that service only.
    pub async fn disturb_services(
        &self,
        step: &StepRun,
        instances: impl Iterator<Item = (&Arc<Client>, &Member)> + Send,
        line: &ServiceLine,
        what: &str,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        for (client, member) in instances {
            let name = shown(client, member);
            let Some(container) = client.container(member, member.life()) else {
                return Err(StepError::not_so(format!("{name} has no network of its own")));
            };
            let before = self.disturbed.line(&client.name, member.number);
            let lines = BTreeMap::from([((client.name.clone(), member.number), line.clone())]);
            let network = Network::default();
            self.disturbed.push(Fault { step: step.clone(), network, lines });
            let now = self.disturbed.line(&client.name, member.number);
            let acted = match running.cluster.network()?.set_line(&container, &now, &before).await {
                Ok(acted) => acted,
                Err(error) => {
                    self.disturbed.forget_line(step, &(client.name.clone(), member.number));
                    // The first error is reported; what cannot be undone now is removed with the cluster.
                    let _ = running.cluster.network()?.set_line(&container, &before, &now).await;
                    return Err(error.into());
                }
            };
            let struck = Struck::Client { client: client.name.clone(), member: member.number };
            self.fault_begins(acted, step, FaultKind::Network, struck, &format!("{name} {what}"));
        }
        Ok(())
    }

    /// Gives the new container of an instance what is wrong between the instance and the nodes.
    pub async fn disturb_again(
        &self,
        container: &str,
        line: &ServiceLine,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        let whole = ServiceLine::default();
        Ok(running.cluster.network()?.set_line(container, line, &whole).await.map(drop)?)
    }

    /// Undoes what was wrong between the living instances of services and the nodes; `before` is how it was.
    async fn heal_services(
        &self,
        before: &BTreeMap<ServiceInstance, ServiceLine>,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        for ((name, number), before) in before {
            let client = self.clients.get(name)?;
            let member = client.members.iter().find(|member| member.number == *number);
            let Some(member) = member.filter(|member| member.lives()) else { continue };
            let Some(container) = client.container(member, member.life()) else { continue };
            let now = self.disturbed.line(name, *number);
            running.cluster.network()?.set_line(&container, &now, before).await?;
        }
        Ok(())
    }

    /// Undoes the network faults of one step, or of every step, and checks that packets pass again.
    pub async fn heal(&self, only: Option<&StepRun>) -> Result<(), StepError> {
        let running = self.running()?;
        let before = self.disturbed.sum();
        let lines = self.disturbed.lines();
        let healed = self.disturbed.take(only);
        if healed.is_empty() {
            return Ok(());
        }
        let way = running.cluster.network()?;
        way.set_network(&self.disturbed.sum()).await?;
        self.heal_services(&lines).await?;
        let at_us = now_us();
        if healed.iter().any(|fault| !fault.network.unreachable.is_empty()) {
            *self.disturbed.hidden_us.lock().expect("no holder panics") = Some(at_us);
        }
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
        let line = ServiceLine { cut: [Node::Broker(from)].into(), ..ServiceLine::default() };
        Fault { step: step.into(), network, lines: [(("S".to_owned(), 1), line)].into() }
    }

    #[test]
    fn a_step_takes_only_its_own_faults_away() {
        let disturbed = Disturbed::default();
        disturbed.push(fault("1", 1));
        disturbed.push(fault("2", 2));
        assert_eq!(disturbed.sum().cuts.len(), 2);
        let cut_off = |number| disturbed.line("S", number).cut.len();
        assert_eq!((cut_off(1), cut_off(2)), (2, 0));
        assert_eq!(disturbed.take(Some(&"1".into())).len(), 1);
        assert_eq!(disturbed.sum(), fault("2", 2).network);
        assert_eq!(cut_off(1), 1);
        assert_eq!(disturbed.take(None).len(), 1);
        assert!(disturbed.sum().is_whole());
    }
}
