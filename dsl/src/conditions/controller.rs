//! `controller`

use super::{ConditionWord, Judgeable, Shows};
use crate::args::args;
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::LeaderIs;

args! {
    /// Which broker or dedicated controller is the active controller.
    #[example("controller: 2")]
    #[example("controller: any")]
    pub struct Controller("controller") short "is" {
        /// The number of the broker or controller, `any` or `none`.
        is: Option<Spanned<LeaderIs>>,
    }
}

impl ConditionWord for Controller {
    const FACTS: ConditionFacts = ConditionFacts {
        needs_quorum: true,
        weighs: Weighs::Arguments(&[("is", ArgumentWeighs::Leader)]),
        ..ConditionFacts::NONE
    };

    fn explain(&self) -> String {
        match self.is.as_deref() {
            None => "the active controller".to_owned(),
            Some(LeaderIs::Any) => "there is an active controller".to_owned(),
            Some(LeaderIs::None) => "there is no active controller".to_owned(),
            Some(LeaderIs::Broker(n)) => format!("{n} is the active controller"),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::if_said(self.is.as_ref())
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        if let Some(LeaderIs::Broker(n)) = self.is.as_deref() {
            ground.must_be_up(*n, "be the controller", span);
        }
    }

    fn shows(&self, _: &Ground<'_>) -> Shows {
        Shows::of_leader(self.is.as_deref())
    }
}
