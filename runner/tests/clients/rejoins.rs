//! A member of a group leaves and comes back, with no fault at all: whatever the assignor and however
//! positions are committed, each partition is read on where it was.
//!
//! A consumer that keeps up meets the end of each partition after nearly every message, which is where a wrong
//! position would come from: the members here always do.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use kplan::{
    client::spec::{ClientSpec, ConsumerSpec, ProducerSpec},
    history::{Mark, MessageRun, Writer},
};
use kplan_dsl::value::CommitMode;

use super::rig::{LIMIT, Rig, count, ends, messages, positions, runs, until};

/// Times that the second member comes and goes.
const LIVES: u16 = 3;

fn member(rig: &Rig, number: u16, life: u16, assignor: &str, commit: CommitMode) -> ClientSpec {
    let mut spec: ConsumerSpec = rig.consumer(number, life);
    let settings = [
        ("partition.assignment.strategy", assignor),
        ("session.timeout.ms", "6000"),
        // An empty answer, which is what tells of an end, comes that soon.
        ("fetch.wait.max.ms", "5"),
    ];
    for (key, value) in settings {
        spec.common.config.insert(key.into(), value.into());
    }
    spec.commit = commit;
    ClientSpec::Consumer(spec)
}

/// Partitions that a member has by what it recorded.
fn held(runs: &[MessageRun]) -> BTreeSet<u32> {
    let mut held = BTreeSet::new();
    for run in runs {
        match run.mark {
            Mark::Assigned => drop(held.insert(run.partition)),
            Mark::Revoked => drop(held.remove(&run.partition)),
            _ => {}
        }
    }
    held
}

/// Everything that one member was given went on from where its assignment began, message by message.
fn nothing_is_left_out(told: &str, runs: &[MessageRun]) {
    let mut next: BTreeMap<u32, i64> = BTreeMap::new();
    for run in runs {
        match run.mark {
            Mark::Assigned => {
                next.insert(run.partition, run.first_offset);
            }
            Mark::Revoked => {
                next.remove(&run.partition);
            }
            Mark::Delivered => {
                let next = next.get_mut(&run.partition).expect("it is assigned");
                assert_eq!(run.first_offset, *next, "{told}: {run:?}");
                *next += run.count.cast_signed();
            }
            _ => {}
        }
    }
}

async fn a_member_comes_and_goes(assignor: &str, commit: CommitMode) {
    let told = format!("{assignor}, {commit:?}");
    let rig = Rig::new();
    let producing = ClientSpec::Producer(ProducerSpec { rate: Some(100.0), ..rig.producer(1) });
    let producer = rig.start(producing.clone()).await;
    let mut members = vec![member(&rig, 1, 1, assignor, commit)];
    let first = rig.start(members[0].clone()).await;
    until(&members[0], Writer::Consumer, |r| {
        r.iter().filter(|run| run.mark == Mark::Eof).count() > 3
    })
    .await;
    for life in 1..=LIVES {
        let spec = member(&rig, 2, life, assignor, commit);
        let second = rig.start(spec.clone()).await;
        until(&spec, Writer::Consumer, |r| !held(r).is_empty()).await;
        until(&spec, Writer::Consumer, |r| count(r, Mark::Delivered) > 20).await;
        let before = count(&runs(&members[0], Writer::Consumer), Mark::Delivered);
        second.stop(LIMIT, positions(&[0; 3])).await.unwrap();
        members.push(spec);
        until(&members[0], Writer::Consumer, |r| held(r).len() == 3).await;
        let more = move |r: &[MessageRun]| count(r, Mark::Delivered) > before + 20;
        until(&members[0], Writer::Consumer, more).await;
    }
    producer.stop(LIMIT, vec![]).await.unwrap();
    let acked = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
    assert_eq!(first.stop(LIMIT, positions(&ends(&acked))).await.unwrap().left, 0, "{told}");

    let seen: Vec<Vec<MessageRun>> = members.iter().map(|m| runs(m, Writer::Consumer)).collect();
    seen.iter().for_each(|runs| nothing_is_left_out(&told, runs));
    let mut delivered: Vec<_> = seen.iter().flat_map(|r| messages(r, Mark::Delivered)).collect();
    delivered.sort_unstable();
    // The mock's coordinator refuses commits while its group rebalances, which Kafka's does not: what could
    // not be committed comes again with the next assignment.
    delivered.dedup();
    assert_eq!(delivered.len(), acked.len(), "{told}: as many as were sent");
    assert!(delivered == acked, "{told}: the messages that were sent");
}

async fn with_every_commit(assignor: &str) {
    tokio::join!(
        a_member_comes_and_goes(assignor, CommitMode::Auto),
        a_member_comes_and_goes(assignor, CommitMode::Sync),
        a_member_comes_and_goes(assignor, CommitMode::None),
    );
}

#[tokio::test]
async fn nothing_is_left_out_when_a_member_comes_back_cooperative_sticky() {
    with_every_commit("cooperative-sticky").await;
}

#[tokio::test]
async fn nothing_is_left_out_when_a_member_comes_back_range() {
    with_every_commit("range").await;
}

#[tokio::test]
async fn nothing_is_left_out_when_a_member_comes_back_roundrobin() {
    with_every_commit("roundrobin").await;
}
