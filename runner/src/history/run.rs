//! The parts of a history: [`MessageRun`]s of messages with the same outcome, and their [`Mark`]s.

use serde::{Deserialize, Serialize};

/// The meaning of a [`MessageRun`] for its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Mark {
    /// Producer: sequences about to be handed to librdkafka (recorded before they are). `first_us`
    /// is the intended send time of the first, `last_us` of the last.
    Sent = 1,
    /// Producer: delivery report without error; `first_offset` as reported (evidence, not truth).
    Acked = 2,
    /// Producer: a final error, `error` holds librdkafka's code.
    Failed = 3,
    /// Producer: the transaction `epoch` was committed (no sequences of its own).
    Committed = 4,
    /// Producer: the transaction `epoch` was aborted.
    Aborted = 5,
    /// Producer: the end of transaction `epoch` is not known.
    Unsettled = 6,
    /// Producer with acks=0: librdkafka wrote the message to a socket and no broker answered. Never an
    /// acknowledgement: the outcome stays unknown.
    Written = 7,
    /// Consumer: delivered messages of this run's clients.
    Delivered = 10,
    /// Consumer or log: a message that carries no identity; `first_seq` is [`foreign_hash`] of key and value.
    Foreign = 11,
    /// Consumer or log: an identity whose checksum does not match.
    Corrupt = 12,
    /// Consumer: partition assigned in generation `epoch`; `first_offset` is the resolved start position.
    Assigned = 20,
    /// Consumer: partition taken away (generation `epoch`).
    Revoked = 21,
    /// Consumer: the position was reset to `first_offset` (auto.offset.reset).
    Reset = 22,
    /// Consumer: `first_offset` was committed (next offset to read, as Kafka counts).
    OffsetCommitted = 23,
    /// Consumer: end of partition seen, or at a stop the given end passed; `first_offset` is the
    /// position there.
    Eof = 24,
    /// Log: `first_offset` is the log start when the audit began.
    LogStart = 30,
    /// Log: `first_offset` is the high watermark up to which the audit read.
    LogEnd = 31,
    /// Log: messages of this run's clients, found at consecutive offsets.
    Found = 32,
    /// Log: an offset range that the read_committed pass did not show though it holds data.
    FoundAborted = 33,
    /// Log: an offset range whose transaction had not ended when the audit read it.
    FoundOpen = 34,
    /// Log: the copies found at these offsets are of the messages with this identity (client, life, source
    /// partition and sequences are the originals'; a client of 0 means that the original carries none, and
    /// that `first_seq` is its [`foreign_hash`]). `epoch` is the number of the client that copied.
    Copied = 35,
    /// Log: in the messages at these offsets stands, as text, the identity of these messages of other topics
    /// (client, life, source partition and sequences are theirs). A message with several such identities is in
    /// several runs.
    Derived = 36,
}

impl Mark {
    pub const ALL: [Self; 22] = [
        Self::Sent,
        Self::Acked,
        Self::Failed,
        Self::Committed,
        Self::Aborted,
        Self::Unsettled,
        Self::Written,
        Self::Delivered,
        Self::Foreign,
        Self::Corrupt,
        Self::Assigned,
        Self::Revoked,
        Self::Reset,
        Self::OffsetCommitted,
        Self::Eof,
        Self::LogStart,
        Self::LogEnd,
        Self::Found,
        Self::FoundAborted,
        Self::FoundOpen,
        Self::Copied,
        Self::Derived,
    ];
}

/// A run of consecutive messages of one partition with the same outcome. All numbers are dense:
/// message `i` of the run has sequence `first_seq + i` and, where offsets are known, offset
/// `first_offset + i`. A run covers at most [`RUN_SPAN_US`] of time, so a run's times locate each of
/// its messages to within that span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRun {
    /// What is said of the messages.
    pub mark: Mark,
    /// Index into the file's topic table ([`Header::topics`]).
    pub topic: u16,
    /// The partition of the log that the messages are in (or were sent to).
    pub partition: u32,
    /// Identity: the producing client's number ([`Header::client_id`]); 0 where there is none.
    pub client: u16,
    /// Identity: the producing client's life, from 1.
    pub life: u16,
    /// Identity: the partition that the producer chose. Equal to `partition` unless Kafka mixed them up.
    pub source_partition: u32,
    /// First sequence number, from 0 in each (client, life, partition).
    pub first_seq: u64,
    /// First offset; −1 where none is known.
    pub first_offset: i64,
    pub count: u64,
    /// Time of the first message, monotonic microseconds.
    pub first_us: i64,
    /// Time of the last message, monotonic microseconds.
    pub last_us: i64,
    /// librdkafka's error code for [`Mark::Failed`], and for a [`Mark::Corrupt`] whose whole batch has a wrong
    /// checksum; else 0.
    pub error: i32,
    /// Transaction number (producers, from 1, 0 outside), assignment generation (consumers), or the copier's
    /// number ([`Mark::Copied`]).
    pub epoch: u32,
}

/// The longest time one run covers, in microseconds.
pub const RUN_SPAN_US: i64 = 10_000;
