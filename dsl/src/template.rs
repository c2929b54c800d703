//! Templates inside scalars: `{{ expression }}`, by minijinja, without files or processes.
//!
//! A scalar that is one expression keeps the expression's type; otherwise it is text. A name that is
//! known only while the plan runs makes the whole scalar late.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use minijinja::value::Object;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use crate::diagnostic::{Code, Diagnostic, Help, did_you_mean};
use crate::document::{Entry, Kind, Node};
use crate::library::Library;
use crate::scope::{Scope, Values};
use crate::source::{Span, Spanned};

mod guard;
mod lex;
mod secret;
mod size;
mod written;

pub(crate) use lex::{Comparison, comparisons, measured, names};
pub(crate) use secret::late as late_secrets;
pub(crate) use written::{text as written, texts};

/// The limit of work of a template, in instructions.
const FUEL: u64 = 20_000;
/// The longest text that a template may make, in bytes.
const LONGEST: usize = 256 * 1024;
/// The greatest number of values in a list or map that a template makes, nested ones included.
const MOST_VALUES: usize = 20_000;

/// The result of a template.
#[derive(Debug)]
pub(crate) enum Rendered {
    /// Its value.
    Value(Value),
    /// It uses a name whose value is not known yet.
    Late,
    /// It has a mistake.
    Failed(Failure),
}

/// The reason why a template failed, and the place in its text (bytes).
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    help: Option<Help>,
    range: Option<Range<usize>>,
}

impl Failure {
    /// The diagnostic for a template that is the text of the scalar `node`.
    pub(crate) fn at(self, node: &Node, library: &Library) -> Diagnostic {
        let text = node.scalar().map_or("", |s| &s.text);
        let span = match self.range {
            Some(range) => library.inside(node.span, text, range),
            None => node.span,
        };
        Diagnostic::new(self.code, span, self.message).maybe_help(self.help)
    }
}

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_debug(true);
    environment.remove_global("debug");
    environment.remove_filter("pprint");
    environment.add_filter("string", |value: &Value| written::text(value));
    guard::equip(&mut environment);
    environment.set_formatter(|out, state, value| {
        if size::fits(value, MOST_VALUES, LONGEST) {
            return minijinja::escape_formatter(out, state, &Value::from(written::text(value)));
        }
        Err(minijinja::Error::new(ErrorKind::InvalidOperation, "the value is too large"))
    });
    environment
});

/// Renders the text of a scalar.
pub(crate) fn render(text: &str, scope: &Arc<Scope>, values: Option<&Values>) -> Rendered {
    let text = lex::plain_numbers(text);
    let root = Arc::new(Root::new(scope, values));
    let context = Value::from_dyn_object(Arc::clone(&root));
    let whole = lex::whole_expression(&text).and_then(|inner| value_of(&text, inner, &context));
    let is_whole = whole.is_some();
    let rendered = root.judge(whole.unwrap_or_else(|| text_of(&text, context)), &text);
    let secrets = root.secrets();
    match &rendered {
        Rendered::Value(_) if secrets.is_empty() => rendered,
        Rendered::Value(value) if is_whole && secret::can_be_hidden(value, &secrets) => rendered,
        Rendered::Value(_) if is_whole => Rendered::Failed(secret::shown(&text)),
        Rendered::Value(_) => secret::of_parts(&text, scope, values).unwrap_or(rendered),
        _ => rendered,
    }
}

/// The error of minijinja about a template, and its place in the text (bytes).
type TemplateTrouble = (minijinja::Error, Option<Range<usize>>);

/// Evaluates the expression of one pair of braces; None if there are several pairs.
fn value_of(
    text: &str,
    inner: Range<usize>,
    context: &Value,
) -> Option<Result<Value, TemplateTrouble>> {
    let guarded = guard::text(&text[inner.clone()], true).ok()?;
    let placed = |error: minijinja::Error| {
        let range = error.range().map(|range| guarded.original(range));
        (error, range.map(|r| r.start + inner.start..r.end + inner.start))
    };
    match ENVIRONMENT.compile_expression(&guarded.text) {
        Ok(expression) => Some(expression.eval(context.clone()).map_err(placed)),
        Err(_) if text.matches("{{").count() > 1 => None,
        Err(error) => Some(Err(placed(error))),
    }
}

/// Renders a text up to the limit. A text that is too long is detected by its length.
fn text_of(text: &str, context: Value) -> Result<Value, TemplateTrouble> {
    let guarded = guard::text(text, false).map_err(|(why, range)| {
        (minijinja::Error::new(ErrorKind::SyntaxError, why), Some(range))
    })?;
    let mut out = size::Limited::new(LONGEST);
    let written = ENVIRONMENT
        .template_from_str(&guarded.text)
        .and_then(|template| template.render_captured_to(context, &mut out).map(drop));
    match written {
        Err(error) if !out.is_full() => {
            let range = error.range().map(|range| guarded.original(range));
            Err((error, range))
        }
        _ => Ok(Value::from(out.into_text())),
    }
}

/// Evaluates the text of an expression, with or without its braces.
pub(crate) fn evaluate(text: &str, scope: &Arc<Scope>, values: Option<&Values>) -> Rendered {
    if text.contains("{{") {
        return render(text, scope, values);
    }
    let wrapped = format!("{{{{{text}}}}}");
    match render(&wrapped, scope, values) {
        Rendered::Failed(mut failure) => {
            let unwrap = |n: usize| n.saturating_sub(2).min(text.len());
            failure.range = failure.range.map(|r| unwrap(r.start)..unwrap(r.end));
            Rendered::Failed(failure)
        }
        rendered => rendered,
    }
}

/// The names for minijinja. Records the names that are not defined.
#[derive(Debug)]
struct Root {
    scope: Arc<Scope>,
    values: Option<Values>,
    notes: Mutex<Notes>,
    /// The secrets that it gave.
    secrets: Mutex<Vec<Value>>,
}

#[derive(Debug, Default)]
struct Notes {
    late: bool,
    unknown: Option<String>,
    refused_env: Option<String>,
    nested: Option<Failure>,
}

impl Root {
    fn new(scope: &Arc<Scope>, values: Option<&Values>) -> Self {
        Self {
            scope: Arc::clone(scope),
            values: values.cloned(),
            notes: Mutex::default(),
            secrets: Mutex::default(),
        }
    }

    fn note(&self, f: impl FnOnce(&mut Notes)) {
        f(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A name's value, recorded if it is secret.
    fn given(&self, name: &str, value: &Value) -> Value {
        if self.scope.is_secret(name, || texts(value)) {
            self.note_secret(value);
        }
        value.clone()
    }

    fn note_secret(&self, value: &Value) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).push(value.clone());
    }

    fn secrets(&self) -> Vec<Value> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lookup(self: &Arc<Self>, name: &str) -> Option<Value> {
        if let Some(value) = self.scope.known(name) {
            if matches!(name, "params" | "matrix") {
                return Some(Value::from_object(Below {
                    root: Arc::clone(self),
                    map: value.clone(),
                }));
            }
            return Some(self.given(name, value));
        }
        if name == "env" {
            return Some(Value::from_object(Env(Arc::clone(self))));
        }
        if let Some((node, of)) = self.scope.derived(name) {
            return self.derived(name, node, of);
        }
        if !self.scope.is_late(name) {
            self.note(|n| n.unknown = Some(name.to_owned()));
            return None;
        }
        let Some(values) = &self.values else {
            self.note(|n| n.late = true);
            return None;
        };
        if name == "run" {
            let id = Value::from(values.run_id.clone());
            return Some(map([
                ("id".to_owned(), id),
                ("seed".to_owned(), Value::from(values.seed)),
            ]));
        }
        let captured = values.captures.get(name).map(from_json);
        if captured.is_none() {
            self.note(|n| n.unknown = Some(name.to_owned()));
        }
        captured.map(|value| self.given(name, &value))
    }

    fn derived(&self, name: &str, node: &Node, of: &Arc<Scope>) -> Option<Value> {
        match of_node(node, of, self.values.as_ref()) {
            Rendered::Value(value) => {
                let mut late = self.values.iter().flat_map(|values| secret::late(of, values));
                if late.any(|secret| secret::is_in(&secret, &value)) {
                    self.note_secret(&value);
                }
                Some(self.given(name, &value))
            }
            Rendered::Late => {
                self.note(|n| n.late = true);
                None
            }
            Rendered::Failed(failure) => {
                self.note(|n| n.nested = Some(failure));
                None
            }
        }
    }

    /// The outcome, from the result and the names that are not defined.
    fn judge(&self, result: Result<Value, TemplateTrouble>, text: &str) -> Rendered {
        let notes = std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner));
        if notes.late {
            return Rendered::Late;
        }
        if let Some(nested) = notes.nested {
            return Rendered::Failed(Failure { range: None, ..nested });
        }
        if let Some(name) = notes.refused_env {
            let (why, help) = if self.scope.env().trusted {
                ("is not set", "set it before kplan starts".to_owned())
            } else {
                ("is not allowed here", format!("set it, and allow it with --allow-env {name}"))
            };
            let message = format!("environment variable `{name}` {why}");
            let help = Some(help.into());
            let range = lex::find_word(text, &name);
            return Rendered::Failed(Failure { code: Code::E033, message, help, range });
        }
        match result {
            Ok(value) if !value.is_undefined() => self.bounded(value),
            Ok(_) => Rendered::Failed(self.undefined(notes.unknown, text, None)),
            Err((error, range)) => {
                if error.kind() == ErrorKind::UndefinedError {
                    return Rendered::Failed(self.undefined(notes.unknown, text, range));
                }
                Rendered::Failed(failure_of(&error, range))
            }
        }
    }

    fn bounded(&self, value: Value) -> Rendered {
        let too_large = if value.as_str().is_some_and(|s| s.len() > LONGEST) {
            Some("the text that the template makes is too long")
        } else if !size::fits(&value, MOST_VALUES, LONGEST) {
            Some("the value that the template makes is too large")
        } else {
            None
        };
        if let Some(message) = too_large {
            let message = message.to_owned();
            return Rendered::Failed(Failure {
                code: Code::E032,
                message,
                help: None,
                range: None,
            });
        }
        Rendered::Value(value)
    }

    fn undefined(&self, name: Option<String>, text: &str, range: Option<Range<usize>>) -> Failure {
        let code = Code::E031;
        match name {
            Some(name) => Failure {
                code,
                message: format!("`{name}` is not defined"),
                help: did_you_mean(&name, self.scope.names()),
                range: lex::find_word(text, &name).or(range),
            },
            None => {
                let range = range.or_else(|| lex::whole_expression(text)).map(|r| trimmed(text, r));
                let named = range.clone().and_then(|r| text.get(r)).unwrap_or(text);
                let message = format!("`{named}` is not defined");
                Failure { code, message, help: None, range }
            }
        }
    }
}

/// The range without the spaces at its ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let Some(part) = text.get(range.clone()) else { return range };
    let start = range.start + part.len() - part.trim_start().len();
    start..start + part.trim().len()
}

fn failure_of(error: &minijinja::Error, range: Option<Range<usize>>) -> Failure {
    let code = match error.kind() {
        ErrorKind::SyntaxError => Code::E030,
        _ => Code::E032,
    };
    let what = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    Failure { code, message: format!("in the template: {what}"), help: None, range }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.lookup(key.as_str()?)
    }
}

/// `params` and `matrix`. They record names that they do not have.
#[derive(Debug)]
struct Below {
    root: Arc<Root>,
    map: Value,
}

impl Object for Below {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let found = self.map.get_item(key).ok().filter(|value| !value.is_undefined());
        let name = key.as_str()?;
        if found.is_none() {
            self.root.note(|n| n.unknown = Some(name.to_owned()));
        }
        found.map(|value| self.root.given(name, &value))
    }

    fn enumerate(self: &Arc<Self>) -> minijinja::value::Enumerator {
        minijinja::value::Enumerator::Values(self.map.try_iter().into_iter().flatten().collect())
    }
}

/// `env`, with only the allowed variables.
#[derive(Debug)]
struct Env(Arc<Root>);

impl Object for Env {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let env = self.0.scope.env();
        let Some(value) = env.allowed.get(name) else {
            self.0.note(|n| n.refused_env = Some(name.to_owned()));
            return None;
        };
        let value = Value::from(value.clone());
        if !env.trusted {
            self.0.note_secret(&value);
        }
        Some(value)
    }
}

/// The value of a parameter, matrix or loop node: its templates are rendered.
///
/// A plain scalar that reads as a whole number in its usual form is one, as is the same in quotes:
/// `acks: 1` and `acks: "1"` are the same. `true` and `false` without quotes are booleans. Everything
/// else is text as it was written, so that `4.10` stays `4.10`.
pub(crate) fn of_node(node: &Node, scope: &Arc<Scope>, values: Option<&Values>) -> Rendered {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.is_template() => render(&scalar.text, scope, values),
        Kind::Scalar(scalar) => Rendered::Value(of_scalar(scalar)),
        Kind::Seq(nodes) => {
            let mut elements = Vec::with_capacity(nodes.len());
            for node in nodes {
                match of_node(node, scope, values) {
                    Rendered::Value(value) => elements.push(value),
                    other => return other,
                }
            }
            Rendered::Value(Value::from(elements))
        }
        Kind::Map(entries) => {
            let mut pairs = Vec::with_capacity(entries.len());
            for entry in entries {
                match of_node(&entry.value, scope, values) {
                    Rendered::Value(value) => pairs.push((entry.key.value.clone(), value)),
                    other => return other,
                }
            }
            Rendered::Value(map(pairs))
        }
    }
}

fn of_scalar(scalar: &crate::document::Scalar) -> Value {
    use crate::document::Style;
    if scalar.is_null() {
        return Value::from(());
    }
    match (scalar.style, &*scalar.text) {
        (Style::Plain | Style::Rendered, "true") => Value::from(true),
        (Style::Plain | Style::Rendered, "false") => Value::from(false),
        (_, text) => of_text(text),
    }
}

/// A text's value: a whole number in its usual form is one.
pub(crate) fn of_text(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) if number.to_string() == text => Value::from(number),
        _ => Value::from(text),
    }
}

/// The node of a value, with one place for all of it.
pub(crate) fn to_node(value: &Value, span: Span) -> Node {
    use minijinja::value::ValueKind;
    match value.kind() {
        ValueKind::None => Node::null(span),
        ValueKind::Seq | ValueKind::Iterable => {
            let elements = value.try_iter().into_iter().flatten();
            Node { span, kind: Kind::Seq(elements.map(|v| to_node(&v, span)).collect()) }
        }
        ValueKind::Map => {
            let keys = value.try_iter().into_iter().flatten();
            let entries = keys.map(|key| Entry {
                value: to_node(&value.get_item(&key).unwrap_or_default(), span),
                key: Spanned::new(written(&key), span),
            });
            Node { span, kind: Kind::Map(entries.collect()) }
        }
        _ => Node::rendered(written(value), span),
    }
}

/// A map as templates see it.
pub(crate) fn map(pairs: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::from(pairs.into_iter().collect::<BTreeMap<String, Value>>())
}

/// A captured value as templates see it.
pub(crate) fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::from(()),
        Json::Bool(b) => Value::from(*b),
        Json::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => Value::from(i),
            (None, Some(u)) => Value::from(u),
            (None, None) => Value::from(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(s) => of_text(s),
        Json::Array(all) => all.iter().map(from_json).collect(),
        Json::Object(pairs) => map(pairs.iter().map(|(k, v)| (k.clone(), from_json(v)))),
    }
}
