//! The common part of conditions that count partitions in a state.

use super::Shows;
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Bound, BoundGroup, TopicName};

/// A count of partitions.
pub(super) struct PartitionCount<'c> {
    pub topic: Option<&'c Spanned<TopicName>>,
    pub bound: BoundGroup<u64>,
}

impl PartitionCount<'_> {
    /// `no partition without a leader of topic orders`: the text of the state is before or after the noun.
    pub fn explain(&self, before: &str, behind: &str) -> String {
        let number = match self.bound {
            None => format!("{before}partitions"),
            Some(Bound::Is(0)) => format!("no {before}partition"),
            Some(bound) => bound.of(&format!("{before}partition")),
        };
        match self.topic {
            Some(topic) => format!("{number}{behind} of topic {topic}"),
            None => format!("{number}{behind}"),
        }
    }

    /// Reports a number that is greater than the number of partitions.
    pub fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        let Some(name) = self.topic else { return };
        let Some(topic) = ground.state.topics.get(name.as_str()) else { return };
        let partitions = u64::from(topic.partitions);
        if self.bound.and_then(|b| b.least()).is_some_and(|n| n > partitions) {
            let has = crate::words::count(partitions, "partition");
            ground.impossible(span, format!("topic `{}` has only {has}", name.value));
        }
    }

    /// At least one partition in that state is damage. If `none` is set, no partition in it shows that all brokers
    /// are back.
    pub fn shows(&self, none: bool) -> Shows {
        if self.bound.and_then(|b| b.least()).is_some_and(|n| n > 0) {
            Shows::Damage
        } else if none && self.bound.and_then(|b| b.most()) == Some(0) {
            Shows::Return
        } else {
            Shows::Nothing
        }
    }
}

/// Declares a condition that counts partitions in a state: the text before and after the noun, its static
/// properties, why a number is impossible, and whether 0 shows that every broker is back.
macro_rules! partitions {
    (
        $(#[doc = $doc:literal])+
        $(#[example($example:literal)])*
        $name:ident($word:literal), ($before:literal, $behind:literal), $facts:expr,
        follow $follow:path, returns $returns:literal
    ) => {
        $crate::args::args! {
            $(#[doc = $doc])+
            $(#[example($example)])*
            pub struct $name($word) short "is" {
                /// Only this topic.
                topic: Option<$crate::Spanned<$crate::value::TopicName>>,
                ..bound: $crate::value::BoundGroup<u64>,
            }
        }

        impl $name {
            fn partitions(&self) -> $crate::conditions::partitions::PartitionCount<'_> {
                $crate::conditions::partitions::PartitionCount {
                    topic: self.topic.as_ref(),
                    bound: self.bound,
                }
            }
        }

        impl $crate::conditions::ConditionWord for $name {
            const FACTS: $crate::facts::ConditionFacts = $facts;

            fn explain(&self) -> String {
                self.partitions().explain($before, $behind)
            }

            fn clause(&self) -> String {
                $crate::conditions::clause::there(self.explain())
            }

            fn judged(&self) -> $crate::conditions::Judgeable {
                $crate::conditions::Judgeable::by(self.bound)
            }

            fn follow(&self, span: $crate::Span, ground: &mut $crate::ground::Ground<'_>) {
                $follow(&self.partitions(), span, ground);
            }

            fn shows(&self, _: &$crate::ground::Ground<'_>) -> $crate::conditions::Shows {
                self.partitions().shows($returns)
            }
        }
    };
}
pub(super) use partitions;
