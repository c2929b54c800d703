//! Reads values from the document. It reports every mistake, not only the first.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use crate::diagnostic::{Code, Diagnostic, Help, did_you_mean, nearest};
use crate::document::{Entry, Kind, Node};
use crate::library::Library;
use crate::scope::{Scope, Values};
use crate::source::{Span, Spanned};
use crate::template::{self, Rendered};

mod map;

pub use map::MapReader;

/// A type that is read from a node of the document.
pub trait FromNode: Sized {
    /// The expected form, for messages: `a duration such as 30s`.
    const EXPECTS: &'static str;

    /// The keys of its map form, if it has one. They distinguish a short form from a long one.
    const MAP_KEYS: &'static [&'static str] = &[];

    /// True if the map in the plan's `defaults` and the step's own map are joined key by key.
    const JOINS_DEFAULTS: bool = false;

    /// True if templates in it are not rendered before it is read.
    const RAW: bool = false;

    /// Reads the value. `None`: the reader has a diagnostic, or the value is known only during the run.
    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self>;

    /// The value of an absent key, if there is one.
    fn missing() -> Option<Self> {
        None
    }

    /// Its JSON Schema.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// Reads nodes. Contains the names known while reading and the mistakes found so far.
#[derive(Debug)]
pub struct Reader {
    pub(crate) scope: Arc<Scope>,
    pub(crate) library: Arc<Library>,
    pub(crate) values: Option<Arc<Values>>,
    pub(crate) place: ReadPlace,
    /// The key of the word whose arguments are read next: missing keys are reported there.
    pub(crate) key: Option<Span>,
    /// True for a word that is an element of a list. If it is a key beside the list, its dash is missing.
    is_element: fn(&str) -> bool,
    /// Values that words leave for the step or plan that contains them, by type.
    left: HashMap<TypeId, Box<dyn Any + Send>>,
    diagnostics: Vec<Diagnostic>,
    late: bool,
}

/// The reader's position in the plan.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadPlace {
    /// The numbers of the enclosing steps and of the step itself.
    pub path: Vec<String>,
    /// The files that are being included, the outermost first.
    pub files: Vec<crate::source::FileId>,
    /// The number of steps read so far.
    pub steps: usize,
}

impl Reader {
    /// A reader that knows the names of a scope. With `values` it also knows those of the run.
    pub(crate) fn new(
        scope: Arc<Scope>,
        library: Arc<Library>,
        values: Option<Arc<Values>>,
        is_element: fn(&str) -> bool,
    ) -> Self {
        Self {
            scope,
            library,
            values,
            place: ReadPlace::default(),
            key: None,
            is_element,
            left: HashMap::new(),
            diagnostics: Vec::new(),
            late: false,
        }
    }

    /// Reads a value. A template is rendered first.
    pub fn read<T: FromNode>(&mut self, node: &Node) -> Option<T> {
        if T::RAW {
            return T::from_node(node, self);
        }
        let node = self.resolve(node)?;
        T::from_node(&node, self)
    }

    /// Reads a value without rendering its template.
    pub(crate) fn raw<T: FromNode>(&mut self, node: &Node) -> Option<T> {
        T::from_node(node, self)
    }

    /// Renders a node that is a template. `None`: a mistake was reported, or the value is late.
    pub(crate) fn resolve<'n>(&mut self, node: &'n Node) -> Option<Cow<'n, Node>> {
        let Some(scalar) = node.scalar().filter(|s| s.is_template()) else {
            return Some(Cow::Borrowed(node));
        };
        match template::render(&scalar.text, &self.scope, self.values.as_deref()) {
            Rendered::Value(value) => Some(Cow::Owned(template::to_node(&value, node.span))),
            Rendered::Late => {
                self.late = true;
                None
            }
            Rendered::Failed(failure) => {
                let diagnostic = failure.at(node, &self.library);
                self.push(diagnostic);
                None
            }
        }
    }

    /// Leaves a value for the step or plan that is being read. It replaces an earlier value of its type.
    pub(crate) fn leave<T: Any + Send>(&mut self, value: T) {
        self.left.insert(TypeId::of::<T>(), Box::new(value));
    }

    /// Takes the value of a type that was left.
    pub(crate) fn take_left<T: Any + Default>(&mut self) -> T {
        let left = self.left.remove(&TypeId::of::<T>());
        left.and_then(|value| value.downcast().ok()).map_or_else(T::default, |value| *value)
    }

    /// Reports a mistake. Help and places can be added to the returned diagnostic.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports a time of 0 where that has no meaning, such as a time limit.
    pub fn must_last(&mut self, key: &str, time: Option<&Spanned<Duration>>, help: Option<&str>) {
        if let Some(time) = time.filter(|time| time.is_zero()) {
            let message = format!("`{key}` must be greater than 0");
            let help = help.map(|help| Help::from(help.to_owned()));
            self.push(Diagnostic::new(Code::E015, time.span, message).maybe_help(help));
        }
    }

    /// Reports a node that does not have the expected form.
    pub fn expected<T: FromNode>(&mut self, node: &Node) {
        let message = format!("expected {}, found {}", T::EXPECTS, node.describe());
        self.push(Diagnostic::new(Code::E012, node.span, message).label("wrong type"));
    }

    /// True if no mistake was reported so far.
    pub fn is_clean(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// The number of mistakes reported so far.
    pub(crate) fn mistakes(&self) -> usize {
        self.diagnostics.len()
    }

    /// All mistakes reported so far.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// Runs `f` and returns whether it met a late value. The reader's own mark does not change.
    pub(crate) fn watching_late<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> (R, bool) {
        let outer = std::mem::take(&mut self.late);
        let result = f(self);
        (result, std::mem::replace(&mut self.late, outer))
    }

    /// Records that a late value was met.
    pub(crate) const fn mark_late(&mut self) {
        self.late = true;
    }

    /// Reports what runs a program on this machine, unless that is allowed.
    pub(crate) fn needs_allow_run(&mut self, what: &str, span: Span) {
        if !self.scope.allows_run() {
            let message = format!("{what} is not allowed");
            let help = "allow commands with --allow-run, if you trust the plan";
            self.push(Diagnostic::new(Code::E072, span, message).help(help));
        }
    }

    /// Reports a key that is not one of `known`.
    pub(crate) fn unknown_key(&mut self, key: &Spanned<String>, known: &[&str], of: &str) {
        let list = known.iter().find(|k| matches!(**k, "that" | "until"));
        let help = match list.filter(|_| (self.is_element)(&key.value)) {
            Some(_) => Some(Help::from(format!(
                "conditions are written as a list: put a dash before it, `- {}: ...`",
                key.value
            ))),
            None => did_you_mean(key, known.iter().copied()),
        };
        let message = format!("unknown key `{}` in {of}", key.value);
        self.push(
            Diagnostic::new(Code::E010, key.span, message).label("unknown key").maybe_help(help),
        );
    }

    /// Opens a map for reading field by field.
    pub(crate) fn open<'n>(
        &mut self,
        node: &'n Node,
        shape: &Shape,
        defaults: Option<&'n Node>,
    ) -> Option<MapReader<'n>> {
        let key = self.key.take();
        let fields = match &node.kind {
            Kind::Map(entries) if !short_map(entries, shape) => MapReader::of_entries(entries),
            _ if node.is_null() => MapReader::of_entries(&[]),
            _ => match shape.short {
                Some(key) => MapReader::of_short(key, node),
                None => {
                    let message =
                        format!("expected a map for `{}`, found {}", shape.word, node.describe());
                    let known = format!("its keys: {}", shape.keys.join(", "));
                    self.push(Diagnostic::new(Code::E012, node.span, message).help(known));
                    return None;
                }
            },
        };
        Some(fields.within(shape.word, key.unwrap_or(node.span), defaults))
    }
}

/// The map form of a word's arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// The word, for messages.
    pub word: &'static str,
    /// All keys.
    pub keys: &'static [&'static str],
    /// The key that is set by a value that is not a map.
    pub short: Option<&'static str>,
    /// The keys of the map form of that key's type.
    pub short_keys: &'static [&'static str],
}

/// True for a map that is the short form: none of its keys is a key of the word, one is a key of the short form's
/// type.
fn short_map(entries: &[Entry], shape: &Shape) -> bool {
    let known = |keys: &[&str]| entries.iter().any(|e| keys.contains(&e.key.as_str()));
    if shape.short.is_none() || shape.short_keys.is_empty() || known(shape.keys) {
        return false;
    }
    // A misspelt key of a short form with one key is reported as such.
    let all = || shape.keys.iter().chain(shape.short_keys).copied();
    let nearly = |e: &Entry| nearest(&e.key, all()).is_some_and(|n| shape.short_keys.contains(&n));
    known(shape.short_keys) || matches!(entries, [one] if nearly(one))
}

impl<T: FromNode> FromNode for Option<T> {
    const EXPECTS: &'static str = T::EXPECTS;
    const MAP_KEYS: &'static [&'static str] = T::MAP_KEYS;
    const JOINS_DEFAULTS: bool = T::JOINS_DEFAULTS;
    const RAW: bool = T::RAW;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::from_node(node, reader).map(Some)
    }

    fn missing() -> Option<Self> {
        Some(None)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

impl<T: FromNode> FromNode for Spanned<T> {
    const EXPECTS: &'static str = T::EXPECTS;
    const MAP_KEYS: &'static [&'static str] = T::MAP_KEYS;
    const JOINS_DEFAULTS: bool = T::JOINS_DEFAULTS;
    const RAW: bool = T::RAW;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::from_node(node, reader).map(|value| Self::new(value, node.span))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

impl<T: FromNode> FromNode for Box<T> {
    const EXPECTS: &'static str = T::EXPECTS;
    const MAP_KEYS: &'static [&'static str] = T::MAP_KEYS;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        T::from_node(node, reader).map(Self::new)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    const EXPECTS: &'static str = "a list";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Some(nodes) = node.seq() else {
            let message = format!("expected a list, found {}", node.describe());
            let help = format!("each element is {}", T::EXPECTS);
            reader.push(Diagnostic::new(Code::E012, node.span, message).help(help));
            return None;
        };
        let read: Vec<Option<T>> = nodes.iter().map(|n| reader.read(n)).collect();
        read.into_iter().collect()
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let items = crate::schema::or_template(T::schema(generator));
        schemars::json_schema!({ "type": "array", "items": items })
    }
}

/// The place of a value that was not written: an empty span.
pub(crate) const NOWHERE: Span = Span { file: crate::source::FileId(0), start: 0, end: 0 };
