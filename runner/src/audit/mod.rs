//! Computes anomalies from histories: pure functions of what was sent, acknowledged, delivered and found in the
//! log.
//!
//! [`audit`] reads all histories into sets of sequence numbers and offsets, run by run and never
//! message by message where runs are dense, and computes each anomaly from these. One anomaly, one
//! file: its definition is the file's first paragraph. `docs/anomalies.md` compares them with the definitions of
//! other tools.

mod aborted_read;
mod book;
mod contradicted;
mod corrupted;
mod counts;
mod digest;
pub mod disks;
mod diverged;
mod duplicated;
mod expired;
mod explain;
mod given;
mod groups;
mod input;
mod log;
mod lost;
mod measure;
mod numbered;
#[cfg(test)]
mod oracle;
mod phantom;
mod placement;
mod processed;
#[cfg(test)]
mod properties;
mod ranges;
mod redelivered;
mod reordered;
mod replicas_differ;
mod result;
mod sends;
mod set;
mod skipped;
#[cfg(test)]
mod testing;
mod undelivered;
mod unexpected_success;
mod unprinted;
mod unresolved;
mod window;

pub use input::*;
pub use measure::{CountedWord, Damage, Headline, MeasureFacts, Traffic};
pub use ranges::{EvidenceRange, ranges};
pub use result::*;

use book::{Book, Books};
use digest::Digest;
use serde::{Deserialize, Serialize};

/// Every measure with the place of its facts, and the condition that counts it. The order is that in which reports
/// show damage, the worst first.
macro_rules! measures {
    ($($name:ident: $module:ident :: $facts:ident $(, of $word:ident)?;)+) => {
        /// What is counted. The names are the plan's words, each defined in the file of its facts.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Measure {
            $(#[doc = concat!("See [`", stringify!($module), "`].")] $name,)+
        }

        impl Measure {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its facts, which are known without counting.
            pub const fn facts(self) -> &'static MeasureFacts {
                match self { $(Self::$name => &$module::$facts),+ }
            }
        }

        $($(impl CountedWord for kplan_dsl::conditions::$word {
            fn measure(&self) -> Measure {
                Measure::$name
            }

            fn count(&self) -> &kplan_dsl::conditions::Count {
                &self.count
            }

            fn error(&self) -> Option<&kplan_dsl::value::ExpectedError> {
                None
            }
        })?)+
    };
}

measures! {
    Acked: counts::ACKED, of Acked;
    Failed: counts::FAILED;
    Delivered: counts::DELIVERED, of Delivered;
    Committed: counts::COMMITTED, of Committed;
    Aborted: counts::ABORTED, of Aborted;
    Lost: lost::FACTS, of Lost;
    Diverged: diverged::FACTS, of Diverged;
    ReplicasDiffer: replicas_differ::FACTS;
    Corrupted: corrupted::FACTS, of Corrupted;
    Undelivered: undelivered::FACTS, of Undelivered;
    Skipped: skipped::FACTS, of Skipped;
    Phantom: phantom::FACTS, of Phantom;
    AbortedRead: aborted_read::FACTS, of AbortedRead;
    Unprocessed: processed::UNPROCESSED;
    Overprocessed: processed::OVERPROCESSED;
    Uncopied: processed::UNCOPIED, of Uncopied;
    Overcopied: processed::OVERCOPIED, of Overcopied;
    Reordered: reordered::FACTS, of Reordered;
    Duplicated: duplicated::FACTS, of Duplicated;
    Redelivered: redelivered::FACTS, of Redelivered;
    Expired: expired::FACTS, of Expired;
    Deleted: lost::DELETED;
    UnexpectedSuccess: unexpected_success::FACTS, of UnexpectedSuccess;
    Unresolved: unresolved::FACTS, of Unresolved;
}

/// Judges a run: every measure, everywhere. Pure: the same input gives the same answer.
///
/// Memory grows by a few bits a message (bitmaps), not with the length of the histories.
pub fn audit(input: &AuditInput<'_>) -> AuditResult {
    let digest = Digest::new(input);
    let mut books = Books::default();
    for measure in Measure::ALL {
        measure.judge(&digest, &mut books);
    }
    explain::fill(&digest, &mut books);
    let damage = digest.damage();
    let close = |book: Book| {
        let mut judgement = book.close(&digest.names);
        judgement.doubts.extend(damage.iter().cloned());
        judgement
    };
    AuditResult {
        measures: books.by.into_iter().map(|(m, book)| (m, close(book))).collect(),
        errors: counts::errors(&digest),
        groups: digest.consumers(),
        notes: digest.notes(),
        missing: books.missing,
        on_disk: Vec::new(),
    }
}
