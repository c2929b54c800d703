//! Messages whose value, key and headers the plan writes, as another reader sees them.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use kplan::{
    client::{handle::ClientEvent, protocol::ClientReport, spec::ClientSpec},
    history::{Mark, Writer},
    identity::{payload::run_hash, text::TextId},
};
use kplan_dsl::value::{MessagePart, MessageSlot, MessageText};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
};

use super::rig::{LIMIT, Rig, count, ends, messages, positions, runs, until};

const MESSAGES: u64 = 1_200;

fn text(parts: &[Result<&str, MessageSlot>]) -> MessageText {
    let part = |part: &Result<&str, MessageSlot>| match part {
        Ok(constant) => MessagePart::Constant(constant.as_bytes().to_vec()),
        Err(slot) => MessagePart::Slot(*slot),
    };
    MessageText::new(parts.iter().map(part).collect())
}

/// What a reader of another library gets: partition, key, value and the header `trace`.
fn read(bootstrap: &str) -> Vec<(i32, String, serde_json::Value, String)> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "another")
        .create()
        .unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..3 {
        all.add_partition_offset("orders", partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    let mut all = Vec::new();
    while (all.len() as u64) < MESSAGES {
        let message = consumer.poll(LIMIT).expect("a message in time").unwrap();
        let trace = message.headers().unwrap().iter().find(|h| h.key == "trace").unwrap().value;
        let value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        all.push((message.partition(), text(message.key()), value, text(trace)));
    }
    all
}

#[tokio::test]
async fn messages_of_the_plan_are_written_whole_and_found_by_their_identity() {
    use MessageSlot::{Id, Number, Partition, Random, Time};
    let mut rig = Rig::new();
    let mut spec = rig.producer(1);
    (spec.rate, spec.count) = (Some(2_000.0), Some(MESSAGES));
    spec.value = Some(text(&[
        Ok("{\"order\": \""),
        Err(Id),
        Ok("\", \"number\": "),
        Err(Number),
        Ok(", \"partition\": "),
        Err(Partition),
        Ok(", \"at\": \""),
        Err(Time),
        Ok("\"}"),
    ]));
    spec.key = Some(text(&[Ok("customer-"), Err(Random { least: 1, most: 20 })]));
    spec.headers = IndexMap::from([("trace".to_owned(), text(&[Err(Id)]))]);
    let producing = ClientSpec::Producer(spec);
    let consuming = ClientSpec::Consumer(rig.consumer(1, 1));
    let consumer = rig.start(consuming.clone()).await;
    let producer = rig.start(producing.clone()).await;
    until(&consuming, Writer::Consumer, |r| count(r, Mark::Delivered) == MESSAGES).await;
    producer.stop(LIMIT, vec![]).await.unwrap();

    // What kplan's reader, consumer and audit make of them is what was sent.
    let acked = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
    assert_eq!(acked.len() as u64, MESSAGES);
    consumer.stop(LIMIT, positions(&ends(&acked))).await.unwrap();
    assert_eq!(messages(&runs(&consuming, Writer::Consumer), Mark::Delivered), acked);
    let found = rig.audit(&ends(&acked)).await;
    assert_eq!(messages(&found, Mark::Found), acked);
    assert_eq!(count(&found, Mark::Foreign), 0);

    // What another reader gets.
    let bootstrap = rig.bootstrap.clone();
    let all = tokio::task::spawn_blocking(move || read(&bootstrap)).await.unwrap();
    let (mut ids, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    let mut partitions: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for (partition, key, value, trace) in &all {
        let id = value["order"].as_str().unwrap();
        assert_eq!(id, trace);
        let named = TextId::all(id.as_bytes(), run_hash("r1")).next().unwrap();
        assert_eq!((named.client, named.life, named.topic), (1, 1, 0));
        assert_eq!(
            (named.partition.cast_signed(), value["partition"].as_i64()),
            (*partition, Some(i64::from(*partition)))
        );
        assert!(value["at"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
        ids.insert(id.to_owned());
        numbers.insert(value["number"].as_u64().unwrap());
        partitions.entry(key.clone()).or_default().insert(*partition);
    }
    assert_eq!((ids.len() as u64, numbers.len() as u64), (MESSAGES, MESSAGES));
    assert_eq!(numbers.last(), Some(&(MESSAGES - 1)));
    assert_eq!(partitions.len(), 20);
    assert!(partitions.values().all(|all| all.len() == 1), "a key has one partition");
    assert_eq!(latencies(&mut rig), [("C".to_owned(), MESSAGES), ("P".to_owned(), MESSAGES)]);
}

/// How many latencies each client reported; none is longer than the test took.
fn latencies(rig: &mut Rig) -> Vec<(String, u64)> {
    let mut total = BTreeMap::new();
    while let Ok((who, event)) = rig.heard.try_recv() {
        if let ClientEvent::Report(ClientReport::Latency { slices, .. }) = event {
            for (latency, messages) in slices.iter().flat_map(|slice| &slice.buckets) {
                assert!(*latency < 60_000_000, "{} took {latency} us", who.name);
                *total.entry(who.name.clone()).or_insert(0) += messages;
            }
        }
    }
    total.into_iter().collect()
}
