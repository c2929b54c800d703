//! Lists of conditions.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{Condition, Judgeable};
use crate::diagnostic::{Code, Diagnostic, Help};
use crate::document::{Kind, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::Spanned;

/// Conditions that must all hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions(pub Vec<Spanned<Condition>>);

impl std::ops::Deref for Conditions {
    type Target = [Spanned<Condition>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Conditions {
    /// True if one of them can be false, depending on the run.
    pub(crate) fn may_be_false(&self) -> bool {
        self.iter().any(|condition| condition.constant() != Some(true))
    }

    /// The conditions as part of a sentence.
    pub fn explain(&self) -> String {
        let all: Vec<String> = self.iter().map(|c| c.explain()).collect();
        crate::words::list(&all)
    }

    /// Each condition as a clause, after "wait until" and "check that".
    pub(crate) fn clauses(&self) -> Vec<String> {
        self.iter().map(|c| c.clause()).collect()
    }

    /// All conditions, including those inside `all`, `any` and `not`.
    pub fn flat(&self) -> Vec<&Spanned<Condition>> {
        flat(self)
    }

    /// The conditions that must certainly hold, including those inside `all`. Conditions inside `any` and `not`
    /// need not hold.
    pub(crate) fn certain(&self) -> Vec<&Spanned<Condition>> {
        let mut found = Vec::new();
        for condition in self.iter() {
            match &condition.value {
                Condition::All(all) => found.extend(all.0.certain()),
                _ => found.push(condition),
            }
        }
        found
    }

    /// Reports conditions without a bound where they are judged.
    pub(crate) fn must_be_judged(&self, reader: &mut Reader) {
        for condition in self.flat() {
            if condition.judged() == Judgeable::Unbounded {
                let word = condition.info().word;
                let message = format!("`{word}` has no bound, so it cannot be judged");
                let help = "give it a bound (a bare value, `is`, `at_most`, `at_least` or `between`), \
                            or `record` it";
                reader.push(Diagnostic::new(Code::E024, condition.span, message).help(help));
            }
        }
    }

    /// Reports arguments that are allowed only where conditions are judged throughout a time.
    pub(crate) fn must_not_be_watched(&self, reader: &mut Reader) {
        self.flat().into_iter().filter_map(|c| c.only_throughout()).for_each(|d| reader.push(d));
    }

    /// Reports conditions with a bound where they are only recorded.
    pub(crate) fn must_not_be_judged(&self, reader: &mut Reader) {
        for condition in self.flat() {
            if matches!(condition.judged(), Judgeable::Bounded | Judgeable::Open) {
                let word = condition.info().word;
                let message =
                    format!("`{word}` has a bound, but `record` does not judge conditions");
                let help = "remove the bound, or use `assert`";
                reader.push(Diagnostic::new(Code::E025, condition.span, message).help(help));
            }
        }
    }
}

fn flat(all: &[Spanned<Condition>]) -> Vec<&Spanned<Condition>> {
    all.iter().flat_map(|one| std::iter::once(one).chain(flat(one.inner()))).collect()
}

impl FromNode for Conditions {
    const EXPECTS: &'static str = "a list of conditions";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Seq(nodes) if nodes.is_empty() => {
                let message = "the list of conditions is empty";
                reader.push(Diagnostic::new(Code::E015, node.span, message));
                None
            }
            Kind::Seq(_) => reader.read(node).map(Self),
            _ => {
                let message = format!("expected a list of conditions, found {}", node.describe());
                let help = as_a_list(node, reader)
                    .unwrap_or_else(|| Help::from("write each condition with a dash: `- lost: 0`"));
                reader.push(Diagnostic::new(Code::E012, node.span, message).help(help));
                None
            }
        }
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let one = Condition::schema(generator);
        json_schema!({ "type": "array", "items": one, "minItems": 1 })
    }
}

impl Meaning for Conditions {
    fn meaning(&self) -> serde_json::Value {
        self.0.meaning()
    }
}

/// The correction for one condition in braces, without the brackets of a list.
fn as_a_list(node: &Node, reader: &Reader) -> Option<Help> {
    let written = reader.library.with(node.span.file, |s| s.slice(node.span).to_owned())?;
    let in_braces = written.starts_with('{') && written.ends_with('}') && !written.contains('\n');
    in_braces.then(|| {
        let right = format!("[{written}]");
        Help::instead(format!("write a list: `{right}`"), &written, &right)
    })
}
