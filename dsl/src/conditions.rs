//! The conditions: one vocabulary for `wait`, `assert`, `always`, `record` and `chaos`.
//!
//! To add a condition, add a file here and a line in each of the two lists below. The runner then does not compile
//! until it judges the condition.

use std::collections::HashMap;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::args::{Arguments, WordInfo, arguments_of};
use crate::backend::Need;
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Kind, Node};
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::{Span, Spanned};
use crate::value::StepName;

mod aborted;
mod aborted_read;
mod acked;
mod brokers_alive;
mod clause;
mod committed;
mod connected;
mod controller;
mod corrupted;
mod count;
mod delivered;
mod diverged;
mod duplicated;
mod eligible_leader_replicas;
mod expired;
mod expr;
mod failed;
mod group;
mod http;
mod in_sync;
mod lag;
mod latency;
mod leader;
mod list;
mod listener;
mod log;
mod logic;
mod lost;
mod message;
mod offline_partitions;
mod offset;
mod overcopied;
mod overprocessed;
mod partitions;
mod phantom;
mod preferred_leaders;
mod progressing;
mod recovered;
mod redelivered;
mod reordered;
mod replicas_differ;
mod running;
mod skipped;
mod unavailable;
mod uncopied;
mod undelivered;
mod under_min_isr_partitions;
mod under_replicated_partitions;
mod unexpected_success;
mod unprocessed;
mod unresolved;
mod word;

pub use count::Count;
pub use http::HttpBody;
pub use list::Conditions;
pub use word::{ConditionWord, Judgeable, Shows};

type ReadCondition = fn(&Node, &mut Reader) -> Option<Condition>;

macro_rules! roster {
    (($d:tt) $($module:ident :: $name:ident,)+) => {
        $(pub use $module::$name;)+

        /// The same for every condition, without knowing its type.
        #[macro_export]
        macro_rules! each_condition {
            ($d condition:expr, $d it:ident => $d same:expr) => {
                match $d condition { $($d crate::conditions::Condition::$name($d it) => $d same),+ }
            };
        }

        /// One condition.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Condition {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)+
        }

        impl Condition {
            /// The declarations of all conditions, in the order of the manual.
            pub const ALL: &[&WordInfo] = &[$(&$name::INFO),+];

            /// The static properties of all conditions, in the same order.
            pub const FACTS: &[(&str, &ConditionFacts)] =
                &[$(($name::INFO.word, &<$name as ConditionWord>::FACTS)),+];

            /// The declaration of this condition.
            pub const fn info(&self) -> &'static WordInfo {
                match self { $(Self::$name(_) => &$name::INFO),+ }
            }

            /// Its static properties.
            pub const fn facts(&self) -> &'static ConditionFacts {
                match self { $(Self::$name(_) => &<$name as ConditionWord>::FACTS),+ }
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
    ($)
    brokers_alive::BrokersAlive,
    controller::Controller,
    leader::Leader,
    preferred_leaders::PreferredLeaders,
    in_sync::InSync,
    eligible_leader_replicas::EligibleLeaderReplicas,
    under_replicated_partitions::UnderReplicatedPartitions,
    under_min_isr_partitions::UnderMinIsrPartitions,
    offline_partitions::OfflinePartitions,
    group::Group,
    lag::Lag,
    offset::Offset,
    listener::Listener,
    log::Log,
    running::InstancesRun,
    http::Http,
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
    unprocessed::Unprocessed,
    overprocessed::Overprocessed,
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
    /// The condition as part of a sentence.
    pub fn explain(&self) -> String {
        each_condition!(self, it => it.explain())
    }

    /// The condition as a clause, after "wait until" and "check that".
    pub fn clause(&self) -> String {
        each_condition!(self, it => it.clause())
    }

    /// True for a condition's word.
    pub(crate) fn is_word(word: &str) -> bool {
        Self::facts_of(word).is_some()
    }

    /// The static properties of the condition with this word.
    pub fn facts_of(word: &str) -> Option<&'static ConditionFacts> {
        Self::FACTS.iter().find(|(own, _)| *own == word).map(|(_, facts)| *facts)
    }

    /// The parts of its arguments.
    pub(crate) fn parts(&self) -> &dyn Arguments {
        each_condition!(self, it => it)
    }

    /// What is counted, if it counts messages.
    pub fn count(&self) -> Option<&Count> {
        arguments_of(self.parts()).into_iter().next()
    }

    /// The conditions that it contains: those of `all`, `any` and `not`.
    pub fn inner(&self) -> &[Spanned<Self>] {
        let inner: Option<&Conditions> = arguments_of(self.parts()).into_iter().next();
        inner.map_or(&[], |inner| inner)
    }

    /// The steps that it names.
    pub fn steps(&self) -> Vec<&Spanned<StepName>> {
        let mut steps = arguments_of(self.parts());
        steps
            .extend(self.count().into_iter().flat_map(|count| count.since.iter().chain(&count.of)));
        steps
    }

    /// The step after whose start or end messages must be sent so that the condition proves something.
    pub(crate) fn sent_after(&self) -> Option<&Spanned<StepName>> {
        each_condition!(self, it => it.sent_after())
    }

    /// True if its judgement, or that of a condition in it, reads the whole log.
    pub fn reads_log(&self) -> bool {
        self.facts().reads_log || self.inner().iter().any(|inner| inner.reads_log())
    }

    /// True if every check judges from the beginning, also what earlier checks could not judge.
    pub fn judges_again(&self) -> bool {
        match self.inner() {
            [] => self.facts().judges_again,
            inner => inner.iter().all(|inner| inner.judges_again()),
        }
    }

    /// The ability of the backend that it needs, without those of conditions inside `all`, `any` and `not`.
    pub fn needs(&self) -> Option<Need> {
        each_condition!(self, it => it.needs())
    }

    /// Whether it can be judged as written.
    pub fn judged(&self) -> Judgeable {
        each_condition!(self, it => it.judged())
    }

    /// Whether it is always true or always false, whatever the cluster does; `None` if that depends on the run.
    ///
    /// This can follow from its bound alone (`lost: {at_least: 0}`) or from values that are known before the run
    /// (`expr: true`).
    pub fn constant(&self) -> Option<bool> {
        each_condition!(self, it => it.constant())
    }

    pub(crate) fn constant_help(&self) -> &'static str {
        each_condition!(self, it => it.constant_help())
    }

    pub(crate) fn is_chosen(&self) -> bool {
        each_condition!(self, it => it.is_chosen())
    }

    pub(crate) fn only_throughout(&self) -> Option<Diagnostic> {
        each_condition!(self, it => it.only_throughout())
    }

    pub(crate) fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        each_condition!(self, it => it.follow(span, ground));
    }

    pub(crate) fn defeated(&self, span: Span, ground: &mut Ground<'_>) {
        each_condition!(self, it => it.defeated(span, ground));
    }

    pub(crate) fn shows(&self, ground: &Ground<'_>) -> Shows {
        each_condition!(self, it => it.shows(ground))
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
                    let help = "write each condition with its own dash";
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
        each_condition!(&condition, it => it.validate(span, reader));
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
            let mut schema = crate::schema::argument(info.doc, schema);
            schema.insert(crate::schema::note::WORD.to_owned(), info.word.into());
            properties.insert(info.word.to_owned(), schema.to_value());
        }
        // One object instead of alternatives, so that editors mark the word that is wrong.
        json_schema!({
            "description": "One condition: a map with one key, or the bare word if it has no bound.",
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

impl Condition {
    /// The meaning of its arguments, each in its long form.
    pub fn arguments(&self) -> serde_json::Value {
        each_condition!(self, it => it.meaning())
    }
}

impl Meaning for Condition {
    fn meaning(&self) -> serde_json::Value {
        serde_json::Value::Object(
            [(self.info().word.to_owned(), self.arguments())].into_iter().collect(),
        )
    }
}
