//! The addresses of a cluster's nodes: in containers each node has a host of its own, as processes all share
//! this machine's loopback address.

use std::{collections::BTreeMap, path::PathBuf};

use super::Node;

/// Port of the listener between brokers, inside.
pub const INTERNAL_PORT: u16 = 9092;
/// Port of the listener of KRaft controllers, inside.
pub const CONTROLLER_PORT: u16 = 9093;
/// Port of the KRaft controllers' listener with a login, inside: kplan's observer uses it where clients log in.
pub const CONTROLLER_LOGIN_PORT: u16 = 9095;
/// Port of the listener that is published to this machine's clients, inside.
pub const EXTERNAL_PORT: u16 = 9094;
/// Port of the listener for services that run as containers, inside: only clusters with `security` have it.
pub const SERVICES_PORT: u16 = 9096;
/// ZooKeeper's port, inside.
pub const ZOOKEEPER_PORT: u16 = 2181;

/// Where kplan keeps its files inside a container.
pub const HOME: &str = "/kplan";

/// The addresses of the nodes.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Prefix of every node's host name, which is its container's name.
    pub prefix: String,
    /// The cluster's id: 22 letters of URL-safe base64 (KRaft only).
    pub cluster_id: String,
    /// The nodes' ports and directories where they share one host; empty where each has a host of its own.
    pub places: BTreeMap<Node, NodePlace>,
    /// The host under which clients reach published ports, and which brokers advertise to them.
    pub outside: String,
    /// The nodes are hosts of a domain of the cluster's own, named by the prefix.
    pub in_domain: bool,
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            cluster_id: String::new(),
            places: BTreeMap::new(),
            outside: LOOPBACK.to_owned(),
            in_domain: false,
        }
    }
}

/// A node's place on a host that it shares with the others.
#[derive(Clone, Debug, Default)]
pub struct NodePlace {
    pub home: PathBuf,
    /// Its port for each purpose that it listens for.
    pub ports: BTreeMap<Purpose, u16>,
}

/// What a port is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Brokers among themselves.
    Internal,
    Controller,
    /// kplan's observer at KRaft controllers, where clients log in.
    ControllerLogin,
    /// This machine's clients.
    External,
    /// Services that run as containers, where clients log in or encrypt.
    Services,
    Zookeeper,
}

impl Purpose {
    /// The port in a host of its own.
    fn usual(self) -> u16 {
        match self {
            Self::Internal => INTERNAL_PORT,
            Self::Controller => CONTROLLER_PORT,
            Self::ControllerLogin => CONTROLLER_LOGIN_PORT,
            Self::External => EXTERNAL_PORT,
            Self::Services => SERVICES_PORT,
            Self::Zookeeper => ZOOKEEPER_PORT,
        }
    }
}

/// This machine's address of its own: where nodes without containers listen, and where those in containers are
/// published.
pub const LOOPBACK: &str = "127.0.0.1";

impl Addresses {
    /// The host name of a node as the others know it.
    pub fn host(&self, node: Node) -> String {
        match (self.share_a_host(), self.in_domain) {
            (true, _) => LOOPBACK.to_owned(),
            (false, true) => format!("{}.{}", node.slug(), self.prefix),
            (false, false) => format!("{}-{}", self.prefix, node.slug()),
        }
    }

    /// Nodes differ in their ports, not in their hosts.
    pub fn share_a_host(&self) -> bool {
        !self.places.is_empty()
    }

    /// The port on which a node listens for a purpose.
    pub fn port(&self, node: Node, purpose: Purpose) -> u16 {
        let own = self.places.get(&node).and_then(|place| place.ports.get(&purpose));
        own.copied().unwrap_or_else(|| purpose.usual())
    }

    /// `HOST:PORT` under which the others reach a node.
    pub fn reached(&self, node: Node, purpose: Purpose) -> String {
        format!("{}:{}", self.host(node), self.port(node, purpose))
    }

    /// `HOST:PORT` that a node binds to: every address of a host of its own.
    pub fn bound(&self, node: Node, purpose: Purpose) -> String {
        let host = if self.share_a_host() { LOOPBACK } else { "" };
        format!("{host}:{}", self.port(node, purpose))
    }

    /// `HOST:PORT` under which clients reach a port that is published to them.
    pub fn published(&self, port: u16) -> String {
        format!("{}:{port}", self.outside)
    }

    /// Where a node keeps its files.
    pub fn home(&self, node: Node) -> String {
        let own = self.places.get(&node).map(|place| place.home.display().to_string());
        own.unwrap_or_else(|| HOME.to_owned())
    }
}
