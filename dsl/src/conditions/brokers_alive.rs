//! `brokers_alive`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::value::BoundGroup;

args! {
    /// How many brokers the cluster counts as living, as one that lives tells it.
    #[example("brokers_alive: 3")]
    pub struct BrokersAlive("brokers_alive") short "is" {
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for BrokersAlive {
    fn explain(&self) -> String {
        match self.bound {
            None => "the number of living brokers".to_owned(),
            Some(bound) => format!("{} alive", bound.of("broker")),
        }
    }

    fn judged(&self) -> Judgeable {
        if self.bound.is_some() { Judgeable::Bounded } else { Judgeable::Unbounded }
    }
}
