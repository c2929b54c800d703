use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use indexmap::IndexMap;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    producer::{FutureProducer, FutureRecord},
};

use super::*;
use crate::cluster::{Bounds, Quorum};

type Any = Box<dyn std::error::Error>;

fn launch(brokers: u32) -> EmbeddedCluster {
    EmbeddedCluster::launch(spec(brokers)).expect("a mock cluster")
}

fn spec(brokers: u32) -> ClusterSpec {
    ClusterSpec {
        run: "r".into(),
        name: "main".into(),
        version: "4.1.1".parse().expect("a version"),
        mode: Quorum::KraftCombined,
        brokers,
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

#[tokio::test]
async fn its_brokers_are_numbered_from_1() {
    let from = |first| ClusterSpec { first_broker: Some(first), ..spec(2) };
    let refused = EmbeddedCluster::launch(from(0));
    assert!(matches!(refused, Err(RigError::Unsupported { .. })));
    let cluster = EmbeddedCluster::launch(from(1)).expect("as without it");
    assert_eq!(cluster.spec.numbers().collect::<Vec<_>>(), [1, 2]);
}

fn topic(partitions: u32, replicas: u32) -> TopicSpec {
    let placement = Placement::Counts { partitions, replicas };
    TopicSpec { name: "orders".into(), placement, config: IndexMap::new() }
}

fn servers(cluster: &EmbeddedCluster) -> String {
    cluster.addresses.join(",")
}

/// Leader and replicas of each partition, as a client sees them; -1 is no leader.
async fn partitions(cluster: &EmbeddedCluster) -> Result<Vec<(i32, Vec<i32>)>, Any> {
    let servers = servers(cluster);
    let asked = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", servers).create()?;
        let metadata = client.fetch_metadata(Some("orders"), Duration::from_secs(10))?;
        let found = metadata.topics()[0]
            .partitions()
            .iter()
            .map(|p| (p.leader(), p.replicas().to_vec()))
            .collect();
        Ok::<_, ClientError>(found)
    });
    Ok(asked.await??)
}

async fn leaders_become(cluster: &EmbeddedCluster, wanted: &[i32]) -> Result<(), Any> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let leaders: Vec<i32> = partitions(cluster).await?.into_iter().map(|p| p.0).collect();
        if leaders == wanted {
            return Ok(());
        }
        assert!(Instant::now() < deadline, "leaders are {leaders:?}, not {wanted:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn produce(cluster: &EmbeddedCluster, partition: i32, count: u32) -> Result<(), Any> {
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", servers(cluster)).create()?;
    for i in 0..count {
        let payload = i.to_string();
        let record = FutureRecord::<(), _>::to("orders").payload(&payload).partition(partition);
        producer.send(record, Duration::from_secs(20)).await.map_err(|(error, _)| error)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_leave_a_dead_broker_and_come_back() -> Result<(), Any> {
    let cluster = launch(3);
    cluster.create_topic(&topic(3, 3)).await?;
    leaders_become(&cluster, &[1, 2, 3]).await?;
    produce(&cluster, 1, 10).await?;

    cluster.kill(&[Node::Broker(2)]).await?;
    assert_eq!(cluster.state(Node::Broker(2)).await?, NodeState::Dead);
    assert!(std::net::TcpStream::connect(cluster.address(2)).is_err());
    leaders_become(&cluster, &[1, 3, 3]).await?;
    produce(&cluster, 1, 10).await?;

    cluster.start(&[Node::Broker(2)], DataFate::Kept).await?;
    leaders_become(&cluster, &[1, 2, 3]).await?;
    produce(&cluster, 1, 10).await?;

    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers(&cluster))
        .set("group.id", "readers")
        .create()?;
    let mut all = TopicPartitionList::new();
    all.add_partition_offset("orders", 1, Offset::Beginning)?;
    consumer.assign(&all)?;
    let read = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut read = Vec::new();
        while read.len() < 30 && Instant::now() < deadline {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
                read.push(message.offset());
            }
        }
        read
    })
    .await?;
    assert_eq!(read, (0..30).collect::<Vec<i64>>());
    cluster.destroy().await?;
    assert!(cluster.kill(&[Node::Broker(1)]).await.is_err());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_replica_has_no_leader_until_its_broker_is_back() -> Result<(), Any> {
    let cluster = launch(3);
    let placement = Placement::Assignment(vec![vec![1], vec![2], vec![3]]);
    cluster
        .create_topic(&TopicSpec { name: "orders".into(), placement, config: IndexMap::new() })
        .await?;
    cluster.kill(&[Node::Broker(2), Node::Broker(3)]).await?;
    leaders_become(&cluster, &[1, -1, -1]).await?;
    cluster.start(&[Node::Broker(3)], DataFate::Kept).await?;
    leaders_become(&cluster, &[1, -1, 3]).await?;
    cluster.stop(&[Node::Broker(1)], Duration::from_secs(1)).await?;
    leaders_become(&cluster, &[-1, -1, 3]).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn all_brokers_die_and_the_log_stays() -> Result<(), Any> {
    let cluster = launch(3);
    cluster.create_topic(&topic(1, 3)).await?;
    produce(&cluster, 0, 5).await?;
    let all = cluster.nodes();
    cluster.kill(&all).await?;
    assert!(partitions(&cluster).await.is_err());
    cluster.start(&all, DataFate::Kept).await?;
    leaders_become(&cluster, &[1]).await?;
    produce(&cluster, 0, 5).await?;
    let address = servers(&cluster);
    let marks = tokio::task::spawn_blocking(move || {
        let client: BaseConsumer =
            ClientConfig::new().set("bootstrap.servers", address).create()?;
        client.fetch_watermarks("orders", 0, Duration::from_secs(10))
    })
    .await??;
    assert_eq!(marks, (0, 10));
    Ok(())
}

/// Reads one message as a member of a group, and commits it.
fn read_one(servers: &str, group: &str) -> Option<i64> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        // The mock rebalances a group that has been used before only after this time less 1 s.
        .set("session.timeout.ms", "3000")
        .create()
        .ok()?;
    consumer.subscribe(&["orders"]).ok()?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            consumer.commit_message(&message, CommitMode::Sync).ok()?;
            return Some(message.offset());
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_survives_its_coordinator() -> Result<(), Any> {
    let cluster = launch(3);
    cluster.create_topic(&topic(1, 3)).await?;
    produce(&cluster, 0, 3).await?;
    cluster.expect_group("readers");
    let address = servers(&cluster);
    let read = |address: String| async move {
        tokio::task::spawn_blocking(move || read_one(&address, "readers")).await
    };
    assert_eq!(read(address.clone()).await?, Some(0));
    let coordinator = cluster.controller.lock().groups["readers"];
    cluster.kill(&[Node::Broker(coordinator)]).await?;
    assert_eq!(read(address).await?, Some(1), "the group's commit must be found again");
    assert_ne!(cluster.controller.lock().groups["readers"], coordinator);
    Ok(())
}

#[tokio::test]
async fn refuses_as_kafka_does() {
    let cluster = launch(2);
    let code = |result: Result<(), AdminError>| match result {
        Err(AdminError::Kafka(error)) => error.code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(cluster.create_topic(&topic(1, 3)).await), "INVALID_REPLICATION_FACTOR");
    assert_eq!(code(cluster.create_topic(&topic(0, 1)).await), "INVALID_PARTITIONS");
    let named = TopicSpec { name: "a b".into(), ..topic(1, 1) };
    assert_eq!(code(cluster.create_topic(&named).await), "INVALID_TOPIC_EXCEPTION");
    assert!(cluster.create_topic(&topic(1, 1)).await.is_ok());
    assert_eq!(code(cluster.create_topic(&topic(1, 1)).await), "TOPIC_ALREADY_EXISTS");
}

#[tokio::test]
async fn says_what_it_cannot_show() {
    let cluster = launch(1);
    let one = [Node::Broker(1)];
    let unsupported = |result| matches!(result, Err(RigError::Unsupported { .. }));
    assert!(unsupported(cluster.pause(&one).await));
    assert!(unsupported(cluster.start(&one, DataFate::Wiped).await));
    assert!(unsupported(cluster.kill(&[Node::Controller(101)]).await));
    assert!(unsupported(cluster.hosts().map(drop)));
    assert!(cluster.simulated());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mock_places_replicas_by_the_rule_that_is_relied_on() -> Result<(), Any> {
    for (brokers, replicas) in [(3, 1), (3, 2), (3, 3), (5, 3)] {
        let cluster = launch(brokers);
        cluster.create_topic(&topic(7, replicas)).await?;
        for (number, (_, mut found)) in (0..).zip(partitions(&cluster).await?) {
            let mut wanted = mock_places(number, replicas, brokers);
            found.sort_unstable();
            wanted.sort_unstable();
            let found: Vec<u32> = found.into_iter().map(i32::cast_unsigned).collect();
            assert_eq!(found, wanted, "partition {number}, {replicas} of {brokers}");
        }
        cluster.destroy().await?;
    }
    Ok(())
}

#[test]
fn knows_which_assignments_it_can_show() {
    assert!(can_place(&[vec![1, 2, 3], vec![3, 1, 2], vec![2, 3, 1]], 3));
    assert!(can_place(&[vec![1], vec![2], vec![3]], 3));
    assert!(!can_place(&[vec![2]], 3));
    assert!(!can_place(&[vec![1, 2], vec![1, 2]], 3));
    assert!(!can_place(&[vec![1, 2], vec![3]], 3));
    assert!(!can_place(&[vec![]], 3));
    assert!(!can_place(&[], 3));
    assert!(!can_place(&[vec![1, 2, 3, 4]], 3));
    assert!(!can_place(&[vec![1, 1]], 2));
}
