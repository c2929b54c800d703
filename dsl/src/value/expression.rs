//! Expressions that are true or false: `when` and `expr`.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator, json_schema};

use crate::diagnostic::{Code, Diagnostic};
use crate::document::Node;
use crate::library::Library;
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::scope::{Scope, Values};
use crate::template::{self, Rendered};

/// An expression with the names that it can use. Its value is true or false.
#[derive(Debug, Clone)]
pub struct Expression {
    node: Node,
    scope: Arc<Scope>,
    library: Arc<Library>,
    known: Option<bool>,
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text() && self.known == other.known
    }
}

impl Expression {
    /// The text of the expression in the plan.
    pub fn text(&self) -> &str {
        self.node.scalar().map_or("", |s| &s.text)
    }

    /// Its place.
    pub const fn span(&self) -> crate::Span {
        self.node.span
    }

    /// Its value, if it is known before the run.
    pub const fn known(&self) -> Option<bool> {
        self.known
    }

    /// True if it uses no names, so that neither parameters nor results of the run can change it.
    pub(crate) fn is_literal(&self) -> bool {
        matches!(template::evaluate(self.text(), &Arc::default(), None), Rendered::Value(_))
    }

    /// Its value with the current values of the run.
    pub fn eval(&self, values: &Values) -> Result<bool, Diagnostic> {
        self.compares_numbers(values)?;
        match self.known {
            Some(known) => Ok(known),
            None => match template::evaluate(self.text(), &self.scope, Some(values)) {
                Rendered::Value(value) => Ok(truth(&value)),
                Rendered::Failed(failure) => Err(failure.at(&self.node, &self.library)),
                Rendered::Late => {
                    let message = "the value is not known yet";
                    Err(Diagnostic::new(Code::E034, self.node.span, message))
                }
            },
        }
    }
}

impl Expression {
    /// Fails if a captured map is compared as if it were a number: minijinja orders them, without meaning.
    fn compares_numbers(&self, values: &Values) -> Result<(), Diagnostic> {
        for measured in template::measured(self.text()) {
            let Some((capture, keys)) = measured.path.split_first() else { continue };
            let value = values.captures.get(capture);
            let value = keys.iter().fold(value, |value, key| value.and_then(|v| v.get(key)));
            if value.is_some_and(serde_json::Value::is_object) {
                let span = self.library.inside(self.node.span, self.text(), measured.range);
                return Err(not_a_number(&measured.path, span));
            }
        }
        Ok(())
    }
}

/// A map is compared as if it were a number.
pub(crate) fn not_a_number(path: &[String], span: crate::Span) -> Diagnostic {
    let name = path.join(".");
    let message = format!("`{name}` is a map, not a number");
    let help = format!("compare one of its values: of a count `{name}.total`, or `{name}.CLIENT`");
    Diagnostic::new(Code::E032, span, message).help(help)
}

/// Whether a value counts as true. The text `false` does not, because values from the command line and from
/// programs are texts.
fn truth(value: &minijinja::Value) -> bool {
    match value.as_str() {
        Some("false") => false,
        _ => value.is_true(),
    }
}

impl FromNode for Expression {
    const EXPECTS: &'static str = "an expression such as `\"{{ acks == 'all' }}\"`";
    const RAW: bool = true;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Some(scalar) = node.scalar().filter(|s| !s.is_null()) else {
            reader.expected::<Self>(node);
            return None;
        };
        let scope = Arc::clone(&reader.scope);
        let known = match template::evaluate(&scalar.text, &scope, reader.values.as_deref()) {
            Rendered::Value(value) => Some(truth(&value)),
            Rendered::Late => None,
            Rendered::Failed(failure) => {
                let diagnostic = failure.at(node, &reader.library);
                reader.push(diagnostic);
                return None;
            }
        };
        let library = Arc::clone(&reader.library);
        Some(Self { node: node.clone(), scope, library, known })
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        crate::schema::naming(json_schema!({ "type": ["string", "boolean"] }), "expression")
    }
}

impl Meaning for Expression {
    fn meaning(&self) -> serde_json::Value {
        let text = self.text().trim();
        let inner = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}"));
        let inner = inner.filter(|t| !t.contains("{{") && !t.contains("}}"));
        inner.unwrap_or(text).trim().into()
    }
}
