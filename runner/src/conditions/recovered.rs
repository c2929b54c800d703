//! `recovered`: from the moment at which the last fault began to take effect to the first acknowledgement (delivery)
//! of a message that was sent after it had taken effect on all its targets, on the worst partition. If no message was
//! under way at that moment, the time begins with the first message after it.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use kplan_dsl::{
    conditions::Recovered,
    value::{BoundGroup, Clients},
};
use serde_json::Value;

use super::{
    Found, Judged, JudgedByClient,
    clients::{
        LEFT, away, held, is_meant, left, mates, measured, narrow, open, senders, sent_by,
        standstill, time_of_day, timed, unreadable, why,
    },
    evidence::{JudgedTime, Needs, RestsOn},
    untold::{hides_send_times, is_open, why_unknown},
};
use crate::{
    event::{Holds, Stretch},
    history::{
        HistoryFile, now_us,
        query::{Holders, Onset, PartitionPlace, SenderFiles, SentSince, Waited, absent_us, waits},
    },
    stage::{
        clients::Client,
        judge::{Judge, in_ms},
        outcome::StepError,
    },
};

#[async_trait]
impl JudgedByClient for Recovered {
    fn clients(&self) -> &Clients {
        &self.client
    }

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged {
        let own = self.since.as_deref().map(|s| s.as_str());
        let Some((acted, what)) = j.broke(own, &client.name) else {
            let broke = own.or(j.since).map(|step| format!("step \"{step}\" broke nothing"));
            let broke = broke.unwrap_or_else(|| format!("no fault affected {}", client.name));
            let found = format!("{broke}: there is nothing to recover from");
            return Ok(Found::not_covered(found));
        };
        let files = open(client)?;
        if j.mended(own, &client.name)
            .is_some_and(|over| begun_us(&files).is_some_and(|at| at > over))
        {
            let found = format!("{} started after this was over: {what}", client.name);
            return Ok(Found::not_covered(format!("{found}: there is nothing to recover from")));
        }
        let what = format!("{} ({what})", time_of_day(j, acted.from_us));
        // A target that was not affected yet may have answered messages sent before the fault took full effect.
        let onset = Onset { from_us: acted.from_us, by_us: acted.by_us };
        let senders = senders(client, j);
        if let Some(sender) = senders.iter().find(|sender| hides_send_times(sender)) {
            let why = why_unknown(sender);
            let found = format!("{why}: which messages were sent after {what} is not known");
            return Ok(Found::inconclusive(found));
        }
        let senders = sent_by(&senders)?;
        let holders = Holders::read(&files, &mates(client, j)?).map_err(unreadable)?;
        let topics = client.topics();
        let own = |place: &PartitionPlace| held(place, &topics, &holders);
        let mut by = waits(&senders, &files, own, onset).map_err(unreadable)?;
        narrow(&mut by, self.topic.as_deref(), self.partition.as_deref());
        let silent = silent(self, client, &senders, own, &by)?;
        let (away, now_us) = (away(client), now_us());
        let length = |wait: &Waited| {
            let until_us = wait.until_us.unwrap_or(now_us).max(wait.from_us);
            until_us - wait.from_us - absent_us(&away, wait.from_us, until_us)
        };
        // A partition without an answer so far is worse than any other.
        let worst = by.iter().max_by_key(|(place, wait)| {
            (wait.until_us.is_none(), !left(place, &holders), length(wait))
        });
        let Some((place, worst)) = worst else {
            return Ok(Found::inconclusive(format!(
                "no message was sent by or for {} after {what}",
                client.name
            )));
        };
        let took_us = length(worst);
        let until_us = worst.until_us.map(|until| until.max(worst.from_us));
        let away_us = until_us.unwrap_or(now_us) - worst.from_us - took_us;
        let time = (worst.from_us, until_us, away_us);
        measured(j, client, Stretch::Recovered, Some(place.to_string()), time);
        if until_us.is_none() {
            let waiting =
                || by.iter().filter(|(_, w)| w.until_us.is_none()).map(|(place, _)| place);
            let found = format!("{} {} since {what}", client.name, standstill(client, waiting()));
            if left(place, &holders) {
                return Ok(Found::inconclusive(format!("{found}, {LEFT}")));
            }
            return Ok(not_yet(self.bound, took_us, &found).because(why(client, waiting(), j)));
        }
        let who = format!("{} after {what}, last on {place}", client.name);
        let judged = timed(self.bound, took_us, who, "recovered within");
        // More time would only confirm a "no" that breaks the upper bound.
        let certain = judged.holds == Holds::No && judged.firm;
        if !silent.is_empty() && !certain {
            let (found, why, on) = (judged.found, why_unknown(client), silent.join(", "));
            let found = format!("{found}, but {why}: whether one waits on {on} is not known");
            return Ok(Found::inconclusive(found));
        }
        // With more traffic it could have been sooner, or later.
        Ok(Found { firm: false, ..judged })
    }

    fn rests_on(&self, client: &Client, j: &Judge<'_>) -> Option<RestsOn> {
        let needs = Needs::of_client(client, self.topic.as_deref(), self.partition.as_deref(), j);
        let time = JudgedTime::since(self.since.as_deref(), j);
        // It is about a single fault.
        let breaks = &j.stage.breaks;
        let meant = match &time.since {
            Some(step) => {
                let id = j.stage.timeline.named(step);
                id.and_then(|id| breaks.newest_of_step(&id, &client.name))
            }
            None => breaks.last_for(&client.name),
        };
        let faults = meant.into_iter().collect();
        Some((needs, JudgedTime { since: None, faults, ..time }))
    }
}

/// Partitions that a producer uses and on which messages may wait of which it has not told.
fn silent(
    c: &Recovered,
    client: &Client,
    senders: &[SenderFiles],
    own: impl Fn(&PartitionPlace) -> Option<i64>,
    by: &BTreeMap<PartitionPlace, Waited>,
) -> Result<Vec<String>, StepError> {
    if !client.sends() || !is_open(client) {
        return Ok(Vec::new());
    }
    let files: Vec<_> = senders.iter().flat_map(|(files, _)| files).collect();
    let used = SentSince::new(&files, now_us(), own).map_err(unreadable)?;
    let (topic, partition) = (c.topic.as_deref(), c.partition.as_deref());
    let silent = used.partitions().filter(|place| !by.contains_key(*place));
    let silent = silent.filter(|place| is_meant(place, topic, partition));
    Ok(silent.map(PartitionPlace::to_string).collect())
}

/// When a client's histories begin.
fn begun_us(files: &[HistoryFile]) -> Option<i64> {
    files.iter().filter_map(|file| Some(file.iter_from(0).next()?.ok()?.first_us)).min()
}

/// The client has not recovered: the time that it has waited is the least that recovery will take.
fn not_yet(bound: BoundGroup<Duration>, waited_us: i64, found: &str) -> Found {
    let waited = Duration::from_micros(u64::try_from(waited_us).unwrap_or_default());
    let judged = Found::bounded(bound, waited, found, Value::Null);
    if judged.firm {
        return judged;
    }
    let shown = in_ms(waited);
    Found::inconclusive(format!("{found}, {shown} ago: it is not known when it will recover"))
}
