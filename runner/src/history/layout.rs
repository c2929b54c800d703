//! The bytes of a history file: a header page, then records of 64 bytes.
//!
//! All numbers are little-endian 64-bit words, written and read as whole words.
//!
//! | header word | meaning |
//! |---|---|
//! | 0 | magic `KPLANHIS` |
//! | 1 | format version (low half), bytes of a record (high half) |
//! | 2 | published records: the last one published is complete |
//! | 3 | bytes of the JSON [`Header`](super::Header), which begins at byte 64 |
//! | 4 | offset of the first record, a multiple of 4096 |

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Mark, MessageRun};

/// `KPLANHIS` as a little-endian word.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"KPLANHIS");
/// The format's version.
pub(super) const VERSION: u64 = 1;
/// Words of one record: a cache line, so that no record straddles two pages.
pub(super) const WORDS: usize = 8;
/// Bytes of one record.
pub(super) const RECORD: usize = WORDS * 8;
/// The page size that offsets are multiples of.
pub(super) const PAGE: usize = 4096;
/// Where the JSON header begins.
pub(super) const JSON_AT: usize = 64;
/// The longest JSON header accepted.
pub(super) const JSON_MAX: usize = 1 << 20;
/// The header word that holds the number of published records.
pub(super) const PUBLISHED: usize = 2;
/// The record word that holds the count; the only one, with [`LAST_US`], that ever changes.
pub(super) const COUNT: usize = 4;
/// The record word that holds the time of the last message.
pub(super) const LAST_US: usize = 6;

/// A writer extends only its last this many records: everything before them is final.
pub const OPEN_WINDOW: u64 = 1024;

/// Why a history file cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file system refused (a full disk, a missing directory, no right).
    #[error("history {path}: {what}: {source}")]
    Io {
        path: PathBuf,
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a history, is of another version, or is damaged.
    #[error("{path} is not a readable history: {what}")]
    Damaged {
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl HistoryError {
    pub(super) fn io(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), what, source }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }
}

/// Writes a record's words. Not yet visible to readers: the published count is.
pub(super) fn store(words: &[AtomicU64], run: &MessageRun) {
    let ids =
        u64::from(run.client) | u64::from(run.life) << 16 | u64::from(run.source_partition) << 32;
    let place =
        u64::from(run.mark as u8) | u64::from(run.topic) << 16 | u64::from(run.partition) << 32;
    let tail = u64::from(run.error.cast_unsigned()) | u64::from(run.epoch) << 32;
    let values = [
        place,
        ids,
        run.first_seq,
        run.first_offset.cast_unsigned(),
        run.count,
        run.first_us.cast_unsigned(),
        run.last_us.cast_unsigned(),
        tail,
    ];
    for (word, value) in words.iter().zip(values) {
        word.store(value, Ordering::Relaxed);
    }
}

/// Reads a published record; none if its mark is not one of ours.
pub(super) fn load(words: &[AtomicU64]) -> Option<MessageRun> {
    // The count first and with acquire: what was stored before that count is then visible.
    let count = words.get(COUNT)?.load(Ordering::Acquire);
    let word = |i: usize| words.get(i).map(|w| w.load(Ordering::Relaxed));
    let (place, ids, tail) = (word(0)?, word(1)?, word(7)?);
    Some(MessageRun {
        mark: mark(place as u8)?,
        topic: (place >> 16) as u16,
        partition: (place >> 32) as u32,
        client: ids as u16,
        life: (ids >> 16) as u16,
        source_partition: (ids >> 32) as u32,
        first_seq: word(2)?,
        first_offset: word(3)?.cast_signed(),
        count,
        first_us: word(5)?.cast_signed(),
        last_us: word(LAST_US)?.cast_signed(),
        error: (tail as u32).cast_signed(),
        epoch: (tail >> 32) as u32,
    })
}

fn mark(byte: u8) -> Option<Mark> {
    Mark::ALL.iter().copied().find(|m| *m as u8 == byte)
}
