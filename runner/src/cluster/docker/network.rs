//! The network between containers: packets are dropped by iptables and slowed down by tc, inside
//! each container, in chains of kplan's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    time::Duration,
};

use async_trait::async_trait;
use bollard::query_parameters::InspectNetworkOptions;
use futures::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep};

use super::super::{Acted, Link, Network, NetworkAbility, Node, RigError, ServiceLine};
use super::{
    DockerCluster, NAME, addresses,
    engine::failed,
    exec,
    node::{ContainerPlace, DockerNode},
    rules::{self, Counted},
};
use crate::history::{RunClock, now_us};

/// How long a healed connection may need to succeed, and a lossy link to lose a packet: brokers send each other
/// requests at least twice a second.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);
/// Microseconds from the order until the rules come into force, in all nodes at once: the commands have begun by
/// then.
const TOGETHER_US: i64 = 300_000;

/// The rules that the containers have.
#[derive(Default)]
pub struct Applied {
    network: Network,
    /// Nodes that have rules, or had: the others are never changed.
    touched: BTreeSet<Node>,
}

/// Wall-clock microseconds before and after a script took effect, if it printed them.
type Stamps = Option<(i64, i64)>;
pub(super) type Places = BTreeMap<Node, ContainerPlace>;

#[async_trait]
impl NetworkAbility for DockerCluster {
    async fn set_network(&self, network: &Network) -> Result<Acted, RigError> {
        let mut applied = self.net.lock().await;
        applied.network = network.clone();
        self.tell(&mut applied, Some(TOGETHER_US)).await
    }

    async fn try_network(&self, before: &Network) -> Result<(), RigError> {
        self.prove_network(before).await
    }

    async fn set_line(
        &self,
        container: &str,
        line: &ServiceLine,
        before: &ServiceLine,
    ) -> Result<Acted, RigError> {
        self.change_line(container, line, before).await
    }
}

impl DockerCluster {
    /// Gives the rules again to nodes that were restarted.
    pub(super) async fn renew_network(&self) -> Result<(), RigError> {
        let mut applied = self.net.lock().await;
        if applied.touched.is_empty() {
            Ok(())
        } else {
            self.tell(&mut applied, None).await.map(drop)
        }
    }

    /// Gives every living node its rules: after `after_us` microseconds in all nodes at once, or in each node as
    /// soon as possible.
    async fn tell(&self, applied: &mut Applied, after_us: Option<i64>) -> Result<Acted, RigError> {
        let begun_us = now_us();
        let network = &applied.network;
        applied.touched.extend(network.cuts.iter().flat_map(|(from, to)| [*from, *to]));
        applied.touched.extend(network.unreachable.iter().chain(network.links.keys()));
        let places = self.places().await?;
        let reported = applied.touched.iter().filter(|n| places.get(n).is_some_and(|p| !p.paused));
        let at_us = after_us.map(|after_us| RunClock::now().wall_us + after_us);
        let scripts = reported.map(|node| {
            let script = rules::script(*node, network, at_us, &|other| {
                places.get(&other).map(|place| place.address.to_string())
            });
            self.tell_one(*node, script)
        });
        let reported: Result<Vec<_>, RigError> = join_all(scripts).await.into_iter().collect();
        let (whole, clock) = (Acted::since(begun_us), RunClock::now());
        let each = reported?.into_iter().flatten().map(|stamps| whole.narrowed(stamps, &clock));
        Ok(each.reduce(Acted::and).unwrap_or(whole))
    }

    /// Returns when the script took effect; none for a node that cannot run it.
    async fn tell_one(&self, node: Node, script: String) -> Result<Option<Stamps>, RigError> {
        let own = self.node(node)?;
        let output = match exec::script(self.docker(), &own.name, &script).await {
            Ok(output) if output.succeeded() => return Ok(Some(output.stamps())),
            // The node ended, or was paused, in between: it gets the rules when it comes back.
            _ if !self.takes_commands(own).await? => return Ok(None),
            tried => tried?,
        };
        Err(not_changed(&node, &script, &output.text()))
    }

    async fn takes_commands(&self, node: &DockerNode) -> Result<bool, RigError> {
        let place = node.place(self.docker(), &self.blueprint.at.prefix).await?;
        Ok(place.is_some_and(|place| !place.paused))
    }

    /// Checks that the network exists and contains every living node: the plan's own faults are rules inside
    /// the containers and disconnect no container.
    pub(super) async fn stands_in_network(&self) -> Result<(), RigError> {
        let network = &self.blueprint.at.prefix;
        let options = None::<InspectNetworkOptions>;
        let there = self.docker().inspect_network(network, options).await;
        let there = there.map_err(|error| failed("inspect the brokers' network", &error))?;
        let inside = there.containers.unwrap_or_default();
        let inside: BTreeSet<String> = inside.into_values().filter_map(|c| c.name).collect();
        for node in self.nodes.iter().filter(|n| n.looks_alive() && !inside.contains(&n.name)) {
            // It may have ended, or started, between the two looks.
            if node.is_outside(self.docker(), network).await? {
                return Err(RigError::Other(format!(
                    "{} was disconnected from the brokers' network, and not by kplan",
                    node.node
                )));
            }
        }
        Ok(())
    }

    pub(super) async fn places(&self) -> Result<Places, RigError> {
        let network = &self.blueprint.at.prefix;
        let look = self.nodes.iter().map(|node| node.place(self.docker(), network));
        let found = try_join_all(look).await?;
        let named =
            self.nodes.iter().zip(found).filter_map(|(node, place)| Some((node.node, place?)));
        Ok(named.collect())
    }

    /// Tests every cut connection, every healed one, and every degraded link.
    async fn prove_network(&self, before: &Network) -> Result<(), RigError> {
        let network = self.net.lock().await.network.clone();
        let places = self.places().await?;
        let new: Vec<(Node, Node)> = network.cuts.difference(&before.cuts).copied().collect();
        // A connection needs both directions: a pair is healed when neither is cut any more.
        let whole = |(a, b): &&(Node, Node)| {
            !network.cuts.contains(&(*a, *b)) && !network.cuts.contains(&(*b, *a))
        };
        let healed: Vec<(Node, Node)> = before.cuts.iter().filter(whole).copied().collect();
        self.all_dropped(&new, &places).await?;
        self.all_pass(&healed, &places).await?;
        for (node, _) in network.links.iter().filter(|(n, link)| before.links.get(n) != Some(link))
        {
            self.feels(*node, &network, &places).await?;
        }
        Ok(())
    }

    async fn all_dropped(&self, cuts: &[(Node, Node)], places: &Places) -> Result<(), RigError> {
        let tried = self.connect(cuts, places).await?;
        if tried.is_empty() && !cuts.is_empty() {
            let why = "no running node on either side can test the connection that was cut";
            return Err(RigError::Other(format!(
                "whether the network is partitioned is unknown: {why}"
            )));
        }
        match tried.iter().find(|(_, passes)| **passes) {
            None => Ok(()),
            Some(((from, to), _)) => Err(RigError::Other(format!(
                "the network was cut, but packets between {from} and {to} still pass"
            ))),
        }
    }

    async fn all_pass(&self, healed: &[(Node, Node)], places: &Places) -> Result<(), RigError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let tried = self.connect(healed, places).await?;
            let Some(((from, to), _)) = tried.iter().find(|(_, passes)| !**passes) else {
                return Ok(());
            };
            if Instant::now() >= deadline {
                return Err(RigError::Other(format!(
                    "the network was healed, but packets between {from} and {to} do not pass"
                )));
            }
        }
    }

    /// Opens a connection for each pair whose first node can run a command; false if packets are dropped.
    async fn connect(
        &self,
        pairs: &[(Node, Node)],
        places: &Places,
    ) -> Result<BTreeMap<(Node, Node), bool>, RigError> {
        let mut by_node: BTreeMap<Node, Vec<(Node, String)>> = BTreeMap::new();
        for (from, to) in pairs {
            let awake = places.get(from).is_some_and(|place| !place.paused);
            if let (true, Some(place)) = (awake, places.get(to)) {
                let target = (*to, format!("{}/{}", place.address, port(*to)));
                by_node.entry(*from).or_default().push(target);
            }
        }
        let tries = by_node.into_iter().map(|(from, targets)| async move {
            let addresses: Vec<&str> = targets.iter().map(|(_, a)| a.as_str()).collect();
            let script = rules::connect_script(&addresses);
            let output = exec::script(self.docker(), &self.node(from)?.name, &script).await?;
            let silent = rules::silent(&output.text());
            let each = targets.iter().map(|(to, a)| ((from, *to), !silent.contains(a)));
            Ok::<_, RigError>(each.collect::<Vec<_>>())
        });
        Ok(try_join_all(tries).await?.into_iter().flatten().collect())
    }

    /// Checks that a degraded link has its effect.
    async fn feels(&self, node: Node, network: &Network, places: &Places) -> Result<(), RigError> {
        let Some(link) = network.links.get(&node) else { return Ok(()) };
        if places.get(&node).is_none_or(|place| place.paused) {
            let what = "the node is dead or paused, so its degraded link cannot be tested";
            return Err(RigError::Other(format!("the network of {node}: {what}")));
        }
        let other = places.iter().find(|(other, place)| **other != node && !place.paused);
        let target = other.map(|(other, place)| format!("{}/{}", place.address, port(*other)));
        self.felt(&node, &self.node(node)?.name, link, target).await
    }

    /// Checks that a degraded link has its effect, from a container: lost packets, limited bandwidth, or latency.
    pub(super) async fn felt(
        &self,
        whose: &(dyn Display + Sync),
        container: &str,
        link: &Link,
        target: Option<String>,
    ) -> Result<(), RigError> {
        let not = |what: &str| Err(RigError::Other(format!("the network of {whose}: {what}")));
        let deadline = Instant::now() + PATIENCE;
        while let Some(loss) = link.loss {
            let output = exec::script(self.docker(), container, rules::COUNT_SCRIPT).await?;
            let Counted { seen, lost } = rules::counted(&output.text());
            // A small share of few packets may still be zero.
            #[allow(clippy::cast_precision_loss, reason = "small numbers")]
            let too_few = (seen as f64) * loss < 5.0;
            if lost > 0 || (seen > 0 && too_few && Instant::now() >= deadline) {
                break;
            }
            if Instant::now() >= deadline {
                return not("packets should be lost, but none are");
            }
            sleep(PAUSE).await;
        }
        if link.bandwidth.is_some() {
            let output = exec::script(self.docker(), container, rules::QDISC_SCRIPT).await?;
            if !output.text().contains("tbf") {
                return not("its bandwidth is not limited");
            }
        }
        if let Some(latency) = link.latency {
            let Some(target) = target else {
                return not("there is no other running node to measure the latency to");
            };
            let script = rules::time_script(&target);
            let output = exec::script(self.docker(), container, &script).await?;
            let least = latency.saturating_sub(link.jitter.unwrap_or_default()) / 2;
            let took = rules::longest(&output.text());
            if took < least {
                return not(&format!("a connection takes {took:?}, expected is {least:?} or more"));
            }
        }
        Ok(())
    }
}

/// Why the rules of a container could not be changed.
pub(super) fn not_changed(whose: &dyn Display, script: &str, text: &str) -> RigError {
    if text.contains("qdisc kind is unknown") && script.contains("netem") {
        let what = "delay packets: this machine's kernel has no netem (module sch_netem)";
        return RigError::Unsupported { backend: NAME, what: what.to_owned() };
    }
    RigError::Other(format!("the network of {whose} could not be changed: {}", text.trim()))
}

/// A port on which a node listens for other nodes.
pub(super) fn port(node: Node) -> u16 {
    match node {
        Node::Broker(_) => addresses::INTERNAL_PORT,
        Node::Controller(_) => addresses::CONTROLLER_PORT,
        Node::Zookeeper(_) => addresses::ZOOKEEPER_PORT,
    }
}
