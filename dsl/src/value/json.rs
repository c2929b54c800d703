//! Values of any shape: loop elements, parameters of included files.

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::document::Node;
use crate::read::{FromNode, Reader};

/// A node that is kept as written, including templates.
impl FromNode for Node {
    const EXPECTS: &'static str = "a value";
    const RAW: bool = true;

    fn from_node(node: &Node, _: &mut Reader) -> Option<Self> {
        Some(node.clone())
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}
