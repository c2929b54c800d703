//! Any work of a service is counted as it is message by message.

use super::serving;
use crate::audit::testing::{Fate, World, run};
use crate::audit::{At, CountVerdict, GroupCommits, Measure, Scope, ServiceWork};
use crate::history::Mark;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What a service of three outputs at most did with messages that are in its input up to three times, hidden or not,
/// with a group that has committed or not.
#[derive(Clone, Debug)]
struct Served {
    /// How often each message is in the input, and how many messages are derived from it; whether the first
    /// transaction with it was aborted.
    each: Vec<(u64, u64, bool)>,
    outputs: u64,
    committed: Option<i64>,
}

fn any_work() -> impl Strategy<Value = Served> {
    let each = prop::collection::vec((1_u64..4, 0_u64..9, any::<bool>()), 1..30);
    (each, 1_u64..4, prop::option::of(0_i64..60)).prop_map(|(each, outputs, committed)| Served {
        each,
        outputs,
        committed,
    })
}

proptest! {
    #[test]
    fn any_work_is_judged_as_message_by_message(work in any_work(), limit in 1_u64..9) {
        let mut w = World::new(1);
        let group = work.committed.map(|_| "services".to_owned());
        w.client("S").work = Some(ServiceWork { group, outputs: work.outputs, ..serving() });
        if let Some(offset) = work.committed {
            let at = At { topic: "t".into(), partition: 0, offset };
            w.facts.groups.entry("services".into()).or_default().committed = GroupCommits::Known(vec![at]);
        }
        w.send((1, 1), 0, work.each.len() as u64, Fate::Acked);
        // Where each message is visible.
        let mut visible: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        for ((times, _, hidden), seq) in work.each.iter().zip(0..) {
            let places = visible.entry(seq).or_default();
            if *hidden {
                w.hidden.insert((0, seq.cast_signed()));
            } else {
                places.push(seq.cast_signed());
            }
            places.extend((1..*times).map(|_| w.append(run(Mark::Found, 0, (1, 1), seq, -1))));
        }
        for round in 0..9 {
            for ((_, made, _), seq) in work.each.iter().zip(0..) {
                if *made > round {
                    w.derive((1, 1), &[seq]);
                }
            }
        }
        let (mut unprocessed, mut overprocessed, mut unsure) = (0, 0, 0);
        for ((_, made, _), seq) in work.each.iter().zip(0..) {
            let places = &visible[&seq];
            let lacks = (places.len() as u64).saturating_sub(made / work.outputs);
            let open = places.iter().filter(|at| work.committed.is_some_and(|c| **at >= c)).count();
            let left = lacks.min(open as u64);
            (unprocessed, unsure) = (unprocessed + lacks - left, unsure + left);
            overprocessed += made.saturating_sub(places.len() as u64 * work.outputs);
        }
        let audit = w.audit(limit);
        let of = |measure| match audit.verdict(measure, &Scope::default()) {
            CountVerdict::Counted(finding) => (finding.count, true),
            CountVerdict::Inconclusive { at_least, .. } => (at_least.count, false),
        };
        let judged = visible.values().any(|places| !places.is_empty());
        prop_assert_eq!(of(Measure::Unprocessed), (unprocessed, unsure == 0 && judged));
        prop_assert_eq!(of(Measure::Overprocessed).0, overprocessed);
    }
}
