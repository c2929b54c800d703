//! Texts of messages, with slots that are filled for each message.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::slots::{self, Slot, SlotPart, SlotText, SlotTexts};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Node;
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};

/// A value, key or header that is written for each message.
pub type MessageText = SlotText<MessageSlot>;

/// A piece of a [`MessageText`].
pub type MessagePart = SlotPart<MessageSlot>;

/// Headers of each message, by name.
pub type MessageHeaders = SlotTexts<MessageSlot>;

/// What stands in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageSlot {
    /// `message.id`: the message's identity, at most 40 letters, digits and dashes.
    Id,
    /// `message.number`: how many messages its client sent before it, in this life of the client.
    Number,
    /// `message.partition`: the partition that it is sent to.
    Partition,
    /// `message.time`: when it was to be sent, in UTC as RFC 3339 with milliseconds.
    Time,
    /// `message.random(LEAST, MOST)`: a whole number, chosen by the run's seed.
    Random {
        /// The least.
        least: i64,
        /// The greatest.
        most: i64,
    },
}

impl Slot for MessageSlot {
    const ROOT: &'static str = "message";
    const NAMES: &'static [&'static str] = &["id", "number", "partition", "time", "random"];
    const EXPECTS: &'static str = "a text such as `'{\"order\": \"{{ message.id }}\"}'`";
    const HELP: &'static str = "a slot is `message.id`, `message.number`, `message.partition`, \
                                `message.time` or `message.random(1, 100)`, alone in its braces";

    fn read(text: &str) -> Result<Self, (Code, String)> {
        Ok(match text {
            "id" => Self::Id,
            "number" => Self::Number,
            "partition" => Self::Partition,
            "time" => Self::Time,
            _ => {
                let arguments = text.strip_prefix("random").map(str::trim);
                let Some(arguments) = arguments else {
                    return Err((Code::E031, format!("a message has no `{text}`")));
                };
                let numbers = arguments.strip_prefix('(').and_then(|a| a.strip_suffix(')'));
                let numbers = numbers.and_then(|a| a.split_once(',')).and_then(|(least, most)| {
                    Some((least.trim().parse().ok()?, most.trim().parse().ok()?))
                });
                match numbers {
                    Some((least, most)) if least <= most => Self::Random { least, most },
                    Some((least, most)) => {
                        let message = format!("{least} is greater than {most}");
                        return Err((Code::E015, message));
                    }
                    None => {
                        let message = "`message.random` takes two whole numbers".to_owned();
                        return Err((Code::E030, message));
                    }
                }
            }
        })
    }

    fn written(&self) -> String {
        match self {
            Self::Id => "message.id".to_owned(),
            Self::Number => "message.number".to_owned(),
            Self::Partition => "message.partition".to_owned(),
            Self::Time => "message.time".to_owned(),
            Self::Random { least, most } => format!("message.random({least}, {most})"),
        }
    }
}

/// The same as base64, for formats that are no text. The slots are in the bytes that it encodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageBytes(pub MessageText);

impl FromNode for MessageBytes {
    const EXPECTS: &'static str = "base64 of bytes that contain `{{ message.id }}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Some(scalar) = node.scalar().filter(|s| !s.is_null()) else {
            reader.expected::<Self>(node);
            return None;
        };
        let text: String = scalar.text.split_whitespace().collect();
        let bytes = match BASE64_STANDARD.decode(text) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("this is not base64: {error}");
                reader.push(Diagnostic::new(Code::E013, node.span, message));
                return None;
            }
        };
        // Every byte as the character of its number, so that slots are found as in texts.
        let characters: String = bytes.iter().copied().map(char::from).collect();
        let (marked, slots) = slots::mark(node, &characters, reader)?;
        let marked: Vec<u8> = marked.chars().filter_map(|c| u8::try_from(c).ok()).collect();
        Some(Self(MessageText::of(&marked, &slots)))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "contentEncoding": "base64" })
    }
}

impl Meaning for MessageBytes {
    fn meaning(&self) -> Value {
        let part = |part: &MessagePart| match part {
            MessagePart::Constant(bytes) => bytes.clone(),
            MessagePart::Slot(slot) => slot.template().into_bytes(),
        };
        BASE64_STANDARD.encode(self.0.parts().iter().flat_map(part).collect::<Vec<u8>>()).into()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::steps::{StartProducer, Verb};
    use crate::{Options, check_text};

    /// The producer of a plan with these arguments, and its meaning read again.
    fn producers(arguments: &str) -> (StartProducer, StartProducer) {
        let plan = |producer: &str| {
            format!(
                "plan: v1\nname: x\nparams: {{ kind: {{ default: sale }} }}\nsteps:\n  - start_cluster: {{ brokers: 3 }}\n  \
                 - create_topic: orders\n  - start_producer: {producer}\n"
            )
        };
        let read = |text: &str| {
            let checked = check_text(Path::new("x.yaml"), text, &Options::default());
            let plan =
                checked.suites.first().unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
            let Some(Verb::StartProducer(producer)) = plan.steps[2].verb() else {
                panic!("{text}")
            };
            (**producer).clone()
        };
        let first = read(&plan(&format!("{{ name: P, topic: orders, {arguments} }}")));
        let again = read(&plan(&first.meaning().to_string()));
        (first, again)
    }

    fn constant(text: &str) -> MessagePart {
        MessagePart::Constant(text.as_bytes().to_vec())
    }

    #[test]
    fn a_text_is_cut_at_its_slots_and_means_the_same_when_read_again() {
        let (first, again) = producers(
            "value: '{\"k\": \"{{ kind | upper }}\", \"id\": \"{{message.id}}\", \"n\": {{ message.random( -5 , 7 ) }}}'",
        );
        let value = first.value.as_ref().map(|value| value.value.clone());
        let expected = MessageText::new(vec![
            constant("{\"k\": \"SALE\", \"id\": \""),
            MessagePart::Slot(MessageSlot::Id),
            constant("\", \"n\": "),
            MessagePart::Slot(MessageSlot::Random { least: -5, most: 7 }),
            constant("}"),
        ]);
        assert_eq!(value, Some(expected.clone()));
        assert_eq!(again.value.map(|value| value.value), Some(expected));
    }

    #[test]
    fn bytes_that_are_no_text_keep_their_value() {
        let bytes = b"\x00\xff{{\xfe {{ message.id }}\x01\x02";
        let (first, again) = producers(&format!("value_base64: {}", BASE64_STANDARD.encode(bytes)));
        let expected = MessageText::new(vec![
            MessagePart::Constant(b"\x00\xff{{\xfe ".to_vec()),
            MessagePart::Slot(MessageSlot::Id),
            MessagePart::Constant(b"\x01\x02".to_vec()),
        ]);
        assert_eq!(first.own_value(), Some(&expected));
        assert_eq!(again.own_value(), Some(&expected));
    }
}
