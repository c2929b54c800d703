//! Groups: members that come and go, and positions that the log does not hold.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use kplan::{
    client::{
        handle::ClientEvent,
        protocol::ClientReport,
        spec::{ClientSpec, ConsumerSpec},
    },
    history::{Mark, Writer},
};
use kplan_dsl::value::OffsetReset;
use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode, Consumer},
};

use super::rig::{LIMIT, Rig, count, ends, messages, positions, runs, until};

#[tokio::test]
async fn a_killed_members_partitions_go_to_the_others() {
    let rig = Rig::new();
    let producing = ClientSpec::Producer(rig.producer(1));
    let producer = rig.start(producing.clone()).await;
    let member = |number| {
        let mut spec: ConsumerSpec = rig.consumer(number, 1);
        // The mock coordinator waits that long for a dead member.
        spec.common.config.insert("session.timeout.ms".into(), "6000".into());
        ClientSpec::Consumer(spec)
    };
    let first = rig.start(member(1)).await;
    let second = rig.start(member(2)).await;
    let shared = |runs: &[_]| count(runs, Mark::Delivered) > 100;
    until(&member(1), Writer::Consumer, shared).await;
    until(&member(2), Writer::Consumer, shared).await;
    first.kill().await.unwrap();
    let all = |s: &kplan::client::handle::ClientState| {
        s.assignment.as_ref().is_some_and(|a| a.len() == 3)
    };
    second.reach("alone", LIMIT, all).await.unwrap();
    producer.stop(LIMIT, vec![]).await.unwrap();
    let acked = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
    assert_eq!(second.stop(LIMIT, positions(&ends(&acked))).await.unwrap().left, 0);

    let seen = [runs(&member(1), Writer::Consumer), runs(&member(2), Writer::Consumer)];
    let delivered: BTreeSet<_> = seen.iter().flat_map(|s| messages(s, Mark::Delivered)).collect();
    assert!(delivered.into_iter().eq(acked), "every message reached one of them");
    let generations: BTreeSet<_> =
        seen[1].iter().filter(|r| r.mark == Mark::Assigned).map(|r| r.epoch).collect();
    assert!(generations.len() >= 2, "{generations:?}");
    // What was delivered while a partition was assigned lies between its marks.
    for runs in &seen {
        for partition in 0..3 {
            let mut assigned = false;
            for run in runs.iter().filter(|r| r.partition == partition) {
                match run.mark {
                    Mark::Assigned => assigned = true,
                    Mark::Revoked => assigned = false,
                    Mark::Delivered => assert!(assigned, "{run:?}"),
                    _ => {}
                }
            }
        }
    }
}

#[tokio::test]
async fn a_position_that_the_log_does_not_hold_is_reset_and_recorded() {
    for (from, start) in [(OffsetReset::Earliest, 0), (OffsetReset::Latest, 100)] {
        let mut rig = Rig::new();
        let mut spec = rig.producer(1);
        (spec.count, spec.rate) = (Some(300), None);
        let producing = ClientSpec::Producer(spec);
        let _producer = rig.start(producing.clone()).await;
        until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == 300).await;
        commit_beyond_the_end(&rig);
        let mut spec = rig.consumer(1, 1);
        spec.from = from;
        let consuming = ClientSpec::Consumer(spec);
        let consumer = rig.start(consuming.clone()).await;
        let assignment = consumer.state().borrow().assignment.clone().unwrap();
        assert!(assignment.iter().all(|p| p.offset == 5_000), "{assignment:?}");
        until(&consuming, Writer::Consumer, |r| {
            r.iter().filter(|r| r.mark == Mark::Reset).count() == 3
        })
        .await;
        assert_eq!(consumer.stop(LIMIT, positions(&[100; 3])).await.unwrap().left, 0);
        let seen = runs(&consuming, Writer::Consumer);
        let resets = seen.iter().filter(|r| r.mark == Mark::Reset);
        assert!(resets.map(|r| r.first_offset).eq([start; 3]));
        let delivered = if from == OffsetReset::Earliest { 300 } else { 0 };
        assert_eq!(count(&seen, Mark::Delivered), delivered);
        let mut told = 0;
        while let Ok((_, event)) = rig.heard.try_recv() {
            told += u32::from(matches!(event, ClientEvent::Report(ClientReport::Reset { .. })));
        }
        assert_eq!(told, 3);
    }
}

fn commit_beyond_the_end(rig: &Rig) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", rig.bootstrap.clone())
        .set("group.id", "readers")
        .create()
        .unwrap();
    let mut offsets = TopicPartitionList::new();
    for partition in 0..3 {
        offsets.add_partition_offset("orders", partition, Offset::Offset(5_000)).unwrap();
    }
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
}
