//! What a condition found, before it is reported.

use kplan_dsl::value::{Amount, Bound};
use serde_json::Value;

use crate::event::Holds;

/// What one condition found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub holds: Holds,
    /// What was found, as text; for inconclusive what was missing.
    pub found: String,
    /// The messages, partitions or times that were found.
    pub evidence: Vec<String>,
    /// The value, for `record` and `capture`.
    pub value: Value,
    /// The judgement is certain: more traffic could not change it (the measured value breaks an
    /// upper bound or reaches a lower one), or the bound requires more than nothing and is met.
    pub firm: bool,
    /// There was something to judge, even if inconclusively. False if this look is outside of the judged time:
    /// the client has not begun to send, or the plan ended or paused it.
    pub covers: bool,
}

/// Compares a value with a bound: the judgement, and whether it is certain without traffic during each fault.
/// A bound that excludes the least value is met by found values, not by missing ones.
fn stands<T: Amount>(bound: Option<Bound<T>>, value: T) -> (Holds, bool) {
    match bound {
        None => (Holds::Unjudged, false),
        Some(bound) if bound.holds(value) => {
            (Holds::Yes, bound.most().is_none() || !bound.holds(T::RANGE.0))
        }
        Some(bound) => (Holds::No, bound.most().is_some_and(|most| value > most)),
    }
}

impl Found {
    /// A plain yes or no.
    pub fn plain(holds: bool, found: impl Into<String>) -> Self {
        Self {
            holds: if holds { Holds::Yes } else { Holds::No },
            found: found.into(),
            evidence: Vec::new(),
            value: Value::Bool(holds),
            firm: false,
            covers: true,
        }
    }

    /// A value against its bound; without a bound nothing is judged.
    pub fn bounded<T: Amount>(
        bound: Option<Bound<T>>,
        value: T,
        found: impl Into<String>,
        told: Value,
    ) -> Self {
        let (holds, firm) = stands(bound, value);
        Self { holds, found: found.into(), evidence: Vec::new(), value: told, firm, covers: true }
    }

    /// The evidence for a judgement is missing.
    pub fn inconclusive(missing: impl Into<String>) -> Self {
        Self {
            holds: Holds::Inconclusive,
            found: missing.into(),
            evidence: Vec::new(),
            value: Value::Null,
            firm: false,
            covers: true,
        }
    }

    /// This look is outside of the judged time.
    pub fn not_covered(why: impl Into<String>) -> Self {
        Self { covers: false, ..Self::inconclusive(why) }
    }

    /// The same without its evidence: the count is shown as the least true value.
    pub fn doubted(self, why: impl Into<String>) -> Self {
        let least = match &self.value {
            Value::Object(map) => map.get("total").and_then(Value::as_u64).filter(|n| *n > 0),
            _ => None,
        };
        let why = why.into();
        let found = match least {
            Some(n) => format!("{why}; at least {n}"),
            None => why,
        };
        let value = least.map_or(Value::Null, |n| serde_json::json!({ "at_least": n }));
        Self { value, evidence: self.evidence, ..Self::inconclusive(found) }
    }

    /// The same with evidence.
    pub fn because(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Combines the judgements of several clients or brokers: the worst counts, each is reported.
    pub fn every(mut each: Vec<(String, Self)>) -> Self {
        // A client that is away does not keep the others from being judged.
        let covers = each.iter().any(|(_, f)| f.covers);
        each.retain(|(_, f)| f.covers || !covers);
        let worst = each.iter().map(|(_, f)| f.holds).max_by_key(|h| rank(*h));
        let mut values = serde_json::Map::new();
        let mut words = Vec::new();
        let mut evidence = Vec::new();
        let alone = each.len() == 1;
        for (name, one) in each {
            values.insert(name, one.value);
            words.push(one.found);
            for line in one.evidence {
                // Evidence that two clients share is reported once.
                if !evidence.contains(&line) {
                    evidence.push(line);
                }
            }
        }
        let value = if alone {
            values.into_values().next().unwrap_or_default()
        } else {
            Value::Object(values)
        };
        Self {
            holds: worst.unwrap_or(Holds::Inconclusive),
            found: words.join("; "),
            evidence,
            value,
            firm: false,
            covers,
        }
    }
}

/// How bad a judgement is. A "no" is certain and is worse than an inconclusive judgement.
pub fn rank(holds: Holds) -> u8 {
    match holds {
        Holds::Unjudged => 0,
        Holds::Yes => 1,
        Holds::Inconclusive => 2,
        Holds::No => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_counts_and_a_no_beats_a_doubt() {
        let both = Found::every(vec![
            ("P".into(), Found::plain(true, "P goes on")),
            ("C".into(), Found::plain(false, "C stands still")),
            ("D".into(), Found::inconclusive("D never started")),
        ]);
        assert_eq!(both.holds, Holds::No);
        assert!(both.found.contains("P goes on") && both.found.contains("C stands still"));
        assert_eq!(Found::every(Vec::new()).holds, Holds::Inconclusive, "nothing proves nothing");
    }

    #[test]
    fn what_rests_on_what_was_found_is_firm() {
        let firm = |bound, value: u64| Found::bounded(Some(bound), value, "", Value::Null).firm;
        assert!(firm(Bound::Is(0), 3) && firm(Bound::AtMost(2), 3) && firm(Bound::AtLeast(2), 3));
        assert!(firm(Bound::Between(1, 2), 3));
        assert!(firm(Bound::Is(3), 3) && firm(Bound::Between(1, 5), 3));
        assert!(
            !firm(Bound::Is(0), 0) && !firm(Bound::AtMost(3), 3) && !firm(Bound::Between(0, 5), 3)
        );
        assert!(!firm(Bound::Is(4), 3) && !firm(Bound::AtLeast(4), 3));
        assert!(!firm(Bound::Between(4, 5), 3));
    }

    #[test]
    fn what_is_not_known_is_no_number() {
        let told = serde_json::json!({ "total": 0, "P": 0 });
        let none = Found::bounded(Some(Bound::Is(0_u64)), 0, "0", told).doubted("no traffic");
        assert_eq!((none.holds, none.value), (Holds::Inconclusive, Value::Null));
        let told = serde_json::json!({ "total": 3, "P": 3 });
        let some = Found::bounded(Some(Bound::Is(3_u64)), 3, "3", told).doubted("no traffic");
        assert_eq!(some.value, serde_json::json!({ "at_least": 3 }));
        assert!(some.found.contains("at least 3"), "{}", some.found);
    }

    #[test]
    fn a_bound_judges_and_no_bound_does_not() {
        let told = Value::from(3);
        assert_eq!(Found::bounded(Some(Bound::Is(3_u64)), 3, "3", told.clone()).holds, Holds::Yes);
        assert_eq!(
            Found::bounded(Some(Bound::AtMost(2_u64)), 3, "3", told.clone()).holds,
            Holds::No
        );
        assert_eq!(Found::bounded(None::<Bound<u64>>, 3, "3", told).holds, Holds::Unjudged);
    }
}
