//! Reading steps: exactly one verb beside the common keys.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use super::step::{Action, During, LateVerb, ReadyStep, Step, StepHead, StepId};
use super::useless;
use crate::conditions::Condition;
use crate::diagnostic::{Code, Diagnostic, Help, did_you_mean, meant};
use crate::document::{Entry, Kind, Node};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::scope::{Scope, Values};
use crate::source::{Span, Spanned};
use crate::steps::Verb;
use crate::template;
use crate::value::{CaptureName, ExpectedError, Expression};

/// A list of steps that is read later, with other names in scope.
#[derive(Debug, Clone, PartialEq)]
pub struct StepsNode(pub(crate) Node);

impl Meaning for StepsNode {
    fn meaning(&self) -> serde_json::Value {
        self.0.meaning()
    }
}

impl FromNode for StepsNode {
    const EXPECTS: &'static str = "a list of steps";
    const RAW: bool = true;

    fn from_node(node: &Node, _: &mut Reader) -> Option<Self> {
        Some(Self(node.clone()))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        Self::list_schema()
    }
}

/// The keys that every step may have, with their meaning.
pub(crate) const COMMON: [(&str, &str); 6] = [
    ("name", "The step's name in reports, and for `since` and `same_as`."),
    ("timeout", "How long the step may take."),
    ("when", "An expression: the step runs only if it is true."),
    ("optional", "A failure is reported, but the plan goes on and can pass."),
    (
        "expect_error",
        "The step must fail with this error and no other: a code of Kafka or of its client, or `{matches: REGEX}`.",
    ),
    ("capture", "A name for the values of a `record`, which templates of later steps can use."),
];

/// The deepest nesting of steps.
const DEEPEST: usize = 24;
/// The greatest number of steps of one plan, with the steps of every round.
const MOST_STEPS: usize = 250_000;

/// Reads a list of steps and reports all mistakes of all steps.
pub(crate) fn read_steps(node: &Node, reader: &mut Reader) -> Option<Vec<Step>> {
    let Some(nodes) = node.seq() else {
        let message = format!("expected a list of steps, found {}", node.describe());
        let help = "write each step with a dash: `- wait: 5s`";
        reader.push(Diagnostic::new(Code::E012, node.span, message).help(help));
        return None;
    };
    if nodes.is_empty() {
        reader.push(Diagnostic::new(Code::E015, node.span, "the list of steps is empty"));
        return None;
    }
    if reader.place.path.len() > DEEPEST {
        let message = format!("steps are nested deeper than {DEEPEST} levels");
        reader.push(Diagnostic::new(Code::E026, node.span, message));
        return None;
    }
    let mut steps = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        reader.place.steps += 1;
        if reader.place.steps > MOST_STEPS {
            if reader.place.steps == MOST_STEPS + 1 {
                let message = format!("the plan has more than {MOST_STEPS} steps");
                reader.push(Diagnostic::new(Code::E026, node.span, message));
            }
            return None;
        }
        reader.place.path.push((index + 1).to_string());
        steps.push(read_step(node, reader));
        reader.place.path.pop();
    }
    steps.into_iter().collect()
}

/// The entries of a step: the verb's and the common ones.
struct FoundVerb<'n> {
    word: &'static str,
    key: Span,
    argument: Cow<'n, Node>,
}

fn read_step(node: &Node, reader: &mut Reader) -> Option<Step> {
    let found = find_verb(node, reader);
    let (head, late_head) = reader.watching_late(|reader| read_head(node, found.as_ref(), reader));
    let found = found?;
    let before = Arc::clone(&reader.scope);
    reader.leave(During::default());
    let (verb, late_verb) =
        reader.watching_late(|reader| Verb::read(found.word, found.key, &found.argument, reader));
    let during = reader.take_left::<During>().0;
    let head = head?;
    if let Some(capture) = &head.capture {
        let mut scope = Scope::clone(&reader.scope);
        scope.define_late(capture.as_str());
        reader.scope = Arc::new(scope);
    }
    let action = match verb {
        Some(verb) if !late_head => Action::Ready(verb),
        None if !late_verb => return None,
        _ => Action::Late(LateVerb {
            node: Arc::new(node.clone()),
            scope: before,
            library: Arc::clone(&reader.library),
            place: reader.place.clone(),
            during,
        }),
    };
    Some(Step { head, action })
}

fn find_verb<'n>(node: &'n Node, reader: &mut Reader) -> Option<FoundVerb<'n>> {
    match &node.kind {
        Kind::Scalar(scalar) if !scalar.is_null() => {
            let Some(info) = Verb::known(&scalar.text) else {
                unknown_verb(&scalar.text, node.span, reader);
                return None;
            };
            let argument = Cow::Owned(Node::null(node.span));
            Some(FoundVerb { word: info.word, key: node.span, argument })
        }
        Kind::Map(entries) => verb_of_map(entries, node, reader),
        _ => {
            let message = format!("expected a step, found {}", node.describe());
            let help = "a step is a map with one verb, such as `kill_broker: 2`";
            reader.push(Diagnostic::new(Code::E021, node.span, message).help(help));
            None
        }
    }
}

fn verb_of_map<'n>(
    entries: &'n [Entry],
    node: &Node,
    reader: &mut Reader,
) -> Option<FoundVerb<'n>> {
    let is_common = |e: &&Entry| COMMON.iter().any(|(key, _)| *key == e.key.value);
    let mut verbs: Vec<(&'static str, &Entry)> = Vec::new();
    let mut unknown: Vec<&Entry> = Vec::new();
    for entry in entries.iter().filter(|e| !is_common(e)) {
        match Verb::known(&entry.key) {
            Some(info) => verbs.push((info.word, entry)),
            None => unknown.push(entry),
        }
    }
    for entry in &unknown {
        if verbs.is_empty() {
            unknown_verb(&entry.key, entry.key.span, reader);
        } else {
            unknown_beside(entry, verbs[0].0, reader);
        }
    }
    match verbs.as_slice() {
        [] if unknown.is_empty() => {
            let message = "the step has no verb";
            let help = "a step is a map with one verb, such as `kill_broker: 2`";
            reader.push(Diagnostic::new(Code::E021, node.span, message).help(help));
            None
        }
        [] => None,
        [(word, entry)] => {
            let argument = Cow::Borrowed(&entry.value);
            Some(FoundVerb { word, key: entry.key.span, argument })
        }
        [(first, one), (second, other), ..] => {
            let message = format!("the step has two verbs, `{first}` and `{second}`");
            let help = format!("write the second as a separate step: `- {second}:`");
            let two = Diagnostic::new(Code::E022, other.key.span, message).help(help);
            reader.push(two.related(one.key.span, "the first verb"));
            None
        }
    }
}

fn unknown_verb(word: &str, span: Span, reader: &mut Reader) {
    let known = Verb::words().chain(COMMON.iter().map(|(key, _)| *key));
    let help = meant(word, known)
        .map_or("`kplan words` lists all steps".into(), |near| Help::did_you_mean(word, near));
    let message = format!("unknown step `{word}`");
    reader.push(Diagnostic::new(Code::E020, span, message).label("unknown step").help(help));
}

/// Reports a key beside a verb that is neither common nor a verb. Often it must be indented further.
fn unknown_beside(entry: &Entry, verb: &'static str, reader: &mut Reader) {
    let key = &entry.key;
    let fields = Verb::known(verb).map(|info| (info.fields)()).unwrap_or_default();
    let help = if fields.iter().any(|f| f.key == key.value) {
        Some(format!("`{key}` is an argument of `{verb}`: indent it further").into())
    } else {
        did_you_mean(key, COMMON.iter().map(|(key, _)| *key).chain(Verb::words()))
    };
    let message = format!("unknown key `{key}` beside `{verb}`");
    let unknown = Diagnostic::new(Code::E010, key.span, message).label("unknown key");
    reader.push(unknown.maybe_help(help));
}

fn read_head(node: &Node, found: Option<&FoundVerb<'_>>, reader: &mut Reader) -> Option<StepHead> {
    let name: Option<Option<Spanned<String>>> = common(node, "name", reader);
    let timeout: Option<Option<Spanned<Duration>>> = common(node, "timeout", reader);
    reader.must_last("timeout", timeout.as_ref().and_then(Option::as_ref), None);
    let when: Option<Option<Expression>> = common(node, "when", reader);
    let optional: Option<Option<bool>> = common(node, "optional", reader);
    let expect_error: Option<Option<Spanned<ExpectedError>>> = common(node, "expect_error", reader);
    let capture: Option<Option<Spanned<CaptureName>>> = common(node, "capture", reader);
    let facts = Verb::facts_of(found?.word)?;
    useless::keys(node, found?.word, facts.ends, reader);
    let lines = reader.library.with(node.span.file, |source| {
        let last = node.span.end.saturating_sub(1).max(node.span.start);
        (source.line(node.span.start), source.line(last))
    });
    Some(StepHead {
        id: StepId(reader.place.path.join(".")),
        word: found?.word,
        facts,
        span: node.span,
        key: found?.key,
        lines: lines.unwrap_or((1, 1)),
        name: name?,
        timeout: timeout?,
        when: when?,
        optional: optional?.unwrap_or(false),
        expect_error: expect_error?,
        capture: capture?,
    })
}

/// Reads a common key. A late value is used as written if it is text, otherwise as absent: the step is read again
/// when it runs.
fn common<T: FromNode>(node: &Node, key: &str, reader: &mut Reader) -> Option<Option<T>> {
    let Some(value) = node.get(key) else { return Some(None) };
    let mistakes = reader.mistakes();
    match reader.read::<T>(value) {
        Some(read) => Some(Some(read)),
        None if reader.mistakes() > mistakes => None,
        None if key == "name" => Some(reader.raw(value)),
        None => Some(None),
    }
}

/// Reads a late step again, with the current values of the run.
pub(super) fn read_late(
    late: &LateVerb,
    head: &StepHead,
    values: &Arc<Values>,
) -> Result<ReadyStep<'static>, Vec<Diagnostic>> {
    let library = Arc::clone(&late.library);
    template::late_secrets(&late.scope, values)
        .iter()
        .for_each(|value| library.hide_texts(template::texts(value)));
    let scope = Arc::clone(&late.scope);
    let mut reader = Reader::new(scope, library, Some(Arc::clone(values)), Condition::is_word);
    reader.place = late.place.clone();
    let step = read_step(&late.node, &mut reader);
    match step {
        Some(Step { head, action: Action::Ready(verb) }) if reader.is_clean() => {
            Ok(ReadyStep { head: Cow::Owned(head), verb: Cow::Owned(verb) })
        }
        _ if reader.is_clean() => {
            let message = "the value of an argument of this step is still not known";
            Err(vec![Diagnostic::new(Code::E034, head.span, message)])
        }
        _ => Err(reader.into_diagnostics()),
    }
}
