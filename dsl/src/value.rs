//! The types of arguments. Each is read from the text of a scalar or from a small map.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Kind, Node, Style};
use crate::read::{FromNode, Reader};
use crate::source::Spanned;

mod acl;
mod before;
pub(crate) mod bound;
mod clock;
mod disks;
mod disturbance;
mod errors;
mod expression;
mod http;
mod json;
mod keywords;
mod members;
mod message;
mod names;
mod others;
mod own_settings;
mod payload;
mod program;
mod quantity;
mod quota;
mod service;
mod settings;
mod slots;
mod target;
mod text_error;
mod timestamp;
mod version;

pub use crate::programs::{ClientProgram, ProgramFlags};
pub use acl::{AclOperation, AclUser, NamePattern};
pub use before::BeforeOffset;
pub use bound::{Amount, Bound, BoundGroup};
pub use clock::{ClockRate, ClockShift};
pub use disks::{DamagePlace, DiskCall, DiskDamage, DiskError};
pub use disturbance::{Disturbance, DisturbanceValue, KafkaApi};
pub use errors::{CLIENT_ERRORS, ExpectedError, KAFKA_ERRORS};
pub use expression::Expression;
pub(crate) use expression::not_a_number;
pub use http::HttpUrl;
pub(crate) use http::check_http_path;
pub use keywords::{
    Acks, CommitMode, Compression, Controllers, DataFate, DescribeWhat, ElectionType, Family,
    GroupProtocol, GroupState, Isolation, LeaderIs, LogEdge, MetadataMode, NetworkClients,
    OffsetReset, PowerKeep, RestartHow, SaslMechanism, SecurityProtocol, SentWhen, Spread,
};
pub use members::StaticMembers;
pub use message::{MessageBytes, MessageHeaders, MessagePart, MessageSlot, MessageText};
pub(crate) use names::template_name as is_template_name;
pub use names::{
    AclOperations, CaptureName, ClientName, Clients, GroupName, InstanceId, KafkaApis, MemberRef,
    PartitionRef, StepName, TopicName, Topics, UserName,
};
pub use others::External;
pub use payload::{Payload, PayloadRange};
pub use program::{BUILT_IN, ChosenClient};
pub(crate) use program::{ProgramArgs, read_programs};
pub use quantity::{Bandwidth, ByteSize, Percent, Rate, duration_text};
pub use quota::{QuotaLimit, QuotaOf};
pub use service::{ServiceSlot, ServiceText, ServiceTexts};
pub use settings::{Assignment, PerBroker, Settings};
pub use slots::{Slot, SlotPart, SlotText, SlotTexts};
pub use target::{FIRST_BROKER, Target, broker_numbers, controller_numbers, is_controller};
pub(crate) use text_error::TextError;
pub use timestamp::MessageTime;
pub use version::{KafkaVersion, TESTED};

/// A type read from one scalar's text.
pub(crate) trait FromText: Sized {
    /// The expected form, for messages.
    const EXPECTS: &'static str;

    /// Reads the text.
    fn from_text(text: &str) -> Result<Self, TextError>;

    /// The schema of its text.
    fn text_schema() -> Schema;
}

/// Reads a scalar through [`FromText`].
pub(crate) fn read_text<T: FromText + FromNode>(node: &Node, reader: &mut Reader) -> Option<T> {
    let text = match node.scalar() {
        Some(scalar) if !scalar.is_null() => &scalar.text,
        _ => {
            reader.expected::<T>(node);
            return None;
        }
    };
    match <T as FromText>::from_text(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let help = error
                .help
                .unwrap_or_else(|| format!("expected {}", <T as FromText>::EXPECTS).into());
            reader.push(Diagnostic::new(error.code, node.span, error.message).help(help));
            None
        }
    }
}

/// Makes a type with [`FromText`] readable from nodes.
macro_rules! text_value {
    ($($name:ty),+ $(,)?) => {$(
        impl $crate::read::FromNode for $name {
            const EXPECTS: &'static str = <Self as $crate::value::FromText>::EXPECTS;

            fn from_node(
                node: &$crate::document::Node,
                reader: &mut $crate::read::Reader,
            ) -> Option<Self> {
                $crate::value::read_text(node, reader)
            }

            fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                <Self as $crate::value::FromText>::text_schema()
            }
        }
    )+};
}
pub(crate) use text_value;

macro_rules! whole_number {
    ($($name:ty),+) => {$(
        impl FromNode for $name {
            const EXPECTS: &'static str = "a whole number";

            fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
                let scalar = node.scalar().filter(|s| s.style != Style::Quoted && !s.is_null());
                let Some(scalar) = scalar else {
                    reader.expected::<Self>(node);
                    return None;
                };
                match scalar.text.parse() {
                    Ok(number) => Some(number),
                    Err(_) => {
                        let number = scalar.text.parse::<i128>().is_ok();
                        if number {
                            let message = format!("{} is not between {} and {}", scalar.text, Self::MIN, Self::MAX);
                            reader.push(Diagnostic::new(Code::E015, node.span, message));
                        } else {
                            reader.expected::<Self>(node);
                        }
                        None
                    }
                }
            }

            fn schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": Self::MIN })
            }
        }
    )+};
}
whole_number!(u32, u64, i32);

impl FromNode for bool {
    const EXPECTS: &'static str = "`true` or `false`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let scalar = node.scalar().filter(|s| s.style != Style::Quoted);
        match scalar.map(|s| &*s.text) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => {
                reader.expected::<Self>(node);
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

impl FromNode for String {
    const EXPECTS: &'static str = "text";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => Some(scalar.text.clone()),
            _ => {
                reader.expected::<Self>(node);
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        text_schema()
    }
}

/// Reports a text that is not a regular expression.
pub(crate) fn check_pattern(pattern: &Spanned<String>, reader: &mut Reader) {
    let built = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build();
    if let Err(error) = built {
        let why = error.to_string();
        let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
        let message = format!("not a regular expression: {last}");
        reader.push(Diagnostic::new(Code::E013, pattern.span, message));
    }
}

/// The schema of text. Numbers and booleans are read as the text that is written.
pub(crate) fn text_schema() -> Schema {
    json_schema!({ "type": ["string", "number", "boolean"] })
}

/// Declares an enum of words, each with its text and its meaning.
macro_rules! words {
    ($(
        $(#[doc = $doc:literal])+
        pub enum $name:ident ($expects:literal) {
            $($(#[doc = $vdoc:literal])+ $variant:ident = $text:literal $(| $other:literal)* ,)+
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[doc = $vdoc])+ #[serde(rename = $text)] $variant,)+ }

        impl $name {
            /// The texts of all words, as in a plan.
            pub const WORDS: &[&str] = &[$($text),+];

            /// The text of the word, as in a plan.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.text())
            }
        }

        impl $crate::value::FromText for $name {
            const EXPECTS: &'static str = $expects;

            fn from_text(text: &str) -> Result<Self, $crate::value::TextError> {
                match text {
                    $($text $(| $other)* => Ok(Self::$variant),)+
                    _ => Err($crate::value::unknown_word(text, Self::WORDS)),
                }
            }

            fn text_schema() -> schemars::Schema {
                $crate::value::words_schema(&[$(($text, concat!($($vdoc, "\n"),+))),+])
            }
        }

        $crate::value::text_value!($name);
        $crate::meaning::shown!($name);
    )+};
}
pub(crate) use words;

/// The error for an unknown word.
pub(crate) fn unknown_word(text: &str, known: &[&str]) -> TextError {
    let mut error =
        TextError::new(Code::E014, format!("`{text}` is not one of {}", known.join(", ")));
    error.help = crate::diagnostic::did_you_mean(text, known.iter().copied());
    error
}

/// The schema of an enum of words. Words that YAML reads as numbers are also allowed as numbers.
pub(crate) fn words_schema(words: &[(&str, &str)]) -> Schema {
    let mut all: Vec<serde_json::Value> = Vec::new();
    for (word, _) in words {
        all.push((*word).into());
        if let Ok(number) = word.parse::<i64>() {
            all.push(number.into());
        }
        if let Ok(truth) = word.parse::<bool>() {
            all.push(truth.into());
        }
    }
    let meanings: serde_json::Map<String, serde_json::Value> =
        words.iter().map(|(word, doc)| ((*word).to_owned(), doc.trim().into())).collect();
    json_schema!({ "enum": all, crate::schema::note::MEANINGS: meanings })
}
