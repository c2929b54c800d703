//! Clients of other programs against the mock cluster. The program is this test binary: [`client_main`] is a client of
//! the `rdkafka` crate that speaks the protocol of Kafka's verifiable tools.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use kplan::{
    client::spec::{ClientSpec, ProgramPlace, VerifiableConsumerSpec, VerifiableProducerSpec},
    history::{Mark, Writer},
};
use kplan_dsl::value::{Acks, ClientProgram, CommitMode, Isolation, OffsetReset};
use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, CommitMode as Commit, Consumer as _, ConsumerContext, Rebalance},
    error::KafkaError,
    message::{BorrowedMessage, DeliveryResult},
    producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext},
};
use serde_json::{Value, json};

use super::rig::{LIMIT, Rig, count, ends, messages, positions, runs, until};

/// The arguments of the client that this binary is when it is started as one, joined by newlines.
const ARGUMENTS: &str = "KPLAN_TEST_CLIENT";

/// This binary as a client.
fn program() -> ClientProgram {
    let own = std::env::current_exe().unwrap().display().to_string();
    let test = "verifiable::client_main";
    // The test harness does not pass arguments on.
    let script = format!(
        "{ARGUMENTS}=$(printf '%s\\n' \"$@\") exec '{own}' {test} --exact --nocapture --test-threads 1"
    );
    let command = |role: &str| -> Vec<String> {
        ["sh", "-c", &script, "sh", role].map(str::to_owned).to_vec()
    };
    ClientProgram {
        producer: command("producer"),
        consumer: command("consumer"),
        ..ClientProgram::default()
    }
}

fn print(mut event: Value, name: &str) {
    event["name"] = name.into();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{event}").unwrap();
    out.flush().unwrap();
}

/// The value of a flag.
fn flag<'a>(arguments: &'a [String], name: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|word| word == name)?;
    arguments.get(at + 1).map(String::as_str)
}

/// True from SIGTERM on.
fn asked_to_end() -> Arc<AtomicBool> {
    let asked = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&asked);
    let ready = Arc::new(AtomicBool::new(false));
    let listening = Arc::clone(&ready);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut signal = tokio::signal::unix::signal(kind).unwrap();
            listening.store(true, Ordering::Release);
            signal.recv().await;
            set.store(true, Ordering::Release);
        });
    });
    while !ready.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    asked
}

/// The body of the client, which the tests below start; as a test, it is the one that they start.
#[test]
fn client_main() {
    match std::env::var(ARGUMENTS) {
        Ok(arguments) => client(&arguments.lines().map(str::to_owned).collect::<Vec<_>>()),
        Err(_) => assert!(program().producer[2].contains(" verifiable::client_main --exact ")),
    }
}

fn client(arguments: &[String]) {
    // A line of the harness that has no end yet.
    println!();
    match arguments[0].as_str() {
        "producer" => produce(arguments),
        "consumer" => consume(arguments),
        other => panic!("{other}"),
    }
    std::process::exit(0);
}

struct Outcomes {
    acked: AtomicU64,
    open: AtomicU64,
}

impl ClientContext for Outcomes {}

impl ProducerContext for Outcomes {
    /// When the message was to be sent, and its value.
    type DeliveryOpaque = Box<(f64, String)>;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Self::DeliveryOpaque) {
        let (sent_ms, value) = *opaque;
        let (Ok(message) | Err((_, message))) = result;
        let own =
            json!({ "key": null, "value": value, "topic": message.topic(), "sent_ms": sent_ms });
        match result {
            Ok(message) => {
                self.acked.fetch_add(1, Ordering::Relaxed);
                let mut own = own;
                (own["partition"], own["offset"]) =
                    (message.partition().into(), message.offset().into());
                print(own, "producer_send_success");
            }
            Err((error, _)) => {
                let mut own = own;
                (own["exception"], own["message"]) =
                    ("KafkaError".into(), error.to_string().into());
                print(own, "producer_send_error");
            }
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn produce(arguments: &[String]) {
    let number = |name| flag(arguments, name).map_or(-1, |n| n.parse::<i64>().unwrap());
    let (topic, prefix) = (flag(arguments, "--topic").unwrap(), number("--value-prefix"));
    let (most, rate) = (number("--max-messages"), number("--throughput"));
    let asked = asked_to_end();
    let outcomes = Outcomes { acked: AtomicU64::new(0), open: AtomicU64::new(0) };
    let producer: BaseProducer<Outcomes> = ClientConfig::new()
        .set("bootstrap.servers", flag(arguments, "--bootstrap-server").unwrap())
        .set("acks", flag(arguments, "--acks").unwrap())
        .create_with_context(outcomes)
        .unwrap();
    print(json!({}), "startup_complete");
    let (begun, mut sent) = (Instant::now(), 0_i64);
    while !asked.load(Ordering::Acquire) && (most < 0 || sent < most) {
        let due = if rate < 0 {
            i64::MAX
        } else {
            (begun.elapsed().as_secs_f64() * rate as f64) as i64 + 1
        };
        if sent < due && producer.context().open.load(Ordering::Relaxed) < 10_000 {
            let value = format!("{prefix}.{sent}");
            let now = jiff::Timestamp::now().as_microsecond() as f64 / 1_000.0;
            let record =
                BaseRecord::<str, str, _>::with_opaque_to(topic, Box::new((now, value.clone())));
            producer.context().open.fetch_add(1, Ordering::Relaxed);
            producer.send(record.payload(&value)).map_err(|(error, _)| error).unwrap();
            sent += 1;
            producer.poll(Duration::ZERO);
        } else {
            producer.poll(Duration::from_millis(5));
        }
    }
    producer.flush(LIMIT).unwrap();
    print(json!({}), "shutdown_complete");
    print(
        json!({ "sent": sent, "acked": producer.context().acked.load(Ordering::Relaxed) }),
        "tool_data",
    );
}

/// Prints rebalances.
struct Printer(Mutex<()>);

impl ClientContext for Printer {}

impl ConsumerContext for Printer {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let parts = |list: &TopicPartitionList| -> Value {
            let all = list.elements();
            all.iter().map(|p| json!({ "topic": p.topic(), "partition": p.partition() })).collect()
        };
        let _one = self.0.lock().unwrap();
        if let Rebalance::Assign(list) = rebalance {
            print(json!({ "partitions": parts(list) }), "partitions_assigned");
        }
    }

    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            let all = list.elements();
            let all: Value = all
                .iter()
                .map(|p| json!({ "topic": p.topic(), "partition": p.partition() }))
                .collect();
            print(json!({ "partitions": all }), "partitions_revoked");
        }
    }
}

fn record(message: &BorrowedMessage<'_>) {
    let text = |bytes: Option<&[u8]>| bytes.map(|b| String::from_utf8_lossy(b).into_owned());
    let (key, value) = (text(message.key()), text(message.payload()));
    let place = (message.topic(), message.partition(), message.offset());
    let own = json!({ "key": key, "value": value, "topic": place.0, "partition": place.1, "offset": place.2 });
    print(own, "record_data");
}

fn consume(arguments: &[String]) {
    let asked = asked_to_end();
    let consumer: BaseConsumer<Printer> = ClientConfig::new()
        .set("bootstrap.servers", flag(arguments, "--bootstrap-server").unwrap())
        .set("group.id", flag(arguments, "--group-id").unwrap())
        .set("session.timeout.ms", flag(arguments, "--session-timeout").unwrap())
        .set("auto.offset.reset", flag(arguments, "--reset-policy").unwrap())
        .set("enable.auto.commit", "false")
        .create_with_context(Printer(Mutex::new(())))
        .unwrap();
    print(json!({}), "startup_complete");
    consumer.subscribe(&[flag(arguments, "--topic").unwrap()]).unwrap();
    while !asked.load(Ordering::Acquire) {
        let mut next: BTreeMap<(String, i32), i64> = BTreeMap::new();
        let mut count = 0_u64;
        while let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) {
            record(&message);
            next.insert((message.topic().to_owned(), message.partition()), message.offset() + 1);
            count += 1;
            if count == 500 {
                break;
            }
        }
        if count == 0 {
            continue;
        }
        print(json!({ "count": count, "partitions": [] }), "records_consumed");
        let mut list = TopicPartitionList::new();
        for ((topic, partition), offset) in &next {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset)).unwrap();
        }
        let place = |((topic, partition), offset): (&(String, i32), &i64)| json!({ "topic": topic, "partition": partition, "offset": offset });
        let offsets: Value = next.iter().map(place).collect();
        let result: Result<(), KafkaError> = consumer.commit(&list, Commit::Sync);
        let mut own = json!({ "offsets": offsets, "success": result.is_ok() });
        if let Err(error) = result {
            own["error"] = error.to_string().into();
        }
        print(own, "offsets_committed");
    }
    drop(consumer);
    print(json!({}), "shutdown_complete");
}

fn producer(rig: &Rig, life: u16) -> VerifiableProducerSpec {
    VerifiableProducerSpec {
        common: rig.common("P", 1, life),
        program: program(),
        place: ProgramPlace { bootstrap: rig.bootstrap.clone(), container: None },
        topic: "orders".into(),
        rate: Some(1_000),
        acks: Acks::All,
        keys: None,
        count: None,
        settings: IndexMap::new(),
    }
}

fn consumer(rig: &Rig, life: u16) -> VerifiableConsumerSpec {
    VerifiableConsumerSpec {
        common: rig.common("C", 2, life),
        program: program(),
        place: ProgramPlace { bootstrap: rig.bootstrap.clone(), container: None },
        topic: "orders".into(),
        group: "readers".into(),
        from: OffsetReset::Earliest,
        commit: CommitMode::Sync,
        isolation: Isolation::ReadCommitted,
        instances: Vec::new(),
        settings: IndexMap::new(),
    }
}

#[tokio::test]
async fn another_programs_messages_are_found_and_delivered() {
    let rig = Rig::new();
    let producing = ClientSpec::VerifiableProducer(producer(&rig, 1));
    let consuming = ClientSpec::VerifiableConsumer(consumer(&rig, 1));
    let producer = rig.start(producing.clone()).await;
    let consumer = rig.start(consuming.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) > 1_500).await;
    assert_eq!(producer.stop(LIMIT, vec![]).await.unwrap().left, 0);
    let acked = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
    let numbers: std::collections::BTreeSet<u64> = acked.iter().map(|m| m.2).collect();
    assert_eq!(numbers.len(), acked.len(), "one count over all partitions");
    assert_eq!(numbers.last(), Some(&(acked.len() as u64 - 1)), "without gaps");
    let ends = ends(&acked);
    let found = messages(&rig.audit(&ends).await, Mark::Found);
    assert_eq!(found, acked, "the reader of the log finds each by its prefix");
    let ended = consumer.stop(LIMIT, positions(&ends)).await.unwrap();
    assert_eq!((ended.left, ended.unread), (0, vec![]));
    let seen = runs(&consuming, Writer::Consumer);
    assert_eq!(messages(&seen, Mark::Delivered), acked);
    let starts: Vec<_> = seen.iter().filter(|r| r.mark == Mark::Assigned).collect();
    assert!(starts.len() == 3 && starts.iter().all(|r| r.first_offset == 0), "{starts:?}");
    assert_eq!(seen.iter().filter(|r| r.mark == Mark::Revoked).count(), 3);
}

#[tokio::test]
async fn what_a_killed_program_had_printed_is_recorded() {
    let rig = Rig::new();
    let mut acked = Vec::new();
    for life in 1..=3 {
        let producing = ClientSpec::VerifiableProducer(producer(&rig, life));
        let producer = rig.start(producing.clone()).await;
        until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) > 300).await;
        producer.kill().await.unwrap();
        acked.extend(messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked));
    }
    acked.sort_unstable();
    let found = messages(&rig.audit(&ends(&acked)).await, Mark::Found);
    let missing: Vec<_> = acked.iter().filter(|m| found.binary_search(m).is_err()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let lives: std::collections::BTreeSet<u16> = found.iter().map(|m| m.1).collect();
    assert_eq!(lives.len(), 3, "each life has its own prefix");
}

#[tokio::test]
async fn a_paused_program_prints_nothing_until_it_is_resumed() {
    use nix::sys::signal::Signal;
    let rig = Rig::new();
    let producing = ClientSpec::VerifiableProducer(producer(&rig, 1));
    let producer = rig.start(producing.clone()).await;
    let acked = || count(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) > 100).await;
    producer.signal(Signal::SIGSTOP).await.unwrap();
    // What was in the pipe is read.
    let mut before = acked();
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = acked();
        if now == before {
            break;
        }
        before = now;
    }
    producer.signal(Signal::SIGCONT).await.unwrap();
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) > before + 500).await;
    assert_eq!(producer.stop(LIMIT, vec![]).await.unwrap().left, 0);
}

#[tokio::test]
async fn a_producer_that_has_sent_all_waits_for_its_order() {
    let rig = Rig::new();
    let spec = VerifiableProducerSpec { count: Some(200), rate: None, ..producer(&rig, 1) };
    let producing = ClientSpec::VerifiableProducer(spec);
    let producer = rig.start(producing.clone()).await;
    producer.reach("finished", LIMIT, |s| s.finished_us.is_some()).await.unwrap();
    assert_eq!(count(&runs(&producing, Writer::ProducerHeard), Mark::Acked), 200);
    assert_eq!(producer.stop(LIMIT, vec![]).await.unwrap().left, 0);
    assert!(producer.state().borrow().exit.as_ref().unwrap().clean);
}

/// Starts a producer whose program is a script; its error when it has ended.
async fn broken(script: &str) -> (String, String) {
    let rig = Rig::new();
    let command: Vec<String> = ["sh", "-c", script].map(str::to_owned).to_vec();
    let program = ClientProgram { producer: command, ..ClientProgram::default() };
    let spec = VerifiableProducerSpec { program, ..producer(&rig, 1) };
    let client = rig.spawn(ClientSpec::VerifiableProducer(spec)).await;
    client.reach("gone", LIMIT, |s| s.exit.is_some()).await.unwrap();
    let state = client.state().borrow().clone();
    let error = state.errors.back().cloned().unwrap();
    assert!(error.fatal && state.exit.unwrap().gave_up);
    (error.code, error.text)
}

#[tokio::test]
async fn a_program_that_is_no_client_is_named_with_what_it_did() {
    let start = r#"echo '{"name":"startup_complete"}'"#;
    let success = r#"'{"name":"producer_send_success","value":"7.0","topic":"orders","partition":0,"offset":0}'"#;
    for (script, code, text) in [
        ("exit 3".to_owned(), "PROGRAM_ENDED", "exit status 3"),
        ("echo no flags >&2; exit 1".to_owned(), "PROGRAM_ENDED", "no flags"),
        (format!("{start}; exit 0"), "PROGRAM_ENDED", "ended by itself"),
        (format!("echo {success}; sleep 60"), "PROTOCOL", "before `startup_complete`"),
        (format!("{start}; echo {success}; sleep 60"), "PROTOCOL", "which is not `"),
        (format!("{start}; {start}; sleep 60"), "PROTOCOL", "twice"),
        (
            format!("{start}; echo '{{\"name\":\"producer_send_success\"}}'; sleep 60"),
            "PROTOCOL",
            "has no `offset`",
        ),
    ] {
        let (own_code, own_text) = broken(&script).await;
        assert_eq!(own_code, code, "{script}: {own_text}");
        assert!(own_text.contains(text), "{script}: {own_text}");
    }
    let rig = Rig::new();
    let program =
        ClientProgram { producer: vec!["/nowhere/client".into()], ..ClientProgram::default() };
    let spec = VerifiableProducerSpec { program, ..producer(&rig, 1) };
    let client = rig.spawn(ClientSpec::VerifiableProducer(spec)).await;
    client.reach("gone", LIMIT, |s| s.exit.is_some()).await.unwrap();
    let error = client.state().borrow().errors.back().cloned().unwrap();
    assert_eq!(error.code, "NO_PROGRAM");
}
