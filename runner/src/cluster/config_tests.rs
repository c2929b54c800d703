use std::{collections::BTreeMap, path::PathBuf};

use indexmap::IndexMap;

use super::{
    Bounds, ClusterSpec, Node, Quorum,
    addresses::Addresses,
    config::{escape, nodes, render, settings},
    security::Security,
};

/// Three brokers with nothing special.
pub fn spec(version: &str, mode: Quorum) -> ClusterSpec {
    ClusterSpec {
        run: "r1".into(),
        name: "main".into(),
        version: version.parse().unwrap_or_else(|error| panic!("{error}")),
        mode,
        brokers: 3,
        first_broker: None,
        config: IndexMap::new(),
        broker_config: BTreeMap::new(),
        jvm: vec![],
        image: None,
        racks: BTreeMap::new(),
        disk: None,
        exchangeable: false,
        damaged: false,
        preload: Default::default(),
        authorizer: false,
        dynamic: false,
        bounds: Bounds::default(),
        security: None,
        dir: PathBuf::new(),
    }
}

fn text(spec: &ClusterSpec, node: Node) -> String {
    let cluster_id = "5L6g3nShT-eMCtK--X86sw".into();
    let at = Addresses { prefix: "k".into(), cluster_id, ..Addresses::default() };
    render(&settings(spec, node, &at, 29092))
}

#[test]
fn writes_each_version_and_mode() {
    for (version, mode, node) in [
        ("0.10.1.1", Quorum::Zookeeper, Node::Broker(2)),
        ("3.9.1", Quorum::Zookeeper, Node::Broker(2)),
        ("3.9.1", Quorum::Zookeeper, Node::Zookeeper(1)),
        ("3.9.1", Quorum::KraftCombined, Node::Broker(2)),
        ("4.1.1", Quorum::KraftCombined, Node::Broker(2)),
        ("4.1.1", Quorum::KraftSeparate(1), Node::Broker(2)),
        ("4.1.1", Quorum::KraftSeparate(3), Node::Controller(102)),
    ] {
        let name = format!("{version} {mode:?} {}", node.slug());
        insta::assert_snapshot!(name, text(&spec(version, mode), node));
    }
}

#[test]
fn the_plan_wins_and_one_broker_wins_over_all() {
    let mut spec = spec("4.1.1", Quorum::KraftSeparate(1));
    spec.config.insert("auto.create.topics.enable".into(), "true".into());
    spec.config.insert("min.insync.replicas".into(), "2".into());
    spec.config.insert("listeners".into(), "EXTERNAL://0.0.0.0:1".into());
    spec.broker_config.insert(2, [("min.insync.replicas".into(), "1".into())].into());
    spec.racks.insert(2, "east".into());
    let two = text(&spec, Node::Broker(2));
    assert!(two.contains("auto.create.topics.enable=true\n"), "{two}");
    assert!(two.contains("min.insync.replicas=1\n"), "{two}");
    assert!(two.contains("broker.rack=east\n"), "{two}");
    let one = text(&spec, Node::Broker(1));
    assert!(one.contains("min.insync.replicas=2\n"), "{one}");
    assert!(!one.contains("broker.rack"), "{one}");
    let controller = text(&spec, Node::Controller(101));
    assert!(controller.contains("min.insync.replicas=2\n"), "{controller}");
    assert!(controller.contains("listeners=CONTROLLER://:9093\n"), "{controller}");
}

#[test]
fn a_plan_about_permissions_gets_the_authorizer_of_its_version() {
    for (version, mode, class) in [
        ("4.1.1", Quorum::KraftCombined, "metadata.authorizer.StandardAuthorizer"),
        ("3.9.1", Quorum::Zookeeper, "kafka.security.authorizer.AclAuthorizer"),
        ("2.3.1", Quorum::Zookeeper, "kafka.security.auth.SimpleAclAuthorizer"),
    ] {
        let plain = text(&spec(version, mode), Node::Broker(1));
        assert!(!plain.contains("authorizer"), "{plain}");
        let authorized = ClusterSpec { authorizer: true, ..spec(version, mode) };
        let broker = text(&authorized, Node::Broker(1));
        assert!(broker.contains(&format!("{class}\n")), "{broker}");
        assert!(broker.contains("super.users=User:kplan;User:ANONYMOUS\n"), "{broker}");
    }
    let mut own = spec("4.1.1", Quorum::KraftSeparate(1));
    own.authorizer = true;
    own.config.insert("allow.everyone.if.no.acl.found".into(), "false".into());
    for node in [Node::Broker(1), Node::Controller(101)] {
        let text = text(&own, node);
        assert!(
            text.contains("authorizer.class.name=") && text.contains("found=false\n"),
            "{text}"
        );
    }
}

#[test]
fn a_broker_that_is_given_settings_while_it_runs_can_start_its_log_cleaner_again() {
    let plain = spec("4.1.1", Quorum::KraftCombined);
    assert!(!text(&plain, Node::Broker(1)).contains("log.cleaner"));
    let dynamic = ClusterSpec { dynamic: true, ..plain };
    let broker = text(&dynamic, Node::Broker(1));
    assert!(broker.contains("log.cleaner.dedupe.buffer.size=16777216\n"), "{broker}");
}

#[test]
fn small_clusters_get_internal_topics_that_fit() {
    let mut spec = spec("4.1.1", Quorum::KraftCombined);
    spec.brokers = 1;
    let one = text(&spec, Node::Broker(1));
    assert!(one.contains("offsets.topic.replication.factor=1\n"), "{one}");
    assert!(one.contains("transaction.state.log.min.isr=1\n"), "{one}");
    spec.brokers = 5;
    let five = text(&spec, Node::Broker(5));
    assert!(five.contains("offsets.topic.replication.factor=3\n"), "{five}");
    assert!(five.contains("5@k-broker-5:9093"), "{five}");
}

#[test]
fn values_survive_java_properties() {
    assert_eq!(escape(" a b\\c\n", false), "\\ a b\\\\c\\n");
    assert_eq!(escape("a b=c:d", true), "a\\ b\\=c\\:d");
    assert_eq!(escape("a=b:c#d", false), "a=b:c#d");
    assert_eq!(escape("é😀", false), "\\u00e9\\ud83d\\ude00");
}

#[test]
fn lists_nodes_brokers_first() {
    let separate = nodes(&spec("4.1.1", Quorum::KraftSeparate(2)));
    assert_eq!(separate[2..], [Node::Broker(3), Node::Controller(101), Node::Controller(102)]);
    assert_eq!(nodes(&spec("3.9.1", Quorum::Zookeeper))[3], Node::Zookeeper(1));
    assert_eq!(nodes(&spec("3.9.1", Quorum::KraftCombined)).len(), 3);
}

#[test]
fn only_listeners_that_this_machine_reaches_are_secured() {
    use kplan_dsl::value::{SaslMechanism, SecurityProtocol};
    let secured = |version, mode, protocol, mechanism| {
        let mut spec = spec(version, mode);
        let users = IndexMap::from([("alice".to_owned(), "wonderland".to_owned())]);
        spec.security = Some(Security { protocol, mechanism, users });
        text(&spec, Node::Broker(1))
    };
    let mut separate = spec("4.1.1", Quorum::KraftSeparate(1));
    let protocol = SecurityProtocol::SaslPlaintext;
    separate.security =
        Some(Security { protocol, mechanism: SaslMechanism::Plain, users: IndexMap::new() });
    let controller = text(&separate, Node::Controller(101));
    let both = "listeners=CONTROLLER://:9093,CONTROLLER_LOGIN://:9095\n";
    assert!(controller.contains(both), "{controller}");
    let broker = text(&separate, Node::Broker(1));
    assert!(broker.contains("controller.listener.names=CONTROLLER\n"), "{broker}");
    let new = secured(
        "4.1.1",
        Quorum::KraftCombined,
        SecurityProtocol::SaslSsl,
        SaslMechanism::ScramSha512,
    );
    for line in [
        "listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:SASL_SSL,SERVICES:SASL_SSL,CONTROLLER:PLAINTEXT,CONTROLLER_LOGIN:SASL_PLAINTEXT\n",
        "listeners=INTERNAL://:9092,EXTERNAL://:9094,SERVICES://:9096,CONTROLLER://:9093,CONTROLLER_LOGIN://:9095\n",
        "controller.listener.names=CONTROLLER,CONTROLLER_LOGIN\n",
        "listener.name.controller_login.sasl.enabled.mechanisms=PLAIN\n",
        "sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN\n",
        "ssl.keystore.type=PEM\n",
    ] {
        assert!(new.contains(line), "{new}");
    }
    assert!(!new.contains("wonderland"), "{new}");
    let old = secured(
        "0.10.1.1",
        Quorum::Zookeeper,
        SecurityProtocol::SaslPlaintext,
        SaslMechanism::Plain,
    );
    for line in [
        "listeners=PLAINTEXT://:9092,SASL_PLAINTEXT://:9094\n",
        "security.inter.broker.protocol=PLAINTEXT\n",
        "sasl.enabled.mechanisms=PLAIN\n",
    ] {
        assert!(old.contains(line), "{old}");
    }
    let tls = secured("4.1.1", Quorum::KraftCombined, SecurityProtocol::Ssl, SaslMechanism::Plain);
    assert!(!tls.contains("CONTROLLER_LOGIN"), "nobody logs in: {tls}");
    let tls = secured("3.9.1", Quorum::Zookeeper, SecurityProtocol::Ssl, SaslMechanism::Plain);
    assert!(
        tls.contains("map=INTERNAL:PLAINTEXT,EXTERNAL:SSL,SERVICES:SSL\n") && !tls.contains("sasl"),
        "{tls}"
    );
}
