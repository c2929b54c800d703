//! The audit's memory and speed, on histories that are made up while they are read.

use kplan::{
    audit::{AuditInput, CountVerdict, Facts, GroupFacts, Measure, RunSource, Scope, audit},
    history::{Header, HistoryError, Mark, MessageRun, Writer},
};
use std::time::Instant;

/// A history of `messages` in runs of `batch`, spread over producers and partitions in turn.
struct Made {
    header: Header,
    mark: Mark,
    messages: u64,
    batch: u64,
    producers: u64,
    partitions: u64,
}

impl Made {
    fn run(&self, i: u64) -> MessageRun {
        let (turn, partition) = (i / self.partitions, i % self.partitions);
        let (row, producer) = (turn / self.producers, turn % self.producers);
        let us = i as i64 * 10;
        MessageRun {
            mark: self.mark,
            topic: 0,
            partition: partition as u32,
            client: producer as u16 + 1,
            life: 1,
            source_partition: partition as u32,
            first_seq: row * self.batch,
            first_offset: (turn * self.batch) as i64,
            count: self.batch,
            first_us: us,
            last_us: us,
            error: 0,
            epoch: 0,
        }
    }

    /// Assignments of a consumer, start and end of a log; nothing for producers.
    fn edges(&self, first: bool) -> impl Iterator<Item = MessageRun> + '_ {
        let turns = self.messages / self.batch / self.partitions;
        let (mark, offset) = match (self.mark, first) {
            (Mark::Delivered, true) => (Mark::Assigned, 0),
            (Mark::Found, true) => (Mark::LogStart, 0),
            (Mark::Found, false) => (Mark::LogEnd, turns * self.batch),
            _ => (Mark::Eof, 0),
        };
        let edge =
            move |p| MessageRun { mark, first_offset: offset as i64, count: 0, ..self.run(p) };
        (0..self.partitions).map(edge)
    }
}

impl RunSource for Made {
    fn header(&self) -> &Header {
        &self.header
    }

    fn runs(&self) -> Box<dyn Iterator<Item = Result<MessageRun, HistoryError>> + '_> {
        let own = u64::from(self.header.client_id);
        let producer = matches!(self.mark, Mark::Sent | Mark::Acked);
        let runs = (0..self.messages / self.batch).map(|i| self.run(i));
        let runs = runs.filter(move |r| !producer || u64::from(r.client) == own);
        Box::new(self.edges(true).chain(runs).chain(self.edges(false)).map(Ok))
    }
}

fn histories(messages: u64, batch: u64, producers: u64, partitions: u64) -> Vec<Made> {
    let made = |writer, mark, client_id: u16| Made {
        header: Header {
            run: "r".into(),
            writer,
            client: format!("client{client_id}"),
            client_id,
            member: 1,
            life: 1,
            topics: vec!["t".into()],
            group: (mark == Mark::Delivered).then(|| "g".into()),
            pid: 1,
        },
        mark,
        messages,
        batch,
        producers,
        partitions,
    };
    let mut all: Vec<Made> = Vec::new();
    for producer in 1..=producers as u16 {
        all.push(made(Writer::ProducerSent, Mark::Sent, producer));
        all.push(made(Writer::ProducerHeard, Mark::Acked, producer));
    }
    all.push(made(Writer::Consumer, Mark::Delivered, 1000));
    all.push(made(Writer::Audit, Mark::Found, 0));
    all
}

/// The peak is what the process has now: making the histories may have needed more than judging them.
fn forget_the_peak() {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux forgets its peak");
}

/// The most memory this process had since its peak was forgotten, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("Linux tells the peak");
    let number: String = line.chars().filter(char::is_ascii_digit).collect();
    number.parse::<u64>().expect("kibibytes") * 1024
}

fn judge(messages: u64, batch: u64, producers: u64, partitions: u64) {
    let made = histories(messages, batch, producers, partitions);
    let mut facts = Facts::default();
    facts.groups.insert("g".into(), GroupFacts::default());
    let sources = made.iter().map(|m| m as &dyn RunSource).collect();
    forget_the_peak();
    let (before, started) = (peak(), Instant::now());
    let result = audit(&AuditInput { sources, facts });
    let (took, grown) = (started.elapsed(), peak().saturating_sub(before));
    for (measure, expected) in [
        (Measure::Acked, messages),
        (Measure::Delivered, messages),
        (Measure::Lost, 0),
        (Measure::Undelivered, 0),
        (Measure::Duplicated, 0),
        (Measure::Phantom, 0),
        (Measure::Diverged, 0),
    ] {
        let verdict = result.verdict(measure, &Scope::default());
        assert!(matches!(&verdict, CountVerdict::Counted(f) if f.count == expected), "{verdict:?}");
    }
    let rate = messages as f64 / took.as_secs_f64() / 1e6;
    println!("{messages} in runs of {batch}: {grown} bytes, {rate:.1} million a second");
    let limit = 4 * messages + (4 << 20);
    assert!(grown <= limit, "{grown} bytes for {messages} messages");
}

#[test]
fn memory_grows_by_less_than_four_bytes_a_message() {
    judge(6_000_000, 50, 2, 3);
    judge(400_000, 1, 2, 1);
    judge(400_000, 1, 10, 1);
}
