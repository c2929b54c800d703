//! `partition_network`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneChange, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Clients, MetadataMode, NetworkClients, Target};
use crate::words;

args! {
    /// Drops packets between brokers, or between a service and the brokers, until `heal_network`, or for a time.
    ///
    /// With `groups`, brokers of different groups cannot reach each other. Brokers that no group names form one
    /// more group; dedicated controllers and ZooKeeper that no group names still reach all nodes. With `isolate`,
    /// the named brokers cannot reach any node that is not named, including controllers and ZooKeeper; they still
    /// reach each other. With `from` and `to`, packets from the `from` side do not reach the `to` side: requests of
    /// the `to` side still arrive, but their answers do not, so no new connection opens in either direction.
    ///
    /// kplan tests every connection that it cut: the step fails if a cut has no effect. Cuts of several steps add
    /// up, and remain after a restart of a broker. With `clients: cut`, kplan itself is cut off from the brokers
    /// too: it knows their state only from what other brokers report, and `brokers_alive` does not count them.
    ///
    /// With `service`, the instances of a service that run as containers cannot reach any node of the cluster; all
    /// other clients still do. This remains when an instance is started again.
    #[example("partition_network: { groups: [[1], [2, 3]] }")]
    #[example("partition_network: { isolate: { leader_of: orders/0 }, for: 30s }")]
    #[example("partition_network: { from: 1, to: [2, 3] }")]
    #[example("partition_network: { service: invoicing/2, for: 30s }")]
    pub struct PartitionNetwork("partition_network") {
        /// Groups of brokers that cannot reach each other.
        groups: Option<Spanned<Vec<Vec<Spanned<u32>>>>>,
        /// The brokers that are cut off from all nodes that are not named here.
        #[weighs(Elements)]
        isolate: Option<Spanned<Target>>,
        /// The brokers whose packets do not reach those in `to`.
        from: Option<Spanned<Target>>,
        /// The brokers that do not receive packets of those in `from`.
        to: Option<Spanned<Target>>,
        /// The service, or the instances, that are cut off from all nodes. They run as containers (`image`).
        #[weighs(Elements)]
        service: Option<Spanned<Clients>>,
        /// Whether clients still reach every broker (`stay`) or are cut off from the named brokers (`cut`).
        clients: NetworkClients = "stay",
        ..lasting: Lasting,
    }
}

impl StepWord for PartitionNetwork {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Routes,
        undo: Undo::After("heal the network"),
        in_chaos: true,
        lane: Some(LaneMark::Isolated),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let what = match (&self.groups, &self.isolate, &self.from, &self.to) {
            (Some(groups), ..) => {
                let groups: Vec<String> = groups.iter().map(|g| words::list(g)).collect();
                format!("Partition the network between brokers {}", groups.join(" | "))
            }
            (None, Some(target), ..) => format!("Isolate {target}"),
            (None, None, Some(from), Some(to)) => format!("Drop packets from {from} to {to}"),
            _ => match &self.service {
                Some(service) => format!("Cut {} off from the brokers", service.value),
                None => "Partition the network".to_owned(),
            },
        };
        let clients = match self.clients {
            NetworkClients::Stay => "",
            NetworkClients::Cut => ", from clients too",
        };
        format!("{what}{clients}")
    }

    fn lanes(&self) -> Vec<LaneChange> {
        let cut_off = |target| LaneChange::Nodes(target, LaneMark::Isolated);
        let Some(groups) = &self.groups else {
            let target = self.isolate.as_ref().or(self.from.as_ref());
            let nodes = target.map(|t| cut_off(t.value.clone()));
            let service = self.service.as_ref();
            let services =
                service.map(|s| LaneChange::Clients(s.value.clone(), LaneMark::Isolated));
            return nodes.into_iter().chain(services).collect();
        };
        // All groups but the largest are shown as cut off.
        let largest = groups.iter().map(Vec::len).max().unwrap_or(0);
        let spared = groups.iter().position(|g| g.len() == largest).filter(|_| groups.len() > 1);
        let others = groups.iter().enumerate().filter(|(index, _)| Some(*index) != spared);
        let brokers = others.flat_map(|(_, group)| group);
        brokers.map(|broker| cut_off(Target::numbered(broker.value))).collect()
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        let one_way = self.from.is_some() || self.to.is_some();
        let service = self.service.is_some();
        let forms = [self.groups.is_some(), self.isolate.is_some(), one_way, service];
        if forms.into_iter().filter(|f| *f).count() != 1 {
            let message = "`partition_network` takes one of `groups`, `isolate`, `service`, or `from` and `to`";
            reader.push(Diagnostic::new(Code::E016, span, message));
        } else if one_way && (self.from.is_none() || self.to.is_none()) {
            let missing = if self.from.is_none() { "from" } else { "to" };
            let message = format!("`{missing}` is missing: `from` and `to` need each other");
            reader.push(Diagnostic::new(Code::E011, span, message));
        }
        if service && self.clients == NetworkClients::Cut {
            let message = "`clients: cut` is about brokers, and `service` cuts off no broker";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
        let groups = self.groups.iter().flat_map(|groups| groups.iter());
        let mut seen: Vec<&Spanned<u32>> = Vec::new();
        for broker in groups.flatten() {
            if seen.contains(&broker) {
                let message = format!("broker {broker} is in two groups");
                reader.push(Diagnostic::new(Code::E016, broker.span, message));
            }
            seen.push(broker);
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::NetworkPartition)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        for broker in self.groups.iter().flat_map(|g| g.iter()).flatten() {
            ground.broker_number(broker.value, broker.span);
        }
        for target in self.isolate.iter().chain(&self.from).chain(&self.to) {
            ground.target(target);
        }
        if let Some(service) = &self.service {
            ground.own_networks(service);
            return;
        }
        if let Some(span) = self.cuts_nothing(ground) {
            let message =
                "this cuts nothing: brokers that are named together still reach each other";
            let help = "name fewer brokers than the cluster has";
            ground.report(Diagnostic::new(Code::W015, span, message).help(help));
        }
        // Which brokers count as alive depends on which ones the controller can reach.
        ground.maybe_all();
    }
}

impl PartitionNetwork {
    /// The place of a group, or of `isolate`, that contains every node of the cluster.
    fn cuts_nothing(&self, ground: &mut Ground<'_>) -> Option<Span> {
        let cluster = ground.state.cluster.as_ref().filter(|_| !ground.state.external)?;
        let (brokers, others) = (cluster.brokers as usize, cluster.controllers > 0);
        let one = self.groups.as_ref().filter(|groups| groups.len() == 1);
        if let Some(groups) = one.filter(|groups| groups[0].len() == brokers) {
            return Some(groups.span);
        }
        let alone = !others && cluster.mode == MetadataMode::Kraft;
        let target = self.isolate.as_ref().filter(|_| alone)?;
        ground.muted += 1;
        let hit = ground.target(target);
        ground.muted -= 1;
        (!hit.chosen && hit.certain.len() == brokers).then_some(target.span)
    }
}
