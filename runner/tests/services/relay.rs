//! The service of the tests: this test binary itself, started again. Into every message that it writes it puts the
//! one that it read.

use std::{
    collections::VecDeque,
    env,
    fs::{File, OpenOptions},
    io::Write as _,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _},
    producer::{BaseProducer, BaseRecord},
};

fn variable(name: &str) -> Option<String> {
    env::var(format!("RELAY_{name}")).ok()
}

fn number(name: &str) -> Option<u64> {
    variable(name)?.parse().ok()
}

#[expect(clippy::print_stdout, clippy::disallowed_macros, reason = "its log")]
fn say(line: &str) {
    println!("{line}");
}

/// The body of the service, which other tests start; as a test, it has nothing to serve.
#[test]
fn serves() {
    match (variable("SERVERS"), variable("FROM")) {
        (Some(servers), Some(from)) => serve(&servers, &from),
        nothing => assert_eq!(nothing, (None, None)),
    }
}

/// Reads the topic from its start in every life, and writes what it makes of a message into another topic, or a line of
/// a file, after a delay, until it has written a number of them.
fn serve(servers: &str, from: &str) -> ! {
    let to = variable("TO");
    let open = |path: String| OpenOptions::new().create(true).append(true).open(path);
    let mut file: Option<File> = variable("FILE").map(|path| open(path).expect("a file"));
    let delay = Duration::from_millis(number("DELAY_MS").unwrap_or(0));
    let most = number("MOST").unwrap_or(u64::MAX);
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", servers);
    let producer: BaseProducer = settings.create().expect("a producer");
    settings.set("group.id", "relay").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = settings.create().expect("a consumer");
    let metadata = consumer.fetch_metadata(Some(from), Duration::from_secs(30)).expect("an answer");
    let mut all = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        all.add_partition_offset(from, partition.id(), Offset::Beginning).expect("a partition");
    }
    consumer.assign(&all).expect("assigned");
    say(&format!("\nreads {} partitions", all.count()));
    let (mut waiting, mut written) = (VecDeque::new(), 0);
    loop {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(5)) {
            let made = [b"{\"of\": ", message.payload().unwrap_or_default(), b"}"].concat();
            waiting.push_back((Instant::now() + delay, message.partition(), made));
        }
        while waiting.front().is_some_and(|(due, ..)| *due <= Instant::now()) && written < most {
            let Some((_, partition, made)) = waiting.pop_front() else { break };
            if let Some(to) = &to {
                let record = BaseRecord::<(), _>::to(to).partition(partition).payload(&made);
                producer.send(record).map_err(|(error, _)| error).expect("queued");
            }
            if let Some(file) = &mut file {
                file.write_all(&[made.as_slice(), b"\n"].concat()).expect("written");
            }
            written += 1;
            say(&format!("written {written}"));
        }
        producer.poll(Duration::ZERO);
    }
}
