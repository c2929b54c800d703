//! What every condition says of itself.

use super::Judgeable::{Bounded, Open, Unbounded};
use crate::args::Arguments;
use crate::diagnostic::Diagnostic;
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Amount, Bound, LeaderIs, StepName};

/// What every condition says of itself.
pub trait ConditionWord: Arguments {
    /// What is known of it without judging it.
    const FACTS: ConditionFacts;

    /// The words of a sentence: `broker 2 leads orders/2`.
    fn explain(&self) -> String;

    /// The same as a clause, behind "wait until" and "check that": `there is no lost message`.
    fn clause(&self) -> String {
        self.explain()
    }

    /// Whether it can be judged as it stands.
    fn judged(&self) -> Judgeable;

    /// Whether it is true, or false, whatever the cluster does.
    fn constant(&self) -> Option<bool> {
        (self.judged() == Open).then_some(true)
    }

    /// What to write instead of what is constant.
    fn constant_help(&self) -> &'static str {
        "every value is within this bound: write a bound that a value can violate, such as `is: 0` or \
         `at_least: 1`, or `record` it"
    }

    /// True if parameters of the plan choose whether it is true.
    fn is_chosen(&self) -> bool {
        false
    }

    /// Reports what is wrong beyond the single arguments.
    fn validate(&self, _span: Span, _reader: &mut Reader) {}

    /// What is wrong with it where nothing is judged throughout a time.
    fn only_throughout(&self) -> Option<Diagnostic> {
        None
    }

    /// The step behind whose begin or end something must be sent, or it proves nothing.
    fn sent_after(&self) -> Option<&Spanned<StepName>> {
        None
    }

    /// Reports why it cannot come true where it must hold. It has no default: a condition of which nothing is known
    /// before the run says so.
    fn follow(&self, span: Span, ground: &mut Ground<'_>);

    /// Reports what in the plan defeats its judgement where it must hold.
    fn defeated(&self, _span: Span, _ground: &mut Ground<'_>) {}

    /// What it asks about a fault that may be in force.
    fn shows(&self, _ground: &Ground<'_>) -> Shows {
        Shows::Nothing
    }
}

/// Whether a condition can be judged as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgeable {
    /// It says what must be.
    Bounded,
    /// It has bounds, and no value is outside of any of them: it judges nothing.
    Open,
    /// It is judged without a bound: it is there or not.
    Plain,
    /// It names a value without saying what it must be.
    Unbounded,
}

impl Judgeable {
    /// By the bounds that it has.
    pub fn by<T: Amount>(bounds: impl IntoIterator<Item = Bound<T>>) -> Self {
        let open: Vec<bool> = bounds.into_iter().map(|bound| bound.always_holds()).collect();
        match open.as_slice() {
            [] => Unbounded,
            all if all.iter().all(|open| *open) => Open,
            _ => Bounded,
        }
    }

    /// Of something that must be this, and may not be said.
    pub const fn if_said<T>(said: Option<&T>) -> Self {
        if said.is_some() { Bounded } else { Unbounded }
    }
}

/// What a condition asks about a fault that may be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Nothing.
    Nothing,
    /// Whether clients still do their work.
    Work,
    /// Whether clients still reach brokers.
    Contact,
    /// Whether somebody leads.
    Lead,
    /// What only a fault of brokers can cause.
    Damage,
    /// What any fault can cause: no work, or no contact.
    Standstill,
    /// What holds only when every broker is back.
    Return,
}

impl Shows {
    /// Of a number that is this when every broker is there.
    pub(super) fn of_all(bound: Option<Bound<u64>>, all: Option<u64>) -> Self {
        let (Some(bound), Some(all)) = (bound, all) else { return Self::Nothing };
        if bound.most().is_some_and(|most| most < all) {
            Self::Damage
        } else if bound.least().is_some_and(|least| least >= all) {
            Self::Return
        } else {
            Self::Nothing
        }
    }

    /// Of who leads.
    pub(super) const fn of_leader(is: Option<&LeaderIs>) -> Self {
        match is {
            Some(LeaderIs::None) => Self::Damage,
            Some(LeaderIs::Any | LeaderIs::Broker(_)) | None => Self::Lead,
        }
    }
}
