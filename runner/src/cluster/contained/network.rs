//! The network between nodes that have one each: packets are dropped by iptables and slowed down by tc, inside each of
//! them, in chains of kplan's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    net::IpAddr,
    time::Duration,
};

use async_trait::async_trait;
use futures::future::{BoxFuture, join_all, try_join_all};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use super::super::{Acted, Link, Network, Node, RigError, addresses};
use super::{
    command::Output,
    rules::{self, Counted},
};
use crate::history::{RunClock, now_us};

/// How long a healed connection may need to succeed, and a lossy link to lose a packet: brokers send each other
/// requests at least twice a second.
pub const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);
/// Microseconds from the order until the rules come into force, in all nodes at once: the commands have begun by
/// then.
const TOGETHER_US: i64 = 300_000;

/// The rules that the nodes have.
#[derive(Default)]
pub struct Applied {
    network: Network,
    /// Nodes that have rules, or had: the others are never changed.
    touched: BTreeSet<Node>,
}

/// Where a living node is.
#[derive(Clone, Copy, Debug)]
pub struct NetworkPlace {
    /// Its address in the cluster's network.
    pub address: IpAddr,
    /// No command can be run where its network is.
    pub paused: bool,
}

/// Wall-clock microseconds before and after a script took effect, if it printed them.
type Stamps = Option<(i64, i64)>;
pub type Places = BTreeMap<Node, NetworkPlace>;
/// Runs a script in one network.
pub type RunScript<'a> =
    dyn Fn(String) -> BoxFuture<'a, Result<Output, RigError>> + Send + Sync + 'a;

/// Commands where the nodes' networks are.
#[async_trait]
pub trait NetworkShell: Send + Sync {
    fn applied(&self) -> &Mutex<Applied>;
    /// Where the nodes are; not those without a network now.
    async fn places(&self) -> Result<Places, RigError>;
    /// Runs a script where a node's network is.
    async fn in_network(&self, node: Node, script: &str) -> Result<Output, RigError>;
    /// Why the rules of a node could not be changed, from what the script printed.
    fn not_changed(&self, whose: &(dyn Display + Sync), script: &str, text: &str) -> RigError;
}

/// Sets the network to exactly these faults.
pub async fn set(shell: &dyn NetworkShell, network: &Network) -> Result<Acted, RigError> {
    let mut applied = shell.applied().lock().await;
    applied.network = network.clone();
    tell(shell, &mut applied, Some(TOGETHER_US)).await
}

/// Gives the rules again to nodes that were restarted.
pub async fn renew(shell: &dyn NetworkShell) -> Result<(), RigError> {
    let mut applied = shell.applied().lock().await;
    if applied.touched.is_empty() {
        Ok(())
    } else {
        tell(shell, &mut applied, None).await.map(drop)
    }
}

/// Gives every node that has a network its rules: after `after_us` microseconds in all nodes at once, or in each node as
/// soon as possible.
async fn tell(
    shell: &dyn NetworkShell,
    applied: &mut Applied,
    after_us: Option<i64>,
) -> Result<Acted, RigError> {
    let begun_us = now_us();
    let network = &applied.network;
    applied.touched.extend(network.cuts.iter().flat_map(|(from, to)| [*from, *to]));
    applied.touched.extend(network.unreachable.iter().chain(network.links.keys()));
    let places = shell.places().await?;
    let told = applied.touched.iter().filter(|n| places.get(n).is_some_and(|p| !p.paused));
    let at_us = after_us.map(|after_us| RunClock::now().wall_us + after_us);
    let scripts = told.map(|node| {
        let script = rules::script(*node, network, at_us, &|other| {
            places.get(&other).map(|place| place.address.to_string())
        });
        tell_one(shell, *node, script)
    });
    let told: Result<Vec<_>, RigError> = join_all(scripts).await.into_iter().collect();
    let (whole, clock) = (Acted::since(begun_us), RunClock::now());
    let each = told?.into_iter().flatten().map(|stamps| whole.narrowed(stamps, &clock));
    Ok(each.reduce(Acted::and).unwrap_or(whole))
}

/// Returns when the script took effect; none for a node that cannot run it.
async fn tell_one(
    shell: &dyn NetworkShell,
    node: Node,
    script: String,
) -> Result<Option<Stamps>, RigError> {
    let output = match shell.in_network(node, &script).await {
        Ok(output) if output.succeeded() => return Ok(Some(output.stamps())),
        // The node ended, or was paused, in between: it gets the rules when it comes back.
        _ if shell.places().await?.get(&node).is_none_or(|place| place.paused) => return Ok(None),
        tried => tried?,
    };
    Err(shell.not_changed(&node, &script, &output.text()))
}

/// Tests every cut connection, every healed one, and every degraded link.
pub async fn prove(shell: &dyn NetworkShell, before: &Network) -> Result<(), RigError> {
    let network = shell.applied().lock().await.network.clone();
    let places = shell.places().await?;
    let new: Vec<(Node, Node)> = network.cuts.difference(&before.cuts).copied().collect();
    // A connection needs both directions: a pair is healed when neither is cut any more.
    let whole = |(a, b): &&(Node, Node)| {
        !network.cuts.contains(&(*a, *b)) && !network.cuts.contains(&(*b, *a))
    };
    let healed: Vec<(Node, Node)> = before.cuts.iter().filter(whole).copied().collect();
    all_dropped(shell, &new, &places).await?;
    all_pass(shell, &healed, &places).await?;
    for (node, _) in network.links.iter().filter(|(n, link)| before.links.get(n) != Some(link)) {
        feels(shell, *node, &network, &places).await?;
    }
    Ok(())
}

async fn all_dropped(
    shell: &dyn NetworkShell,
    cuts: &[(Node, Node)],
    places: &Places,
) -> Result<(), RigError> {
    let tried = connect(shell, cuts, places).await?;
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

async fn all_pass(
    shell: &dyn NetworkShell,
    healed: &[(Node, Node)],
    places: &Places,
) -> Result<(), RigError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let tried = connect(shell, healed, places).await?;
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
    shell: &dyn NetworkShell,
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
        let output = shell.in_network(from, &rules::connect_script(&addresses)).await?;
        let silent = rules::silent(&output.text());
        let each = targets.iter().map(|(to, a)| ((from, *to), !silent.contains(a)));
        Ok::<_, RigError>(each.collect::<Vec<_>>())
    });
    Ok(try_join_all(tries).await?.into_iter().flatten().collect())
}

/// Checks that a degraded link has its effect.
async fn feels(
    shell: &dyn NetworkShell,
    node: Node,
    network: &Network,
    places: &Places,
) -> Result<(), RigError> {
    let Some(link) = network.links.get(&node) else { return Ok(()) };
    if places.get(&node).is_none_or(|place| place.paused) {
        let what = "the node is dead or paused, so its degraded link cannot be tested";
        return Err(RigError::Other(format!("the network of {node}: {what}")));
    }
    let other = places.iter().find(|(other, place)| **other != node && !place.paused);
    let target = other.map(|(other, place)| format!("{}/{}", place.address, port(*other)));
    let run = |script: String| -> BoxFuture<'_, Result<Output, RigError>> {
        Box::pin(async move { shell.in_network(node, &script).await })
    };
    felt(&node, link, target, &run).await
}

/// Checks that a degraded link has its effect, where the network is: lost packets, limited bandwidth, or latency.
pub async fn felt(
    whose: &(dyn Display + Sync),
    link: &Link,
    target: Option<String>,
    run: &RunScript<'_>,
) -> Result<(), RigError> {
    let not = |what: &str| Err(RigError::Other(format!("the network of {whose}: {what}")));
    let deadline = Instant::now() + PATIENCE;
    while let Some(loss) = link.loss {
        let output = run(rules::COUNT_SCRIPT.to_owned()).await?;
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
        let output = run(rules::QDISC_SCRIPT.to_owned()).await?;
        if !output.text().contains("tbf") {
            return not("its bandwidth is not limited");
        }
    }
    if let Some(latency) = link.latency {
        let Some(target) = target else {
            return not("there is no other running node to measure the latency to");
        };
        let output = run(rules::time_script(&target)).await?;
        let least = latency.saturating_sub(link.jitter.unwrap_or_default()) / 2;
        let took = rules::longest(&output.text());
        if took < least {
            return not(&format!("a connection takes {took:?}, expected is {least:?} or more"));
        }
    }
    Ok(())
}

/// Why the rules of a node could not be changed.
pub fn not_changed(
    backend: &'static str,
    whose: &dyn Display,
    script: &str,
    text: &str,
) -> RigError {
    if text.contains("qdisc kind is unknown") && script.contains("netem") {
        let what = "delay packets: this machine's kernel has no netem (module sch_netem)";
        return RigError::Unsupported { backend, what: what.to_owned() };
    }
    RigError::Other(format!("the network of {whose} could not be changed: {}", text.trim()))
}

/// A port on which a node listens for other nodes.
pub fn port(node: Node) -> u16 {
    match node {
        Node::Broker(_) => addresses::INTERNAL_PORT,
        Node::Controller(_) => addresses::CONTROLLER_PORT,
        Node::Zookeeper(_) => addresses::ZOOKEEPER_PORT,
    }
}
