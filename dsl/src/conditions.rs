//! The conditions: one vocabulary for `wait`, `assert`, `always`, `record` and `chaos`.
//!
//! Adding one is a file here and a line in each of the two lists below; the runner's roster then
//! misses it.

use std::collections::HashMap;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::args::{Arguments, WordInfo};
use crate::backend::Need;
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Kind, Node};
use crate::facts::ConditionFacts;
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::{Span, Spanned};

mod aborted;
mod aborted_read;
mod acked;
mod brokers_alive;
mod committed;
mod connected;
mod constant;
mod controller;
mod corrupted;
mod count;
mod delivered;
mod diverged;
mod duplicated;
mod expired;
mod expr;
mod failed;
mod group;
mod in_sync;
mod lag;
mod latency;
mod leader;
mod listener;
mod log;
mod logic;
mod lost;
mod message;
mod offline_partitions;
mod offset;
mod overcopied;
mod phantom;
mod preferred_leaders;
mod progressing;
mod recovered;
mod redelivered;
mod reordered;
mod replicas_differ;
mod skipped;
mod unavailable;
mod uncopied;
mod undelivered;
mod under_min_isr_partitions;
mod under_replicated_partitions;
mod unexpected_success;
mod unresolved;

pub use count::{Count, counted_words};

/// Whether a condition can be judged as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgeable {
    /// It says what must be.
    Bounded,
    /// It is judged without a bound: it is there or not.
    Plain,
    /// It names a value without saying what it must be.
    Unbounded,
}

/// What every condition tells of itself.
pub trait ConditionWord: Arguments {
    /// What is known of it without judging it.
    const FACTS: ConditionFacts = ConditionFacts::NONE;

    /// The words of a sentence: `broker 2 leads orders/2`.
    fn explain(&self) -> String;

    /// Whether it can be judged as it stands.
    fn judged(&self) -> Judgeable;

    /// Tells what is wrong beyond the single arguments.
    fn validate(&self, _span: Span, _reader: &mut Reader) {}

    /// What it needs of the backend.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
}

/// The same without what a condition tells as a constant, so that all conditions are read alike.
trait AnyCondition {
    fn explain(&self) -> String;
    fn judged(&self) -> Judgeable;
    fn validate(&self, span: Span, reader: &mut Reader);
    fn needs(&self) -> Vec<Need>;
}

impl<T: ConditionWord> AnyCondition for T {
    fn explain(&self) -> String {
        ConditionWord::explain(self)
    }

    fn judged(&self) -> Judgeable {
        ConditionWord::judged(self)
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        ConditionWord::validate(self, span, reader);
    }

    fn needs(&self) -> Vec<Need> {
        ConditionWord::needs(self)
    }
}

type ReadCondition = fn(&Node, &mut Reader) -> Option<Condition>;

macro_rules! roster {
    ($($module:ident :: $name:ident,)+) => {
        $(pub use $module::$name;)+

        /// One condition.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Condition {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)+
        }

        impl Condition {
            /// What is known about every condition, in the order of the manual.
            pub const ALL: &[&WordInfo] = &[$(&$name::INFO),+];

            /// What is known about this one.
            pub const fn info(&self) -> &'static WordInfo {
                match self { $(Self::$name(_) => &$name::INFO),+ }
            }

            /// What is known of it without judging it.
            pub const fn facts(&self) -> &'static ConditionFacts {
                match self { $(Self::$name(_) => &<$name as ConditionWord>::FACTS),+ }
            }

            fn word(&self) -> &dyn AnyCondition {
                match self { $(Self::$name(it) => it),+ }
            }

            /// What its arguments mean, in their longest form.
            pub fn arguments(&self) -> serde_json::Value {
                match self { $(Self::$name(it) => crate::meaning::Meaning::meaning(it)),+ }
            }

            fn readers() -> HashMap<&'static str, ReadCondition> {
                let mut all: HashMap<&'static str, ReadCondition> = HashMap::new();
                $(all.insert($name::INFO.word, |node, reader| {
                    reader.read::<$name>(node).map(Self::$name)
                });)+
                all
            }

            fn schemas(generator: &mut SchemaGenerator) -> Vec<(&'static WordInfo, Schema)> {
                vec![$((&$name::INFO, <$name as FromNode>::schema(generator))),+]
            }
        }
    };
}

roster! {
    brokers_alive::BrokersAlive,
    controller::Controller,
    leader::Leader,
    preferred_leaders::PreferredLeaders,
    in_sync::InSync,
    under_replicated_partitions::UnderReplicatedPartitions,
    under_min_isr_partitions::UnderMinIsrPartitions,
    offline_partitions::OfflinePartitions,
    group::Group,
    lag::Lag,
    offset::Offset,
    listener::Listener,
    log::Log,
    message::Message,
    acked::Acked,
    failed::Failed,
    delivered::Delivered,
    committed::Committed,
    aborted::Aborted,
    progressing::Progressing,
    connected::Connected,
    unavailable::Unavailable,
    recovered::Recovered,
    latency::Latency,
    lost::Lost,
    expired::Expired,
    duplicated::Duplicated,
    reordered::Reordered,
    diverged::Diverged,
    replicas_differ::ReplicasDiffer,
    corrupted::Corrupted,
    undelivered::Undelivered,
    redelivered::Redelivered,
    skipped::Skipped,
    phantom::Phantom,
    unexpected_success::UnexpectedSuccess,
    aborted_read::AbortedRead,
    uncopied::Uncopied,
    overcopied::Overcopied,
    unresolved::Unresolved,
    expr::Expr,
    logic::All,
    logic::Any,
    logic::Not,
}

static READERS: LazyLock<HashMap<&'static str, ReadCondition>> = LazyLock::new(Condition::readers);

impl Condition {
    /// The words of a sentence.
    pub fn explain(&self) -> String {
        self.word().explain()
    }

    /// True for a condition's word.
    pub(crate) fn is_word(word: &str) -> bool {
        Self::ALL.iter().any(|info| info.word == word)
    }

    /// True if the `since` of the `record` around it narrows it.
    pub const fn takes_since(&self) -> bool {
        let looks_back = matches!(
            self,
            Self::Log(_)
                | Self::Unavailable(_)
                | Self::Recovered(_)
                | Self::Connected(_)
                | Self::Latency(_)
        );
        looks_back || self.count().is_some()
    }

    /// What it needs of the backend; those inside `all`, `any` and `not` say their own.
    pub fn needs(&self) -> Vec<Need> {
        self.word().needs()
    }

    /// Whether it can be judged as it stands.
    pub fn judged(&self) -> Judgeable {
        self.word().judged()
    }
}

impl FromNode for Condition {
    const EXPECTS: &'static str = "a condition such as `lost: 0`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let null = Node::null(node.span);
        let (word, span, argument) = match &node.kind {
            Kind::Scalar(scalar) if !scalar.is_null() => (scalar.text.as_str(), node.span, &null),
            Kind::Map(entries) => match entries.as_slice() {
                [entry] => (entry.key.as_str(), entry.key.span, &entry.value),
                _ => {
                    let message = "a condition is a map with one key";
                    let help = "give each condition its own dash";
                    let span = entries.get(1).map_or(node.span, |e| e.key.span);
                    reader.push(Diagnostic::new(Code::E016, span, message).help(help));
                    return None;
                }
            },
            _ => {
                reader.expected::<Self>(node);
                return None;
            }
        };
        let Some(read) = READERS.get(word) else {
            let known = Self::ALL.iter().map(|info| info.word);
            let message = format!("unknown condition `{word}`");
            let unknown = Diagnostic::new(Code::E023, span, message).label("unknown condition");
            reader.push(unknown.maybe_help(did_you_mean(word, known)));
            return None;
        };
        reader.key = Some(span);
        let condition = read(argument, reader);
        reader.key = None;
        let condition = condition?;
        condition.word().validate(span, reader);
        Some(condition)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Self>()
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = Self::ALL.iter().map(|info| info.word).collect();
        let mut properties = serde_json::Map::new();
        for (info, schema) in Self::schemas(generator) {
            let schema = crate::schema::argument(info.doc, schema);
            properties.insert(info.word.to_owned(), schema.to_value());
        }
        // One object instead of alternatives: editors then name the word that is wrong.
        json_schema!({
            "description": "One condition: a map with one key, or the bare word where nothing is bounded.",
            "type": ["object", "string"],
            "properties": properties,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "if": { "type": "string" },
            "then": { "anyOf": [{ "enum": words }, { "pattern": "\\{\\{" }] },
        })
    }
}

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
    /// True if the run can make one of them false.
    pub(crate) fn may_be_false(&self) -> bool {
        self.iter().any(|condition| condition.constant() != Some(true))
    }

    /// The words of a sentence.
    pub fn explain(&self) -> String {
        let all: Vec<String> = self.iter().map(|c| c.explain()).collect();
        crate::words::list(&all)
    }

    /// Every condition, those inside `all`, `any` and `not` too.
    pub fn flat(&self) -> Vec<&Spanned<Condition>> {
        let mut found = Vec::new();
        for condition in self.iter() {
            found.push(condition);
            match &condition.value {
                Condition::All(All(inner))
                | Condition::Any(Any(inner))
                | Condition::Not(Not(inner)) => {
                    found.extend(inner.flat());
                }
                _ => {}
            }
        }
        found
    }

    /// Tells the conditions that have no bound where they are judged.
    pub(crate) fn must_be_judged(&self, reader: &mut Reader) {
        for condition in self.flat() {
            if condition.judged() == Judgeable::Unbounded {
                let word = condition.info().word;
                let message = format!("`{word}` says nothing of what it must be");
                let help = "give it a bound (a bare value, `is`, `at_most`, `at_least` or `between`), \
                            or `record` it";
                reader.push(Diagnostic::new(Code::E024, condition.span, message).help(help));
            }
        }
    }

    /// Tells a `within` of `progressing` where nothing is judged throughout a time.
    pub(crate) fn must_not_be_watched(&self, reader: &mut Reader) {
        for condition in self.flat() {
            let Condition::Progressing(it) = &condition.value else { continue };
            let Some(within) = &it.within else { continue };
            let message = "`within` of `progressing` is for what is judged throughout a time";
            let help = "it belongs into `always`, or into an `assert` with `for`; elsewhere the step \
                        says how long it may take: `wait: { until: [progressing: P], within: 30s }`";
            reader.push(Diagnostic::new(Code::E016, within.span, message).help(help));
        }
    }

    /// Tells the conditions that have a bound where nobody judges.
    pub(crate) fn must_not_be_judged(&self, reader: &mut Reader) {
        for condition in self.flat() {
            if condition.judged() == Judgeable::Bounded {
                let word = condition.info().word;
                let message = format!("`{word}` has a bound, but a record is judged by nobody");
                let help = "leave the bound out, or use `assert`";
                reader.push(Diagnostic::new(Code::E025, condition.span, message).help(help));
            }
        }
    }
}

impl FromNode for Conditions {
    const EXPECTS: &'static str = "a list of conditions";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::Seq(nodes) if nodes.is_empty() => {
                let message = "no condition: nothing would be judged";
                reader.push(Diagnostic::new(Code::E015, node.span, message));
                None
            }
            Kind::Seq(_) => reader.read(node).map(Self),
            _ => {
                let message = format!("expected a list of conditions, found {}", node.describe());
                let help = "write each condition with a dash: `- lost: 0`";
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

impl Meaning for Condition {
    fn meaning(&self) -> serde_json::Value {
        serde_json::Value::Object(
            [(self.info().word.to_owned(), self.arguments())].into_iter().collect(),
        )
    }
}

impl Meaning for Conditions {
    fn meaning(&self) -> serde_json::Value {
        self.0.meaning()
    }
}
