//! Shared mappings of a history file, seen as atomic words: the only unsafe code of the history.
#![allow(unsafe_code)]

use std::{fs::File, io, sync::atomic::AtomicU64};

use memmap2::{MmapOptions, MmapRaw};

/// A shared mapping of a part of a file, readable (and for the writer writable) as 64-bit words.
#[derive(Debug)]
pub(super) struct Mapping {
    raw: MmapRaw,
}

impl Mapping {
    /// Maps `bytes` from `offset` (a multiple of the page size) for reading and writing. The range
    /// must have been allocated: a store into a hole of a full disk would be a SIGBUS.
    pub(super) fn writable(file: &File, offset: u64, bytes: usize) -> io::Result<Self> {
        let raw = MmapOptions::new().offset(offset).len(bytes).map_raw(file)?;
        Ok(Self { raw })
    }

    /// Maps `bytes` from `offset` for reading. The caller has seen that the file is that long; a
    /// history file never shrinks below its published records.
    pub(super) fn readable(file: &File, offset: u64, bytes: usize) -> io::Result<Self> {
        let raw = MmapOptions::new().offset(offset).len(bytes).map_raw_read_only(file)?;
        Ok(Self { raw })
    }

    /// The mapped words. Stores are only allowed into a [`Mapping::writable`].
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping lives as long as `self`, starts at a page boundary (thus aligned for
        // u64), and covers `len()` bytes. Every access of this process goes through these atomics,
        // and other processes write whole aligned words, so that no access is a data race.
        unsafe {
            std::slice::from_raw_parts(self.raw.as_ptr().cast::<AtomicU64>(), self.raw.len() / 8)
        }
    }
}
