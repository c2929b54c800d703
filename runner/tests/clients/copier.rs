//! A copier: each message once, with the identity of its original. The mock cluster takes the positions of a
//! transaction and forgets them; that the next life goes on from there needs real brokers
//! (`plans/resilience/exactly-once.yaml`).
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use kplan::{
    client::spec::{ClientSpec, LogSpec},
    history::{Mark, Writer},
};

use super::rig::{LIMIT, Rig, count, ends, messages, positions, runs, until};

#[tokio::test]
async fn every_message_is_copied_once_and_names_its_original() {
    let rig = Rig::new();
    let mut spec = rig.producer(1);
    (spec.count, spec.rate) = (Some(600), None);
    let producing = ClientSpec::Producer(spec);
    let _producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == 600).await;
    let acked = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);

    let copying = ClientSpec::Copier(rig.copier(1));
    let copier = rig.start(copying.clone()).await;
    let ended = copier.stop(LIMIT, positions(&ends(&acked))).await.unwrap();
    assert_eq!((ended.left, ended.unread.len()), (0, 0));
    assert_eq!(messages(&runs(&copying, Writer::Consumer), Mark::Delivered), acked);

    let heard = runs(&copying, Writer::ProducerHeard);
    assert_eq!(count(&heard, Mark::Acked), 600);
    let ends_of = |mark: Mark| heard.iter().filter(|r| r.mark == mark).count();
    assert!(ends_of(Mark::Committed) >= 12, "at most 50 messages in a transaction");
    assert_eq!((ends_of(Mark::Aborted), ends_of(Mark::Unsettled)), (0, 0));
    let mut sizes = BTreeMap::new();
    for run in heard.iter().filter(|r| r.mark == Mark::Acked) {
        *sizes.entry(run.epoch).or_insert(0) += run.count;
    }
    assert!(sizes.values().all(|n| (1..=50).contains(n)), "{sizes:?}");

    // The output: two partitions, 0 and 2 of the input together in the first.
    let copies = messages(&heard, Mark::Acked);
    let LogSpec { common, mut topics, stall_ms, careful } = rig.log(&ends(&copies)[..2]);
    topics[0].name = "copies".into();
    let found = rig.read(LogSpec { common, topics, stall_ms, careful }).await;
    assert_eq!(messages(&found, Mark::Found), copies);
    assert!(found.iter().filter(|r| r.mark == Mark::Copied).all(|r| r.epoch == 3));
    let mut originals: Vec<_> = found
        .iter()
        .filter(|r| r.mark == Mark::Copied)
        .flat_map(|r| (0..r.count).map(|i| (r.source_partition, r.life, r.first_seq + i)))
        .collect();
    originals.sort_unstable();
    let sent: Vec<_> = acked.iter().map(|m| (m.0, m.1, m.2)).collect();
    assert_eq!(originals, sent);
}

/// librdkafka refuses the copies of long messages before they are sent, and commits the transaction all the same.
#[tokio::test]
async fn a_copy_that_is_refused_is_never_committed() {
    let rig = Rig::new();
    let mut spec = rig.producer(1);
    (spec.count, spec.rate, spec.payload_bytes) = (Some(30), None, 3_000);
    let producing = ClientSpec::Producer(spec);
    let _producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == 30).await;

    let mut spec = rig.copier(1);
    spec.common.config.insert("message.max.bytes".into(), "1000".into());
    let copying = ClientSpec::Copier(spec);
    let copier = rig.start(copying.clone()).await;
    until(&copying, Writer::ProducerHeard, |r| count(r, Mark::Failed) > 30).await;
    drop(copier);
    let committed = runs(&copying, Writer::Consumer);
    assert!(committed.iter().all(|r| r.mark != Mark::OffsetCommitted), "{committed:?}");
    let heard = runs(&copying, Writer::ProducerHeard);
    assert!(heard.iter().any(|r| r.mark == Mark::Aborted), "{heard:?}");
    assert_eq!(heard.iter().filter(|r| r.mark == Mark::Committed).count(), 0);
}
