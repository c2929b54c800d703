//! `repeat`

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{Children, StepWord};
use crate::args::{WordInfo, args};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Node;
use crate::facts::{Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::scope::Scope;
use crate::source::Spanned;
use crate::steps::read::{StepsNode, read_steps};
use crate::steps::step::Step;
use crate::template::{self, Rendered};
use crate::value::CaptureName;

/// Runs steps several times.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// The rounds in order. Rounds with equal text share their steps.
    pub rounds: Vec<Round>,
    /// The name of a round's value.
    pub name: Option<Spanned<CaptureName>>,
}

/// One time through the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The element of `for_each`, or the round's number from 1, as text.
    pub value: String,
    /// Its steps.
    pub steps: Arc<[Step]>,
}

args! {
    /// Runs steps several times, or once for each element of a list.
    ///
    /// With `as`, templates can use the element (or, with `times`, the number of the round, from 1) by this name.
    #[example("repeat: { times: 3, steps: [{ restart_broker: 2 }] }")]
    #[example("repeat: { for_each: [1, 2, 3], as: n, steps: [{ restart_broker: \"{{ n }}\" }] }")]
    pub struct RepeatArgs("repeat") {
        /// How many times the steps run.
        #[weighs(MoreIsStronger(Some(0.0)))]
        times: Option<Spanned<u32>>,
        /// The steps run once for each element of this list.
        #[weighs(Elements)]
        for_each: Option<Spanned<Vec<Node>>>,
        /// The name of the element in templates.
        as_name as "as": Option<Spanned<CaptureName>>,
        /// The steps that are repeated.
        steps: StepsNode,
    }
}

/// The greatest number of rounds of one `repeat`.
const MOST_ROUNDS: u32 = 10_000;

impl Repeat {
    /// The documentation of the word.
    pub const INFO: WordInfo = RepeatArgs::INFO;
}

/// The steps inside are compared as steps.
impl Meaning for Repeat {
    fn meaning(&self) -> serde_json::Value {
        let values: Vec<&str> = self.rounds.iter().map(|r| r.value.as_str()).collect();
        let counted = values.iter().enumerate().all(|(i, v)| *v == (i + 1).to_string());
        if counted && self.name.is_none() {
            return serde_json::json!({ "times": values.len() });
        }
        let name = self.name.as_ref().map(|n| n.as_str());
        serde_json::json!({ "for_each": values, "as": name })
    }
}

impl FromNode for Repeat {
    const EXPECTS: &'static str = "`{times, steps}` or `{for_each, as, steps}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let mistakes = reader.mistakes();
        let (args, late) = reader.watching_late(|reader| reader.read::<RepeatArgs>(node));
        let Some(args) = args else {
            if late {
                reader.mark_late();
                check_late_body(node, reader);
            }
            return None;
        };
        let known = args.times.is_some() || args.for_each.is_some();
        // Without either key, a misspelt key has been reported already.
        let values =
            if known || reader.mistakes() == mistakes { values(&args, node, reader) } else { None };
        let Some(values) = values else {
            check_late_body(node, reader);
            return None;
        };
        let outer = Arc::clone(&reader.scope);
        let mut shared: Option<Arc<[Step]>> = None;
        let mut rounds = Vec::with_capacity(values.len());
        for value in values {
            let text = template::written(&value);
            let steps = match (&args.as_name, &shared) {
                (None, Some(steps)) => Arc::clone(steps),
                (name, _) => {
                    if let Some(name) = name {
                        let mut scope = Scope::clone(&outer);
                        scope.define(name.as_str(), value);
                        reader.scope = Arc::new(scope);
                    }
                    Arc::from(read_steps(&args.steps.0, reader)?)
                }
            };
            shared.get_or_insert_with(|| Arc::clone(&steps));
            rounds.push(Round { value: text, steps });
        }
        if args.as_name.is_some() {
            reader.scope = Arc::new(outer.with_late_of(&reader.scope));
        }
        Some(Self { rounds, name: args.as_name })
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        RepeatArgs::schema(generator)
    }
}

/// The value of each round.
fn values(args: &RepeatArgs, node: &Node, reader: &mut Reader) -> Option<Vec<minijinja::Value>> {
    let wrong = |span, message: String| Diagnostic::new(Code::E015, span, message);
    match (&args.times, &args.for_each) {
        (Some(times), None) if (1..=MOST_ROUNDS).contains(&times.value) => {
            Some((1..=times.value).map(minijinja::Value::from).collect())
        }
        (Some(times), None) => {
            let message = format!("{times} rounds: between 1 and {MOST_ROUNDS} are possible");
            reader.push(wrong(times.span, message));
            None
        }
        (None, Some(all)) if !all.is_empty() && all.len() <= MOST_ROUNDS as usize => {
            all.iter().map(|element| value_of(element, reader)).collect()
        }
        (None, Some(all)) => {
            let message = format!("{} rounds: between 1 and {MOST_ROUNDS} are possible", all.len());
            reader.push(wrong(all.span, message));
            None
        }
        _ => {
            let message = "`repeat` takes `times` or `for_each`";
            reader.push(Diagnostic::new(Code::E016, node.span, message));
            None
        }
    }
}

fn value_of(node: &Node, reader: &mut Reader) -> Option<minijinja::Value> {
    match template::of_node(node, &reader.scope, reader.values.as_deref()) {
        Rendered::Value(value) => Some(value),
        Rendered::Late => {
            reader.mark_late();
            None
        }
        Rendered::Failed(failure) => {
            let diagnostic = failure.at(node, &reader.library);
            reader.push(diagnostic);
            None
        }
    }
}

/// Checks the steps of a loop whose rounds are unknown or wrong.
fn check_late_body(node: &Node, reader: &mut Reader) {
    let name = node.get("as").and_then(|n| reader.read::<CaptureName>(n));
    let Some(steps) = node.get("steps") else { return };
    if let Some(name) = name {
        let mut scope = Scope::clone(&reader.scope);
        scope.define_late(name.as_str());
        reader.scope = Arc::new(scope);
    }
    read_steps(steps, reader);
}

impl crate::args::Arguments for Repeat {}

impl StepWord for Repeat {
    const FACTS: StepFacts =
        StepFacts { leaves: Leaves::TopicsAndGroups, ..StepFacts::of(Kind::Flow) };

    fn explain(&self) -> String {
        let all: Vec<&str> = self.rounds.iter().map(|r| r.value.as_str()).take(8).collect();
        match (&self.name, self.rounds.len()) {
            (Some(name), n) if n == all.len() => {
                format!("Repeat with {name} = {}", all.join(", "))
            }
            (_, n) => format!("Repeat {}", crate::words::count(n as u64, "time")),
        }
    }

    fn follow(&self, _: StepAt<'_>, _: &mut Ground<'_>) {}

    fn children(&self) -> Children<'_> {
        Children::Rounds(&self.rounds)
    }
}

impl StepsNode {
    /// The schema of a list of steps.
    pub(crate) fn list_schema() -> Schema {
        json_schema!({ "type": "array", "items": { "$ref": "#/definitions/step" }, "minItems": 1 })
    }
}
