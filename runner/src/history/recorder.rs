//! From single messages to runs.

use super::{Handle, HistoryError, HistoryWriter, Mark, MessageRun, RUN_SPAN_US};

/// Open runs kept for one partition: marks times identities that alternate there.
const OPEN_PER_PARTITION: usize = 16;

/// One message, as it is given to a recorder; the fields are those of [`MessageRun`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// What is said of it.
    pub mark: Mark,
    /// Index into the header's topics.
    pub topic: u16,
    /// Its partition.
    pub partition: u32,
    /// The producing client's number.
    pub client: u16,
    /// The producing client's life.
    pub life: u16,
    /// The partition that the producer chose.
    pub source_partition: u32,
    /// Its sequence number.
    pub seq: u64,
    /// Its offset; anything negative is unknown.
    pub offset: i64,
    /// When, in monotonic microseconds.
    pub at_us: i64,
    /// librdkafka's error code, else 0.
    pub error: i32,
    /// Transaction number or assignment generation.
    pub epoch: u32,
}

impl Message {
    /// What is said of an offset of a partition, without an identity.
    pub fn at_offset(mark: Mark, (topic, partition): (u16, u32), offset: i64, at_us: i64) -> Self {
        Self {
            mark,
            topic,
            partition,
            client: 0,
            life: 0,
            source_partition: 0,
            seq: 0,
            offset,
            at_us,
            error: 0,
            epoch: 0,
        }
    }

    /// What is said of a message by its identity, on the partition to which it was sent; it is outside of transactions,
    /// and its offset is not known.
    pub fn of_sequence(
        mark: Mark,
        (client, life, partition): (u16, u16, u32),
        seq: u64,
        at_us: i64,
    ) -> Self {
        let here = Self::at_offset(mark, (0, partition), -1, at_us);
        Self { client, life, source_partition: partition, seq, ..here }
    }

    /// A run of this message alone.
    pub fn run(&self) -> MessageRun {
        MessageRun {
            mark: self.mark,
            topic: self.topic,
            partition: self.partition,
            client: self.client,
            life: self.life,
            source_partition: self.source_partition,
            first_seq: self.seq,
            first_offset: self.offset.max(-1),
            count: 1,
            first_us: self.at_us,
            last_us: self.at_us,
            error: self.error,
            epoch: self.epoch,
        }
    }

    /// Whether `run` goes on with this message.
    fn continues(&self, run: &MessageRun) -> bool {
        let next = if run.first_offset < 0 {
            self.offset < 0
        } else {
            run.first_offset.checked_add_unsigned(run.count) == Some(self.offset)
        };
        next && run.first_seq.checked_add(run.count) == Some(self.seq)
            && run.mark == self.mark
            && (run.client, run.life) == (self.client, self.life)
            && run.source_partition == self.source_partition
            && (run.error, run.epoch) == (self.error, self.epoch)
            && (run.last_us..=run.first_us.saturating_add(RUN_SPAN_US)).contains(&self.at_us)
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    handle: Handle,
    run: MessageRun,
}

/// Writes messages as runs: keeps the open runs of each partition and extends one while the next
/// message continues it within [`RUN_SPAN_US`], else begins another.
#[derive(Debug)]
pub struct RunRecorder {
    writer: HistoryWriter,
    /// By topic, then partition; the run extended last stands first.
    open: Vec<Vec<Vec<Open>>>,
}

impl RunRecorder {
    /// Records into `writer`.
    pub fn new(writer: HistoryWriter) -> Self {
        Self { writer, open: Vec::new() }
    }

    /// Records one message; it survives a SIGKILL once this returns.
    pub fn record(&mut self, message: &Message) -> Result<(), HistoryError> {
        let (topic, partition) = (usize::from(message.topic), message.partition as usize);
        if self.open.get(topic).and_then(|t| t.get(partition)).is_none() {
            self.make_room(topic, partition);
        }
        let open = &mut self.open[topic][partition];
        if let Some(at) = open.iter().position(|o| message.continues(&o.run)) {
            let found = &mut open[at];
            if self.writer.extend(found.handle, 1, message.at_us) {
                found.run.count += 1;
                found.run.last_us = message.at_us;
                open.swap(0, at);
                return Ok(());
            }
            open.remove(at);
        }
        let run = message.run();
        let handle = self.writer.append(&run)?;
        let open = &mut self.open[topic][partition];
        open.truncate(OPEN_PER_PARTITION - 1);
        open.insert(0, Open { handle, run });
        Ok(())
    }

    /// Appends a run as it is: marks that stand for themselves (assignments, transaction ends,
    /// ranges).
    pub fn append(&mut self, run: &MessageRun) -> Result<(), HistoryError> {
        self.writer.append(run).map(|_| ())
    }

    fn make_room(&mut self, topic: usize, partition: usize) {
        if self.open.len() <= topic {
            self.open.resize_with(topic + 1, Vec::new);
        }
        let partitions = &mut self.open[topic];
        if partitions.len() <= partition {
            partitions.resize_with(partition + 1, Vec::new);
        }
    }
}
