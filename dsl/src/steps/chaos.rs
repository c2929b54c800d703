//! `chaos`

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{StepWord, Verb};
use crate::args::args;
use crate::backend::Need;
use crate::conditions::Conditions;
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Entry, Node};
use crate::facts::{Kind, LaneChange, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::meaning::{Meaning, put};
use crate::read::{FromNode, Reader};
use crate::source::{Span, Spanned};
use crate::value::{Target, duration_text};
use crate::words::{self, Sentence, spoken};

mod keep;

args! {
    /// Injects random faults for a time, and undoes them at the end.
    ///
    /// In each interval of length `every` one fault begins, in the first quarter of the interval. The schedule
    /// (when each fault begins, which fault it is, how long it lasts, and which broker `random` means) depends only
    /// on the run's seed and the plan, and is in the report: `--seed` repeats it. With `--repeat`, each repetition
    /// uses the next seed.
    ///
    /// A fault is left out, and the report gives the reason, if `keep` does not hold (kplan waits up to half of
    /// `every` for it), or if `keep` would no longer hold without the brokers that the fault takes away; kplan
    /// predicts the latter for `brokers_alive` and `in_sync`. Faults of processes and disks do not overlap with
    /// network partitions, and no broker has two faults at the same time. `keep` judges nothing: write what must
    /// hold into `always`.
    ///
    /// When a plan with `chaos` fails, `kplan run --shrink` searches for the fewest faults that still make it fail,
    /// and writes them as a plan.
    #[example("chaos: { for: 5m, every: 20s, faults: [{ kill_broker: random, for: 10s }], keep: [{ brokers_alive: { at_least: 2 } }] }")]
    pub struct Chaos("chaos") {
        /// How long faults are injected.
        #[weighs(MoreIsStronger(Some(0.0)))]
        for_time as "for": Spanned<Duration>,
        /// The interval in which one fault begins.
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        every: Spanned<Duration>,
        /// The faults to choose from. Each is a map with one verb and, optionally, `for`.
        #[weighs(Elements)]
        faults: Spanned<Vec<ChaosFault>>,
        /// Conditions that no fault may break.
        keep: Option<Conditions>,
    }
}

/// One fault that `chaos` can choose.
#[derive(Debug, Clone, PartialEq)]
pub struct ChaosFault {
    /// The fault.
    pub verb: Verb,
    /// The time after which it is undone; without it, at the end of the chaos.
    pub for_time: Option<Duration>,
    /// Its place.
    pub span: Spanned<()>,
}

impl Meaning for ChaosFault {
    fn meaning(&self) -> serde_json::Value {
        let mut map = serde_json::Map::new();
        map.insert(self.verb.info().word.to_owned(), self.verb.meaning());
        put(&mut map, "for", self.for_time.filter(|_| self.verb.for_time().is_none()).meaning());
        serde_json::Value::Object(map)
    }
}

impl FromNode for ChaosFault {
    const EXPECTS: &'static str = "a fault such as `{kill_broker: random, for: 10s}`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Some(entries) = node.map() else {
            reader.expected::<Self>(node);
            return None;
        };
        let beside = entries.iter().find(|e| e.key.value == "for");
        let beside: Option<Option<Duration>> = match beside {
            Some(entry) => reader.read(&entry.value).map(Some),
            None => Some(None),
        };
        let verbs: Vec<&Entry> = entries.iter().filter(|e| e.key.value != "for").collect();
        let [entry] = verbs.as_slice() else {
            let message = "a fault is a map with one verb and, optionally, `for`";
            reader.push(Diagnostic::new(Code::E016, node.span, message));
            return None;
        };
        if !Verb::may_be_in_chaos(&entry.key) {
            let message = format!("`{}` is not a fault", entry.key);
            let help = did_you_mean(&entry.key, Verb::of_chaos());
            reader.push(Diagnostic::new(Code::E020, entry.key.span, message).maybe_help(help));
            return None;
        }
        let verb = Verb::read(&entry.key, entry.key.span, &entry.value, reader)?;
        if let Some(during) = entry.value.get("during") {
            let message = "a fault of `chaos` cannot have `during`: the schedule decides which faults are in force";
            reader.push(Diagnostic::new(Code::E016, during.span, message));
            return None;
        }
        let for_time = beside?.or_else(|| verb.for_time());
        Some(Self { verb, for_time, span: Spanned::new((), node.span) })
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        let mut properties = serde_json::Map::new();
        for fault in Verb::of_chaos() {
            let reference = format!("#/definitions/step/properties/{fault}");
            properties.insert(fault.to_owned(), serde_json::json!({ "$ref": reference }));
        }
        properties.insert("for".to_owned(), serde_json::json!({ "type": "string" }));
        json_schema!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 2,
        })
    }
}

impl StepWord for Chaos {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Everything,
        undo: Undo::Itself,
        lane: Some(LaneMark::Chaos),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let faults: Vec<&str> = self.faults.iter().map(|f| f.verb.info().word).collect();
        let (time, every) = (duration_text(self.for_time.value), duration_text(self.every.value));
        format!("Chaos for {time}: every {every} one of {}", faults.join(", "))
    }

    fn in_full(&self) -> Sentence {
        let (time, every) = (spoken(self.for_time.value), spoken(self.every.value));
        let keep = self.keep.as_ref().map(|keep| words::list(&keep.clauses()));
        let keep = keep.map(|keep| format!(" (no fault that would violate this: {keep})"));
        let keep = keep.unwrap_or_default();
        let fault = |fault: &ChaosFault| match (fault.for_time, fault.verb.for_time()) {
            (Some(time), None) => format!("{}, for {}", fault.verb.explain(), spoken(time)),
            _ => fault.verb.explain(),
        };
        Sentence {
            text: format!(
                "For {time}, every {every}, inject one fault, chosen by the run's seed{keep}"
            ),
            points: self.faults.iter().map(fault).collect(),
        }
    }

    fn lanes(&self) -> Vec<LaneChange> {
        let strikes_clients = |f: &ChaosFault| f.verb.facts().strikes == Strikes::Clients;
        let clients = self.faults.iter().any(strikes_clients);
        let clients = clients.then_some(LaneChange::AllClients(LaneMark::Chaos));
        let brokers = LaneChange::Nodes(Target::All, LaneMark::Chaos);
        std::iter::once(brokers).chain(clients).collect()
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if self.faults.is_empty() {
            reader.push(Diagnostic::new(
                Code::E015,
                self.faults.span,
                "the list of faults is empty",
            ));
        }
        reader.must_last("for", Some(&self.for_time), None);
        if self.every.is_zero() || self.every.value > self.for_time.value {
            let message = "`every` must be greater than 0 and at most `for`";
            reader.push(Diagnostic::new(Code::E015, self.every.span, message));
        }
        if let Some(keep) = &self.keep {
            keep.must_be_judged(reader);
            keep.must_not_be_watched(reader);
        }
    }

    fn needs(&self) -> Vec<Need> {
        let each = self.faults.iter().flat_map(|fault| {
            let span = Some(fault.span.span);
            fault.verb.needs().into_iter().map(move |n| Need { span: n.span.or(span), ..n })
        });
        each.collect()
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        for target in self.faults.iter().filter_map(|fault| fault.verb.target()) {
            ground.target(target);
        }
        ground.takes(self.for_time.value);
        self.breaks_nothing(ground);
    }
}
