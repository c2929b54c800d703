//! `unavailable`: the longest time without an acknowledgement (delivery) while there was something to
//! acknowledge (deliver), on the worst partition.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{
    conditions::Unavailable,
    value::{BoundGroup, Clients},
};
use serde_json::Value;

use super::{
    Found, Judged, JudgedByClient,
    clients::{
        away, histories, mates, measured, narrow, refs, senders, time_of_day, timed, unanswered,
        unreadable,
    },
    evidence::{JudgedTime, Needs, RestsOn},
};
use crate::{
    event::{Holds, Stretch},
    history::{
        now_us,
        query::{Gap, GapTime, PartitionPlace, consumer_gaps, producer_gaps},
    },
    stage::{clients::Client, judge::Judge, outcome::StepError},
};

#[async_trait]
impl JudgedByClient for Unavailable {
    fn clients(&self) -> &Clients {
        &self.client
    }

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged {
        let (own, sent) = histories(client, j)?;
        let mates = mates(client, j)?;
        let since_us = j.since(self.since.as_deref().map(|s| s.as_str())).unwrap_or(i64::MIN);
        let time = GapTime { since_us, until_us: now_us(), away: &away(client) };
        // The worst gap; with `unanswered` also of messages without acknowledgements, as if all had reached the log.
        let worst = |unanswered: bool| -> Result<Option<(PartitionPlace, Gap)>, StepError> {
            let gaps = match client.sends() {
                true => producer_gaps(&refs(&own), &time),
                false => consumer_gaps(&refs(&own), &mates, (&refs(&sent), unanswered), &time),
            };
            let mut gaps = gaps.map_err(unreadable)?;
            narrow(&mut gaps, self.topic.as_deref(), self.partition.as_deref());
            Ok(gaps.into_iter().max_by_key(|(_, gap)| gap.length_us))
        };
        let Some((place, longest)) = worst(true)? else {
            return Ok(Found::inconclusive(format!(
                "{} had no message to send or read",
                client.name
            )));
        };
        let who = format!("{} on {place}", client.name);
        let did = format!("from {} was without service", time_of_day(j, longest.from_us));
        let found = timed(self.bound, longest.length_us, who, &did);
        let senders = senders(client, j);
        if let Some(sender) = senders.iter().find(|s| !client.sends() && s.unanswered()) {
            let least_us = worst(false)?.map_or(0, |(_, gap)| gap.length_us);
            if least_us < longest.length_us {
                let why = format!("{}, so it may have been shorter", unanswered(sender));
                return Ok(at_most(self.bound, least_us, found, why));
            }
        }
        let until_us = (!longest.open).then_some(longest.to_us);
        let away_us = longest.to_us - longest.from_us - longest.length_us;
        let time = (longest.from_us, until_us, away_us);
        measured(j, client, Stretch::Unavailable, Some(place.to_string()), time);
        Ok(found)
    }

    fn rests_on(&self, client: &Client, j: &Judge<'_>) -> Option<RestsOn> {
        let needs = Needs::of_client(client, self.topic.as_deref(), self.partition.as_deref(), j);
        Some((needs, JudgedTime::since(self.since.as_deref(), j)))
    }
}

/// Judges a gap that lasted between `least_us` and what was found: only if all values in between are judged
/// alike.
fn at_most(bound: BoundGroup<Duration>, least_us: i64, most: Found, why: String) -> Found {
    let time = Duration::from_micros(u64::try_from(least_us).unwrap_or_default());
    let least = Found::bounded(bound, time, "", Value::Null);
    // A "no" is firm if it breaks the upper bound.
    let no = (least.holds == Holds::No && least.firm) || (most.holds == Holds::No && !most.firm);
    if no || (least.holds, most.holds) == (Holds::Yes, Holds::Yes) {
        return Found { firm: least.firm, ..most.because([why]) };
    }
    Found::inconclusive(format!("{}, but {why}", most.found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kplan_dsl::value::Bound;

    #[test]
    fn what_is_known_to_lie_between_two_times_is_judged_where_both_agree() {
        let s = Duration::from_secs;
        let bounds = [Bound::AtMost(s(5)), Bound::AtLeast(s(5)), Bound::Between(s(2), s(5))];
        let holds = |bound: Bound<Duration>, least: i64, most: u64| {
            let found = Found::bounded(Some(bound), s(most), "", Value::Null);
            at_most(Some(bound), least * 1_000_000, found, String::new()).holds
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
        assert_eq!(at_most(None, 0, recorded, String::new()).holds, unknown);
    }
}
