//! `leader`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::source::Spanned;
use crate::value::{LeaderIs, PartitionRef};

args! {
    /// Which broker leads a partition.
    #[example("leader: { partition: orders/2, is: 2 }")]
    #[example("leader: { partition: orders/2, is: none }")]
    pub struct Leader("leader") short "partition" {
        /// The partition.
        partition: Spanned<PartitionRef>,
        /// A broker's number, `any` or `none`.
        is: Option<Spanned<LeaderIs>>,
    }
}

impl ConditionWord for Leader {
    fn explain(&self) -> String {
        let partition = &self.partition;
        match self.is.as_deref() {
            None => format!("the leader of {partition}"),
            Some(LeaderIs::Any) => format!("{partition} has a leader"),
            Some(LeaderIs::None) => format!("{partition} has no leader"),
            Some(LeaderIs::Broker(n)) => format!("broker {n} leads {partition}"),
        }
    }

    fn judged(&self) -> Judgeable {
        if self.is.is_some() { Judgeable::Bounded } else { Judgeable::Unbounded }
    }
}
