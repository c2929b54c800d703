//! What a condition found, before it is told.

use kplan_dsl::value::{Amount, Bound};
use serde_json::Value;

use crate::event::Holds;

/// What one condition found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The judgement.
    pub holds: Holds,
    /// What was found, in words; for inconclusive what was missing.
    pub found: String,
    /// Which messages, partitions, seconds.
    pub evidence: Vec<String>,
    /// The value, for `record` and `capture`.
    pub value: Value,
}

impl Found {
    /// A plain yes or no.
    #[must_use]
    pub fn plain(holds: bool, found: impl Into<String>) -> Self {
        Self {
            holds: if holds { Holds::Yes } else { Holds::No },
            found: found.into(),
            evidence: Vec::new(),
            value: Value::Bool(holds),
        }
    }

    /// A value against its bound; without a bound nothing is judged.
    pub fn bounded<T: Amount>(
        bound: Option<Bound<T>>,
        value: T,
        found: impl Into<String>,
        told: Value,
    ) -> Self {
        let holds = match bound {
            None => Holds::Unjudged,
            Some(bound) if bound.holds(value) => Holds::Yes,
            Some(_) => Holds::No,
        };
        Self { holds, found: found.into(), evidence: Vec::new(), value: told }
    }

    /// There is nothing to judge it by.
    #[must_use]
    pub fn inconclusive(missing: impl Into<String>) -> Self {
        Self {
            holds: Holds::Inconclusive,
            found: missing.into(),
            evidence: Vec::new(),
            value: Value::Null,
        }
    }

    /// The same with evidence.
    #[must_use]
    pub fn because(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Several clients or brokers, each judged: the worst counts, each is told.
    #[must_use]
    pub fn every(each: Vec<(String, Self)>) -> Self {
        let worst = each.iter().map(|(_, f)| f.holds).max_by_key(|h| rank(*h));
        let mut values = serde_json::Map::new();
        let mut words = Vec::new();
        let mut evidence = Vec::new();
        let alone = each.len() == 1;
        for (name, one) in each {
            values.insert(name, one.value);
            words.push(one.found);
            for line in one.evidence {
                // What two clients were kept from by the same partition is told once.
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
        }
    }
}

/// How bad a judgement is. A "no" is certain and beats an inconclusive one.
#[must_use]
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
