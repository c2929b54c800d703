//! Compares lists of steps: which steps were dropped, added, moved or changed.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::align::{Pair, align};
use super::{Change, Effect, PlanPart, fields};
use crate::facts::{Kind, Strikes};
use crate::plan::Step;
use crate::steps::{Children, Verb};

/// A step with its meaning, computed once.
struct View<'p> {
    step: &'p Step,
    meaning: Value,
    /// The hash of the meaning of the step and of the steps in it.
    key: u64,
    /// The hashes of its individual facts, in order.
    facts: Vec<u64>,
}

impl<'p> View<'p> {
    fn of(step: &'p Step) -> Self {
        let meaning = step.meaning();
        let mut facts = Vec::new();
        facts_of(&meaning, String::new(), &mut facts);
        facts.sort_unstable();
        facts.dedup();
        let mut hasher = DefaultHasher::new();
        meaning.to_string().hash(&mut hasher);
        for child in inner(step) {
            child.0.hash(&mut hasher);
            child.1.iter().map(Self::of).for_each(|v| v.key.hash(&mut hasher));
        }
        Self { step, meaning, key: hasher.finish(), facts }
    }

    fn name(&self) -> Option<&str> {
        self.step.head.name.as_ref().map(|n| n.as_str())
    }

    /// The similarity of two steps, of 1000.
    fn alike(&self, other: &Self) -> u32 {
        let named = self.name().is_some() && self.name() == other.name();
        if self.step.head.word != other.step.head.word {
            return if named { 400 } else { 0 };
        }
        if named {
            return 950;
        }
        let shared = self.facts.iter().filter(|f| other.facts.binary_search(f).is_ok()).count();
        let all = (self.facts.len() + other.facts.len() - shared).max(1);
        350 + u32::try_from(500 * shared / all).unwrap_or(0)
    }
}

/// The lists of steps inside a step, with the name of each list.
fn inner(step: &Step) -> Vec<(String, &[Step])> {
    match step.verb().map(Verb::children) {
        Some(Children::Branches(branches)) => {
            branches.iter().map(|b| (b.name.to_string(), b.steps.as_slice())).collect()
        }
        _ => {
            let lists = step.children().into_iter().enumerate();
            lists.map(|(index, steps)| (index.to_string(), steps)).collect()
        }
    }
}

fn facts_of(value: &Value, path: String, facts: &mut Vec<u64>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                facts_of(value, format!("{path}.{key}"), facts);
            }
        }
        Value::Array(all) => all.iter().for_each(|v| facts_of(v, path.clone(), facts)),
        leaf => {
            let mut hasher = DefaultHasher::new();
            (path, leaf.to_string()).hash(&mut hasher);
            facts.push(hasher.finish());
        }
    }
}

/// Compares two lists of steps of one part of the plan.
pub(super) fn compare(part: PlanPart, old: &[Step], new: &[Step]) -> Vec<Change> {
    let mut changes = Vec::new();
    lists(part, old, new, &mut changes);
    changes
}

fn lists(part: PlanPart, old: &[Step], new: &[Step], changes: &mut Vec<Change>) {
    let old: Vec<View<'_>> = old.iter().map(View::of).collect();
    let new: Vec<View<'_>> = new.iter().map(View::of).collect();
    let pairs = align(&old, &new, |v| v.key, View::alike);
    let gone: BTreeSet<u64> = pairs
        .iter()
        .filter_map(|p| if let Pair::Old(i) = p { Some(old[*i].key) } else { None })
        .collect();
    let come: BTreeSet<u64> = pairs
        .iter()
        .filter_map(|p| if let Pair::New(j) = p { Some(new[*j].key) } else { None })
        .collect();
    for pair in pairs {
        match pair {
            Pair::Both(i, j) if old[i].key == new[j].key => {}
            Pair::Both(i, j) => both(part, &old[i], &new[j], changes),
            // A step that only moved is reported at its new place.
            Pair::Old(i) if come.contains(&old[i].key) => {}
            Pair::Old(i) => changes.push(Change {
                step: Some(format!("former {}", title(old[i].step))),
                ..Change::new(dropped(old[i].step), part, "the step was dropped")
            }),
            Pair::New(j) => {
                let moved = gone.contains(&new[j].key);
                let effect = if moved { Effect::Neutral } else { added(new[j].step) };
                let text = if moved { "the step was moved here" } else { "the step is new" };
                let step = Some(title(new[j].step));
                changes.push(Change { step, ..Change::new(effect, part, text) });
            }
        }
    }
}

/// `step 3: Kill broker 2`, with its name where it has one.
fn title(step: &Step) -> String {
    let head = &step.head;
    let said = match &head.name {
        Some(name) => format!("\"{name}\" ({})", head.word),
        None => step.explain(),
    };
    let said: String = said.replace(char::is_control, " ");
    let short: String = said.chars().take(100).collect();
    let dots = if short.len() < said.len() { "..." } else { "" };
    format!("step {}, {short}{dots}", head.id)
}

fn both(part: PlanPart, old: &View<'_>, new: &View<'_>, changes: &mut Vec<Change>) {
    let step = Some(title(new.step));
    let word = new.step.head.word;
    if old.step.head.word != word {
        let text = format!(
            "the verb changed: before it was `{}`: {}",
            old.step.head.word,
            old.step.explain()
        );
        let effect =
            if dropped(old.step) == Effect::Weaker { Effect::Weaker } else { added(new.step) };
        changes.push(Change { step, ..Change::new(effect, part, text) });
        return;
    }
    for change in fields::compare(word, &old.meaning, &new.meaning) {
        changes
            .push(Change { step: step.clone(), ..Change::new(change.effect, part, change.text) });
    }
    children(part, old.step, new.step, changes);
}

/// The lists of steps inside both.
fn children(part: PlanPart, old: &Step, new: &Step, changes: &mut Vec<Change>) {
    let (olds, news) = (inner(old), inner(new));
    for (name, steps) in &olds {
        match news.iter().find(|(n, _)| n == name) {
            Some((_, now)) if std::ptr::eq(*steps, *now) => {}
            Some((_, now)) => {
                // The rounds of a loop are reported once.
                for change in compare(part, steps, now) {
                    if !changes.contains(&change) {
                        changes.push(change);
                    }
                }
            }
            None if is_fault(new) => changes.push(during(part, new, steps, false)),
            None if new.children().is_empty() || is_loop(new) => {}
            None => {
                let text = format!("the branch `{name}` was dropped");
                changes.push(Change {
                    step: Some(title(new)),
                    ..Change::new(Effect::Weaker, part, text)
                });
            }
        }
    }
    for (name, steps) in news.iter().filter(|(n, _)| olds.iter().all(|(o, _)| o != n)) {
        if is_fault(new) {
            changes.push(during(part, new, steps, true));
        } else if !is_loop(new) && !old.children().is_empty() {
            let text = format!("the branch `{name}` is new");
            changes.push(Change {
                step: Some(title(new)),
                ..Change::new(Effect::Stronger, part, text)
            });
        }
    }
}

/// The steps inside are those of `during`.
fn is_fault(step: &Step) -> bool {
    step.head.facts.in_chaos
}

/// The whole `during` of a fault was added or dropped.
fn during(part: PlanPart, fault: &Step, steps: &[Step], new: bool) -> Change {
    let count = crate::words::count(steps.len() as u64, "step");
    let (effect, now) = match (steps.iter().any(proves), new) {
        (true, true) => (Effect::Stronger, "is new"),
        (true, false) => (Effect::Weaker, "was dropped"),
        (false, true) => (Effect::Neutral, "is new"),
        (false, false) => (Effect::Neutral, "was dropped"),
    };
    let text = format!("its `during` {now} ({count})");
    Change { step: Some(title(fault)), ..Change::new(effect, part, text) }
}

/// The arguments of the loop show its rounds.
fn is_loop(step: &Step) -> bool {
    matches!(step.verb().map(Verb::children), Some(Children::Rounds(_)))
}

/// True if it judges something or breaks something.
fn proves(step: &Step) -> bool {
    let facts = step.head.facts;
    (facts.kind == Kind::Judgement && !is_pause(step))
        || facts.in_chaos
        || facts.strikes == Strikes::Everything
        || step.children().iter().any(|c| c.iter().any(proves))
}

/// True for a step that only writes or records something, or lets time pass.
fn is_passive(step: &Step) -> bool {
    is_pause(step) || matches!(step.head.facts.kind, Kind::Note | Kind::Observation)
}

fn is_pause(step: &Step) -> bool {
    step.verb().and_then(Verb::pause).is_some()
}

fn dropped(step: &Step) -> Effect {
    if is_passive(step) { Effect::Neutral } else { Effect::Weaker }
}

fn added(step: &Step) -> Effect {
    if proves(step) { Effect::Stronger } else { Effect::Neutral }
}
