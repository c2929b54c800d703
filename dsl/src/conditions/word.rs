//! The properties and checks of a condition.

use super::Judgeable::{Bounded, Open, Unbounded};
use crate::args::Arguments;
use crate::backend::Need;
use crate::diagnostic::Diagnostic;
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Amount, Bound, LeaderIs, StepName};

/// The properties and checks of a condition.
pub trait ConditionWord: Arguments {
    /// Its static properties.
    const FACTS: ConditionFacts;

    /// The condition as part of a sentence: `broker 2 leads orders/2`.
    fn explain(&self) -> String;

    /// The condition as a clause, after "wait until" and "check that": `there is no lost message`.
    fn clause(&self) -> String {
        self.explain()
    }

    /// The ability of the backend that it needs.
    fn needs(&self) -> Option<Need> {
        Self::FACTS.needs.map(Need::word)
    }

    /// Whether it can be judged as written.
    fn judged(&self) -> Judgeable;

    /// Whether it is always true or always false, whatever the cluster does.
    fn constant(&self) -> Option<bool> {
        (self.judged() == Open).then_some(true)
    }

    /// The help for a condition with a constant result.
    fn constant_help(&self) -> &'static str {
        "every value is within this bound: write a bound that a value can violate, such as `is: 0` or \
         `at_least: 1`, or `record` it"
    }

    /// True if parameters of the plan decide whether it is true.
    fn is_chosen(&self) -> bool {
        false
    }

    /// Reports mistakes that concern more than one argument.
    fn validate(&self, _span: Span, _reader: &mut Reader) {}

    /// A mistake in it where conditions are not judged throughout a time.
    fn only_throughout(&self) -> Option<Diagnostic> {
        None
    }

    /// The step after whose start or end messages must be sent so that the condition proves something.
    fn sent_after(&self) -> Option<&Spanned<StepName>> {
        None
    }

    /// Reports why it cannot become true where it must hold. There is no default: a condition of which nothing is
    /// known before the run must define this too.
    fn follow(&self, span: Span, ground: &mut Ground<'_>);

    /// Warns of settings of the plan that contradict it where it must hold.
    fn defeated(&self, _span: Span, _ground: &mut Ground<'_>) {}

    /// What it shows about a fault that may be in force.
    fn shows(&self, _ground: &Ground<'_>) -> Shows {
        Shows::Nothing
    }
}

/// Whether a condition can be judged as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgeable {
    /// It has a bound.
    Bounded,
    /// It has bounds, but every value is within all of them, so it judges nothing.
    Open,
    /// It is judged without a bound: it is true or false.
    Plain,
    /// It has a value but no bound.
    Unbounded,
}

impl Judgeable {
    /// Decides by its bounds.
    pub fn by<T: Amount>(bounds: impl IntoIterator<Item = Bound<T>>) -> Self {
        let open: Vec<bool> = bounds.into_iter().map(|bound| bound.always_holds()).collect();
        match open.as_slice() {
            [] => Unbounded,
            all if all.iter().all(|open| *open) => Open,
            _ => Bounded,
        }
    }

    /// Decides by an optional expected value.
    pub const fn if_said<T>(said: Option<&T>) -> Self {
        if said.is_some() { Bounded } else { Unbounded }
    }
}

/// What a condition shows about a fault that may be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Nothing.
    Nothing,
    /// Whether clients still do their work.
    Work,
    /// Whether clients still reach brokers.
    Contact,
    /// Whether partitions or the cluster have a leader.
    Lead,
    /// Damage that only a fault of brokers can cause.
    Damage,
    /// Damage that any fault can cause: clients do no work or have no contact.
    Standstill,
    /// That every broker is back.
    Return,
}

impl Shows {
    /// For a number that has this value when every broker is there.
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

    /// For a condition about a leader.
    pub(super) const fn of_leader(is: Option<&LeaderIs>) -> Self {
        match is {
            Some(LeaderIs::None) => Self::Damage,
            Some(LeaderIs::Any | LeaderIs::Broker(_)) | None => Self::Lead,
        }
    }
}
