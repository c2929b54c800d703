//! History to anomalies: pure functions over what was sent, acknowledged, delivered and found in the
//! log.
//!
//! [`audit`] reads all histories into sets of sequence numbers and offsets, run by run and never
//! message by message where runs are dense, and computes each anomaly from these. One anomaly, one
//! file: its definition is the file's first paragraph. `docs/anomalies.md` sets them beside those of
//! others.

mod aborted_read;
mod book;
mod copied;
mod corrupted;
mod counts;
mod digest;
pub mod disks;
mod diverged;
mod duplicated;
mod expired;
mod explain;
mod groups;
mod input;
mod log;
mod lost;
#[cfg(test)]
mod oracle;
mod phantom;
mod placement;
#[cfg(test)]
mod properties;
mod redelivered;
mod reordered;
mod result;
mod sends;
mod set;
mod skipped;
#[cfg(test)]
mod testing;
mod undelivered;
mod unexpected_success;
mod unresolved;
mod window;

pub use input::*;
pub use result::*;
pub use window::{Dated, dated};

use book::{Book, Books};
use digest::Digest;

/// Judges a run: every measure, everywhere. Pure: the same input gives the same answer.
///
/// Memory grows by a few bits a message (bitmaps), not with the length of the histories.
pub fn audit(input: &AuditInput<'_>) -> AuditResult {
    let digest = Digest::new(input);
    let mut books = Books::new();
    counts::judge(&digest, &mut books);
    let missing = lost::judge(&digest, &mut books);
    copied::judge(&digest, &mut books);
    let judged: [(Measure, Book); 11] = [
        (Measure::Duplicated, duplicated::judge(&digest)),
        (Measure::Reordered, reordered::judge(&digest)),
        (Measure::Diverged, diverged::judge(&digest)),
        (Measure::Corrupted, corrupted::judge(&digest)),
        (Measure::Undelivered, undelivered::judge(&digest)),
        (Measure::Redelivered, digest.groups.redelivered.clone()),
        (Measure::Skipped, skipped::judge(&digest)),
        (Measure::Phantom, phantom::judge(&digest)),
        (Measure::UnexpectedSuccess, unexpected_success::judge(&digest)),
        (Measure::AbortedRead, aborted_read::judge(&digest)),
        (Measure::Unresolved, unresolved::judge(&digest)),
    ];
    books.extend(judged);
    explain::fill(&digest, &mut books);
    let damage = digest.damage();
    let close = |book: Book| {
        let mut judgement = book.close(&digest.names);
        judgement.doubts.extend(damage.iter().cloned());
        judgement
    };
    AuditResult {
        measures: books.into_iter().map(|(m, book)| (m, close(book))).collect(),
        errors: counts::errors(&digest),
        groups: digest.consumers(),
        notes: digest.notes(),
        missing,
        on_disk: Vec::new(),
    }
}
