//! Conditions that are the same whatever happens: they judge nothing.

use super::{All, Any, Condition, Conditions, Not};
use crate::value::Bound;

impl Condition {
    /// Whether it is true, or false, whatever the cluster does; `None` where that is to be seen.
    ///
    /// By its bound alone (`lost: {at_least: 0}`) or by what is known before the run (`expr: true`).
    pub fn constant(&self) -> Option<bool> {
        match self {
            Self::Expr(it) => it.0.known(),
            Self::All(All(inner)) => every(inner),
            Self::Any(Any(inner)) => any(inner),
            Self::Not(Not(inner)) => every(inner).map(|known| !known),
            other => other.bounded_by_nothing().then_some(true),
        }
    }

    /// True if it has bounds, and no value is outside of any of them.
    fn bounded_by_nothing(&self) -> bool {
        if let Some(count) = self.count() {
            return open(count.bound);
        }
        match self {
            Self::BrokersAlive(it) => open(it.bound),
            Self::InSync(it) => open(it.replicas),
            Self::UnderReplicatedPartitions(it) => open(it.bound),
            Self::UnderMinIsrPartitions(it) => open(it.bound),
            Self::OfflinePartitions(it) => open(it.bound),
            Self::ReplicasDiffer(it) => open(it.bound),
            Self::Lag(it) => open(it.bound),
            Self::Log(it) => open(it.bound),
            Self::Unavailable(it) => open(it.bound),
            Self::Recovered(it) => open(it.bound),
            Self::Group(it) => it.state.is_none() && open(it.members),
            Self::Offset(it) => {
                let bounds = [it.start, it.end];
                bounds.iter().any(Option::is_some)
                    && bounds.iter().flatten().all(Bound::always_holds)
            }
            Self::Latency(it) => {
                let bounds = it.bounds();
                !bounds.is_empty() && bounds.iter().all(|(_, _, bound)| bound.always_holds())
            }
            _ => false,
        }
    }
}

fn open<T: crate::value::Amount>(bound: Option<Bound<T>>) -> bool {
    bound.is_some_and(|bound| bound.always_holds())
}

fn every(inner: &Conditions) -> Option<bool> {
    let known: Vec<Option<bool>> = inner.iter().map(|c| c.constant()).collect();
    if known.contains(&Some(false)) {
        return Some(false);
    }
    known.iter().all(|k| *k == Some(true)).then_some(true)
}

fn any(inner: &Conditions) -> Option<bool> {
    let known: Vec<Option<bool>> = inner.iter().map(|c| c.constant()).collect();
    if known.contains(&Some(true)) {
        return Some(true);
    }
    known.iter().all(|k| *k == Some(false)).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{Count, Lost};
    use crate::{Span, Spanned};

    fn lost(bound: Bound<u64>) -> Condition {
        Condition::Lost(Lost { count: Count { bound: Some(bound), ..Count::default() } })
    }

    fn list(all: &[Condition]) -> Conditions {
        Conditions(all.iter().map(|c| Spanned::new(c.clone(), Span::default())).collect())
    }

    #[test]
    fn what_nothing_can_break_is_known_through_all_any_and_not() {
        let (sure, open) = (lost(Bound::AtLeast(0)), lost(Bound::Is(0)));
        assert_eq!((sure.constant(), open.constant()), (Some(true), None));
        let all = |inner: &[Condition]| Condition::All(All(list(inner))).constant();
        let some = |inner: &[Condition]| Condition::Any(Any(list(inner))).constant();
        let not = |inner: &[Condition]| Condition::Not(Not(list(inner))).constant();
        assert_eq!(all(&[sure.clone(), sure.clone()]), Some(true));
        assert_eq!(all(&[sure.clone(), open.clone()]), None);
        assert_eq!(some(&[open.clone(), sure.clone()]), Some(true));
        assert_eq!(some(&[open.clone(), open.clone()]), None);
        assert_eq!(not(std::slice::from_ref(&sure)), Some(false));
        assert_eq!(not(&[open]), None);
        let never = Condition::Not(Not(list(&[sure])));
        assert_eq!(not(&[never]), Some(true));
    }

    #[test]
    fn an_expression_without_what_only_the_run_knows_is_known() {
        let text = "plan: v1\nname: x\nsteps:\n  - start_cluster: { brokers: 1 }\n  - assert:\n      \
                    - expr: true\n      - expr: \"{{ 1 > 2 }}\"\n      - expr: \"{{ run.seed > 2 }}\"\n";
        let checked = crate::check_text("p.yaml".as_ref(), text, &crate::Options::default());
        let steps = &checked.suites[0].steps;
        let Some(crate::Verb::Assert(it)) = steps[1].verb() else { panic!("an assert") };
        let known: Vec<Option<bool>> = it.that.iter().map(|c| c.constant()).collect();
        assert_eq!(known, [Some(true), Some(false), None]);
    }
}
