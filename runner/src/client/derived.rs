//! The reader of a service's output: a process of its own, which lives on while the instances of the service are
//! killed. It records, as a consumer's history of the input, the first message that is derived from each message of
//! the input.

mod reached;
mod sent_times;

use std::{collections::BTreeMap, rc::Rc, sync::mpsc::Receiver, time::Duration};

use roaring::RoaringTreemap;

use super::{
    ClientError,
    latency::Latencies,
    log,
    log_reader::Talk,
    protocol::{ClientReport, Order},
    raw::{Asked, ClientType, Code, Events, Instance, LogQueue, Message},
    settings,
    spec::DerivedSpec,
    voice::Voice,
};
use crate::{
    history::{self, HistoryError, HistoryWriter, Mark, RunClock, RunRecorder, Writer, now_us},
    identity::{RunIds, payload::Decoded, text::TextId},
};

pub use reached::OutputReached;
use sent_times::SentTimes;

/// The member number of a reader: those of instances begin with 1.
pub const MEMBER: u16 = 0;

/// The longest wait for messages, so that an order is answered soon.
const PATIENCE: Duration = Duration::from_millis(20);
/// Time between two searches for new partitions, and between two signs of life.
const SEARCH_US: i64 = 5_000_000;
/// The same until it is ready.
const RETRY_US: i64 = 100_000;
/// The limit of a request before the reader is ready, and after that: then messages wait meanwhile.
const QUESTION: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(100));

/// A producing client, its life and its partition.
type OriginalStream = (u16, u16, u32);

/// The body of the process.
pub(super) fn run(
    spec: &DerivedSpec,
    voice: &Rc<Voice>,
    orders: &Receiver<Order>,
) -> Result<ClientReport, ClientError> {
    let mut reading = DerivedReading::new(spec, voice)?;
    let events: Rc<dyn Events> = Rc::new(Talk(Rc::clone(voice)));
    let settings = settings::derived_reader(&spec.common);
    let routes = spec.common.routes.as_ref();
    let kafka = Instance::new(ClientType::Consumer, &settings, routes, events)?;
    let mut queue = LogQueue::new(&kafka)?;
    let (mut ready, mut searched_us) = (false, 0);
    while orders.try_recv().is_err() {
        if now_us() - searched_us > if ready { SEARCH_US } else { RETRY_US } {
            match reading.find_partitions(&kafka, &mut queue, ready) {
                Ok(()) if !ready => {
                    ready = true;
                    let (broker, name) = (-1, "the cluster".to_owned());
                    voice.say(ClientReport::Ready { at_us: now_us(), broker, name });
                }
                Ok(()) => voice.mention(ClientReport::Alive { at_us: now_us() }),
                Err(Asked::Code(code)) if !ready => voice.error(code, false, "its partitions"),
                Err(error @ Asked::Refused(_)) => return Err(error.into()),
                Err(error) => log(&format!("its partitions: {error}")),
            }
            searched_us = now_us();
        }
        queue.serve(PATIENCE, |message| reading.take(message));
        if let Some(error) = reading.broken.take() {
            return Err(error.into());
        }
        kafka.poll(Duration::ZERO);
        reading.latencies.report(voice, now_us(), false);
    }
    reading.latencies.report(voice, now_us(), true);
    Ok(ClientReport::Ended { at_us: now_us(), left: 0, unread: Vec::new() })
}

struct DerivedReading<'a> {
    spec: &'a DerivedSpec,
    voice: &'a Voice,
    run: RunIds,
    /// The number of the input in identities as text.
    input: u16,
    clock: RunClock,
    recorder: RunRecorder,
    latencies: Latencies,
    reached: OutputReached,
    sent: SentTimes,
    /// The messages of the input from which a message is derived.
    known: BTreeMap<OriginalStream, RoaringTreemap>,
    /// How many partitions of the input and the output are known.
    partitions: [u32; 2],
    broken: Option<HistoryError>,
}

impl<'a> DerivedReading<'a> {
    fn new(spec: &'a DerivedSpec, voice: &'a Voice) -> Result<Self, HistoryError> {
        let common = &spec.common;
        let writer = Writer::Consumer;
        let header = common.header(writer, vec![spec.from.clone()], None);
        let history = HistoryWriter::create(&common.history_path(writer), &header)?;
        Ok(Self {
            spec,
            voice,
            run: common.run_ids(),
            input: common.topic_number(&spec.from),
            clock: RunClock::now(),
            recorder: RunRecorder::new(history),
            latencies: Latencies::create(&common.latency_path())?,
            reached: OutputReached::open(common)?,
            sent: SentTimes::new(&common.dir),
            known: BTreeMap::new(),
            partitions: [0; 2],
            broken: None,
        })
    }

    /// Records where the service may begin in each new partition of its input, and begins to read each new partition
    /// of its output: at the end when the reader is started, at the start if the partition, or the topic, was made later.
    fn find_partitions(
        &mut self,
        kafka: &Instance,
        queue: &mut LogQueue<'_>,
        later: bool,
    ) -> Result<(), Asked> {
        let limit = if later { QUESTION.1 } else { QUESTION.0 };
        let spec = self.spec;
        // The output first: what is derived from a message of the input is written later than that message.
        for (of, topic) in [(1, &spec.to), (0, &spec.from)] {
            let count = kafka.partitions(topic, limit)?;
            for partition in self.partitions[of]..count {
                let number = partition.cast_signed();
                let begin = if later { 0 } else { kafka.watermarks(topic, number, limit)?.1 };
                if of == 0 {
                    self.begin_input(partition, begin);
                } else {
                    queue.start(topic, number, begin)?;
                    self.reached.set(partition, begin);
                }
                self.partitions[of] = partition + 1;
            }
        }
        Ok(())
    }

    fn begin_input(&mut self, partition: u32, offset: i64) {
        let mut run =
            history::Message::of_sequence(Mark::Assigned, (0, 0, partition), 0, now_us()).run();
        (run.count, run.first_offset) = (0, offset);
        if let Err(error) = self.recorder.append(&run) {
            self.broken.get_or_insert(error);
        }
    }

    /// Takes in a message, an end of partition or an error.
    fn take(&mut self, message: &Message<'_>) {
        let Ok(partition) = u32::try_from(message.partition()) else { return };
        match message.error() {
            None => {}
            // Markers of transactions leave gaps: the position at the end counts, not the last offset.
            Some(Code::EOF) => return self.reached.set(partition, message.offset()),
            Some(code) => return self.voice.error(code, false, message.words()),
        }
        let (at_us, appended_us) = (now_us(), message.appended_ms().map(|ms| ms * 1_000));
        let appended_us = appended_us.map(|wall_us| self.clock.mono_us(wall_us));
        let (first, more) = message.parts().decode_all(&self.run);
        if let Decoded::Text(first) = first {
            let input = self.input;
            for id in std::iter::once(first).chain(more).filter(|id| id.topic == input) {
                if let Err(error) = self.derived(&id, at_us, appended_us) {
                    self.broken.get_or_insert(error);
                }
            }
        }
        // Last: up to here everything is recorded.
        self.reached.set(partition, message.offset() + 1);
    }

    /// Records that a message is derived from this one of the input, if it is the first one.
    fn derived(
        &mut self,
        id: &TextId,
        at_us: i64,
        appended_us: Option<i64>,
    ) -> Result<(), HistoryError> {
        let stream = (id.client, id.life, id.partition);
        if !self.known.entry(stream).or_default().insert(id.seq) {
            return Ok(());
        }
        self.recorder.record(&history::Message::of_sequence(
            Mark::Delivered,
            stream,
            id.seq,
            at_us,
        ))?;
        if let Some(sent_us) = self.sent.of(id)? {
            // A broker whose clock differs from this machine's may report an impossible time.
            let possible = appended_us.filter(|at| (sent_us..=at_us).contains(at));
            self.latencies.add(self.voice, possible.unwrap_or(at_us), sent_us);
        }
        Ok(())
    }
}
