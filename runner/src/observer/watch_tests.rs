use std::time::Instant;

use indexmap::IndexMap;
use kplan_dsl::value::DataFate;
use rdkafka::mocking::MockCluster;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::*;
use crate::{
    cluster::{NodeLife as _, Placement, TopicSpec, embedded::EmbeddedCluster},
    observer::{Change, fake::Fake},
};

const LIMIT: Duration = Duration::from_secs(20);

fn mock(
    brokers: i32,
) -> (MockCluster<'static, rdkafka::producer::DefaultProducerContext>, Vec<String>) {
    let mock = MockCluster::new(brokers).expect("in-process");
    let addresses = mock.bootstrap_servers().split(',').map(str::to_owned).collect();
    (mock, addresses)
}

fn observe(addresses: Vec<String>) -> Observer {
    Observer::spawn(Arc::new(Fake::new(addresses, Quorum::KraftCombined, true)))
}

#[tokio::test]
async fn a_moved_leader_is_seen_and_told() {
    let (mock, addresses) = mock(3);
    mock.create_topic("orders", 2, 3).expect("a mock topic");
    let observer = observe(addresses);
    observer.all_listed(&[1, 2, 3], LIMIT).await.expect("all join");
    let led = |b| move |v: &ClusterView| (v.leader("orders", 1) == Some(b)).then_some(v.at_us);
    mock.partition_leader("orders", 1, Some(1)).expect("an order to the mock");
    observer.until(LIMIT, led(1)).await.expect("1 leads");
    let mut changes = observer.changes();
    mock.partition_leader("orders", 1, Some(3)).expect("an order to the mock");
    let at_us = observer.until(LIMIT, led(3)).await.expect("3 leads");
    let seen = changes.recv().await.expect("a change");
    assert_eq!(seen.at_us, at_us);
    let Change::PartitionChanged { topic, before: Some(before), now, .. } = seen.change else {
        panic!("{seen:?}");
    };
    assert_eq!((topic.as_str(), before.leader, now.leader), ("orders", Some(1), Some(3)));
}

#[tokio::test]
async fn a_broker_goes_and_comes_back() {
    let (mock, addresses) = mock(3);
    let observer = observe(addresses);
    observer.all_listed(&[1, 2, 3], LIMIT).await.expect("all join");
    mock.broker_down(2).expect("an order to the mock");
    let alive = |n: usize| move |v: &ClusterView| (v.brokers_alive().len() == n).then_some(());
    observer.until(LIMIT, alive(2)).await.expect("2 is gone");
    assert!(!observer.view().brokers[&2].answers);
    mock.broker_up(2).expect("an order to the mock");
    observer.until(LIMIT, alive(3)).await.expect("2 is back");
}

#[tokio::test]
async fn a_frozen_broker_delays_nobody() {
    let (mock, mut addresses) = mock(2);
    let frozen = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    addresses.push(frozen.local_addr().expect("bound").to_string());
    let observer = observe(addresses);
    observer.all_listed(&[1, 2], LIMIT).await.expect("the others join");
    assert!(observer.all_listed(&[1, 2, 3], Duration::from_millis(300)).await.is_err());
    mock.create_topic("orders", 1, 2).expect("a mock topic");
    let begin = Instant::now();
    let view = observer.fresh().await;
    assert!(view.topics.contains_key("orders"), "fresh asks anew: {view:?}");
    assert!(begin.elapsed() < SILENCE, "and does not wait for who is silent");
}

#[tokio::test]
async fn a_broker_that_talks_nonsense_is_no_broker() {
    let (_mock, mut addresses) = mock(2);
    let nonsense = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    addresses.push(nonsense.local_addr().expect("bound").to_string());
    let (met, mut meetings) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = nonsense.accept().await {
            let _ = stream.write_all(&[0x7f; 64]).await;
            let _ = met.send(());
        }
    });
    let observer = observe(addresses);
    observer.all_listed(&[1, 2], LIMIT).await.expect("the others join");
    let _hurry = observer.hurry();
    for _ in 0..3 {
        timeout(LIMIT, meetings.recv()).await.expect("it is tried again").expect("it still is");
    }
    assert_eq!(observer.fresh().await.brokers_alive(), [1, 2].into());
}

#[tokio::test]
async fn the_embedded_backend_is_watched_like_any_other() {
    let spec = Fake::new(vec![String::new(); 3], Quorum::KraftCombined, true).spec().clone();
    let cluster = Arc::new(EmbeddedCluster::launch(spec).expect("in-process"));
    let observer = Observer::spawn(cluster.clone());
    observer.all_listed(&[1, 2, 3], LIMIT).await.expect("all join");
    let placement = Placement::Assignment(vec![vec![1, 2, 3], vec![2, 3, 1]]);
    let topic = TopicSpec { name: "orders".to_owned(), placement, config: IndexMap::new() };
    cluster.topics().create_topic(&topic).await.expect("a mock topic");
    let led = |by: Option<u32>| move |v: &ClusterView| (v.leader("orders", 1) == by).then_some(());
    observer.until(LIMIT, led(Some(2))).await.expect("its preferred leader leads");
    cluster.kill(&[Node::Broker(2)]).await.expect("an order to the mock");
    let moved = |v: &ClusterView| v.leader("orders", 1).is_some_and(|l| l != 2).then_some(());
    observer.until(LIMIT, moved).await.expect("another one leads");
    assert_eq!(observer.view().brokers_alive(), [1, 3].into());
    cluster.start(&[Node::Broker(2)], DataFate::Kept).await.expect("an order to the mock");
    observer.all_listed(&[2], LIMIT).await.expect("it is back");
    observer.until(LIMIT, led(Some(2))).await.expect("it leads again");
}

#[tokio::test]
async fn nobody_there_is_a_view_too() {
    let observer = observe(vec!["127.0.0.1:1".to_owned()]);
    let view = observer.fresh().await;
    assert_eq!(view.brokers_alive().len(), 0);
    let missed = observer.until(Duration::from_millis(50), |_| None::<()>).await;
    assert_eq!(missed.expect_err("nothing comes true").brokers.len(), 1);
}

#[tokio::test]
async fn hurry_ends_when_dropped() {
    let observer = observe(vec![]);
    let (one, two) = (observer.hurry(), observer.hurry());
    assert_eq!(observer.watch.pace.borrow().waiting, 2);
    drop(one);
    drop(two);
    assert_eq!(observer.watch.pace.borrow().waiting, 0);
}
