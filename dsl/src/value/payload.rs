//! Sizes of messages' values.

use crate::args::args;
use crate::document::{Kind, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::value::ByteSize;

/// The size of values: the same for all, or evenly distributed between two sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload {
    /// The shortest.
    pub min: ByteSize,
    /// The longest.
    pub max: ByteSize,
}

args! {
    /// The range of sizes.
    #[example("{ min: 100B, max: 10KiB }")]
    pub struct PayloadRange("payload") {
        /// The shortest.
        min: ByteSize,
        /// The longest.
        max: ByteSize,
    }
}

impl Meaning for Payload {
    fn meaning(&self) -> serde_json::Value {
        let (min, max) = (self.min.meaning(), self.max.meaning());
        if min == max { min } else { serde_json::json!({ "min": min, "max": max }) }
    }
}

impl FromNode for Payload {
    const EXPECTS: &'static str = "a size such as `1KiB`, or `{min: SIZE, max: SIZE}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Map(_) => {
                reader.read::<PayloadRange>(node).map(|r| Self { min: r.min, max: r.max })
            }
            _ => reader.read::<ByteSize>(node).map(|size| Self { min: size, max: size }),
        }
    }

    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (size, range) = (ByteSize::schema(generator), PayloadRange::schema(generator));
        schemars::json_schema!({ "anyOf": [size, range] })
    }
}
