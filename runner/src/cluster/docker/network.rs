//! The network between containers: packets are dropped by iptables and slowed down by tc, inside
//! each container, in chains of kplan's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::future::{join_all, try_join_all};
use testcontainers::bollard::query_parameters::InspectNetworkOptions;
use tokio::time::{Instant, sleep};

use super::super::{Acted, Network, Node, RigError};
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
const PATIENCE: Duration = Duration::from_secs(10);
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
type Places = BTreeMap<Node, ContainerPlace>;

impl DockerCluster {
    /// Gives every living node its rules; returns when they came into force.
    pub(super) async fn change_network(&self, network: &Network) -> Result<Acted, RigError> {
        let mut applied = self.net.lock().await;
        applied.network = network.clone();
        self.tell(&mut applied, Some(TOGETHER_US)).await
    }

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
        let text = output.text();
        if text.contains("qdisc kind is unknown") && script.contains("netem") {
            let what = "delay packets: this machine's kernel has no netem (module sch_netem)";
            return Err(RigError::Unsupported { backend: NAME, what: what.to_owned() });
        }
        let text = text.trim();
        Err(RigError::Other(format!("the network of {node} could not be changed: {text}")))
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

    async fn places(&self) -> Result<Places, RigError> {
        let network = &self.blueprint.at.prefix;
        let look = self.nodes.iter().map(|node| node.place(self.docker(), network));
        let found = try_join_all(look).await?;
        let named =
            self.nodes.iter().zip(found).filter_map(|(node, place)| Some((node.node, place?)));
        Ok(named.collect())
    }

    /// Tests every cut connection, every healed one, and every degraded link.
    pub(super) async fn prove_network(&self, before: &Network) -> Result<(), RigError> {
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

    /// Checks that a degraded link has its effect: lost packets, limited bandwidth, or latency.
    async fn feels(&self, node: Node, network: &Network, places: &Places) -> Result<(), RigError> {
        let Some(link) = network.links.get(&node) else { return Ok(()) };
        let awake = places.get(&node).is_some_and(|place| !place.paused);
        let not = |what: &str| Err(RigError::Other(format!("the network of {node}: {what}")));
        if !awake {
            return not("the node is dead or paused, so its degraded link cannot be tested");
        }
        let name = &self.node(node)?.name;
        let deadline = Instant::now() + PATIENCE;
        while let Some(loss) = link.loss {
            let output = exec::script(self.docker(), name, rules::COUNT_SCRIPT).await?;
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
            let output = exec::script(self.docker(), name, rules::QDISC_SCRIPT).await?;
            if !output.text().contains("tbf") {
                return not("its bandwidth is not limited");
            }
        }
        if let Some(latency) = link.latency {
            let other = places.iter().find(|(other, place)| **other != node && !place.paused);
            let Some((other, place)) = other else {
                return not("there is no other running node to measure the latency to");
            };
            let target = format!("{}/{}", place.address, port(*other));
            let script = rules::time_script(&target);
            let output = exec::script(self.docker(), name, &script).await?;
            let least = latency.saturating_sub(link.jitter.unwrap_or_default()) / 2;
            let took = rules::longest(&output.text());
            if took < least {
                return not(&format!("a connection takes {took:?}, expected is {least:?} or more"));
            }
        }
        Ok(())
    }
}

/// A port on which a node listens for other nodes.
fn port(node: Node) -> u16 {
    match node {
        Node::Broker(_) => addresses::INTERNAL_PORT,
        Node::Controller(_) => addresses::CONTROLLER_PORT,
        Node::Zookeeper(_) => addresses::ZOOKEEPER_PORT,
    }
}
