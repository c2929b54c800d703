//! The files of a node's container before its first start: configuration, start script, and
//! the environment that Apache's scripts read.

use indexmap::IndexMap;

use super::super::{
    ClusterSpec, Node, Quorum, RigError,
    addresses::{Addresses, HOME},
    config, storage,
};
use super::{Secured, preloads};
pub use crate::new_container::ContainerFile as File;

impl File {
    pub fn plain(name: &str, bytes: &[u8]) -> Self {
        Self { path: format!("{HOME}/{name}"), bytes: bytes.into(), mode: 0o644 }
    }

    /// For the node's own user only.
    pub fn secret(name: &str, text: &str) -> Self {
        Self { mode: 0o600, ..Self::plain(name, text.as_bytes()) }
    }

    /// The content of a text file.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// The JVM caches names it could not resolve for 10 s and addresses for 30 s. Nodes start at
/// the same time, so it must cache nothing.
const JAVA_SECURITY: &str = "networkaddress.cache.ttl=0\nnetworkaddress.cache.negative.ttl=0\n";

/// Brokers of versions without named listeners use SASL among themselves. Not a secret: no
/// client logs in with it, and the port is not published.
const JAAS: &str = r#"KafkaServer {
  org.apache.kafka.common.security.plain.PlainLoginModule required
  username="kplan" password="kplan" user_kplan="kplan";
};
"#;

/// What the files of all nodes of a cluster have in common.
pub struct OfCluster<'a> {
    pub spec: &'a ClusterSpec,
    pub at: &'a Addresses,
    /// How the clients' listener is secured, if it is.
    pub secured: Option<&'a Secured>,
    /// The checkpoint of an earlier cluster's formatted storage, to be copied.
    pub checkpoint: Option<&'a [u8]>,
}

/// Every file of a node; the first is its configuration.
pub fn files(of: &OfCluster<'_>, node: Node, host_port: u16) -> Result<Vec<File>, RigError> {
    let OfCluster { spec, at, secured, checkpoint } = of;
    let file = |name: &str, text: &str| File::plain(name, text.as_bytes());
    let settings = config::settings(spec, node, at, host_port);
    let mut files = vec![
        file("node.properties", &config::render(&settings)),
        file("start", &script(spec, node, &at.cluster_id)),
        file("java.security", JAVA_SECURITY),
    ];
    if matches!(node, Node::Broker(_)) && config::needs_sasl_trick(spec) {
        files.push(file("jaas.conf", JAAS));
    }
    if let (Node::Broker(_) | Node::Controller(_), Some(secured)) = (node, secured) {
        files.extend(secured.files(spec, at, node)?);
    }
    if let (Some(checkpoint), Node::Broker(id) | Node::Controller(id)) = (checkpoint, node) {
        // Directory ids came with 3.7 (KIP-858).
        let knows_directories = spec.version.at_least(&[3, 7]);
        let meta = storage::meta_properties(&at.cluster_id, id, knows_directories);
        files.push(File::plain(storage::CHECKPOINT, checkpoint));
        files.push(file("data/meta.properties", &meta));
    }
    files.extend(preloads::file(spec, node));
    Ok(files)
}

/// Apache's images and those of `kplan image` hold an archive of the classes that a node loads, which
/// halves the processor time of a start. The JVM ignores an archive that does not fit.
const ARCHIVE: &str = "\
if [[ -e /opt/kafka/kafka.jsa ]]; then
  export KAFKA_JVM_PERFORMANCE_OPTS=\"$KAFKA_JVM_PERFORMANCE_OPTS -XX:SharedArchiveFile=/opt/kafka/kafka.jsa\"
fi
";

/// The script that a container runs, at every start.
fn script(spec: &ClusterSpec, node: Node, cluster_id: &str) -> String {
    let bin = "/opt/kafka/bin";
    let server = match node {
        Node::Zookeeper(_) => "zookeeper-server-start.sh",
        Node::Broker(_) | Node::Controller(_) => "kafka-server-start.sh",
    };
    let archive = match node {
        Node::Zookeeper(_) => "",
        Node::Broker(_) | Node::Controller(_) => ARCHIVE,
    };
    let format = match spec.mode {
        Quorum::Zookeeper => String::new(),
        Quorum::KraftCombined | Quorum::KraftSeparate(_) => format!(
            "if [[ ! -e {HOME}/data/meta.properties ]]; then\n  \
             {bin}/kafka-storage.sh format --ignore-formatted -t {cluster_id} -c {HOME}/node.properties\nfi\n"
        ),
    };
    let followed = if spec.preloads(node) { preloads::script(spec) } else { String::new() };
    format!(
        "set -eu\nmkdir -p {HOME}/data\n{archive}{format}{followed}exec {bin}/{server} {HOME}/node.properties\n"
    )
}

/// Whether it has a listener with a login.
fn logs_in(spec: &ClusterSpec, node: Node) -> bool {
    let broker = matches!(node, Node::Broker(_));
    let clients = broker && (config::needs_sasl_trick(spec) || config::has_users(spec));
    clients || config::has_controller_login(spec, node)
}

/// Environment of a node: Apache's scripts pass it to the JVM. The plan's options come last
/// and take precedence.
pub fn environment(spec: &ClusterSpec, node: Node) -> Result<IndexMap<String, String>, RigError> {
    let mut options = vec![format!("-Djava.security.properties={HOME}/java.security")];
    let mut heap = "-Xms64m -Xmx256m";
    if logs_in(spec, node) {
        options.push(format!("-Djava.security.auth.login.config={HOME}/jaas.conf"));
    }
    if let Node::Broker(_) = node {
        // The JVM refuses an initial heap above the plan's own limit.
        let limited = spec.jvm.iter().any(|option| option.starts_with("-Xmx"));
        heap = if limited { "-Xmx384m" } else { "-Xms128m -Xmx384m" };
        if let Some(bad) = spec.jvm.iter().find(|option| option.contains(char::is_whitespace)) {
            return Err(RigError::Unsupported {
                backend: "docker",
                what: format!("pass the JVM option `{bad}`: Kafka's scripts split it at the space"),
            });
        }
        options.extend(spec.jvm.iter().cloned());
    }
    let pairs = [
        ("KAFKA_HEAP_OPTS", heap.to_owned()),
        // One compiler tier and the serial collector start fastest with small heaps. A JVM
        // without memory ends instead of going on half broken.
        (
            "KAFKA_JVM_PERFORMANCE_OPTS",
            "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError \
             -Djava.awt.headless=true"
                .to_owned(),
        ),
        ("KAFKA_OPTS", options.join(" ")),
        // No log of garbage collections, which Apache's script asks for by default.
        ("EXTRA_ARGS", String::new()),
    ];
    Ok(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::config_tests::spec;

    fn variable(spec: &ClusterSpec, node: Node, name: &str) -> String {
        environment(spec, node).unwrap_or_else(|error| panic!("{error}"))[name].clone()
    }

    #[test]
    fn the_plans_jvm_options_come_last_and_for_brokers_only() {
        let mut spec = spec("0.10.1.1", Quorum::Zookeeper);
        spec.jvm = vec!["-Djava.net.preferIPv4Stack=true".into(), "-Xmx100m".into()];
        let options = variable(&spec, Node::Broker(1), "KAFKA_OPTS");
        assert!(options.ends_with("jaas.conf -Djava.net.preferIPv4Stack=true -Xmx100m"));
        assert_eq!(variable(&spec, Node::Broker(1), "KAFKA_HEAP_OPTS"), "-Xmx384m");
        assert!(!variable(&spec, Node::Zookeeper(1), "KAFKA_OPTS").contains("preferIPv4"));
        spec.jvm = vec!["-Da=b c".into()];
        assert!(matches!(environment(&spec, Node::Broker(1)), Err(RigError::Unsupported { .. })));
    }

    #[test]
    fn only_kraft_is_formatted() {
        let kraft = spec("4.1.1", Quorum::KraftSeparate(1));
        let text = script(&kraft, Node::Controller(101), "5L6g3nShT-eMCtK--X86sw");
        assert!(text.contains("format --ignore-formatted -t 5L6g3nShT-eMCtK--X86sw"), "{text}");
        assert!(text.contains("-XX:SharedArchiveFile=/opt/kafka/kafka.jsa"), "{text}");
        let old = spec("3.9.1", Quorum::Zookeeper);
        let text = script(&old, Node::Zookeeper(1), "x");
        assert!(
            text.ends_with(
                "exec /opt/kafka/bin/zookeeper-server-start.sh /kplan/node.properties\n"
            )
        );
        assert!(!text.contains("format") && !text.contains("kafka.jsa"), "{text}");
    }
}
