//! The observer against real Kafka: ignored unless asked for (`--ignored`), with a container engine and the
//! images of `ci/kafka-image 0.10.1.1 2.8.2 3.9.1 4.1.1 4.4.0`. One cluster at a time.

mod common;

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{alone, cluster::launch};
use futures::FutureExt;
use indexmap::IndexMap;
use kplan::{
    cluster::{Bounds, Cluster, ClusterSpec, Node, Placement, Quorum, TopicSpec, docker::cleanup},
    observer::{At, Change, ClusterView, Lag, Observer, Records},
};
use kplan_dsl::value::{DataFate, ElectionType, Isolation};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer, StreamConsumer},
    producer::{BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer},
};

type Any = Box<dyn std::error::Error>;

const LIMIT: Duration = Duration::from_secs(90);
fn spec(version: &str, mode: Quorum, dir: &Path) -> ClusterSpec {
    ClusterSpec {
        run: format!("test-{:08x}", rand::random::<u32>()),
        name: "observed".into(),
        version: version.parse().expect("a version"),
        mode,
        brokers: 3,
        first_broker: None,
        config: [("auto.leader.rebalance.enable".to_owned(), "false".to_owned())].into(),
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

/// A cluster that all brokers joined, under observation; removed whatever the work's end.
async fn observed(
    version: &str,
    mode: Quorum,
    work: impl AsyncFnOnce(&dyn Cluster, &Observer) -> Result<(), Any>,
) -> Result<(), Any> {
    let dir = tempfile::tempdir()?;
    let spec = spec(version, mode, dir.path());
    let run = spec.run.clone();
    let cluster = launch("docker", spec).await?;
    let observer = Observer::spawn(Arc::clone(&cluster));
    let began = Instant::now();
    let joined = observer.all_listed(&[1, 2, 3], LIMIT).await;
    eprintln!("{version}: joined {:?} after the containers", began.elapsed());
    let worked = match joined {
        // A failed assertion must not leave containers behind.
        Ok(()) => AssertUnwindSafe(work(cluster.as_ref(), &observer))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Err("an assertion failed, see above".into())),
        Err(view) => Err(format!("the brokers did not join: {view:?}").into()),
    };
    drop(observer);
    let destroyed = cluster.destroy().await;
    cleanup::remove_run(&run).await?;
    worked?;
    Ok(destroyed?)
}

/// `until`, with what was wanted in the error.
async fn becomes(
    observer: &Observer,
    what: &str,
    judge: impl Fn(&ClusterView) -> bool,
) -> Result<Duration, Any> {
    let began = Instant::now();
    match observer.until(LIMIT, |view| judge(view).then_some(())).await {
        Ok(()) => {
            eprintln!("  {what}: {:?}", began.elapsed());
            Ok(began.elapsed())
        }
        Err(view) => Err(format!("{what} did not become true: {view:#?}").into()),
    }
}

async fn create_orders(cluster: &dyn Cluster, observer: &Observer) -> Result<(), Any> {
    let topic = TopicSpec {
        name: "orders".into(),
        placement: Placement::Assignment(vec![vec![1, 2, 3], vec![2, 3, 1], vec![3, 1, 2]]),
        config: [("min.insync.replicas".to_owned(), "2".to_owned())].into(),
    };
    cluster.topics().create_topic(&topic).await?;
    becomes(observer, "orders is led by its preferred replicas, all in sync", |v| {
        v.partitions(Some("orders")).count() == 3
            && v.not_led_by_preferred(Some("orders")).count() == 0
            && v.under_replicated(Some("orders")).count() == 0
    })
    .await?;
    Ok(())
}

fn servers(cluster: &dyn Cluster) -> String {
    (1..=3).map(|n| cluster.address(n)).collect::<Vec<_>>().join(",")
}

/// Acknowledged messages, `count` to each partition.
async fn produce(cluster: &dyn Cluster, acks: &str, count: usize) -> Result<(), Any> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", servers(cluster))
        .set("acks", acks)
        .set("message.timeout.ms", "60000")
        .create()?;
    for i in 0..count * 3 {
        let partition = i32::try_from(i % 3)?;
        let record = FutureRecord::<(), str>::to("orders").payload("x").partition(partition);
        producer.send(record, LIMIT).await.map_err(|(error, _)| error)?;
    }
    Ok(())
}

/// Offsets, groups and settings of a cluster at rest.
async fn asked(cluster: &dyn Cluster, observer: &Observer, old: bool) -> Result<(), Any> {
    produce(cluster, "all", 10).await?;
    let ask = observer.ask();
    let bounds = ask.audit_bounds(&["orders".to_owned(), "nothing".to_owned()], LIMIT / 30).await;
    assert_eq!(bounds.ready.len(), 3, "{bounds:?}");
    assert_eq!(bounds.missing, ["nothing".to_owned()].into());
    assert!(bounds.ready.values().all(|b| (b.start, b.end) == (0, 10)), "{bounds:?}");
    let view = observer.view();
    assert!(bounds.ready.iter().all(|((t, p), b)| b.same_leader(t, *p, &view)));
    for at in [At::HighWatermark, At::LastStable, At::LogEnd] {
        assert_eq!(ask.offset("orders", 1, at).await?, 10, "{at:?}");
    }
    assert!(ask.offset("orders", 9, At::Start).await.is_err());

    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers(cluster))
        .set("group.id", "readers")
        .set("client.id", "reader")
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()?;
    consumer.subscribe(&["orders"])?;
    let message = tokio::time::timeout(LIMIT, consumer.recv()).await??;
    assert_eq!(message.topic(), "orders");
    let mut commit = TopicPartitionList::new();
    commit.add_partition_offset("orders", 1, Offset::Offset(7))?;
    consumer.commit(&commit, CommitMode::Sync)?;
    let group = ask.group("readers").await?;
    assert_eq!((group.state.as_str(), group.members.len()), ("Stable", 1), "{group:?}");
    assert_eq!(group.members[0].client_id, "reader");
    assert_eq!(group.members[0].assignment["orders"], [0, 1, 2]);
    assert_eq!(ask.coordinator_of("readers").await?, group.coordinator);
    let committed = ask.committed("readers", "orders").await?;
    assert_eq!(committed, [(0, None), (1, Some(7)), (2, None)].into());
    for isolation in [Isolation::ReadCommitted, Isolation::ReadUncommitted] {
        let lag = ask.lag("readers", "orders", isolation).await?;
        assert_eq!(
            lag[&1],
            Lag { committed: Some(7), end: 10, records: Some(Records::exactly(3)) },
            "{isolation:?}"
        );
        assert_eq!(lag[&0].records, None);
    }
    let nobody = ask.group("nobody").await?;
    assert_eq!((nobody.state.as_str(), nobody.members.len()), ("Dead", 0));

    assert_eq!(ask.min_insync_replicas("orders").await?, 2);
    assert_eq!(ask.min_insync_replicas("__consumer_offsets").await?, 1);
    assert!(ask.topic_config("nothing").await.is_err());
    let config = ask.effective_config(1).await;
    let features = ask.finalized_features(1).await?;
    if old {
        assert!(config.is_err() && features.is_empty(), "{config:?} {features:?}");
    } else {
        assert_eq!(config?["auto.leader.rebalance.enable"], "false");
    }
    for broker in 1..=3 {
        ask.listener_reachable(broker).await?;
    }
    Ok(())
}

/// Markers and aborted records are no lag.
async fn transactional_lag(cluster: &dyn Cluster, observer: &Observer) -> Result<(), Any> {
    let brokers = servers(cluster);
    let before = tokio::task::spawn_blocking(move || transactions(&brokers)).await??;
    assert_eq!(before, 10);
    let ask = observer.ask();
    // A transaction has ended before its marker is written.
    let bounds = ask.audit_bounds(&["orders".to_owned()], LIMIT).await;
    // 1 data record after the commit at 10, its marker, 4 aborted records, their marker.
    assert_eq!(bounds.ready[&("orders".to_owned(), 2)].end, 17, "{bounds:?}");
    let lag = ask.lag("readers", "orders", Isolation::ReadCommitted).await?;
    assert_eq!(lag[&2], Lag { committed: Some(10), end: 17, records: Some(Records::exactly(1)) });
    let lag = ask.lag("readers", "orders", Isolation::ReadUncommitted).await?;
    assert_eq!(lag[&2].records, Some(Records::exactly(5)));
    Ok(())
}

/// Commits one record on orders/2, aborts four, commits the offset before them for `readers`.
fn transactions(brokers: &str) -> Result<i64, rdkafka::error::KafkaError> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("transactional.id", "t")
        .create()?;
    producer.init_transactions(LIMIT)?;
    let send = |count: usize| {
        for _ in 0..count {
            let record = BaseRecord::<(), str>::to("orders").payload("x").partition(2);
            producer.send(record).map_err(|(error, _)| error)?;
        }
        producer.flush(LIMIT)
    };
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "readers")
        .create()?;
    let (_, before) = consumer.fetch_watermarks("orders", 2, LIMIT)?;
    producer.begin_transaction()?;
    send(1)?;
    producer.commit_transaction(LIMIT)?;
    producer.begin_transaction()?;
    send(4)?;
    producer.abort_transaction(LIMIT)?;
    let mut commit = TopicPartitionList::new();
    commit.add_partition_offset("orders", 2, Offset::Offset(before))?;
    consumer.commit(&commit, CommitMode::Sync)?;
    Ok(before)
}

/// A broker dies, is missed, comes back, and leads again when asked to.
async fn failover(cluster: &dyn Cluster, observer: &Observer, victim: u32) -> Result<(), Any> {
    let partition = victim - 1;
    let mut changes = observer.changes();
    cluster.kill(&[Node::Broker(victim)]).await?;
    let missed =
        becomes(observer, "the dead broker is missed", |v| !v.brokers_alive().contains(&victim))
            .await?;
    assert!(missed < Duration::from_secs(2), "{missed:?}");
    assert!(observer.ask().listener_reachable(victim).await.is_err());
    becomes(observer, "another broker leads, the in-sync sets are shrunken", |v| {
        v.leader("orders", partition).is_some_and(|l| l != victim)
            && v.partitions(Some("orders")).all(|(_, p)| p.in_sync.len() == 2)
            && v.controller.is_some_and(|c| c != victim)
    })
    .await?;
    let mut seen = vec![];
    while let Ok(change) = changes.try_recv() {
        seen.push(change);
    }
    assert!(seen.is_sorted_by_key(|s| s.at_us), "{seen:?}");
    assert!(seen.iter().any(|s| s.change == Change::BrokerVanished { broker: victim }));
    produce(cluster, "all", 1).await?;
    cluster.start(&[Node::Broker(victim)], DataFate::Kept).await?;
    let back = observer.all_listed(&[victim], LIMIT).await;
    back.map_err(|view| format!("{victim} did not come back: {view:?}"))?;
    becomes(observer, "all are in sync", |v| v.under_replicated(Some("orders")).count() == 0)
        .await?;
    assert_ne!(observer.view().leader("orders", partition), Some(victim));
    let elected = observer.ask().hold_election("orders", ElectionType::Preferred).await?;
    assert!(elected.values().all(Option::is_none) && elected.len() <= 3, "{elected:?}");
    becomes(observer, "the preferred replica leads again", |v| {
        v.leader("orders", partition) == Some(victim)
    })
    .await?;
    Ok(())
}

/// A frozen broker neither answers nor holds up the others.
async fn freeze(cluster: &dyn Cluster, observer: &Observer) -> Result<(), Any> {
    cluster.pause(&[Node::Broker(3)]).await?;
    becomes(observer, "the frozen broker is missed", |v| !v.brokers[&3].answers).await?;
    let began = Instant::now();
    let view = observer.fresh().await;
    assert!(view.brokers[&1].answers && view.brokers[&2].answers, "{view:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    cluster.resume(&[Node::Broker(3)]).await?;
    becomes(observer, "the thawed broker is back", |v| {
        v.brokers_alive().len() == 3 && v.under_replicated(Some("orders")).count() == 0
    })
    .await?;
    Ok(())
}

/// Processor time of this process, all threads.
fn processor() -> Result<Duration, Any> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after_name = stat.rsplit(')').next().ok_or("no name")?;
    // utime and stime, in ticks of 10 ms.
    let line: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = line[11].parse::<u64>()? + line[12].parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 10))
}

/// Watching costs next to nothing (this build is not optimised, so the bounds are wide).
async fn cheap(observer: &Observer) -> Result<(), Any> {
    const WHILE: Duration = Duration::from_secs(5);
    let before = processor()?;
    tokio::time::sleep(WHILE).await;
    let idle = processor()? - before;
    let before = processor()?;
    let missed = observer.until(WHILE, |_| None::<()>).await;
    let fast = processor()? - before;
    eprintln!("  processor time in {WHILE:?}: {idle:?} idle, {fast:?} fast");
    assert!(missed.is_err());
    assert!(idle * 20 < WHILE && fast * 4 < WHILE, "{idle:?} {fast:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn zookeeper_0_10() -> Result<(), Any> {
    let _turn = alone();
    observed("0.10.1.1", Quorum::Zookeeper, async |cluster, observer| {
        create_orders(cluster, observer).await?;
        asked(cluster, observer, true).await?;
        let controller = observer.view().controller.ok_or("no controller")?;
        failover(cluster, observer, controller).await?;
        cheap(observer).await?;
        let unclean = observer.ask().hold_election("orders", ElectionType::Unclean).await;
        assert!(unclean.is_err(), "{unclean:?}");
        freeze(cluster, observer).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn kraft_combined() -> Result<(), Any> {
    let _turn = alone();
    observed("4.1.1", Quorum::KraftCombined, async |cluster, observer| {
        create_orders(cluster, observer).await?;
        asked(cluster, observer, false).await?;
        transactional_lag(cluster, observer).await?;
        let features = observer.ask().finalized_features(2).await?;
        assert!(features.contains_key("metadata.version"), "{features:?}");
        let controller = observer.view().controller.ok_or("no controller")?;
        failover(cluster, observer, controller).await?;
        freeze(cluster, observer).await?;
        cheap(observer).await
    })
    .await
}

/// Acknowledged with acks=1 while too few are in sync: beyond the watermark, so no audit may judge.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn a_tail_beyond_the_watermark_is_not_ready() -> Result<(), Any> {
    let _turn = alone();
    observed("4.1.1", Quorum::KraftSeparate(1), async |cluster, observer| {
        create_orders(cluster, observer).await?;
        assert_eq!(observer.view().controller, Some(101));
        cluster.kill(&[Node::Broker(2), Node::Broker(3)]).await?;
        becomes(observer, "broker 1 leads all, alone in sync", |v| {
            v.partitions(Some("orders"))
                .all(|(_, p)| p.leader == Some(1) && p.in_sync == [1] && p.eligible.len() == 1)
        })
        .await?;
        let least = observer.ask().min_insync_replicas("orders").await?;
        let view = observer.view();
        assert_eq!(view.below_min_isr(Some("orders"), |_| least).count(), 3);
        produce(cluster, "1", 5).await?;
        let orders = ["orders".to_owned()];
        let bounds = observer.ask().audit_bounds(&orders, Duration::from_secs(2)).await;
        assert!(bounds.ready.is_empty(), "{bounds:?}");
        let reason = &bounds.not_ready[&("orders".to_owned(), 0)];
        assert!(reason.contains("ends at 5, beyond the high watermark 0"), "{reason}");
        cluster.start(&[Node::Broker(2), Node::Broker(3)], DataFate::Kept).await?;
        let bounds = observer.ask().audit_bounds(&orders, LIMIT).await;
        assert_eq!(bounds.ready.len(), 3, "{bounds:?}");
        assert!(bounds.ready.values().all(|b| b.end == 5), "{bounds:?}");
        Ok(())
    })
    .await
}

/// Broker 2 missed what broker 1 was given; asked to lead all the same, it is told as unclean.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn an_unclean_election_on_demand() -> Result<(), Any> {
    let _turn = alone();
    observed("4.1.1", Quorum::KraftSeparate(1), async |cluster, observer| {
        let topic = TopicSpec {
            name: "pair".into(),
            placement: Placement::Assignment(vec![vec![1, 2]]),
            config: IndexMap::new(),
        };
        cluster.topics().create_topic(&topic).await?;
        becomes(observer, "1 leads, both in sync", |v| {
            v.partition("pair", 0).is_some_and(|p| p.leader == Some(1) && p.in_sync == [1, 2])
        })
        .await?;
        cluster.kill(&[Node::Broker(2)]).await?;
        becomes(observer, "1 is alone in sync", |v| {
            v.partition("pair", 0).is_some_and(|p| p.in_sync == [1])
        })
        .await?;
        cluster.kill(&[Node::Broker(1)]).await?;
        cluster.start(&[Node::Broker(2)], DataFate::Kept).await?;
        becomes(observer, "2 is back and leads nothing", |v| {
            v.all_list(&[2, 3]) && v.offline(Some("pair")).count() == 1
        })
        .await?;
        let mut changes = observer.changes();
        let refused = observer.ask().hold_election("pair", ElectionType::Preferred).await?;
        assert!(refused[&0].is_some(), "the preferred leader is dead: {refused:?}");
        let elected = observer.ask().hold_election("pair", ElectionType::Unclean).await?;
        assert_eq!(elected, [(0, None)].into());
        becomes(observer, "2 leads", |v| v.leader("pair", 0) == Some(2)).await?;
        let mut unclean = vec![];
        while let Ok(seen) = changes.try_recv() {
            if let Change::PartitionChanged { topic, unclean: true, .. } = seen.change {
                unclean.push(topic);
            }
        }
        assert_eq!(unclean, ["pair"]);
        Ok(())
    })
    .await
}

/// What takes too long for `ci/test`.
mod nightly {
    use super::{Any, Quorum, asked, common::alone, create_orders, failover, observed};

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a container engine: ci/nightly"]
    async fn zookeeper_3_9() -> Result<(), Any> {
        let _turn = alone();
        observed("3.9.1", Quorum::Zookeeper, async |cluster, observer| {
            create_orders(cluster, observer).await?;
            asked(cluster, observer, false).await?;
            failover(cluster, observer, 2).await
        })
        .await
    }
}
