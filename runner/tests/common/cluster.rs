//! Clusters without the conductor: what the tests of backends share.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use kplan::cluster::{
    Bounds, Cluster, ClusterSpec, Node, NodeState, Placement, Quorum, RigError, TopicSpec,
    backend::{Backend, ROSTER, Setup},
};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer},
    producer::{FutureProducer, FutureRecord},
};

/// Whatever went wrong.
pub type Any = Box<dyn std::error::Error>;

/// The backend of the roster that is called so, without a file.
pub fn backend(name: &str) -> Arc<dyn Backend> {
    let kind = ROSTER.iter().find(|kind| kind.name == name).expect("a backend of the roster");
    (kind.choose)(Setup::default()).backend
}

/// A cluster of the backend that is called so.
pub async fn launch(name: &str, spec: ClusterSpec) -> Result<Arc<dyn Cluster>, RigError> {
    backend(name).launch(spec).await
}

/// Three brokers with nothing special.
pub fn spec(version: &str, mode: Quorum, dir: &Path) -> ClusterSpec {
    ClusterSpec {
        run: format!("test-{:08x}", rand::random::<u32>()),
        name: "main".into(),
        version: version.parse().expect("a version"),
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
        dir: dir.to_owned(),
    }
}

/// Every living broker's metadata lists `count` brokers.
pub async fn joined(cluster: &dyn Cluster, count: usize) -> Result<(), Any> {
    let deadline = Instant::now() + Duration::from_secs(180);
    let mut waiting = brokers(cluster);
    while let Some(broker) = waiting.last().copied() {
        if cluster.state(Node::Broker(broker)).await? == NodeState::Dead {
            waiting.pop();
            continue;
        }
        cluster.check().await?;
        let address = cluster.address(broker);
        let listed = tokio::task::spawn_blocking(move || {
            let client: BaseConsumer =
                ClientConfig::new().set("bootstrap.servers", &address).create().ok()?;
            let metadata = client.fetch_metadata(None, Duration::from_secs(2)).ok()?;
            Some(metadata.brokers().len())
        })
        .await?;
        if listed == Some(count) {
            waiting.pop();
        } else if Instant::now() > deadline {
            return Err(format!("broker {broker} lists {listed:?} brokers").into());
        } else {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(())
}

/// The numbers of its brokers.
pub fn brokers(cluster: &dyn Cluster) -> Vec<u32> {
    cluster.brokers()
}

/// A topic of three partitions.
pub fn counts(name: &str, replicas: u32) -> TopicSpec {
    TopicSpec {
        name: name.into(),
        placement: Placement::Counts { partitions: 3, replicas },
        config: [("min.insync.replicas".to_owned(), "2".to_owned())].into(),
    }
}

/// Writes one message into partition 0, acknowledged by all.
pub async fn produce(cluster: &dyn Cluster, topic: &str, payload: &str) -> Result<(), Any> {
    let servers: Vec<String> = brokers(cluster).into_iter().map(|n| cluster.address(n)).collect();
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", servers.join(","))
        .set("acks", "all")
        .set("message.timeout.ms", "60000")
        .create()?;
    let record = FutureRecord::<(), str>::to(topic).payload(payload).partition(0);
    producer.send(record, Duration::from_secs(60)).await.map_err(|(error, _)| error)?;
    Ok(())
}

/// How many messages partition 0 holds.
pub fn messages(cluster: &dyn Cluster, topic: &str) -> Result<i64, Any> {
    let first = brokers(cluster).first().map(|n| cluster.address(*n)).unwrap_or_default();
    let client: BaseConsumer = ClientConfig::new().set("bootstrap.servers", first).create()?;
    let (low, high) = client.fetch_watermarks(topic, 0, Duration::from_secs(20))?;
    Ok(high - low)
}
