//! `expr`

use super::{ConditionWord, Judgeable};
use crate::args::WordInfo;
use crate::document::Node;
use crate::facts::{ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::read::{FromNode, Reader};
use crate::source::Span;
use crate::value::Expression;

/// An expression of parameters and captures.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr(pub Expression);

impl Expr {
    /// The documentation of the word.
    pub const INFO: WordInfo = WordInfo {
        word: "expr",
        doc: "An expression of parameters and captures is true.\n\n`capture: before` on a `record` \
              defines `before.acked.P`.\n",
        examples: &["expr: \"{{ after.acked.P > before.acked.P }}\""],
        fields: Vec::new,
        short: None,
    };
}

impl FromNode for Expr {
    const EXPECTS: &'static str = Expression::EXPECTS;
    const RAW: bool = true;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        Expression::from_node(node, reader).map(Self)
    }

    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Expression::schema(generator)
    }
}

impl crate::meaning::Meaning for Expr {
    fn meaning(&self) -> serde_json::Value {
        self.0.meaning()
    }
}

impl crate::args::Arguments for Expr {}

impl ConditionWord for Expr {
    const FACTS: ConditionFacts =
        ConditionFacts { weighs: Weighs::Expression, ..ConditionFacts::NONE };

    fn explain(&self) -> String {
        format!("`{}` is true", self.0.text().trim_matches(['{', '}', ' ']))
    }

    fn judged(&self) -> Judgeable {
        Judgeable::Plain
    }

    fn constant(&self) -> Option<bool> {
        self.0.known()
    }

    fn constant_help(&self) -> &'static str {
        "values that are known before the run do not depend on the cluster: compare values of a `record` with \
         `capture`, or move the expression to the `when` of the step"
    }

    fn is_chosen(&self) -> bool {
        !self.0.is_literal()
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
