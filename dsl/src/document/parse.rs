//! Parses YAML text into the tree with places.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, Span as YamlSpan, StrInput};

use super::{Entry, Kind, Node, Scalar, Style};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span, Spanned};

/// The limits of a document.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Greatest size of the file in bytes.
    pub bytes: u64,
    /// Greatest number of nodes. Nodes behind aliases count each time.
    pub nodes: usize,
    /// Greatest number of nodes behind aliases.
    pub aliased: usize,
    /// Greatest depth of nesting.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 20, nodes: 2_000_000, aliased: 20_000, depth: 64 }
    }
}

/// Reads one document.
pub fn parse(text: &str, file: FileId, limits: &Limits) -> Result<Node, Diagnostic> {
    let (node, mut problems) = read(text, file, limits)?;
    if problems.is_empty() { Ok(node) } else { Err(problems.swap_remove(0)) }
}

/// Reads one document as far as possible, and returns its mistakes.
pub(crate) fn read(
    text: &str,
    file: FileId,
    limits: &Limits,
) -> Result<(Node, Vec<Diagnostic>), Diagnostic> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = TreeReader {
        parser,
        text,
        file,
        limits: *limits,
        nodes: 0,
        aliased: 0,
        depth: 0,
        anchors: HashMap::new(),
        problems: Vec::new(),
    };
    let node = reader.document()?;
    Ok((node, reader.problems))
}

struct TreeReader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    file: FileId,
    limits: Limits,
    nodes: usize,
    aliased: usize,
    depth: usize,
    anchors: HashMap<usize, Node>,
    problems: Vec<Diagnostic>,
}

type Next<'t> = (Event<'t>, Span);

impl<'t> TreeReader<'t> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => break,
                _ if root.is_some() => {
                    let message = "a second YAML document begins here; a file may contain only one";
                    return Err(Diagnostic::new(Code::E004, span, message));
                }
                event => root = Some(self.node(event, span)?),
            }
        }
        root.ok_or_else(|| {
            let span = Span { file: self.file, start: 0, end: 0 };
            Diagnostic::new(Code::E006, span, "the file is empty").help("begin with `plan: v1`")
        })
    }

    fn next(&mut self) -> Result<Next<'t>, Diagnostic> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let span = self.span(span);
                Ok((event, span))
            }
            Some(Err(error)) => {
                let start = self.offset(error.marker().byte_offset());
                let rest = self.text.get(start as usize..).unwrap_or("");
                let width = rest.chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
                let end = start + u32::try_from(width).unwrap_or(0);
                let span = Span { file: self.file, start, end };
                if *error.kind() == ErrorKind::RecursionLimitExceeded {
                    let message = "the document is nested too deep";
                    return Err(Diagnostic::new(Code::E002, span, message));
                }
                let message = format!("not YAML: {}", error.info());
                Err(Diagnostic::new(Code::E001, span, message))
            }
            None => Ok((Event::StreamEnd, Span { file: self.file, start: 0, end: 0 })),
        }
    }

    fn offset(&self, byte: Option<usize>) -> u32 {
        u32::try_from(byte.unwrap_or(0).min(self.text.len())).unwrap_or(u32::MAX)
    }

    fn span(&self, span: YamlSpan) -> Span {
        let (start, end) =
            (self.offset(span.start.byte_offset()), self.offset(span.end.byte_offset()));
        Span { file: self.file, start, end: end.max(start) }
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if self.nodes > self.limits.nodes {
            let message = format!("more than {} values in one document", self.limits.nodes);
            return Err(Diagnostic::new(Code::E002, span, message));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, Diagnostic> {
        self.count(1, span)?;
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.no_tag(tag.is_some(), span);
                let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
                (Kind::Scalar(Scalar { text: text.into_owned(), style }), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.no_tag(tag.is_some(), span);
                let (nodes, end) = self.nested(span, Self::elements)?;
                let node = Node { span: ended(span, end), kind: Kind::Seq(nodes) };
                return Ok(self.anchored(anchor, node));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.no_tag(tag.is_some(), span);
                let (entries, end) = self.nested(span, Self::entries)?;
                let node = Node { span: ended(span, end), kind: Kind::Map(entries) };
                return Ok(self.anchored(anchor, node));
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => {
                let message = "not YAML: a value was expected here";
                return Err(Diagnostic::new(Code::E001, span, message));
            }
        };
        Ok(self.anchored(anchor, Node { span, kind }))
    }

    fn anchored(&mut self, anchor: usize, node: Node) -> Node {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Diagnostic> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            let message = "an alias refers to the value that contains it";
            return Err(Diagnostic::new(Code::E004, span, message));
        };
        self.aliased += size(&node);
        if self.aliased > self.limits.aliased {
            let message = format!("aliases stand for more than {} values", self.limits.aliased);
            return Err(Diagnostic::new(Code::E002, span, message));
        }
        Ok(Node { span, ..node })
    }

    fn no_tag(&mut self, tagged: bool, span: Span) {
        if tagged {
            let message = "YAML tags are not allowed in plans";
            self.problems.push(Diagnostic::new(Code::E004, span, message));
        }
    }

    fn nested<R>(
        &mut self,
        span: Span,
        read: impl FnOnce(&mut Self) -> Result<R, Diagnostic>,
    ) -> Result<R, Diagnostic> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            let message = format!("nested deeper than {} levels", self.limits.depth);
            return Err(Diagnostic::new(Code::E002, span, message));
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn elements(&mut self) -> Result<(Vec<Node>, Span), Diagnostic> {
        let mut nodes: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let last = nodes.last().map(|n| n.span);
                return Ok((nodes, self.end_of(span, last)));
            }
            nodes.push(self.node(event, span)?);
        }
    }

    fn entries(&mut self) -> Result<(Vec<Entry>, Span), Diagnostic> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut keys = Keys::default();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let last = entries.last().map(|e| e.value.span);
                return Ok((entries, self.end_of(span, last)));
            }
            let key = self.key(event, span)?;
            let first = key.as_ref().and_then(|key| keys.first_of(&entries, key));
            let (event, span) = self.next()?;
            let mut value = self.node(event, span)?;
            if let Some(key) =
                key.as_ref().filter(|_| value.is_null() && value.span.start == value.span.end)
            {
                value.span = key.span;
            }
            match (key, first) {
                (Some(key), None) => entries.push(Entry { key, value }),
                (Some(key), Some(first)) => {
                    let message = format!("the key `{}` is written twice in this map", key.value);
                    let twice = Diagnostic::new(Code::E003, key.span, message);
                    self.problems.push(twice.related(first, "the first one"));
                }
                (None, _) => {}
            }
        }
    }

    /// A key. `None` for a key that plans do not allow, which was reported.
    fn key(&mut self, event: Event<'t>, span: Span) -> Result<Option<Spanned<String>>, Diagnostic> {
        self.count(1, span)?;
        match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<" => {
                let message = "merge keys are not allowed in plans";
                let merge = Diagnostic::new(Code::E004, span, message);
                self.problems.push(merge.help("write out the keys of the merged map"));
                Ok(None)
            }
            Event::Scalar(text, _, _, None) => Ok(Some(Spanned::new(text.into_owned(), span))),
            event => {
                self.problems.push(Diagnostic::new(Code::E004, span, "a key must be a plain word"));
                // Mistakes inside the key are not reported separately.
                let before = self.problems.len();
                self.node(event, span)?;
                self.problems.truncate(before);
                Ok(None)
            }
        }
    }

    /// The end of a collection: the bracket that closes it, or the end of its last part.
    fn end_of(&self, end: Span, last: Option<Span>) -> Span {
        let closing = self.text.get(end.range()).is_some_and(|t| t == "]" || t == "}");
        if closing { end } else { last.unwrap_or(end) }
    }
}

/// The keys of a map: searched one by one while there are few, hashed when there are many.
#[derive(Default)]
struct Keys(HashMap<String, Span>);

impl Keys {
    /// The place of an earlier equal key, if there is one.
    fn first_of(&mut self, entries: &[Entry], key: &Spanned<String>) -> Option<Span> {
        const FEW: usize = 16;
        if entries.len() < FEW {
            return entries.iter().find(|e| e.key == *key).map(|e| e.key.span);
        }
        if self.0.is_empty() {
            self.0 = entries.iter().map(|e| (e.key.value.clone(), e.key.span)).collect();
        }
        self.0.insert(key.value.clone(), key.span)
    }
}

fn ended(start: Span, end: Span) -> Span {
    Span { end: end.end.max(start.end), ..start }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 1,
        Kind::Seq(nodes) => 1 + nodes.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|e| 1 + size(&e.value)).sum::<usize>(),
    }
}
