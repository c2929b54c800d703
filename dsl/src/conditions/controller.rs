//! `controller`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::source::Spanned;
use crate::value::LeaderIs;

args! {
    /// Which broker or controller is the active controller.
    #[example("controller: 2")]
    #[example("controller: any")]
    pub struct Controller("controller") short "is" {
        /// Its number, `any` or `none`.
        is: Option<Spanned<LeaderIs>>,
    }
}

impl ConditionWord for Controller {
    fn explain(&self) -> String {
        match self.is.as_deref() {
            None => "the active controller".to_owned(),
            Some(LeaderIs::Any) => "there is an active controller".to_owned(),
            Some(LeaderIs::None) => "there is no active controller".to_owned(),
            Some(LeaderIs::Broker(n)) => format!("{n} is the active controller"),
        }
    }

    fn judged(&self) -> Judgeable {
        if self.is.is_some() { Judgeable::Bounded } else { Judgeable::Unbounded }
    }
}
