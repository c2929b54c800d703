//! The configuration of every node, written by kplan in one way for every Kafka version and every
//! backend that starts Kafka itself: in containers each node has a host of its own, as processes
//! all share this machine's loopback address.
//!
//! | version | how listeners for inter-broker traffic and for this machine's clients differ |
//! |---|---|
//! | before 0.10.2 (no named listeners) | by protocol: `SASL_PLAINTEXT` inside, `PLAINTEXT` outside; the reverse where the plan's clients log in |
//! | from 0.10.2 (KIP-103) | by name: `INTERNAL`, `EXTERNAL`, and in KRaft `CONTROLLER`; where clients log in, voters have `CONTROLLER_LOGIN` for kplan's observer too; in containers with `security`, brokers have `SERVICES` for containers of services |

use indexmap::IndexMap;

use kplan_dsl::value::{SaslMechanism, SecurityProtocol, controller_numbers};

use super::{
    ClusterSpec, Node, Quorum, RigError,
    addresses::{Addresses, LOOPBACK, Purpose},
    security::{OWN_USER, Security},
};

/// Partitions of `__consumer_offsets` and `__transaction_state` unless the plan says otherwise.
/// Kafka's own default is 50, which costs a small test cluster seconds at its first start and at
/// every failover (0.10 most of all) and adds nothing to what a plan observes.
pub const INTERNAL_TOPIC_PARTITIONS: u32 = 3;

/// Bytes of the log cleaner's buffer where a plan changes settings of running brokers.
const CLEANER_BUFFER: u32 = 16 << 20;

/// Every node of a cluster, brokers first.
pub fn nodes(spec: &ClusterSpec) -> Vec<Node> {
    let mut nodes: Vec<Node> = spec.numbers().map(Node::Broker).collect();
    match spec.mode {
        Quorum::KraftCombined => {}
        Quorum::KraftSeparate(n) => nodes.extend(controller_numbers(n).map(Node::Controller)),
        Quorum::Zookeeper => nodes.push(Node::Zookeeper(1)),
    }
    nodes
}

/// What a node listens for.
pub fn purposes(spec: &ClusterSpec, node: Node) -> Vec<Purpose> {
    match (node, spec.mode) {
        (Node::Broker(_), Quorum::KraftCombined) => {
            let inside = [Purpose::Internal, Purpose::Controller];
            let login = has_users(spec).then_some(Purpose::ControllerLogin);
            inside.into_iter().chain(login).chain([Purpose::External]).collect()
        }
        (Node::Broker(_), _) => vec![Purpose::Internal, Purpose::External],
        (Node::Controller(_), _) => {
            let login = has_users(spec).then_some(Purpose::ControllerLogin);
            [Purpose::Controller].into_iter().chain(login).collect()
        }
        (Node::Zookeeper(_), _) => vec![Purpose::Zookeeper],
    }
}

/// The ports that a node listens on. Before 0.10.2 one listener serves brokers and clients where
/// both reach it under the same address.
pub fn listening(spec: &ClusterSpec, node: Node, at: &Addresses) -> Vec<u16> {
    let one = at.share_a_host() && needs_sasl_trick(spec);
    let used = purposes(spec, node).into_iter().filter(|p| !(one && *p == Purpose::Internal));
    let broker = matches!(node, Node::Broker(_));
    let services = (broker && has_services_listener(spec, at)).then_some(Purpose::Services);
    used.chain(services).map(|purpose| at.port(node, purpose)).collect()
}

/// Refuses what no Kafka can do, on any backend.
/// Fails with [`RigError::Unsupported`] with what it is.
pub fn refuse(spec: &ClusterSpec, backend: &'static str) -> Result<(), RigError> {
    let cannot = |what: String| Err(RigError::Unsupported { backend, what });
    let version = &spec.version;
    match spec.mode {
        Quorum::Zookeeper if version.at_least(&[4]) => {
            cannot(format!("run Kafka {version} with ZooKeeper: 3.9 is the last that can"))
        }
        Quorum::KraftCombined | Quorum::KraftSeparate(_) if !version.at_least(&[3]) => {
            cannot(format!("run Kafka {version} in KRaft mode: 3.0 is the first that can"))
        }
        Quorum::KraftSeparate(0) => cannot("run KRaft without a controller".to_owned()),
        _ if spec.brokers == 0 || spec.brokers > 100 => {
            cannot(format!("run {} brokers: 1 to 100 are possible", spec.brokers))
        }
        _ => Ok(()),
    }
}

/// True if brokers have a listener of their own for containers of services, which `INTERNAL` would let in without a
/// login and unencrypted.
pub fn has_services_listener(spec: &ClusterSpec, at: &Addresses) -> bool {
    spec.security.is_some() && !is_nameless(spec) && !at.share_a_host()
}

/// True for versions without named listeners.
pub fn is_nameless(spec: &ClusterSpec) -> bool {
    !spec.version.at_least(&[0, 10, 2])
}

/// True if the clients of the plan log in.
pub fn has_users(spec: &ClusterSpec) -> bool {
    spec.security.as_ref().is_some_and(Security::has_users)
}

/// The voters' listener for kplan's observer, which logs in there.
pub const CONTROLLER_LOGIN: &str = "CONTROLLER_LOGIN";

/// True for nodes that vote for the controller (KRaft).
pub fn votes(spec: &ClusterSpec, node: Node) -> bool {
    match node {
        Node::Broker(_) => spec.mode == Quorum::KraftCombined,
        Node::Controller(_) => true,
        Node::Zookeeper(_) => false,
    }
}

/// True for voters of clusters whose clients log in: the listener between voters requires no login and must not be
/// reachable from outside, so the observer has a listener of its own.
pub fn has_controller_login(spec: &ClusterSpec, node: Node) -> bool {
    votes(spec, node) && has_users(spec)
}

/// True if SASL between brokers replaces named listeners.
pub fn needs_sasl_trick(spec: &ClusterSpec) -> bool {
    is_nameless(spec) && !has_users(spec)
}

/// The security protocol of clients.
fn outside(spec: &ClusterSpec) -> SecurityProtocol {
    spec.security.as_ref().map_or(SecurityProtocol::Plaintext, |s| s.protocol)
}

/// A node's settings in the order in which they are written: kplan's own, then the plan's
/// (which win).
pub fn settings(
    spec: &ClusterSpec,
    node: Node,
    at: &Addresses,
    host_port: u16,
) -> IndexMap<String, String> {
    let mut out = Settings(IndexMap::new());
    match node {
        Node::Zookeeper(_) => zookeeper(&mut out, node, at),
        Node::Controller(id) => {
            out.set("process.roles", "controller");
            quorum(&mut out, spec, id, node, at);
            out.set("listeners", controllers(spec, node, at));
            authorizer(&mut out, spec);
            // Controllers read several broker settings too (minimum in-sync replicas, elections, rebalancing of
            // leaders), but not the listeners of brokers.
            let listening = ["listeners", "advertised.listeners", "broker.rack"];
            for (key, value) in &spec.config {
                if !listening.contains(&key.as_str()) {
                    out.set(key, value);
                }
            }
        }
        Node::Broker(id) => {
            match spec.mode {
                Quorum::Zookeeper => zookeeper_broker(&mut out, spec, id, at, host_port),
                Quorum::KraftCombined | Quorum::KraftSeparate(_) => {
                    kraft_broker(&mut out, spec, id, at, host_port);
                }
            }
            defaults(&mut out, spec);
            authorizer(&mut out, spec);
            let home = at.home(node);
            out.0.extend(spec.security.iter().flat_map(|s| s.settings(&home)));
            if let Some(rack) = spec.racks.get(&id) {
                out.set("broker.rack", rack);
            }
            let own = spec.broker_config.get(&id);
            for (key, value) in spec.config.iter().chain(own.into_iter().flatten()) {
                out.set(key, value);
            }
        }
    }
    out.0
}

struct Settings(IndexMap<String, String>);

impl Settings {
    fn set(&mut self, key: &str, value: impl ToString) {
        self.0.insert(key.to_owned(), value.to_string());
    }
}

fn zookeeper(out: &mut Settings, node: Node, at: &Addresses) {
    out.set("dataDir", format!("{}/data", at.home(node)));
    out.set("clientPort", at.port(node, Purpose::Zookeeper));
    if at.share_a_host() {
        out.set("clientPortAddress", LOOPBACK);
    }
    out.set("maxClientCnxns", 0);
    // An HTTP server on port 8080 that nothing here uses; ZooKeeper before 3.5 ignores the setting.
    out.set("admin.enableServer", false);
}

fn quorum(out: &mut Settings, spec: &ClusterSpec, id: u32, node: Node, at: &Addresses) {
    out.set("node.id", id);
    let voters: Vec<String> = nodes(spec)
        .into_iter()
        .filter_map(|node| match (spec.mode, node) {
            (Quorum::KraftCombined, Node::Broker(id))
            | (Quorum::KraftSeparate(_), Node::Controller(id)) => Some((id, node)),
            _ => None,
        })
        .map(|(id, node)| format!("{id}@{}", at.reached(node, Purpose::Controller)))
        .collect();
    out.set("controller.quorum.voters", voters.join(","));
    let mut map = format!("{},CONTROLLER:PLAINTEXT", protocols(spec, at));
    if has_controller_login(spec, node) {
        // Nodes use the first of the names among themselves.
        out.set("controller.listener.names", format!("CONTROLLER,{CONTROLLER_LOGIN}"));
        map.push_str(&format!(",{CONTROLLER_LOGIN}:{}", SecurityProtocol::SaslPlaintext));
        let own = format!("listener.name.{}", CONTROLLER_LOGIN.to_lowercase());
        out.set(&format!("{own}.sasl.enabled.mechanisms"), SaslMechanism::Plain);
    } else {
        out.set("controller.listener.names", "CONTROLLER");
    }
    out.set("listener.security.protocol.map", map);
    out.set("log.dirs", format!("{}/data", at.home(node)));
}

/// Where a voter listens for controllers.
fn controllers(spec: &ClusterSpec, node: Node, at: &Addresses) -> String {
    let mut all = format!("CONTROLLER://{}", at.bound(node, Purpose::Controller));
    if has_controller_login(spec, node) {
        let login = at.bound(node, Purpose::ControllerLogin);
        all.push_str(&format!(",{CONTROLLER_LOGIN}://{login}"));
    }
    all
}

fn kraft_broker(out: &mut Settings, spec: &ClusterSpec, id: u32, at: &Addresses, port: u16) {
    let combined = spec.mode == Quorum::KraftCombined;
    out.set("process.roles", if combined { "broker,controller" } else { "broker" });
    let node = Node::Broker(id);
    quorum(out, spec, id, node, at);
    named_listeners(out, spec, id, at, port);
    if combined {
        let listeners = format!("{},{}", out.0["listeners"], controllers(spec, node, at));
        out.set("listeners", listeners);
    }
}

/// The security protocol of each of a broker's named listeners.
fn protocols(spec: &ClusterSpec, at: &Addresses) -> String {
    let outside = outside(spec);
    let services = has_services_listener(spec, at).then(|| format!(",SERVICES:{outside}"));
    format!("INTERNAL:PLAINTEXT,EXTERNAL:{outside}{}", services.unwrap_or_default())
}

fn named_listeners(out: &mut Settings, spec: &ClusterSpec, id: u32, at: &Addresses, port: u16) {
    let node = Node::Broker(id);
    let (inside, outside) = (at.bound(node, Purpose::Internal), at.bound(node, Purpose::External));
    let mut listeners = format!("INTERNAL://{inside},EXTERNAL://{outside}");
    let inside = at.reached(node, Purpose::Internal);
    let mut advertised = format!("INTERNAL://{inside},EXTERNAL://{}", at.published(port));
    if has_services_listener(spec, at) {
        listeners.push_str(&format!(",SERVICES://{}", at.bound(node, Purpose::Services)));
        advertised.push_str(&format!(",SERVICES://{}", at.reached(node, Purpose::Services)));
    }
    out.set("listeners", listeners);
    out.set("advertised.listeners", advertised);
    out.set("inter.broker.listener.name", "INTERNAL");
}

fn zookeeper_broker(out: &mut Settings, spec: &ClusterSpec, id: u32, at: &Addresses, port: u16) {
    out.set("broker.id", id);
    let node = Node::Broker(id);
    out.set("zookeeper.connect", at.reached(Node::Zookeeper(1), Purpose::Zookeeper));
    out.set("log.dirs", format!("{}/data", at.home(node)));
    if !is_nameless(spec) {
        out.set("listener.security.protocol.map", protocols(spec, at));
        named_listeners(out, spec, id, at, port);
        return;
    }
    let outside = outside(spec);
    if at.share_a_host() {
        // Brokers and clients reach each other under the same address: one listener serves both.
        let both = format!("PLAINTEXT://{}", at.bound(node, Purpose::External));
        out.set("listeners", &both);
        out.set("advertised.listeners", &both);
        return;
    }
    let inside =
        if has_users(spec) { SecurityProtocol::Plaintext } else { SecurityProtocol::SaslPlaintext };
    let (bound, published) = (at.bound(node, Purpose::Internal), at.bound(node, Purpose::External));
    out.set("listeners", format!("{inside}://{bound},{outside}://{published}"));
    let reached = at.reached(node, Purpose::Internal);
    out.set(
        "advertised.listeners",
        format!("{inside}://{reached},{outside}://{}", at.published(port)),
    );
    out.set("security.inter.broker.protocol", inside);
    if needs_sasl_trick(spec) {
        out.set("sasl.mechanism.inter.broker.protocol", "PLAIN");
        out.set("sasl.enabled.mechanisms", "PLAIN");
    }
}

/// kplan's defaults where they differ from Kafka's, because Kafka's do not suit a cluster of a few brokers
/// or would hide a mistake in a plan.
fn defaults(out: &mut Settings, spec: &ClusterSpec) {
    let replicas = spec.brokers.clamp(1, 3);
    out.set("auto.create.topics.enable", false);
    out.set("offsets.topic.replication.factor", replicas);
    out.set("offsets.topic.num.partitions", INTERNAL_TOPIC_PARTITIONS);
    // Transactions and the rebalance delay came with 0.11 (KIP-98, KIP-134).
    if spec.version.at_least(&[0, 11]) {
        out.set("transaction.state.log.replication.factor", replicas);
        out.set("transaction.state.log.min.isr", replicas.min(2));
        out.set("transaction.state.log.num.partitions", INTERNAL_TOPIC_PARTITIONS);
        out.set("group.initial.rebalance.delay.ms", 0);
    }
    // Another `message.max.bytes`, for example, makes a running broker start its log cleaner again. Its buffer is in
    // the heap twice then, and with Kafka's default of 128 MiB brokers ran out of memory.
    if spec.dynamic {
        out.set("log.cleaner.dedupe.buffer.size", CLEANER_BUFFER);
    }
    // Kafka's own default from 1.0 on.
    if !spec.version.at_least(&[1]) {
        out.set("delete.topic.enable", true);
    }
}

/// Kafka's authorizer, where the plan gives and takes permissions. Brokers and controllers use listeners among
/// themselves on which nobody logs in.
fn authorizer(out: &mut Settings, spec: &ClusterSpec) {
    if !spec.authorizer {
        return;
    }
    let class = match spec.mode {
        Quorum::KraftCombined | Quorum::KraftSeparate(_) => {
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
        }
        // KIP-504 replaced the class.
        Quorum::Zookeeper if spec.version.at_least(&[2, 4]) => {
            "kafka.security.authorizer.AclAuthorizer"
        }
        Quorum::Zookeeper => "kafka.security.auth.SimpleAclAuthorizer",
    };
    out.set("authorizer.class.name", class);
    out.set("super.users", format!("User:{OWN_USER};User:ANONYMOUS"));
    out.set("allow.everyone.if.no.acl.found", true);
}

/// Settings as a Java properties file.
pub fn render(settings: &IndexMap<String, String>) -> String {
    settings
        .iter()
        .map(|(key, value)| format!("{}={}\n", escape(key, true), escape(value, false)))
        .collect()
}

/// Escapes as `java.util.Properties.load` reads it (ISO 8859-1, backslashes).
pub(super) fn escape(text: &str, key: bool) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(text.len());
    for (i, c) in text.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Blanks before a value would be skipped.
            ' ' if key || i == 0 => out.push_str("\\ "),
            '=' | ':' | '#' | '!' if key => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            _ => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out
}
