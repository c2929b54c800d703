//! `for` and `during`: how long a fault lasts, and which steps run meanwhile. One declaration for every fault that
//! takes them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Verb;
use crate::args::{FieldGroup, FieldInfo, Weight, arguments_of};
use crate::meaning::{GroupMeaning, Meaning, put};
use crate::read::{FromNode, MapReader, Reader};
use crate::schema::described;
use crate::source::Spanned;
use crate::steps::read::{StepsNode, read_steps};
use crate::steps::step::{During, Step};
use crate::value::{Target, duration_text};
use crate::words::spoken;

/// How long a fault or another change lasts. With neither key it lasts until another step undoes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lasting {
    /// At least this time.
    pub for_time: Option<Duration>,
    /// The steps that run while it is in force; empty without `during`.
    pub during: Arc<[Step]>,
}

const KEYS: &[&str] = &["for", "during"];
const DOCS: [&str; 2] = [
    "What the step does is undone after this time. The step lasts as long: the next step begins after that.",
    "Steps that run while it is in force. It is undone when these steps have ended and `for`, if it is set, \
     has passed; immediately if one of the steps ends the plan.",
];

impl FieldGroup for Lasting {
    const KEYS: &'static [&'static str] = KEYS;

    fn from_fields(map: &mut MapReader<'_>, reader: &mut Reader) -> Option<Self> {
        let for_time: Option<Option<Spanned<Duration>>> = map.field("for", reader);
        let help = "leave `for` out if another step undoes it";
        reader.must_last("for", for_time.as_ref().and_then(Option::as_ref), Some(help));
        let during = match map.node("during") {
            Some(node) => read_steps(node, reader).map(Arc::from),
            None => Some(Arc::default()),
        };
        // The steps of `during` are known before the run, even if other arguments of the fault are not.
        reader.leave(During(during.clone().unwrap_or_default()));
        Some(Self { for_time: for_time?.map(|time| time.value), during: during? })
    }

    fn fields() -> Vec<FieldInfo> {
        let expects = [Duration::EXPECTS, StepsNode::EXPECTS];
        // Without `for` a fault stays, which is a different test. The steps inside are compared as steps.
        let weights = [Weight::MoreIsStronger(None), Weight::Neutral];
        let all = KEYS.iter().zip(DOCS).zip(expects.into_iter().zip(weights));
        let field = |((key, doc), (expects, weight)): ((&&'static str, &'static str), _)| {
            FieldInfo { key, doc, default: None, expects, required: false, weight }
        };
        all.map(field).collect()
    }

    fn properties(
        generator: &mut schemars::SchemaGenerator,
    ) -> Vec<(&'static str, schemars::Schema)> {
        let schemas = [Duration::schema(generator), StepsNode::list_schema()];
        let all = KEYS.iter().zip(schemas).zip(DOCS);
        all.map(|((key, schema), doc)| (*key, described(schema, doc, None))).collect()
    }
}

/// The steps inside are compared as steps.
impl GroupMeaning for Lasting {
    fn add_to(&self, map: &mut Map<String, Value>) {
        put(map, "for", self.for_time.meaning());
    }
}

impl Lasting {
    /// True if the step undoes its fault before it ends.
    pub fn passes(&self) -> bool {
        self.for_time.is_some() || !self.during.is_empty()
    }

    /// ` for 30s`, ` while 2 steps run`, or nothing.
    pub(super) fn text(&self) -> String {
        let steps = || crate::words::count(self.during.len() as u64, "step");
        let run = if self.during.len() == 1 { "runs" } else { "run" };
        match (self.for_time, self.during.is_empty()) {
            (None, true) => String::new(),
            (Some(time), true) => format!(" for {}", duration_text(time)),
            (None, false) => format!(" while {} {run}", steps()),
            (Some(time), false) => {
                format!(" for at least {}, while {} {run}", duration_text(time), steps())
            }
        }
    }
}

impl Lasting {
    /// When a fault is undone, and what that means for the following steps.
    pub(super) fn in_full(&self, undo: &str) -> String {
        match (self.for_time.map(spoken), self.during.is_empty()) {
            (None, true) => String::new(),
            (Some(time), true) => {
                format!(", and {undo} after {time}; the next step begins after that")
            }
            (None, false) => format!(", and {undo} when these steps have ended"),
            (Some(time), false) => {
                format!(", and {undo} when {time} have passed and these steps have ended")
            }
        }
    }
}

impl Verb {
    /// How long it lasts, if it is a fault that takes `for` and `during`.
    pub fn lasting(&self) -> Option<&Lasting> {
        arguments_of(self.parts()).pop()
    }

    /// The same, to be changed.
    pub fn lasting_mut(&mut self) -> Option<&mut Lasting> {
        let mut found = None;
        self.parts_mut().parts_mut(&mut |part| {
            if let Some(lasting) = part.downcast_mut() {
                found = Some(lasting);
            }
        });
        found
    }

    /// Changes each target among its arguments.
    pub fn change_targets(&mut self, change: &mut dyn FnMut(&mut Target)) {
        self.parts_mut().parts_mut(&mut |part| {
            if let Some(target) = part.downcast_mut::<Spanned<Target>>() {
                change(&mut target.value);
            } else if let Some(Some(target)) = part.downcast_mut::<Option<Spanned<Target>>>() {
                change(&mut target.value);
            }
        });
    }

    /// The time after which it is undone, if it has `for`.
    pub fn for_time(&self) -> Option<Duration> {
        self.lasting().and_then(|l| l.for_time)
    }

    /// The steps that run while it is in force; empty without `during`.
    pub fn during(&self) -> &[Step] {
        self.lasting().map_or(&[], |l| &l.during)
    }
}
