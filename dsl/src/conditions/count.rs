//! The common part of conditions that count messages: what is counted, and where.

use serde_json::{Map, Value};

use crate::args::{FieldGroup, FieldInfo, Weight};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{ConditionFacts, CountsOf};
use crate::meaning::{GroupMeaning, Meaning, put};
use crate::read::{FromNode, MapReader, Reader};
use crate::schema::described;
use crate::source::Spanned;
use crate::value::{Bound, ClientName, MemberRef, PartitionRef, SentWhen, StepName, TopicName};

/// A bounded count, narrowed to a topic, a partition, a client or a time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Count {
    /// The bound of the count.
    pub bound: Option<Bound<u64>>,
    /// Only this topic.
    pub topic: Option<Spanned<TopicName>>,
    /// Only this partition.
    pub partition: Option<Spanned<PartitionRef>>,
    /// Only what this client sent, or what its group should receive.
    pub client: Option<Spanned<MemberRef>>,
    /// Only what happened after the latest run of this step began.
    pub since: Option<Spanned<StepName>>,
    /// Only messages that were acknowledged before the step of `of` began.
    pub sent: Option<Spanned<SentWhen>>,
    /// The step that `sent` refers to.
    pub of: Option<Spanned<StepName>>,
}

const NARROWING: [(&str, &str); 6] = [
    ("topic", "Only this topic."),
    ("partition", "Only this partition, such as `orders/0`."),
    ("client", "Only what this client sent, or what its group was to receive."),
    (
        "since",
        "Only what happened after the latest run of the step of this name began: messages that were \
         sent, copies that were written into the log, deliveries that were made after that.",
    ),
    (
        "sent",
        "`before`: only messages that were acknowledged before the latest run of the step in `of` began. \
         These messages are judged even if nothing is sent during the fault.",
    ),
    ("of", "The name of the step that `sent: before` refers to, such as a fault."),
];
const KEYS: &[&str] = &[
    "is",
    "at_most",
    "at_least",
    "between",
    "topic",
    "partition",
    "client",
    "since",
    "sent",
    "of",
];

impl FieldGroup for Count {
    const KEYS: &'static [&'static str] = KEYS;

    fn from_fields(map: &mut MapReader<'_>, reader: &mut Reader) -> Option<Self> {
        let bound = Option::<Bound<u64>>::from_fields(map, reader);
        let topic = map.field("topic", reader);
        let partition = map.field("partition", reader);
        let client = map.field("client", reader);
        let since = map.field("since", reader);
        let sent: Option<Option<Spanned<SentWhen>>> = map.field("sent", reader);
        let of: Option<Option<Spanned<StepName>>> = map.field("of", reader);
        let (bound, topic, partition) = (bound?, topic?, partition?);
        let count =
            Self { bound, topic, partition, client: client?, since: since?, sent: sent?, of: of? };
        count.check(reader).then_some(count)
    }

    fn fields() -> Vec<FieldInfo> {
        let mut all = Option::<Bound<u64>>::fields();
        let expects = [
            TopicName::EXPECTS,
            PartitionRef::EXPECTS,
            ClientName::EXPECTS,
            StepName::EXPECTS,
            SentWhen::EXPECTS,
            StepName::EXPECTS,
        ];
        all.extend(NARROWING.iter().zip(expects).map(|((key, doc), expects)| FieldInfo {
            key,
            doc,
            default: None,
            expects,
            required: false,
            weight: Weight::Neutral,
        }));
        all
    }

    fn properties(
        generator: &mut schemars::SchemaGenerator,
    ) -> Vec<(&'static str, schemars::Schema)> {
        let mut all = Option::<Bound<u64>>::properties(generator);
        let schemas = [
            TopicName::schema(generator),
            PartitionRef::schema(generator),
            ClientName::schema(generator),
            StepName::schema(generator),
            SentWhen::schema(generator),
            StepName::schema(generator),
        ];
        for ((key, doc), schema) in NARROWING.into_iter().zip(schemas) {
            all.push((key, described(schema, doc, None)));
        }
        all
    }
}

impl Count {
    /// The topic whose messages are counted, if it is only one.
    pub(crate) fn of_topic(&self) -> Option<&str> {
        let of_partition = self.partition.as_ref().map(|partition| partition.topic.as_str());
        self.topic.as_ref().map(|topic| topic.as_str()).or(of_partition)
    }

    /// Reports `sent`, `of` and `since` that cannot be combined.
    fn check(&self, reader: &mut Reader) -> bool {
        let (code, span, message) = match (&self.sent, &self.of, &self.since) {
            (Some(sent), None, _) => {
                (Code::E011, sent.span, "`sent: before` needs `of`: the name of a step")
            }
            (None, Some(of), _) => (Code::E011, of.span, "`of` needs `sent: before`"),
            (Some(sent), _, Some(_)) => {
                (Code::E016, sent.span, "`sent` and `since` exclude each other")
            }
            _ => return true,
        };
        let help = "write `sent: before, of: STEP` for messages that were acknowledged before a fault, or \
                    `since: STEP` for what came after the step began";
        reader.push(Diagnostic::new(code, span, message).help(help));
        false
    }

    /// `no lost message of topic orders`, `at most 3 lost messages`, `lost messages`.
    pub fn explain(&self, what: &str) -> String {
        let mut text = match self.bound {
            None => format!("{what}s"),
            Some(Bound::Is(0) | Bound::AtMost(0)) => format!("no {what}"),
            Some(bound) => bound.of(what),
        };
        for (joint, narrowed) in [
            (" of topic ", self.topic.as_ref().map(ToString::to_string)),
            (" in ", self.partition.as_ref().map(ToString::to_string)),
            (" of ", self.client.as_ref().map(ToString::to_string)),
            (" since ", self.since.as_ref().map(|s| format!("\"{s}\""))),
            (" that was acknowledged before ", self.of.as_ref().map(|s| format!("\"{s}\""))),
        ] {
            if let Some(narrowed) = narrowed {
                text.push_str(joint);
                text.push_str(&narrowed);
            }
        }
        text
    }

    /// Whether messages must be sent after `since`: not for deliveries, which may be of messages sent before.
    pub(super) fn sent_after(&self, facts: &ConditionFacts) -> Option<&Spanned<StepName>> {
        self.since.as_ref().filter(|_| !facts.counts_of(CountsOf::Consumers))
    }
}

/// Declares a condition that is only a count: its name and its static properties.
macro_rules! counted {
    (
        $(#[doc = $doc:literal])+
        $(#[example($example:literal)])*
        $name:ident($word:literal), $what:literal, $facts:expr $(, { $($more:tt)+ })?
    ) => {
        $crate::args::args! {
            $(#[doc = $doc])+
            $(#[example($example)])*
            pub struct $name($word) short "is" {
                ..count: $crate::conditions::Count,
            }
        }

        impl $crate::conditions::ConditionWord for $name {
            const FACTS: $crate::facts::ConditionFacts = $facts;

            fn explain(&self) -> String {
                self.count.explain($what)
            }

            fn clause(&self) -> String {
                $crate::conditions::clause::there(self.explain())
            }

            fn judged(&self) -> $crate::conditions::Judgeable {
                $crate::conditions::Judgeable::by(self.count.bound)
            }

            fn sent_after(&self) -> Option<&$crate::Spanned<$crate::value::StepName>> {
                self.count.sent_after(&Self::FACTS)
            }

            fn follow(&self, _: $crate::Span, _: &mut $crate::ground::Ground<'_>) {}

            $($($more)+)?
        }
    };
}
pub(super) use counted;

impl GroupMeaning for Count {
    fn add_to(&self, map: &mut Map<String, Value>) {
        self.bound.add_to(map);
        put(map, "topic", self.topic.as_ref().map_or(Value::Null, |t| t.as_str().into()));
        put(map, "partition", self.partition.meaning());
        put(map, "client", self.client.meaning());
        put(map, "since", self.since.as_ref().map_or(Value::Null, |s| s.as_str().into()));
        put(map, "sent", self.sent.meaning());
        put(map, "of", self.of.as_ref().map_or(Value::Null, |s| s.as_str().into()));
    }
}
