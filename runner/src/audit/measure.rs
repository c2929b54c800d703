//! The facts of a measure that are known without counting. They are in the file that defines what is counted and how.

use super::Measure;
use super::book::{Book, Books};
use super::digest::Digest;
#[cfg(test)]
use super::testing::World;
use kplan_dsl::conditions::Count;
use kplan_dsl::value::{ClientName, ExpectedError};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;

/// See the module.
#[derive(Clone, Copy)]
pub struct MeasureFacts {
    pub(super) counting: Counting,
    /// The traffic that a count needs to prove something; none if no condition counts it.
    pub traffic: Option<Traffic>,
    /// That traffic must have gone on while each fault was in effect. Counts of successes prove nothing about faults.
    pub faults: bool,
    /// A reader that was killed or paused must have come back: the measure is about what it then read again.
    pub back: bool,
    /// Its client is the consumer, not the producer.
    pub by_reader: bool,
    /// If there was nothing to judge, the count is 0 instead of inconclusive.
    pub(super) none_to_judge: bool,
    /// An unclean election may have caused it.
    pub elections: bool,
    /// Its messages are searched on the brokers' disks.
    pub(super) on_disk: bool,
    pub headline: Headline,
    /// A remark that reports add to the places.
    pub remark: Option<&'static str>,
    /// Makes one instance for tests, of messages that are sent now.
    #[cfg(test)]
    pub(super) make: fn(&mut World),
}

impl MeasureFacts {
    /// The facts of most measures.
    pub(super) const fn of(
        counting: Counting,
        traffic: Option<Traffic>,
        headline: Headline,
    ) -> Self {
        Self {
            counting,
            traffic,
            faults: true,
            back: false,
            by_reader: false,
            none_to_judge: false,
            elections: false,
            on_disk: false,
            headline,
            remark: None,
            #[cfg(test)]
            make: |_| panic!("no test makes an instance of this measure"),
        }
    }
}

/// Declares the facts of a measure: how it is counted, what that needs, and its other properties; how reports
/// name one and several, and the definition of its anomaly; what makes an instance of it in the file's tests.
macro_rules! measure {
    (
        $name:ident: $counting:ident($judge:expr), needs($($traffic:ident)?),
        { $($fact:ident: $value:expr),* },
        damage($($damage:ident)?), $one:literal, $several:literal,
        $definition:literal, $make:ident
    ) => {
        pub(super) const $name: $crate::audit::MeasureFacts = {
            use $crate::audit::measure::{Counting, Damage, Headline, MeasureFacts, Traffic};
            MeasureFacts {
                $($fact: $value,)*
                #[cfg(test)]
                make: tests::$make,
                ..MeasureFacts::of(
                    Counting::$counting($judge),
                    $crate::audit::measure::measure!(@maybe Traffic $($traffic)?),
                    Headline {
                        damage: $crate::audit::measure::measure!(@maybe Damage $($damage)?),
                        label: [$one, $several],
                        definition: $definition,
                    },
                )
            }
        };
    };
    (@maybe $kind:ident) => { None::<$kind> };
    (@maybe $kind:ident $value:ident) => { Some($kind::$value) };
}
pub(super) use measure;

/// How a measure is counted.
#[derive(Clone, Copy)]
pub(super) enum Counting {
    Alone(fn(&Digest<'_>) -> Book),
    /// With other measures, by the same function.
    Together(fn(&Digest<'_>, &mut Books)),
    /// Not from the histories.
    Elsewhere,
}

/// The traffic that a judgement needs to prove something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Messages were sent.
    Sent,
    /// Messages were sent in transactions.
    Transactions,
    /// A message was delivered, or was there to be delivered, to a running reader.
    Read,
    /// The same for messages that were sent in transactions.
    ReadTransactions,
    /// Messages were sent to a topic that a reader reads: a reader that was running by then, or begins at the log's
    /// start.
    Owed,
    /// The same for a copier.
    ToCopy,
    /// A copier copied a message, or there was a message to copy for a running copier.
    Copied,
    /// Messages were sent to the topic that a service reads; for a copier as `ToCopy`.
    ToProcess,
    /// Messages were sent to the topic that a running service reads; for a copier as `Copied`.
    Processed,
    /// Messages were sent, or delivered as for `Read`.
    Any,
}

/// How reports name a count.
#[derive(Clone, Copy, Debug)]
pub struct Headline {
    /// None if the count is no damage.
    pub damage: Option<Damage>,
    /// The noun phrase of one, and of several.
    pub label: [&'static str; 2],
    /// The definition of the anomaly, in a sentence; empty if it is no anomaly.
    pub definition: &'static str,
}

impl Headline {
    /// The noun phrase of a count: `acknowledged messages lost`.
    pub const fn label(&self, count: u64) -> &'static str {
        if count == 1 { self.label[0] } else { self.label[1] }
    }
}

/// How prominently a count above zero is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Something is gone or changed: no client can repair it.
    Loss,
    /// Something is duplicated or out of order.
    Mild,
}

/// A condition that counts a measure.
pub trait CountedWord: Send + Sync {
    fn measure(&self) -> Measure;

    /// The bound of the count, and what is counted.
    fn count(&self) -> &Count;

    /// Only messages with this error.
    fn error(&self) -> Option<&ExpectedError>;

    /// The service whose work is counted.
    fn service(&self) -> Option<&ClientName> {
        None
    }
}

impl Measure {
    pub(super) fn judge(self, digest: &Digest<'_>, books: &mut Books) {
        match self.facts().counting {
            Counting::Alone(judge) => _ = books.by.insert(self, judge(digest)),
            Counting::Together(judge) if !books.by.contains_key(&self) => judge(digest, books),
            Counting::Together(_) | Counting::Elsewhere => {}
        }
    }

    /// The measure of a word of the language.
    pub fn named(word: &str) -> Option<Self> {
        let word: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
            word.into_deserializer();
        Self::deserialize(word).ok()
    }

    /// The measure's name in the language.
    pub fn word(self) -> String {
        let name = serde_json::to_value(self).ok();
        name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}
