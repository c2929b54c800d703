//! `preferred_leaders`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::TopicName;

args! {
    /// The leader of every partition is its preferred leader, the first of its replicas.
    #[example("preferred_leaders: orders")]
    pub struct PreferredLeaders("preferred_leaders") short "topic" {
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
    }
}

impl ConditionWord for PreferredLeaders {
    const FACTS: ConditionFacts = ConditionFacts { needs_quorum: true, ..ConditionFacts::NONE };

    fn explain(&self) -> String {
        match &self.topic {
            Some(topic) => format!("every partition of {topic} has its preferred leader"),
            None => "every partition has its preferred leader".to_owned(),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::Plain
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
