//! What is known of a measure without counting it. It stands in the file that says what is counted and how.

use super::Measure;
use super::book::{Book, Books};
use super::digest::Digest;
#[cfg(test)]
use super::testing::World;
use kplan_dsl::conditions::Count;
use kplan_dsl::value::ExpectedError;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;

/// See the module.
#[derive(Clone, Copy)]
pub struct MeasureFacts {
    pub(super) counting: Counting,
    /// What must have gone on for a count to say something; none of what no condition counts.
    pub traffic: Option<Traffic>,
    /// That must have gone on while each fault was in effect. Counts of what was achieved say nothing about faults.
    pub faults: bool,
    /// A reader that was killed or paused must have come back: what it then read again is the question.
    pub back: bool,
    /// It names the consumer, not the producer.
    pub by_reader: bool,
    /// Where there was nothing to judge, the answer is that there is none.
    pub(super) none_to_judge: bool,
    /// An unclean election may have caused it.
    pub elections: bool,
    /// It is looked up on the brokers' disks.
    pub(super) on_disk: bool,
    pub headline: Headline,
    /// What a report adds to the places, if there is more to say.
    pub remark: Option<&'static str>,
    /// Makes one instance, of messages that are sent now.
    #[cfg(test)]
    pub(super) make: fn(&mut World),
}

impl MeasureFacts {
    /// Those of most measures.
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

/// Declares what is known of a measure: how it is counted, what that needs, and what else is so of it; how reports
/// name one and several, and what an anomaly of that kind is; what makes an instance of it in the file's tests.
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

/// What must have gone on for a judgement to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Messages were sent.
    Sent,
    /// Messages were sent in transactions.
    Transactions,
    /// Something was delivered, or was there to be delivered, to a reader that was at work.
    Read,
    /// The same of messages that were sent in transactions.
    ReadTransactions,
    /// Messages were sent to a topic that a reader reads: one that was there by then, or begins at the log's
    /// start.
    Owed,
    /// The same of a copier.
    ToCopy,
    /// A copier copied, or something was there to be copied by one that was at work.
    Copied,
    /// Messages were sent, or delivered as for `Read`.
    Any,
}

/// How reports name a count.
#[derive(Clone, Copy, Debug)]
pub struct Headline {
    /// None where the count is no damage.
    pub damage: Option<Damage>,
    /// The noun phrase of one, and of several.
    pub label: [&'static str; 2],
    /// What an anomaly is, in a sentence; empty where it is none.
    pub definition: &'static str,
}

impl Headline {
    /// The noun phrase of a count: `acknowledged messages lost`.
    pub const fn label(&self, count: u64) -> &'static str {
        if count == 1 { self.label[0] } else { self.label[1] }
    }
}

/// What is shown first and loud where it is above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Something is gone, or is not what it was: no client can mend it.
    Loss,
    /// There is too much of something, or it is out of order.
    Mild,
}

/// A condition that counts a measure.
pub trait CountedWord: Send + Sync {
    fn measure(&self) -> Measure;

    /// What the count must be, and of what.
    fn count(&self) -> &Count;

    /// Only what has this error.
    fn error(&self) -> Option<&ExpectedError>;
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
