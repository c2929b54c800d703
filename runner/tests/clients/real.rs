//! Clients of real Kafka: ignored unless asked for (`--ignored`), with a container engine and the images of
//! `ci/kafka-image 0.10.1.1 4.1.1`. One cluster at a time.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use kplan::{
    client::{
        handle::{ClientState, Handle},
        spec::{ClientSpec, TransactionSpec},
    },
    cluster::{Bounds, Cluster, ClusterSpec, Node, Placement, Quorum, TopicSpec, docker::cleanup},
    history::{
        HistoryFile, Mark, Writer, now_us,
        query::{GapTime, SentSince, producer_gaps},
    },
    observer::Observer,
};
use kplan_dsl::value::DataFate;

use super::rig::{LIMIT, Rig, count, messages, positions, runs, until};
use crate::common::{alone, cluster::launch};

fn spec(version: &str, mode: Quorum, dir: &Path) -> ClusterSpec {
    ClusterSpec {
        run: format!("test-{:08x}", rand::random::<u32>()),
        name: "clients".into(),
        version: version.parse().unwrap(),
        mode,
        brokers: 3,
        first_broker: None,
        // A broker that came back leads again soon: clients only connect to leaders.
        config: [
            ("group.initial.rebalance.delay.ms".to_owned(), "0".to_owned()),
            ("leader.imbalance.check.interval.seconds".to_owned(), "5".to_owned()),
        ]
        .into(),
        broker_config: [].into(),
        jvm: vec![],
        image: None,
        racks: [].into(),
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

/// A cluster with the topic `orders`, three partitions on three brokers; removed at the end, also
/// when the work panics.
async fn with_cluster(
    version: &str,
    mode: Quorum,
    work: impl AsyncFnOnce(&Rig, &Arc<dyn Cluster>, &Observer),
) {
    let dir = tempfile::tempdir().unwrap();
    let spec = spec(version, mode, dir.path());
    let run = spec.run.clone();
    let cluster = launch("docker", spec).await.unwrap();
    let worked = async {
        let observer = Observer::spawn(Arc::clone(&cluster));
        observer.all_listed(&[1, 2, 3], LIMIT).await.unwrap();
        let topic = TopicSpec {
            name: "orders".into(),
            placement: Placement::Counts { partitions: 3, replicas: 3 },
            config: [("min.insync.replicas".to_owned(), "2".to_owned())].into(),
        };
        cluster.topics().create_topic(&topic).await.unwrap();
        let addresses: Vec<_> = (1..=3).map(|n| cluster.address(n)).collect();
        let rig = Rig::of(addresses.join(","));
        work(&rig, &cluster, &observer).await;
    };
    let worked = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(worked)).await;
    let _ = cluster.destroy().await;
    cleanup::remove_run(&run).await.unwrap();
    if let Err(panic) = worked {
        std::panic::resume_unwind(panic);
    }
}

fn open(spec: &ClientSpec) -> Vec<HistoryFile> {
    spec.histories().iter().map(|path| HistoryFile::open(path).unwrap()).collect()
}

/// Waits until messages sent from now on were answered on every partition; answers how long that
/// took on the worst one, in milliseconds.
async fn progress(producers: &[&ClientSpec], answering: &[&ClientSpec], since_us: i64) -> i64 {
    let end = now_us() + LIMIT.as_micros() as i64;
    loop {
        let sent: Vec<_> = producers.iter().flat_map(|p| open(p)).collect();
        let heard: Vec<_> = answering.iter().flat_map(|p| open(p)).collect();
        let sent: Vec<_> = sent.iter().collect();
        let heard: Vec<_> = heard.iter().collect();
        let sent = SentSince::new(&sent, since_us, |_| Some(i64::MIN)).unwrap();
        let answered = sent.answered(&heard).unwrap();
        let last = answered.by.values().flatten().max();
        if let Some(last) = last.filter(|_| answered.progressing(false)) {
            return (last - since_us) / 1_000;
        }
        let waiting: Vec<_> = answered.waiting().map(ToString::to_string).collect();
        assert!(now_us() < end, "no answer on {waiting:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn connected(client: &Handle, broker: i32, since_us: i64) {
    let goal = |s: &ClientState| s.answers.connected(broker, since_us);
    client.reach("connected", LIMIT, goal).await.unwrap();
}

/// A broker dies and comes back, the producer dies and comes back: nothing acknowledged is lost, and
/// everything in the log reaches the consumer.
async fn broker_and_producer_die(version: &str, mode: Quorum) {
    with_cluster(version, mode, async |rig, cluster, observer| {
        let producing = ClientSpec::Producer(rig.producer(1));
        let again = ClientSpec::Producer(rig.producer(2));
        let consuming = ClientSpec::Consumer(rig.consumer(1, 1));
        let first = rig.start(producing.clone()).await;
        let consumer = rig.start(consuming.clone()).await;
        progress(&[&producing], &[&producing], now_us()).await;
        progress(&[&producing], &[&consuming], now_us()).await;

        let killed = now_us();
        cluster.kill(&[Node::Broker(2)]).await.unwrap();
        let produced = progress(&[&producing], &[&producing], killed).await;
        let consumed = progress(&[&producing], &[&consuming], killed).await;
        eprintln!("{version}: recovered P {produced} ms, C {consumed} ms");
        let started = now_us();
        cluster.start(&[Node::Broker(2)], DataFate::Kept).await.unwrap();
        connected(&first, 2, started).await;
        connected(&consumer, 2, started).await;

        first.kill().await.unwrap();
        let second = rig.start(again.clone()).await;
        let lives = [&producing, &again];
        progress(&lives, &[&again], now_us()).await;
        second.stop(LIMIT, vec![]).await.unwrap();

        let bounds = observer.ask().audit_bounds(&["orders".to_owned()], LIMIT).await;
        assert!(bounds.not_ready.is_empty(), "{:?}", bounds.not_ready);
        let ends: Vec<_> = bounds.ready.values().map(|b| b.end).collect();
        assert_eq!(consumer.stop(LIMIT, positions(&ends)).await.unwrap().left, 0);
        let found = messages(&rig.audit(&ends).await, Mark::Found);
        let delivered = messages(&runs(&consuming, Writer::Consumer), Mark::Delivered);
        assert_eq!(
            delivered.into_iter().collect::<BTreeSet<_>>(),
            found.iter().copied().collect(),
            "every message in the log was delivered"
        );
        let identities: BTreeSet<_> = found.iter().map(|m| (m.0, m.1, m.2)).collect();
        for life in lives {
            let acked = messages(&runs(life, Writer::ProducerHeard), Mark::Acked);
            assert!(!acked.is_empty());
            let lost = acked.iter().filter(|m| !identities.contains(&(m.0, m.1, m.2)));
            assert_eq!(lost.count(), 0);
            let sent = messages(&runs(life, Writer::ProducerSent), Mark::Sent);
            assert!(sent.len() >= acked.len());
        }
        let files: Vec<_> = lives.iter().flat_map(|l| open(l)).collect();
        let files: Vec<_> = files.iter().collect();
        let ever = GapTime { since_us: i64::MIN, until_us: now_us(), away: &[] };
        let gaps = producer_gaps(&files, &ever).unwrap();
        let worst = gaps.values().map(|g| g.length_us / 1_000).max().unwrap();
        eprintln!("{version}: unavailable {worst} ms");
        assert!(worst + 100 >= produced / 2, "the gap after the kill is among them");
    })
    .await;
}

#[tokio::test]
#[ignore = "needs a container engine: ci/test"]
async fn nothing_acknowledged_is_lost_on_4_1_1() {
    let _turn = alone();
    broker_and_producer_die("4.1.1", Quorum::KraftCombined).await;
}

#[tokio::test]
#[ignore = "needs a container engine: ci/test"]
async fn a_committed_view_shows_no_aborted_message() {
    let _turn = alone();
    with_cluster("4.1.1", Quorum::KraftCombined, async |rig, _, observer| {
        let mut spec = rig.producer(1);
        spec.transactional = Some(TransactionSpec { messages: 30, abort_percent: 30.0 });
        (spec.rate, spec.count) = (Some(3_000.0), Some(6_000));
        let producing = ClientSpec::Producer(spec);
        let consuming = ClientSpec::Consumer(rig.consumer(1, 1));
        let producer = rig.start(producing.clone()).await;
        let consumer = rig.start(consuming.clone()).await;
        let ended = |m: Mark| matches!(m, Mark::Committed | Mark::Aborted);
        until(&producing, Writer::ProducerHeard, |runs| {
            runs.iter().filter(|r| ended(r.mark)).count() == 200
        })
        .await;
        producer.stop(LIMIT, vec![]).await.unwrap();
        let bounds = observer.ask().audit_bounds(&["orders".to_owned()], LIMIT).await;
        assert!(bounds.not_ready.is_empty(), "{:?}", bounds.not_ready);
        let ends: Vec<_> = bounds.ready.values().map(|b| b.end).collect();
        // Transaction markers lie at the ends: only the position there can reach them.
        assert_eq!(consumer.stop(LIMIT, positions(&ends)).await.unwrap().left, 0);

        let heard = runs(&producing, Writer::ProducerHeard);
        let epochs = |mark: Mark| -> BTreeSet<u32> {
            heard.iter().filter(|r| r.mark == mark).map(|r| r.epoch).collect()
        };
        let (committed, aborted) = (epochs(Mark::Committed), epochs(Mark::Aborted));
        assert!(committed.len() > 100 && aborted.len() > 30);
        let acked_in = |epochs: &BTreeSet<u32>| {
            let runs: Vec<_> =
                heard.iter().filter(|r| epochs.contains(&r.epoch)).copied().collect();
            messages(&runs, Mark::Acked)
        };
        let seen = runs(&consuming, Writer::Consumer);
        assert_eq!(messages(&seen, Mark::Delivered), acked_in(&committed));
        let found = rig.audit_transactions(&ends).await;
        assert_eq!(count(&found, Mark::FoundOpen), 0);
        // The aborted range of offsets is what the log holds beside what the committed view shows.
        let visible = acked_in(&committed).len() as u64;
        assert_eq!(count(&found, Mark::Found) - count(&found, Mark::FoundAborted), visible);
        let hidden: BTreeSet<_> = found
            .iter()
            .filter(|r| r.mark == Mark::FoundAborted)
            .flat_map(|r| (0..r.count.cast_signed()).map(|i| (r.partition, r.first_offset + i)))
            .collect();
        let acked = acked_in(&aborted);
        assert!(acked.iter().all(|m| hidden.contains(&(m.0, m.3))), "acknowledged, then aborted");
    })
    .await;
}

/// An order to stop often finds a transaction that has just begun while the one before it, which was
/// committed, still gets its markers: an abort is only right once the coordinator knows of the new one.
#[tokio::test]
#[ignore = "needs a container engine: ci/test"]
async fn an_abort_never_overtakes_its_transactions_beginning() {
    let _turn = alone();
    with_cluster("4.1.1", Quorum::KraftCombined, async |rig, _, _| {
        for life in 1..=15 {
            let mut spec = rig.producer(life);
            spec.transactional = Some(TransactionSpec { messages: 1, abort_percent: 50.0 });
            spec.rate = Some(5_000.0);
            let spec = ClientSpec::Producer(spec);
            let producer = rig.start(spec.clone()).await;
            until(&spec, Writer::ProducerHeard, |runs| {
                runs.iter().filter(|r| r.mark == Mark::Committed).count() > 2
            })
            .await;
            let left = producer.stop(LIMIT, vec![]).await.map(|left| left.left);
            assert!(matches!(left, Ok(0)), "life {life}: {left:?}");
        }
    })
    .await;
}

/// What takes too long for `ci/test`.
mod nightly {
    use super::{Quorum, alone, broker_and_producer_die};

    #[tokio::test]
    #[ignore = "needs a container engine: ci/nightly"]
    async fn nothing_acknowledged_is_lost_on_0_10_1_1() {
        let _turn = alone();
        broker_and_producer_die("0.10.1.1", Quorum::Zookeeper).await;
    }
}
