//! Compares the suites of two versions: which combinations of the matrix were dropped and added, and the changes of
//! all combinations, each once.

use std::collections::BTreeSet;

use super::{Change, Effect, PlanPart, steps, whole};
use crate::plan::Plan;

/// All changes.
pub(super) fn compare(old: &[Plan], new: &[Plan]) -> Vec<Change> {
    let (pairs, mut changes) = cells(old, new);
    let mut found: Vec<(Change, usize)> = Vec::new();
    let labels: Vec<String> =
        pairs.iter().map(|(_, new)| new.cell_label().unwrap_or_default()).collect();
    for (index, (old, new)) in pairs.iter().enumerate() {
        let mut all = whole::compare(old, new);
        all.extend(steps::compare(PlanPart::Steps, &old.steps, &new.steps));
        all.extend(whole::always(old, new));
        all.extend(steps::compare(PlanPart::Finally, &old.finally, &new.finally));
        // The same change may occur twice in one combination, but counts once over several combinations.
        let mut used: BTreeSet<usize> = BTreeSet::new();
        for (order, change) in all.into_iter().enumerate() {
            let same = |(at, (known, _)): (usize, &(Change, usize))| {
                let alike = (&known.text, &known.step, known.part, known.effect)
                    == (&change.text, &change.step, change.part, change.effect);
                (alike && !used.contains(&at)).then_some(at)
            };
            let at = found.iter().enumerate().find_map(same).unwrap_or_else(|| {
                found.push((Change { order, ..change }, 0));
                found.len() - 1
            });
            used.insert(at);
            found[at].1 += 1;
            found[at].0.cells.push(labels[index].clone());
        }
    }
    for (mut change, count) in found {
        if count == pairs.len() {
            change.cells.clear();
        }
        changes.push(change);
    }
    changes.sort_by_key(|c| (c.part, c.order));
    changes
}

type Pairs<'p> = Vec<(&'p Plan, &'p Plan)>;

/// The combinations of both versions, and the changes of the others.
fn cells<'p>(old: &'p [Plan], new: &'p [Plan]) -> (Pairs<'p>, Vec<Change>) {
    let mut pairs: Pairs<'p> = Vec::new();
    let mut left: Vec<&Plan> = new.iter().collect();
    let mut gone: Vec<&Plan> = Vec::new();
    for plan in old {
        match left
            .iter()
            .position(|other| shared(plan, other) == (plan.cell.len(), other.cell.len()))
        {
            Some(at) => pairs.push((plan, left.remove(at))),
            None => gone.push(plan),
        }
    }
    let mut changes = Vec::new();
    gone.retain(|plan| {
        // A combination with a changed value, or a matrix that was added or dropped.
        let likest = (0..left.len()).max_by_key(|at| (shared(plan, left[*at]).0, usize::MAX - at));
        let Some(at) = likest.filter(|at| names(plan) == names(left[*at]) || old.len() == 1) else {
            return true;
        };
        let other = left.remove(at);
        let text = match (plan.cell_label(), other.cell_label()) {
            (Some(was), Some(is)) => format!("the combination `{was}` became `{is}`"),
            (None, Some(is)) => format!("the plan has a matrix now, with `{is}`"),
            (was, None) => {
                format!("the plan has no matrix any more (before: `{}`)", was.unwrap_or_default())
            }
        };
        changes.push(Change::new(Effect::Neutral, PlanPart::Matrix, text));
        pairs.push((plan, other));
        false
    });
    let label = |plan: &Plan| plan.cell_label().unwrap_or_default();
    for plan in gone {
        let text = format!("the combination `{}` was dropped", label(plan));
        changes.push(Change::new(Effect::Weaker, PlanPart::Matrix, text));
    }
    for plan in left {
        let text = format!("the combination `{}` is new", label(plan));
        changes.push(Change::new(Effect::Stronger, PlanPart::Matrix, text));
    }
    (pairs, changes)
}

/// The number of values that two combinations share. It counts for both, so equal combinations have the sum of
/// their lengths.
fn shared(one: &Plan, other: &Plan) -> (usize, usize) {
    let count = one.cell.iter().filter(|pair| other.cell.contains(pair)).count();
    (count, count)
}

fn names(plan: &Plan) -> BTreeSet<&str> {
    plan.cell.iter().map(|(name, _)| name.as_str()).collect()
}
