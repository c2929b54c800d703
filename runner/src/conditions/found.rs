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
        reported: Value,
    ) -> Self {
        let (holds, firm) = stands(bound, value);
        Self {
            holds,
            found: found.into(),
            evidence: Vec::new(),
            value: reported,
            firm,
            covers: true,
        }
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

    /// The same if the measured value may have been less, but not less than `least`: judged only if all values in
    /// between are judged alike.
    pub fn or_less<T: Amount>(self, bound: Option<Bound<T>>, least: T, why: String) -> Self {
        let least = Self::bounded(bound, least, "", Value::Null);
        // A "no" is firm if it breaks the upper bound.
        let no =
            (least.holds == Holds::No && least.firm) || (self.holds == Holds::No && !self.firm);
        if no || (least.holds, self.holds) == (Holds::Yes, Holds::Yes) {
            return Self { firm: least.firm, ..self.because([why]) };
        }
        Self::inconclusive(format!("{}, but {why}", self.found))
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_known_to_lie_between_two_values_is_judged_where_both_agree() {
        let s = Duration::from_secs;
        let bounds = [Bound::AtMost(s(5)), Bound::AtLeast(s(5)), Bound::Between(s(2), s(5))];
        let holds = |bound: Bound<Duration>, least: u64, most: u64| {
            let found = Found::bounded(Some(bound), s(most), "", Value::Null);
            found.or_less(Some(bound), s(least), String::new()).holds
        };
        let (yes, no, unknown) = (Holds::Yes, Holds::No, Holds::Inconclusive);
        for (least, most, expected) in [
            (0, 1, [yes, no, no]),
            (0, 4, [yes, no, unknown]),
            (3, 4, [yes, no, yes]),
            (1, 9, [unknown, unknown, unknown]),
            (3, 9, [unknown, unknown, unknown]),
            (6, 9, [no, yes, no]),
        ] {
            assert_eq!(bounds.map(|b| holds(b, least, most)), expected, "{least} to {most}");
        }
        let recorded = Found::bounded(None, s(1), "", Value::Null);
        assert_eq!(recorded.or_less(None, s(0), String::new()).holds, unknown);
    }

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
        let reported = serde_json::json!({ "total": 0, "P": 0 });
        let none = Found::bounded(Some(Bound::Is(0_u64)), 0, "0", reported).doubted("no traffic");
        assert_eq!((none.holds, none.value), (Holds::Inconclusive, Value::Null));
        let reported = serde_json::json!({ "total": 3, "P": 3 });
        let some = Found::bounded(Some(Bound::Is(3_u64)), 3, "3", reported).doubted("no traffic");
        assert_eq!(some.value, serde_json::json!({ "at_least": 3 }));
        assert!(some.found.contains("at least 3"), "{}", some.found);
    }

    #[test]
    fn a_bound_judges_and_no_bound_does_not() {
        let reported = Value::from(3);
        assert_eq!(
            Found::bounded(Some(Bound::Is(3_u64)), 3, "3", reported.clone()).holds,
            Holds::Yes
        );
        assert_eq!(
            Found::bounded(Some(Bound::AtMost(2_u64)), 3, "3", reported.clone()).holds,
            Holds::No
        );
        assert_eq!(Found::bounded(None::<Bound<u64>>, 3, "3", reported).holds, Holds::Unjudged);
    }
}
