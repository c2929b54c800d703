//! Faults of the calls of a node on its disk: what the file holds that kplan's own object reads and counts in
//! (`runner/preload/disk.c`).

use std::{fmt::Write as _, time::Duration};

use kplan_dsl::value::{DiskCall, DiskError, Percent};

/// Bytes of the file.
pub const CALLS_BYTES: usize = 128;
/// Where its counts begin.
pub const COUNTS_AT: u64 = 32;
/// How many numbers they are.
pub const COUNTS: usize = 6;

/// Which calls fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CallErrors {
    pub kind: DiskCall,
    pub errno: DiskError,
    pub share: Percent,
}

/// How much longer calls take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallDelays {
    pub read: Duration,
    pub write: Duration,
    pub sync: Duration,
}

/// What befalls the calls of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CallFaults {
    pub errors: Option<CallErrors>,
    pub delays: CallDelays,
}

/// How many calls the faults of a node have met: reads, writes and syncs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallsMet {
    pub failed: [u64; 3],
    pub delayed: [u64; 3],
}

impl CallFaults {
    /// The first bytes of the file.
    pub fn bytes(&self) -> Vec<u8> {
        let errors = self.errors.map_or(0, |CallErrors { kind, errno, share }| {
            let kind = match kind {
                DiskCall::Read => 1,
                DiskCall::Write => 2,
                DiskCall::Sync => 3,
            };
            let errno = match errno {
                DiskError::Io => nix::libc::EIO,
                DiskError::NoSpace => nix::libc::ENOSPC,
            };
            // The smallest share is one of a million.
            let share = (share.0 * 10_000.0).round().max(1.0) as u64;
            (share << 32) | (kind << 16) | u64::from(errno.unsigned_abs())
        });
        let CallDelays { read, write, sync } = self.delays;
        let delays = [read, write, sync].map(|d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
        std::iter::once(errors).chain(delays).flat_map(u64::to_ne_bytes).collect()
    }
}

impl CallsMet {
    /// Reads the counts.
    pub fn read(counts: [u64; COUNTS]) -> Self {
        let [a, b, c, d, e, f] = counts;
        Self { failed: [a, b, c], delayed: [d, e, f] }
    }

    /// What was met since an earlier look.
    pub fn since(self, before: Self) -> Self {
        let less =
            |now: [u64; 3], then: [u64; 3]| std::array::from_fn(|i| now[i].saturating_sub(then[i]));
        Self {
            failed: less(self.failed, before.failed),
            delayed: less(self.delayed, before.delayed),
        }
    }
}

/// `3 reads and 1 sync`; `no call`.
pub fn counted(calls: [u64; 3]) -> String {
    let named = calls.iter().zip(["read", "write", "sync"]).filter(|(n, _)| **n > 0);
    let each: Vec<String> =
        named.map(|(n, name)| format!("{n} {name}{}", if *n == 1 { "" } else { "s" })).collect();
    match each.split_last() {
        None => "no call".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, most)) => format!("{} and {last}", most.join(", ")),
    }
}

/// Bytes as bash's `printf` takes them.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}

#[cfg(test)]
#[path = "disk_calls_tests.rs"]
mod programs;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_kind_is_one_word_and_delays_are_three() {
        let errors =
            CallErrors { kind: DiskCall::Sync, errno: DiskError::Io, share: Percent(10.0) };
        let delays = CallDelays { sync: Duration::from_secs(2), ..CallDelays::default() };
        let words = |faults: CallFaults| -> Vec<u64> {
            let bytes = faults.bytes();
            bytes.chunks_exact(8).map(|b| u64::from_ne_bytes(b.try_into().expect("8"))).collect()
        };
        let both = CallFaults { errors: Some(errors), delays };
        assert_eq!(words(both), [(100_000 << 32) | (3 << 16) | 5, 0, 0, 2_000_000_000]);
        assert_eq!(words(CallFaults::default()), [0; 4]);
    }

    #[test]
    fn calls_are_counted_by_their_kinds() {
        assert_eq!(counted([0; 3]), "no call");
        assert_eq!(counted([0, 1, 0]), "1 write");
        assert_eq!(counted([3, 2, 1]), "3 reads, 2 writes and 1 sync");
        let met = CallsMet::read([5, 0, 7, 1, 2, 3]);
        let before = CallsMet { failed: [5, 0, 2], delayed: [1, 1, 3] };
        assert_eq!(met.since(before), CallsMet { failed: [0, 0, 5], delayed: [0, 1, 0] });
    }
}
