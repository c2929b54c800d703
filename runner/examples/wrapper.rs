//! How fast the clients of the `rdkafka` crate are that `client/raw` takes the place of: `ci/bench/run produce read`
//! puts kplan beside them. They count messages and do nothing else.
//!
//! Usage: `wrapper produce|consume SERVERS TOPIC MESSAGES`; prints messages per second.

use std::{
    env,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer},
};

type Failure = Box<dyn std::error::Error>;

/// Counts the messages that were acknowledged.
#[derive(Default)]
struct Acknowledged(AtomicU64);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.fetch_add(u64::from(result.is_ok()), Ordering::Relaxed);
    }
}

fn produce(servers: &str, topic: &str, messages: u64) -> Result<u64, Failure> {
    // With its own thread for callbacks, as the crate recommends for many messages.
    let producer: ThreadedProducer<Acknowledged> = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("acks", "all")
        .create_with_context(Acknowledged::default())?;
    let payload = [b'x'; 100];
    for _ in 0..messages {
        let mut record = BaseRecord::<(), _>::to(topic).payload(&payload);
        while let Err((error, back)) = producer.send(record) {
            let KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) = error else {
                return Err(error.into());
            };
            // The queue is full, and the producer's thread empties it: nothing can be waited for.
            std::thread::sleep(Duration::from_millis(1));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(60))?;
    Ok(producer.context().0.load(Ordering::Relaxed))
}

fn consume(servers: &str, topic: &str, messages: u64) -> Result<u64, Failure> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "wrapper")
        .set("enable.auto.commit", "false")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(10))?;
    let mut all = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        all.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    let mut read = 0;
    while read < messages {
        let message = consumer.poll(Duration::from_secs(30)).ok_or("nothing came for 30 s")??;
        read += u64::from(message.payload().is_some());
    }
    Ok(read)
}

fn main() -> Result<(), Failure> {
    let args: Vec<String> = env::args().collect();
    let [_, what, servers, topic, messages] = args.as_slice() else {
        return Err("usage: wrapper produce|consume SERVERS TOPIC MESSAGES".into());
    };
    let messages: u64 = messages.parse()?;
    let begun = Instant::now();
    let done = match what.as_str() {
        "produce" => produce(servers, topic, messages)?,
        "consume" => consume(servers, topic, messages)?,
        _ => return Err("the first argument is produce or consume".into()),
    };
    if done != messages {
        return Err(format!("{done} of {messages} messages").into());
    }
    #[expect(clippy::print_stdout, clippy::disallowed_macros, reason = "its whole output")]
    {
        println!("{:.0}", messages as f64 / begun.elapsed().as_secs_f64());
    }
    Ok(())
}
