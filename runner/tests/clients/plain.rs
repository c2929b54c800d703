//! A producer and a consumer that nothing happens to.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use kplan::{
    client::{
        handle::ClientEvent,
        protocol::ClientReport,
        spec::{ClientSpec, TransactionSpec},
    },
    history::{Mark, Writer},
};
use kplan_dsl::value::{Acks, CommitMode, OffsetReset};

use super::rig::{LIMIT, Rig, count, ends, messages, positions, runs, until};

#[tokio::test]
async fn what_was_sent_is_acknowledged_delivered_and_found() {
    let mut rig = Rig::new();
    let producing = ClientSpec::Producer(rig.producer(1));
    let consuming = ClientSpec::Consumer(rig.consumer(1, 1));
    let producer = rig.start(producing.clone()).await;
    let consumer = rig.start(consuming.clone()).await;
    until(&consuming, Writer::Consumer, |r| count(r, Mark::Delivered) > 300).await;
    let ended = producer.stop(LIMIT, vec![]).await.unwrap();
    assert_eq!(ended.left, 0);

    let sent = messages(&runs(&producing, Writer::ProducerSent), Mark::Sent);
    let acked = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
    let identities =
        |all: &[(u32, u16, u64, i64)]| -> Vec<_> { all.iter().map(|m| (m.0, m.1, m.2)).collect() };
    assert!(acked.len() > 300);
    assert_eq!(identities(&sent), identities(&acked));
    for partition in 0..3 {
        let seqs: Vec<_> = acked.iter().filter(|m| m.0 == partition).map(|m| m.2).collect();
        assert!(seqs.iter().copied().eq(0..seqs.len() as u64), "sequences are dense");
    }

    let ended = consumer.stop(LIMIT, positions(&ends(&acked))).await.unwrap();
    assert_eq!((ended.left, ended.unread.len()), (0, 0));
    let seen = runs(&consuming, Writer::Consumer);
    assert_eq!(messages(&seen, Mark::Delivered), acked);
    assert_eq!(messages(&rig.audit(&ends(&acked)).await, Mark::Found), acked);

    // The consumer's own marks: where it began, that it saw the ends and committed them.
    let assigned: Vec<_> = seen.iter().filter(|r| r.mark == Mark::Assigned).collect();
    assert_eq!(assigned.len(), 3);
    assert!(assigned.iter().all(|r| r.first_offset == 0 && r.epoch > 0));
    let first = seen.iter().position(|r| r.mark == Mark::Delivered).unwrap();
    assert!(seen[..first].iter().filter(|r| r.mark == Mark::Assigned).count() == 3);
    for (end, partition) in ends(&acked).into_iter().zip(0..) {
        let last = |mark| {
            let marks = seen.iter().filter(|r| r.mark == mark && r.partition == partition);
            marks.map(|r| r.first_offset).max()
        };
        assert_eq!(last(Mark::Eof), Some(end));
        assert_eq!(last(Mark::OffsetCommitted), Some(end));
        assert_eq!(last(Mark::Revoked), Some(end));
    }
    latencies_were_reported(&mut rig, acked.len() as u64);
}

fn latencies_were_reported(rig: &mut Rig, messages: u64) {
    let mut total = std::collections::BTreeMap::new();
    let mut answers = 0;
    while let Ok((who, event)) = rig.heard.try_recv() {
        match event {
            ClientEvent::Report(ClientReport::Latency { slices, from_us, to_us }) => {
                let mut at = from_us;
                for slice in &slices {
                    assert!(at <= slice.from_us && slice.from_us <= slice.to_us);
                    at = slice.to_us;
                }
                assert!(at <= to_us);
                let counts = slices.iter().flat_map(|slice| &slice.buckets).map(|b| b.1);
                *total.entry(who.name).or_insert(0) += counts.sum::<u64>();
            }
            ClientEvent::Report(ClientReport::Stats { brokers, .. }) => {
                answers += brokers.iter().filter(|b| b.rx > 0 && b.id > 0).count();
            }
            _ => {}
        }
    }
    assert_eq!(
        total.into_iter().collect::<Vec<_>>(),
        [("C".to_owned(), messages), ("P".to_owned(), messages)]
    );
    assert!(answers > 0, "statistics name brokers that answered");
}

#[tokio::test]
async fn a_count_ends_the_sending_and_keys_stay_in_their_partitions() {
    let rig = Rig::new();
    let mut spec = rig.producer(1);
    (spec.count, spec.rate, spec.keys) = (Some(5_000), None, Some(7));
    let producing = ClientSpec::Producer(spec);
    let producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == 5_000).await;
    producer.reach("finished", LIMIT, |state| state.finished_us.is_some()).await.unwrap();
    producer.stop(LIMIT, vec![]).await.unwrap();
    let acked = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
    assert_eq!(acked.len(), 5_000);
    let plan = kplan::identity::keys::KeyPlan::new(3, Some(7));
    assert!(acked.iter().all(|m| plan.used().any(|p| p == m.0)));
    let found = rig.audit(&ends(&acked)).await;
    assert_eq!(messages(&found, Mark::Found), acked);
    assert!(found.len() < 500, "runs, not a record for each message: {}", found.len());
}

#[tokio::test]
async fn without_acks_nothing_is_acknowledged() {
    let rig = Rig::new();
    let mut spec = rig.producer(1);
    (spec.acks, spec.count) = (Acks::None, Some(100));
    let producing = ClientSpec::Producer(spec);
    let producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Written) == 100).await;
    assert_eq!(producer.stop(LIMIT, vec![]).await.unwrap().left, 0);
    let heard = runs(&producing, Writer::ProducerHeard);
    assert_eq!(count(&heard, Mark::Acked), 0);
    assert!(heard.iter().all(|r| r.first_offset == -1), "made-up offsets are dropped");
}

#[tokio::test]
async fn transactions_end_as_the_seed_says() {
    let rig = Rig::new();
    let mut spec = rig.producer(1);
    spec.transactional = Some(TransactionSpec { messages: 10, abort_percent: 40.0 });
    (spec.rate, spec.count) = (None, Some(400));
    let producing = ClientSpec::Producer(spec);
    let producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| {
        r.iter().filter(|r| matches!(r.mark, Mark::Committed | Mark::Aborted)).count() == 40
    })
    .await;
    assert_eq!(producer.stop(LIMIT, vec![]).await.unwrap().left, 0);
    let heard = runs(&producing, Writer::ProducerHeard);
    let of = |mark: Mark| heard.iter().filter(move |r| r.mark == mark);
    assert!(of(Mark::Committed).count() > 5 && of(Mark::Aborted).count() > 5);
    for committed in of(Mark::Committed) {
        let acked: u64 =
            of(Mark::Acked).filter(|r| r.epoch == committed.epoch).map(|r| r.count).sum();
        assert_eq!(acked, 10, "transaction {}", committed.epoch);
    }
    let sent = runs(&producing, Writer::ProducerSent);
    assert!(sent.iter().all(|r| (1..=40).contains(&r.epoch)));
    assert_eq!(count(&sent, Mark::Sent), 400);
}

#[tokio::test]
async fn a_group_shares_the_partitions_and_commits_as_told() {
    for commit in [CommitMode::Sync, CommitMode::None] {
        let rig = Rig::new();
        let mut spec = rig.producer(1);
        (spec.count, spec.rate) = (Some(300), None);
        let producing = ClientSpec::Producer(spec);
        let _producer = rig.start(producing.clone()).await;
        until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == 300).await;
        let spec = |life| {
            let mut spec = rig.consumer(1, life);
            spec.commit = commit;
            ClientSpec::Consumer(spec)
        };
        let first = rig.start(spec(1)).await;
        let ended = first.stop(LIMIT, positions(&[100, 100, 100])).await.unwrap();
        assert_eq!(ended.left, 0);
        assert_eq!(count(&runs(&spec(1), Writer::Consumer), Mark::Delivered), 300);
        let second = rig.start(spec(2)).await;
        let start = if commit == CommitMode::None { 0 } else { 100 };
        let assignment = second.state().borrow().assignment.clone().unwrap();
        assert!(assignment.iter().all(|p| p.offset == start), "{commit:?} {assignment:?}");
        second.stop(LIMIT, positions(&[100, 100, 100])).await.unwrap();
    }
}

#[tokio::test]
async fn latest_starts_at_the_end() {
    let rig = Rig::new();
    let mut spec = rig.producer(1);
    (spec.count, spec.rate) = (Some(300), None);
    let producing = ClientSpec::Producer(spec);
    let _producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == 300).await;
    let mut spec = rig.consumer(1, 1);
    spec.from = OffsetReset::Latest;
    let consumer = rig.start(ClientSpec::Consumer(spec)).await;
    let assignment = consumer.state().borrow().assignment.clone().unwrap();
    assert!(assignment.iter().all(|p| p.offset == 100), "{assignment:?}");
    assert_eq!(consumer.stop(LIMIT, positions(&[100; 3])).await.unwrap().left, 0);
}

#[tokio::test]
async fn an_end_that_is_never_reached_is_told() {
    let rig = Rig::new();
    let consumer = rig.start(ClientSpec::Consumer(rig.consumer(1, 1))).await;
    let limit = Duration::from_secs(5);
    let ended = consumer.stop(limit, positions(&[0, 7, 0])).await.unwrap();
    assert_eq!(ended.left, 7);
    assert_eq!(
        ended.unread,
        [kplan::client::protocol::Position { topic: "orders".into(), partition: 1, offset: 0 }]
    );
}

/// With its statistics every millisecond, one of them is nearly always on its way when it stops.
#[tokio::test]
async fn statistics_are_no_messages_without_an_answer() {
    let rig = Rig::new();
    for life in 1..=10 {
        let mut spec = rig.producer(life);
        spec.common.config.insert("statistics.interval.ms".into(), "1".into());
        let spec = ClientSpec::Producer(spec);
        let producer = rig.start(spec.clone()).await;
        until(&spec, Writer::ProducerHeard, |r| count(r, Mark::Acked) > 0).await;
        assert_eq!(producer.stop(LIMIT, vec![]).await.unwrap().left, 0, "life {life}");
    }
}
