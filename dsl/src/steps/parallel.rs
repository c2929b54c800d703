//! `parallel`

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{Children, StepWord};
use crate::args::WordInfo;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Node;
use crate::facts::{Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::Spanned;
use crate::steps::read::{StepsNode, read_steps};
use crate::steps::step::Step;
use crate::words::{self, Sentence};

/// Runs several lists of steps in parallel. The step waits for all of them, and fails if one of them failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Parallel {
    /// The branches in the order of the plan.
    pub branches: Vec<Branch>,
}

/// One of several lists of steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Its name.
    pub name: Spanned<String>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// The greatest number of branches of one `parallel`.
const MOST_BRANCHES: usize = 32;

impl Parallel {
    /// The documentation of the word.
    pub const INFO: WordInfo = WordInfo {
        word: "parallel",
        doc: "Runs several lists of steps in parallel.\n\nEach key is the name of a branch, its value the \
              branch's steps. The step waits for all branches, and fails if one of them failed.\n",
        examples: &["parallel: { left: [{ wait: 5s }], right: [{ restart_broker: 2 }] }"],
        fields: Vec::new,
        short: None,
    };
}

impl Meaning for Parallel {
    fn meaning(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

impl FromNode for Parallel {
    const EXPECTS: &'static str = "a map from a branch's name to its steps";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Some(entries) = node.map() else {
            reader.expected::<Self>(node);
            return None;
        };
        if !(1..=MOST_BRANCHES).contains(&entries.len()) {
            let message =
                format!("{} branches: between 1 and {MOST_BRANCHES} are possible", entries.len());
            reader.push(Diagnostic::new(Code::E015, node.span, message));
            return None;
        }
        let mut branches = Vec::with_capacity(entries.len());
        for entry in entries {
            reader.place.path.push(entry.key.value.clone());
            let steps = read_steps(&entry.value, reader);
            reader.place.path.pop();
            branches.push(steps.map(|steps| Branch { name: entry.key.clone(), steps }));
        }
        let branches: Option<Vec<Branch>> = branches.into_iter().collect();
        branches.map(|branches| Self { branches })
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        let steps = StepsNode::list_schema();
        json_schema!({ "type": "object", "additionalProperties": steps, "minProperties": 1 })
    }
}

impl crate::args::Arguments for Parallel {}

impl StepWord for Parallel {
    const FACTS: StepFacts =
        StepFacts { leaves: Leaves::TopicsAndGroups, ..StepFacts::of(Kind::Flow) };

    fn explain(&self) -> String {
        let names: Vec<&str> = self.branches.iter().map(|b| b.name.as_str()).collect();
        format!("In parallel: {}", words::list(&names))
    }

    fn in_full(&self) -> Sentence {
        Sentence::from("Run in parallel".to_owned())
    }

    fn follow(&self, _: StepAt<'_>, _: &mut Ground<'_>) {}

    fn children(&self) -> Children<'_> {
        Children::Branches(&self.branches)
    }
}
