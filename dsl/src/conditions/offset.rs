//! `offset`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Bound, PartitionRef};

args! {
    /// The log start offset and the log end offset of a partition.
    #[example("offset: { partition: orders/0, end: { at_least: 100 } }")]
    pub struct Offset("offset") short "partition" {
        /// The partition.
        partition: Spanned<PartitionRef>,
        /// The log end offset (the last offset plus 1), as a number or a bound.
        end: Option<Bound<u64>>,
        /// The log start offset, as a number or a bound.
        start: Option<Bound<u64>>,
    }
}

impl ConditionWord for Offset {
    const FACTS: ConditionFacts = ConditionFacts::NONE;

    fn explain(&self) -> String {
        let partition = &self.partition;
        let edges: Vec<String> = [("starts", self.start), ("ends", self.end)]
            .into_iter()
            .filter_map(|(edge, bound)| bound.map(|b| format!("{edge} at {b}")))
            .collect();
        match edges.as_slice() {
            [] => format!("the offsets of {partition}"),
            edges => format!("{partition} {}", crate::words::list(edges)),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by([self.start, self.end].into_iter().flatten())
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
