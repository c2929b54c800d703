//! When something is said to have happened, and how long it took: never before it did, and nothing is left out.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, time::Duration};

use kplan::{
    client::{
        handle::ClientEvent,
        latency::unreported,
        protocol::ClientReport,
        spec::{ClientSpec, TransactionSpec},
    },
    history::{Mark, MessageRun, Writer},
};

use super::rig::{LIMIT, Rig, count, runs, until};

/// Latencies that the client P has reported since the last call, and up to when.
fn reported(rig: &mut Rig) -> (Vec<(u64, u64)>, i64) {
    let (mut all, mut until_us) = (Vec::new(), i64::MIN);
    while let Ok((who, event)) = rig.heard.try_recv() {
        if let ClientEvent::Report(ClientReport::Latency { slices, to_us, .. }) = event
            && who.name == "P"
        {
            all.extend(slices.into_iter().flat_map(|slice| slice.buckets));
            until_us = until_us.max(to_us);
        }
    }
    (all, until_us)
}

fn messages(buckets: &[(u64, u64)]) -> u64 {
    buckets.iter().map(|(_, count)| count).sum()
}

#[tokio::test]
async fn no_acknowledgement_is_stamped_before_its_answer() {
    const RTT: Duration = Duration::from_millis(15);
    let mut rig = Rig::new();
    rig.slow(RTT);
    let mut spec = rig.producer(1);
    spec.count = Some(600);
    let producing = ClientSpec::Producer(spec);
    let producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == 600).await;
    producer.stop(LIMIT, vec![]).await.unwrap();
    let least_us = RTT.as_micros() as u64;
    let (latencies, _) = reported(&mut rig);
    assert_eq!(messages(&latencies), 600);
    let early: Vec<_> = latencies.iter().filter(|(value, _)| *value < least_us).collect();
    assert!(early.is_empty(), "{early:?}");
    let sent = runs(&producing, Writer::ProducerSent);
    for acked in runs(&producing, Writer::ProducerHeard).iter().filter(|r| r.mark == Mark::Acked) {
        let holds = |r: &&MessageRun| {
            r.partition == acked.partition
                && (r.first_seq..r.first_seq + r.count).contains(&acked.first_seq)
        };
        let sent_us = sent.iter().find(holds).unwrap().first_us;
        assert!(acked.first_us - sent_us >= least_us.cast_signed(), "{acked:?}");
    }
}

#[tokio::test]
async fn a_message_of_a_transaction_takes_until_the_commit_and_aborted_ones_do_not_count() {
    let mut rig = Rig::new();
    let mut spec = rig.producer(1);
    spec.transactional = Some(TransactionSpec { messages: 10, abort_percent: 40.0 });
    (spec.rate, spec.count) = (Some(1_000.0), Some(395));
    let producing = ClientSpec::Producer(spec);
    let producer = rig.start(producing.clone()).await;
    let ends = |r: &MessageRun| matches!(r.mark, Mark::Committed | Mark::Aborted);
    until(&producing, Writer::ProducerHeard, |r| r.iter().filter(|r| ends(r)).count() == 40).await;
    producer.reach("finished", LIMIT, |state| state.finished_us.is_some()).await.unwrap();
    producer.stop(LIMIT, vec![]).await.unwrap();
    let heard = runs(&producing, Writer::ProducerHeard);
    let commits = heard.iter().filter(|r| r.mark == Mark::Committed);
    let committed: BTreeSet<u32> = commits.clone().map(|r| r.epoch).collect();
    let acked = heard.iter().filter(|r| r.mark == Mark::Acked && committed.contains(&r.epoch));
    let (latencies, _) = reported(&mut rig);
    assert_eq!(messages(&latencies), acked.map(|r| r.count).sum::<u64>());
    assert!(committed.len() < 40, "some were aborted");
    // Ten messages at 1 ms each: the first waited 9 ms for the last, whatever the commit took.
    let waited = latencies.iter().filter(|(value, _)| *value >= 8_000);
    assert!(waited.map(|w| w.1).sum::<u64>() >= committed.len() as u64, "{latencies:?}");
}

#[tokio::test]
async fn what_a_killed_client_had_not_reported_counts() {
    let mut rig = Rig::new();
    let mut spec = rig.producer(1);
    (spec.rate, spec.count) = (None, Some(100));
    let producing = ClientSpec::Producer(spec);
    let producer = rig.start(producing.clone()).await;
    let path = producer.latencies();
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == 100).await;
    producer.kill().await.unwrap();
    let (mut latencies, reported_us) = reported(&mut rig);
    latencies.extend(unreported(&path, reported_us).into_iter().flat_map(|slice| slice.buckets));
    // The last may have been killed between its record and its latency.
    assert!((99..=100).contains(&messages(&latencies)), "{latencies:?}");
}
