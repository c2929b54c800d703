//! `produce`

use std::time::Duration;

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Acks, MessageTime, Settings, TopicName, UserName};
use crate::words::{self, Sentence};

args! {
    /// Sends the given messages and waits for their acknowledgements.
    #[example("produce: { topic: hello, messages: [{ key: a, value: one }] }")]
    #[example("produce: { topic: hello, messages: [{ key: a, timestamp: -2h }] }")]
    pub struct Produce("produce") {
        /// The topic.
        topic: Spanned<TopicName>,
        /// The messages, in order.
        #[weighs(Elements)]
        messages: Spanned<Vec<GivenMessage>>,
        /// Which acknowledgements to wait for: `0`, `1` or `all`.
        acks: Acks = "all",
        /// The time limit of all acknowledgements.
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        within: Spanned<Duration> = "30s",
        /// The user that the client logs in as: one of the cluster's `security` users.
        user: Option<Spanned<UserName>>,
        /// Settings of librdkafka.
        config: Settings,
    }
}

args! {
    /// A message with given content.
    #[example("{ key: a, value: one }")]
    pub struct GivenMessage("message") {
        /// The key. If it is not set, the message has no key.
        key: Option<String>,
        /// The value. If it is not set, the message has no value: with a key, it is a tombstone, by which a compacted
        /// topic deletes the key.
        value: Option<String>,
        /// The headers.
        headers: Settings,
        /// The partition. If it is not set, the key decides.
        partition: Option<Spanned<u32>>,
        /// The timestamp: an offset from now, such as `-2h` or `+5m`, or a time, such as `2026-01-31T12:00:00Z`. If it
        /// is not set, it is the time of sending.
        timestamp: Option<MessageTime>,
    }
}

impl GivenMessage {
    /// `key "a", value "one"`.
    pub(super) fn in_words(&self) -> String {
        let part = |text: &Option<String>| {
            text.as_deref().map_or("nothing".to_owned(), |t| format!("\"{t}\""))
        };
        let time = self.timestamp.map(|time| format!(", timestamp {time}")).unwrap_or_default();
        match &self.key {
            Some(_) => format!("key {}, value {}{time}", part(&self.key), part(&self.value)),
            None => format!("value {}{time}", part(&self.value)),
        }
    }
}

impl StepWord for Produce {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Produced,
        ..StepFacts::of(Kind::Traffic)
    };

    fn explain(&self) -> String {
        let count = words::count(self.messages.len() as u64, "message");
        format!("Send {count} to topic {}", self.topic)
    }

    fn in_full(&self) -> Sentence {
        Sentence {
            text: format!("{}, at most {}", self.explain(), words::spoken(*self.within)),
            points: self.messages.iter().take(Sentence::MOST).map(GivenMessage::in_words).collect(),
        }
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        reader.must_last("within", Some(&self.within), None);
        let said = [
            ("acks", "write `acks:` beside `topic:` instead"),
            ("request.required.acks", "write `acks:` beside `topic:` instead"),
            ("message.timeout.ms", "write `within:` beside `topic:` instead"),
            ("delivery.timeout.ms", "write `within:` beside `topic:` instead"),
            (
                "transactional.id",
                "`produce` does not use transactions: `start_producer` does, with `transactional:`",
            ),
            ("linger.ms", "`produce` sends each message at once"),
            ("queue.buffering.max.ms", "`produce` sends each message at once"),
        ];
        self.config.check_sender(&said, reader);
        if self.messages.is_empty() {
            reader.push(Diagnostic::new(
                Code::E015,
                self.messages.span,
                "the list of messages is empty",
            ));
        }
    }

    fn needs(&self) -> Vec<Need> {
        let user = self.user.as_ref();
        user.map(|u| Need::argument(Capability::Security, u.span)).into_iter().collect()
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.user(self.user.as_ref());
        let topic = ground.topic(&self.topic, false);
        ground.state.produced = true;
        for partition in self.messages.iter().filter_map(|m| m.partition.as_ref()) {
            if topic.as_ref().is_some_and(|t| partition.value >= t.partitions) {
                let message = format!("topic `{}` has no partition {partition}", self.topic.value);
                ground.report(Diagnostic::new(Code::E054, partition.span, message));
            }
        }
    }
}
