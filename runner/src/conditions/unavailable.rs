//! `unavailable`: the longest time without an acknowledgement (delivery) while there was something to
//! acknowledge (deliver), on the worst partition.

use async_trait::async_trait;
use kplan_dsl::{conditions::Unavailable, value::Clients};

use super::{
    Found, Judged, JudgedByClient,
    clients::{away, histories, measured, narrow, refs, time_of_day, timed, unreadable},
    evidence::{JudgedTime, Needs, RestsOn},
};
use crate::{
    event::Stretch,
    history::{
        now_us,
        query::{Away, Gap, consumer_gaps, producer_gaps},
    },
    stage::{clients::Client, judge::Judge},
};

#[async_trait]
impl JudgedByClient for Unavailable {
    fn clients(&self) -> &Clients {
        &self.client
    }

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged {
        let (own, producers) = histories(client, j)?;
        let away: Vec<Away> = away(client);
        let gaps = if client.sends() {
            producer_gaps(&refs(&own), &away, now_us())
        } else {
            consumer_gaps(&refs(&own), &refs(&producers), &away, now_us())
        };
        let mut gaps = gaps.map_err(unreadable)?;
        narrow(&mut gaps, self.topic.as_deref(), self.partition.as_deref());
        let since = j.since(self.since.as_deref().map(|s| s.as_str())).unwrap_or(i64::MIN);
        gaps.retain(|_, gap| gap.to_us > since);
        let Some((place, worst)) = gaps.into_iter().max_by_key(|(_, gap)| gap_us(gap, since))
        else {
            return Ok(Found::inconclusive(format!("{} was given nothing to do", client.name)));
        };
        let from = worst.from_us.max(since);
        let until = (!worst.open).then_some(worst.to_us);
        measured(j, client, Stretch::Unavailable, Some(place.to_string()), from, until);
        let who = format!("{} on {place}", client.name);
        let did = format!("from {} was without service", time_of_day(j, from));
        Ok(timed(self.bound, gap_us(&worst, since), who, &did))
    }

    fn rests_on(&self, client: &Client, j: &Judge<'_>) -> Option<RestsOn> {
        let needs = Needs::of_client(client, self.topic.as_deref(), self.partition.as_deref(), j);
        Some((needs, JudgedTime::since(self.since.as_deref(), j)))
    }
}

fn gap_us(gap: &Gap, since_us: i64) -> i64 {
    // A gap that began before is counted from there, without the client's own absence.
    gap.length_us.min(gap.to_us.saturating_sub(since_us))
}
