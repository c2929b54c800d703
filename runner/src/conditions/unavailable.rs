//! `unavailable`: the longest time without an acknowledgement (delivery) while there was something to
//! acknowledge (deliver), on the worst partition.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{conditions::Unavailable, value::Clients};

use super::{
    Found, Judged, JudgedByClient,
    clients::{
        away, histories, is_meant, mates, measured, refs, senders, time_of_day, timed, unanswered,
        unreadable,
    },
    evidence::{JudgedTime, Needs, RestsOn},
    untold::{untold, why_unknown},
};
use crate::{
    event::Stretch,
    history::{
        now_us,
        query::{Gap, GapTime, PartitionPlace, consumer_gaps, producer_gaps, untold_gaps},
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
        let untold = untold(client, j);
        // The worst gap that is certain. Or also possible ones: of messages without acknowledgements, as if all had
        // reached the log, and of those of which a producer has not told.
        let worst = |possible: bool| -> Result<Option<(PartitionPlace, Gap)>, StepError> {
            let read = || match client.sends() {
                true => {
                    let mut gaps: Vec<_> = producer_gaps(&refs(&own), &time)?.into_iter().collect();
                    if let Some(untold) = untold.as_ref().filter(|_| possible) {
                        gaps.extend(untold_gaps(&refs(&own), untold, &time)?);
                    }
                    Ok(gaps)
                }
                false => consumer_gaps(&refs(&own), &mates, (&refs(&sent), possible), &time)
                    .map(|gaps| gaps.into_iter().collect()),
            };
            let mut gaps = read().map_err(unreadable)?;
            gaps.retain(|(place, _)| {
                is_meant(place, self.topic.as_deref(), self.partition.as_deref())
            });
            Ok(gaps.into_iter().max_by_key(|(_, gap)| gap.length_us))
        };
        let Some((place, longest)) = worst(true)? else {
            return Ok(Found::inconclusive(format!(
                "{} had no message to send or read",
                client.name
            )));
        };
        let who = format!("{} on {place}", client.name);
        let did = format!("from {} was without service for", time_of_day(j, longest.from_us));
        let found = timed(self.bound, longest.length_us, who, &did);
        let senders = senders(client, j);
        let doubted = match &untold {
            Some(_) => Some(why_unknown(client)),
            None => senders
                .iter()
                .find(|s| !client.sends() && s.unanswered())
                .map(|sender| unanswered(sender)),
        };
        if let Some(why) = doubted {
            let least_us = worst(false)?.map_or(0, |(_, gap)| gap.length_us);
            if least_us < longest.length_us {
                let why = format!("{why}, so it may have been shorter");
                let least = Duration::from_micros(u64::try_from(least_us).unwrap_or_default());
                return Ok(found.or_less(self.bound, least, why));
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
