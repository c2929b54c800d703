use kplan_dsl::value::Isolation;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
    mocking::MockCluster,
    producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer},
};

use super::*;
use crate::{
    cluster::Quorum,
    observer::{At, Bounds, Observer, Records, fake::Fake},
};

const LONG: Duration = Duration::from_secs(20);

fn mock() -> (MockCluster<'static, DefaultProducerContext>, Observer) {
    let mock = MockCluster::new(2).expect("in-process");
    mock.create_topic("orders", 2, 2).expect("a mock topic");
    let addresses = mock.bootstrap_servers().split(',').map(str::to_owned).collect();
    let observer = Observer::spawn(Arc::new(Fake::new(addresses, Quorum::KraftCombined, true)));
    (mock, observer)
}

/// `messages` to orders/1; group `readers` commits offset 1 there.
fn traffic(servers: String, messages: usize) {
    let config = || {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &servers).set("group.id", "readers");
        config
    };
    let producer: BaseProducer =
        config().set("queue.buffering.max.messages", "0").create().expect("a producer");
    for _ in 0..messages {
        let record = BaseRecord::<(), str>::to("orders").payload("x").partition(1);
        producer.send(record).map_err(|(e, _)| e).expect("room in the queue");
    }
    producer.flush(LONG).expect("acknowledged");
    let consumer: BaseConsumer = config().create().expect("a consumer");
    let mut commit = TopicPartitionList::new();
    commit.add_partition_offset("orders", 1, Offset::Offset(1)).expect("a valid offset");
    consumer.commit(&commit, CommitMode::Sync).expect("committed");
}

#[tokio::test]
async fn offsets_bounds_and_lag_of_a_simulated_cluster() {
    let (mock, observer) = mock();
    observer.all_listed(&[1, 2], LONG).await.expect("both answer");
    let servers = mock.bootstrap_servers();
    tokio::task::spawn_blocking(move || traffic(servers, 3)).await.expect("no panic");
    let ask = observer.ask();
    let bounds = ask.audit_bounds(&["orders".to_owned()], LONG).await;
    let one = ("orders".to_owned(), 1);
    assert!(matches!(bounds.ready[&one], Bounds { start: 0, end: 3, .. }), "{bounds:?}");
    assert_eq!(ask.offset("orders", 1, At::HighWatermark).await.expect("an offset"), 3);
    let committed = ask.committed("readers", "orders").await.expect("commits");
    assert_eq!(committed, [(0, None), (1, Some(1))].into());
    let lag = ask.lag("readers", "orders", Isolation::ReadCommitted).await.expect("a lag");
    assert_eq!((lag[&1].records, lag[&0].records), (Some(Records::exactly(2)), None));
    assert!([1, 2].contains(&ask.coordinator_of("readers").await.expect("a coordinator")));
}

#[tokio::test]
async fn a_lag_that_is_not_counted_whole_lies_between_two_numbers() {
    let (mock, observer) = mock();
    observer.all_listed(&[1, 2], LONG).await.expect("both answer");
    let servers = mock.bootstrap_servers();
    tokio::task::spawn_blocking(move || traffic(servers, 100_201)).await.expect("no panic");
    let ask = observer.ask();
    let bounds = ask.audit_bounds(&["orders".to_owned()], LONG).await;
    let one = ("orders".to_owned(), 1);
    assert!(matches!(bounds.ready[&one], Bounds { end: 100_201, .. }), "{bounds:?}");
    let lag = ask.lag("readers", "orders", Isolation::ReadCommitted).await.expect("a lag");
    assert_eq!(lag[&1].records, Some(Records { least: 100_000, most: 100_200 }));
}

#[tokio::test]
async fn what_is_not_there_is_an_error() {
    let (mock, observer) = mock();
    observer.all_listed(&[1, 2], LONG).await.expect("both answer");
    let ask = observer.ask();
    let error = ask.offset("orders", 7, At::Start).await.expect_err("no such partition");
    assert!(matches!(error, AskError::Missing(_)), "{error}");
    let bounds = ask.audit_bounds(&["nothing".to_owned()], Duration::ZERO).await;
    assert_eq!(bounds.missing, ["nothing".to_owned()].into());
    // A simulated broker has no settings to report.
    let error = ask.effective_config(1).await.expect_err("not simulated");
    assert!(matches!(&error, AskError::Wire { cause, .. } if cause.is_unsupported()), "{error}");
    mock.broker_down(1).expect("an order to the mock");
    mock.broker_down(2).expect("an order to the mock");
    let gone = observer.until(LONG, |v| v.brokers_alive().is_empty().then_some(())).await;
    gone.expect("nobody answers");
    let error = ask.coordinator_of("readers").await.expect_err("nobody answers");
    assert!(matches!(error, AskError::NobodyAnswers), "{error}");
    // Without a broker in reach it is not known whether the topic exists.
    let error = ask.offset("orders", 0, At::Start).await.expect_err("nobody leads");
    assert!(matches!(error, AskError::NobodyAnswers), "{error}");
    for topic in ["orders", "nothing"] {
        let error = ask.lag("readers", topic, Isolation::ReadCommitted).await.expect_err(topic);
        assert!(matches!(error, AskError::NobodyAnswers), "{error}");
    }
}

#[tokio::test]
async fn a_restarted_broker_is_asked_on_a_new_connection() {
    let (mock, observer) = mock();
    observer.all_listed(&[1, 2], LONG).await.expect("both answer");
    mock.partition_leader("orders", 0, Some(2)).expect("an order to the mock");
    let led = |v: &ClusterView| (v.leader("orders", 0) == Some(2)).then_some(());
    observer.until(LONG, led).await.expect("2 leads");
    let ask = observer.ask();
    assert_eq!(ask.offset("orders", 0, At::LogEnd).await.expect("an offset"), 0);
    ask.listener_reachable(2).await.expect("it listens");
    mock.broker_down(2).expect("an order to the mock");
    let down = observer.until(LONG, |v| (!v.brokers[&2].answers).then_some(())).await;
    down.expect("2 is gone");
    ask.listener_reachable(2).await.expect_err("nobody listens");
    mock.broker_up(2).expect("an order to the mock");
    observer.all_listed(&[2], LONG).await.expect("2 is back");
    assert_eq!(ask.offset("orders", 0, At::LogEnd).await.expect("an offset"), 0);
}

#[test]
fn who_was_cut_off_is_asked_last() {
    use crate::observer::BrokerView;
    let broker = |answers, listed| BrokerView { answers, listed, ..BrokerView::default() };
    let brokers = [(1, broker(true, false)), (2, broker(true, true)), (3, broker(false, true))];
    let view = ClusterView { brokers: brokers.into(), ..ClusterView::default() };
    assert_eq!(answering(&view), [2, 1]);
}

#[test]
fn questions_can_be_asked_from_any_task() {
    fn sendable<T: Send>(_: impl FnOnce(Asker) -> T) {}
    sendable(|ask| async move { ask.audit_bounds(&[], LONG).await });
    sendable(|ask| async move { ask.lag("", "", Isolation::ReadCommitted).await });
    sendable(|ask| async move {
        ask.hold_election("", kplan_dsl::value::ElectionType::Preferred).await
    });
}
