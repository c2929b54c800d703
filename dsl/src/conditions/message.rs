//! `message`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::TopicName;

args! {
    /// A message with this key and value is in the topic's log.
    #[example("message: { topic: hello, key: a, value: one }")]
    pub struct Message("message") {
        /// The topic.
        topic: Spanned<TopicName>,
        /// The message's key.
        key: Option<String>,
        /// The message's value.
        value: Option<String>,
    }
}

impl ConditionWord for Message {
    const FACTS: ConditionFacts = ConditionFacts {
        reads_log: true,
        weighs: Weighs::Arguments(&[
            ("key", ArgumentWeighs::Presence),
            ("value", ArgumentWeighs::Presence),
        ]),
        ..ConditionFacts::NONE
    };

    fn explain(&self) -> String {
        let parts: Vec<String> = [("key", &self.key), ("value", &self.value)]
            .into_iter()
            .filter_map(|(what, text)| text.as_ref().map(|t| format!("{what} \"{t}\"")))
            .collect();
        match parts.as_slice() {
            [] => format!("a message is in topic {}", self.topic),
            parts => {
                format!("a message with {} is in topic {}", crate::words::list(parts), self.topic)
            }
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::Plain
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
