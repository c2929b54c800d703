//! The cluster's network, in which every node has one address for all its lives.
//!
//! The engine gives a container the lowest free address at each start. Brokers that are started again together could
//! exchange their addresses, and a container of a service could get a dead broker's: a living broker that had looked
//! the name up before would go on asking the wrong one.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
};

use bollard::{
    errors::Error,
    models::{
        EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkCreateRequest,
        NetworkingConfig,
    },
    query_parameters::InspectNetworkOptions,
};
use ipnet::Ipv4Net;

use super::super::{Node, RigError, config};
use super::{engine::failed, node::Blueprint};

/// Another network may be made in between, and get the addresses first.
const TRIES: u32 = 20;

/// Who has which address in the network.
pub struct Subnet {
    /// In the lower half of its range: the engine gives addresses of the upper half to all other containers.
    pub nodes: BTreeMap<Node, Ipv4Addr>,
    /// The engine's own.
    pub gateway: Option<Ipv4Addr>,
}

/// Makes the network.
pub async fn create(blueprint: &Blueprint) -> Result<Subnet, RigError> {
    let mut free = free_range(blueprint).await?;
    let mut tries = 0;
    loop {
        tries += 1;
        let (range, nodes) = divided(&free, &config::nodes(&blueprint.spec))?;
        let gateway = gateway(&range);
        let Err(error) = make(blueprint, Some(range)).await else {
            return Ok(Subnet { nodes, gateway });
        };
        let next = free_range(blueprint).await?;
        // A range that is still free was not what the engine refused.
        if next.subnet == free.subnet || tries >= TRIES {
            return Err(failed("create a network", &error));
        }
        free = next;
    }
}

/// How a node's container joins the network: at its own address.
pub fn endpoint(blueprint: &Blueprint, node: Node) -> NetworkingConfig {
    let address = blueprint.ips.get(&node).map(Ipv4Addr::to_string);
    let own = EndpointIpamConfig { ipv4_address: address, ..Default::default() };
    let endpoint = EndpointSettings { ipam_config: Some(own), ..Default::default() };
    let network = blueprint.at.prefix.clone();
    NetworkingConfig { endpoints_config: Some(HashMap::from([(network, endpoint)])) }
}

/// The addresses that the engine would give to a new network.
async fn free_range(blueprint: &Blueprint) -> Result<IpamConfig, RigError> {
    let (docker, name) = (&blueprint.docker, &blueprint.at.prefix);
    make(blueprint, None).await.map_err(|error| failed("create a network", &error))?;
    let made = docker.inspect_network(name, None::<InspectNetworkOptions>).await;
    let made = made.map_err(|error| failed("inspect a network", &error))?;
    // The engine takes a container's address only in a network whose range was asked for.
    let removed = docker.remove_network(name).await;
    removed.map_err(|error| failed("remove a network", &error))?;
    let ranges = made.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    ranges.into_iter().find(|range| halves(range).is_some()).ok_or_else(|| {
        RigError::Other("the engine's networks have no addresses of IPv4".to_owned())
    })
}

async fn make(blueprint: &Blueprint, range: Option<IpamConfig>) -> Result<(), Error> {
    let ipam = range.map(|range| Ipam { config: Some(vec![range]), ..Default::default() });
    let request = NetworkCreateRequest {
        name: blueprint.at.prefix.clone(),
        driver: Some("bridge".to_owned()),
        labels: Some(blueprint.labels.clone().into_iter().collect::<HashMap<_, _>>()),
        ipam,
        ..Default::default()
    };
    blueprint.docker.create_network(request).await.map(drop)
}

/// The range with its upper half for the engine to choose from, and the nodes' addresses in the lower half.
fn divided(
    free: &IpamConfig,
    nodes: &[Node],
) -> Result<(IpamConfig, BTreeMap<Node, Ipv4Addr>), RigError> {
    let gateway = gateway(free);
    let [lower, upper] = halves(free).unwrap_or_default();
    let addresses = lower.hosts().filter(|address| Some(*address) != gateway);
    let own: BTreeMap<Node, Ipv4Addr> = nodes.iter().copied().zip(addresses).collect();
    if own.len() < nodes.len() {
        return Err(RigError::Other(format!(
            "a network of the engine has room for {} nodes, and the cluster has {}",
            own.len(),
            nodes.len()
        )));
    }
    Ok((IpamConfig { ip_range: Some(upper.to_string()), ..free.clone() }, own))
}

/// The engine's own address in a range.
fn gateway(range: &IpamConfig) -> Option<Ipv4Addr> {
    range.gateway.as_deref().and_then(|address| address.parse().ok())
}

/// Both halves of a range of IPv4.
fn halves(range: &IpamConfig) -> Option<[Ipv4Net; 2]> {
    let whole: Ipv4Net = range.subnet.as_deref()?.parse().ok()?;
    let mut halves = whole.subnets(whole.prefix_len() + 1).ok()?;
    Some([halves.next()?, halves.next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(subnet: &str, gateway: &str) -> IpamConfig {
        let text = |text: &str| Some(text.to_owned());
        IpamConfig { subnet: text(subnet), gateway: text(gateway), ..Default::default() }
    }

    const NODES: [Node; 3] = [Node::Controller(101), Node::Broker(1), Node::Broker(2)];

    #[test]
    fn nodes_are_in_the_lower_half_and_all_others_in_the_upper_one() {
        let (range, own) = divided(&range("172.20.0.0/16", "172.20.0.1"), &NODES).expect("room");
        assert_eq!(range.ip_range.as_deref(), Some("172.20.128.0/17"));
        let own: Vec<_> = own.iter().map(|(node, ip)| format!("{node} {ip}")).collect();
        insta::assert_snapshot!(own.join(", "), @"broker 1 172.20.0.3, broker 2 172.20.0.4, controller 101 172.20.0.2");
    }

    #[test]
    fn a_network_that_is_too_small_says_so() {
        let error = divided(&range("10.0.0.0/29", "10.0.0.1"), &NODES).expect_err("too small");
        insta::assert_snapshot!(error, @"a network of the engine has room for 1 nodes, and the cluster has 3");
    }

    #[test]
    fn the_gateway_may_be_anywhere() {
        let (_, own) = divided(&range("10.0.0.0/28", "10.0.0.2"), &NODES).expect("room");
        let own: Vec<_> = NODES.iter().map(|node| own[node].to_string()).collect();
        assert_eq!(own, ["10.0.0.1", "10.0.0.3", "10.0.0.4"]);
    }
}
