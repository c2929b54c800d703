//! Parameters: declared in the plan, set from outside.

use minijinja::Value;
use minijinja::value::ValueKind;

use crate::args::args;
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Kind, Node};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::template::{self, Rendered};
use crate::value::words;

words! {
    /// The type of a parameter.
    pub enum ParamType("`text`, `number`, `boolean`, `list` or `map`") {
        /// Text; a number is text too.
        Text = "text",
        /// A whole number.
        Number = "number",
        /// `true` or `false`.
        Boolean = "boolean",
        /// A list.
        List = "list",
        /// A map.
        Map = "map",
    }
}

args! {
    /// A parameter with more than a default.
    #[example("version: { default: 4.1.1, description: Kafka under test, one_of: [3.9.1, 4.1.1] }")]
    pub struct ParamArgs("params") {
        /// The default value. Without a default, a value must be set.
        default: Option<Node>,
        /// What the parameter is for.
        description: Option<String>,
        /// The allowed values.
        one_of: Option<Vec<Node>>,
        /// The type; if it is not set, the type of the default.
        kind as "type": Option<ParamType>,
        /// Whether the value is secret, so that it is never shown.
        secret: bool = "false",
    }
}

/// A parameter as the plan declares it.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub name: Spanned<String>,
    pub default: Option<Value>,
    pub one_of: Vec<Value>,
    pub secret: bool,
    pub description: Option<String>,
    /// Its declaration is wrong, which was reported. No further mistakes are reported about it.
    pub broken: bool,
    kind: Option<ParamType>,
}

impl ParamType {
    /// The type with its article.
    const fn phrase(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "a whole number",
            Self::Boolean => "`true` or `false`",
            Self::List => "a list",
            Self::Map => "a map",
        }
    }
}

/// The type that a value has.
fn type_of(value: &Value) -> ParamType {
    match value.kind() {
        ValueKind::Number => ParamType::Number,
        ValueKind::Bool => ParamType::Boolean,
        ValueKind::Seq | ValueKind::Iterable => ParamType::List,
        ValueKind::Map => ParamType::Map,
        _ => ParamType::Text,
    }
}

impl Declared {
    /// Its type, if it has one.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        self.kind.map(ParamType::text)
    }

    /// Checks whether the parameter may have a value.
    pub(crate) fn accept(&self, value: &Value, span: Span) -> Result<(), Diagnostic> {
        let given = type_of(value);
        let fits = match self.kind {
            None => true,
            Some(ParamType::Text) => !matches!(given, ParamType::List | ParamType::Map),
            Some(kind) => kind == given,
        };
        if let Some(kind) = self.kind.filter(|_| !fits) {
            let message = format!(
                "parameter `{}` takes {}, not `{}`",
                self.name,
                kind.phrase(),
                self.show(value)
            );
            let declared = Diagnostic::new(Code::E040, span, message);
            return Err(declared.related(self.name.span, "declared here"));
        }
        let text = template::written(value);
        if !self.one_of.is_empty() && !self.one_of.iter().any(|v| template::written(v) == text) {
            let known: Vec<String> = self.one_of.iter().map(template::written).collect();
            let message = format!(
                "`{}` is not an allowed value of parameter `{}`",
                self.show(value),
                self.name
            );
            let help =
                did_you_mean(&text, known.iter().map(String::as_str)).filter(|_| !self.secret);
            let wrong = Diagnostic::new(Code::E040, span, message).maybe_help(help);
            return Err(wrong.related(self.name.span, "declared here"));
        }
        Ok(())
    }

    fn show(&self, value: &Value) -> String {
        if self.secret { crate::visible::SECRET.to_owned() } else { template::written(value) }
    }

    /// The value of a text from the command line or the environment: the listed value with the same text, or a
    /// value of the declared type.
    pub(crate) fn of_text(&self, text: &str) -> Value {
        if let Some(listed) = self.one_of.iter().find(|v| template::written(v) == text) {
            return listed.clone();
        }
        let structured = matches!(self.kind, Some(ParamType::List | ParamType::Map));
        let limits = crate::document::Limits { nodes: 10_000, ..Default::default() };
        let parsed =
            structured.then(|| crate::document::parse(text, Default::default(), &limits).ok());
        match parsed.flatten().map(|node| template::of_node(&node, &Default::default(), None)) {
            Some(Rendered::Value(value)) => value,
            _ => match (self.kind, text) {
                (Some(ParamType::Boolean) | None, "true") => Value::from(true),
                (Some(ParamType::Boolean) | None, "false") => Value::from(false),
                _ => template::of_text(text),
            },
        }
    }
}

/// Reads the declarations and reports their mistakes.
pub(crate) fn declared(node: &Node, reader: &mut Reader) -> Option<Vec<Declared>> {
    if node.is_null() {
        return Some(Vec::new());
    }
    let Some(entries) = node.map() else {
        let message = format!("expected a map of parameters, found {}", node.describe());
        reader.push(Diagnostic::new(Code::E012, node.span, message));
        return None;
    };
    let all: Vec<Option<Declared>> = entries
        .iter()
        .map(|entry| {
            let fits = crate::value::is_template_name(&entry.key);
            if let Err(wrong) = fits {
                reader.push(
                    Diagnostic::new(wrong.code, entry.key.span, wrong.message)
                        .maybe_help(wrong.help),
                );
                return None;
            }
            one(&entry.key, &entry.value, reader)
        })
        .collect();
    all.into_iter().collect()
}

fn one(name: &Spanned<String>, node: &Node, reader: &mut Reader) -> Option<Declared> {
    let plain = |default| Declared {
        name: name.clone(),
        kind: Some(type_of(&default)),
        default: Some(default),
        one_of: Vec::new(),
        secret: false,
        description: None,
        broken: false,
    };
    if !matches!(node.kind, Kind::Map(_)) {
        return value_of(node, reader).map(plain);
    }
    let mistakes = reader.mistakes();
    let args: ParamArgs = reader.read(node)?;
    if args.secret {
        // Hidden even if another value is set, because the default is in the plan's text.
        args.default
            .iter()
            .chain(args.one_of.iter().flatten())
            .for_each(|n| reader.library.hide(n));
    }
    let default = match &args.default {
        Some(default) => Some(value_of(default, reader)?),
        None => None,
    };
    let one_of = args.one_of.unwrap_or_default();
    let one_of: Option<Vec<Value>> = one_of.iter().map(|n| value_of(n, reader)).collect();
    let kind = args.kind.or_else(|| default.as_ref().map(type_of));
    // Listed values of other types show that values need not have the default's type.
    let one_of = one_of?;
    let kind = kind.filter(|k| args.kind.is_some() || one_of.iter().all(|v| type_of(v) == *k));
    let declared = Declared {
        name: name.clone(),
        default,
        one_of,
        secret: args.secret,
        description: args.description,
        broken: reader.mistakes() > mistakes,
        kind,
    };
    if let (Some(default), Some(node)) = (&declared.default, &args.default)
        && let Err(wrong) = declared.accept(default, node.span)
    {
        reader.push(wrong);
    }
    Some(declared)
}

/// The value of a node that must be known before the run.
pub(crate) fn value_of(node: &Node, reader: &mut Reader) -> Option<Value> {
    match template::of_node(node, &reader.scope, None) {
        Rendered::Value(value) => Some(value),
        Rendered::Late => {
            let message = "this value must be known before the run starts";
            reader.push(Diagnostic::new(Code::E034, node.span, message));
            None
        }
        Rendered::Failed(failure) => {
            let diagnostic = failure.at(node, &reader.library);
            reader.push(diagnostic);
            None
        }
    }
}
