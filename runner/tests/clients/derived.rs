//! What a program of another library makes of a producer's messages, judged by the identities that it passes on.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use indexmap::IndexMap;
use kplan::{
    audit::{
        AuditInput, ClientFacts, CountVerdict, Facts, Measure, Naming, RunSource, Scope,
        ServiceWork, audit,
    },
    client::{
        derived::{MEMBER, OutputReached},
        handle::ClientEvent,
        protocol::ClientReport,
        spec::{ClientSpec, Common, DerivedSpec, LogTopic, ReadSpan},
    },
    history::{HistoryFile, Mark, Writer, now_us},
};
use kplan_dsl::value::{MessagePart, MessageSlot, MessageText};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::{Header, OwnedHeaders},
    producer::{BaseProducer, BaseRecord, Producer},
};

use super::rig::{LIMIT, Rig, count, ends, messages, runs, until};

const MESSAGES: u64 = 600;
/// The service leaves out one in so many, and processes another one twice.
const LEFT_OUT: u64 = 50;
const TWICE: u64 = 60;
/// One message of the service is made of so many of those that it left out.
const SUMMED: usize = 3;

/// Each message is `ID NUMBER`.
fn value() -> MessageText {
    let slots = [MessageSlot::Id, MessageSlot::Number].map(MessagePart::Slot);
    let [id, number] = slots;
    MessageText::new(vec![id, MessagePart::Constant(b" ".to_vec()), number])
}

/// Reads every order and writes invoices into the topic `copies`. How many messages it wrote to each partition.
fn serve(bootstrap: &str) -> BTreeMap<i32, i64> {
    let client = |group: &str| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap).set("group.id", group);
        config
    };
    let consumer: BaseConsumer = client("invoicing").create().unwrap();
    let producer: BaseProducer = client("invoicing").create().unwrap();
    let mut all = TopicPartitionList::new();
    for partition in 0..3 {
        all.add_partition_offset("orders", partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&all).unwrap();
    let mut written = BTreeMap::new();
    let mut write = |partition: i32, key: &str, value: &str, headers: OwnedHeaders| {
        *written.entry(partition).or_insert(0) += 1;
        let record = BaseRecord::to("copies").partition(partition).key(key).payload(value);
        producer.send(record.headers(headers)).unwrap();
    };
    let mut ids = Vec::new();
    for _ in 0..MESSAGES {
        let order = consumer.poll(LIMIT).expect("an order in time").unwrap();
        let text = String::from_utf8(order.payload().unwrap().to_vec()).unwrap();
        let (id, number) = text.split_once(' ').unwrap();
        let number: u64 = number.parse().unwrap();
        let times = match number {
            n if n % LEFT_OUT == 7 => 0,
            n if n % TWICE == 9 => 2,
            _ => 1,
        };
        let partition = order.partition() % 2;
        for _ in 0..times {
            // In turn in the value, the key and a header; in the value more than once.
            let value = format!(r#"{{"order": "{id}", "again": "{id}"}}"#);
            match number % 3 {
                0 => write(partition, "k", &value, OwnedHeaders::new()),
                1 => write(partition, id, "{}", OwnedHeaders::new()),
                _ => {
                    let trace = Header { key: "trace", value: Some(id) };
                    write(partition, "k", "{}", OwnedHeaders::new().insert(trace));
                }
            }
        }
        if times == 0 {
            ids.push(id.to_owned());
        }
    }
    // One message is made of several of those that were left out.
    write(0, "sum", &ids[..SUMMED].join("+"), OwnedHeaders::new());
    producer.flush(LIMIT).unwrap();
    written
}

/// Sends the orders.
async fn produced(rig: &Rig) -> ClientSpec {
    let mut spec = rig.producer(1);
    (spec.rate, spec.count, spec.value) = (Some(2_000.0), Some(MESSAGES), Some(value()));
    spec.headers = IndexMap::from([("empty".to_owned(), MessageText::new(vec![]))]);
    let producing = ClientSpec::Producer(spec);
    let _producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) == MESSAGES).await;
    producing
}

/// How many messages have no output, and how many have two.
fn left_out_and_twice() -> (usize, usize) {
    let left_out = (0..MESSAGES).filter(|n| n % LEFT_OUT == 7).count();
    let twice = (0..MESSAGES).filter(|n| n % LEFT_OUT != 7 && n % TWICE == 9).count();
    (left_out, twice)
}

#[tokio::test]
async fn the_first_output_of_each_message_is_recorded_with_its_latency() {
    let mut rig = Rig::new();
    let common = Common { member: MEMBER, ..rig.common("invoicing", 4, 1) };
    let spec = DerivedSpec { common, from: "orders".into(), to: "copies".into() };
    let reading = ClientSpec::Derived(spec);
    let reader = rig.spawn(reading.clone()).await;
    reader.reach("ready", LIMIT, |state| state.ready.is_some()).await.unwrap();
    let begun_us = now_us();
    let producing = produced(&rig).await;
    let sent = messages(&runs(&producing, Writer::ProducerSent), Mark::Sent);
    let bootstrap = rig.bootstrap.clone();
    let written = tokio::task::spawn_blocking(move || serve(&bootstrap)).await.unwrap();
    let reached = OutputReached::open(reading.common()).unwrap();
    let all_read = || written.iter().all(|(p, end)| reached.has(p.cast_unsigned(), *end));
    until(&reading, Writer::Consumer, |_| all_read()).await;
    assert!(!reached.has(0, written[&0] + 1), "no further than the end");
    reader.stop(LIMIT, Vec::new()).await.unwrap();

    let found = runs(&reading, Writer::Consumer);
    let assigned = found.iter().filter(|run| run.mark == Mark::Assigned);
    let assigned: Vec<_> = assigned.map(|run| (run.partition, run.first_offset)).collect();
    assert_eq!(assigned, [(0, 0), (1, 0), (2, 0)], "the input's");
    let delivered = messages(&found, Mark::Delivered);
    let (left_out, _) = left_out_and_twice();
    assert_eq!(delivered.len(), MESSAGES as usize - left_out + SUMMED);
    assert!(delivered.windows(2).all(|pair| pair[0] != pair[1]), "each once");
    assert!(delivered.iter().all(|one| sent.contains(one)), "by the identities of the input");
    let (mut measured, longest) = (0, (now_us() - begun_us).unsigned_abs());
    while let Ok((who, event)) = rig.heard.try_recv() {
        let ClientEvent::Report(ClientReport::Latency { slices, .. }) = event else { continue };
        if who.member != MEMBER {
            continue;
        }
        for (latency, messages) in slices.iter().flat_map(|slice| &slice.buckets) {
            assert!((1..longest).contains(latency), "{latency}");
            measured += messages;
        }
    }
    assert_eq!(measured, delivered.len() as u64);
}

#[tokio::test]
async fn what_a_service_makes_of_messages_is_judged_by_their_identities() {
    let rig = Rig::new();
    let producing = produced(&rig).await;
    let acked = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
    let bootstrap = rig.bootstrap.clone();
    let written = tokio::task::spawn_blocking(move || serve(&bootstrap)).await.unwrap();

    let span = |partition, end| ReadSpan { partition, start: 0, end };
    let mut reader = rig.log(&ends(&acked));
    let spans = (0..2).map(|p| span(p, written[&p.cast_signed()])).collect();
    reader.topics.push(LogTopic { name: "copies".into(), spans, transactional: true });
    let found = rig.read(reader.clone()).await;
    let all: i64 = written.values().sum();
    assert_eq!(messages(&found, Mark::Found), acked);
    assert_eq!(count(&found, Mark::Foreign), all.unsigned_abs(), "all that the service wrote");
    // One message is derived from several, each other one from one.
    assert_eq!(count(&found, Mark::Derived), all.unsigned_abs() - 1 + SUMMED as u64);

    let reading = ClientSpec::Log(reader);
    let files = [&producing, &reading].into_iter().flat_map(ClientSpec::histories);
    let files: Vec<_> = files.map(|path| HistoryFile::open(&path).unwrap()).collect();
    let mut facts = Facts::default();
    let work = ServiceWork {
        group: None,
        from: "orders".into(),
        to: "copies".into(),
        outputs: 1,
        naming: Naming::Derived,
    };
    let service = ClientFacts { work: Some(work), ..ClientFacts::default() };
    facts.clients.insert("invoicing".into(), service);
    let sources = files.iter().map(|f| f as &dyn RunSource).collect();
    let result = audit(&AuditInput { sources, facts });
    let scope = Scope { service: Some("invoicing".into()), ..Scope::default() };
    let counted = |measure, scope: &Scope| match result.verdict(measure, scope) {
        CountVerdict::Counted(finding) => finding.count,
        CountVerdict::Inconclusive { reason, .. } => panic!("{measure:?}: {reason}"),
    };
    let (left_out, twice) = left_out_and_twice();
    assert_eq!(counted(Measure::Unprocessed, &scope), (left_out - SUMMED) as u64);
    assert_eq!(counted(Measure::Overprocessed, &scope), twice as u64);
    assert_eq!(counted(Measure::Phantom, &Scope::default()), 0);
    assert_eq!(counted(Measure::Lost, &Scope::default()), 0);
}
