//! `recovered`: from the moment at which the last fault began to act to the first acknowledgement (delivery)
//! of a message that was sent while it acted on all that it struck, on the worst partition.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{
    conditions::Recovered,
    value::{Clients, duration_text},
};
use serde_json::Value;

use super::{
    Found, Judged, JudgedByClient,
    clients::{answered_since, measured, narrow, standstill, time_of_day, timed, why},
    evidence::{JudgedTime, Needs, RestsOn},
};
use crate::{
    event::Stretch,
    history::{now_us, query::Answered},
    stage::{clients::Client, judge::Judge},
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
            let broke = broke.unwrap_or_else(|| format!("nothing broke {}", client.name));
            let found = format!("{broke}: there is nothing to recover from");
            return Ok(Found::not_covered(found));
        };
        // What was sent while some of it still answered may have been answered by that.
        let mut answered = answered_since(client, j, acted.by_us)?;
        answered.since_us = acted.from_us;
        let broke_us = acted.from_us;
        let what = format!("{} ({what})", time_of_day(j, broke_us));
        let idle = std::mem::take(&mut answered.idle);
        answered.by.retain(|place, _| !idle.contains(place));
        narrow(&mut answered.by, self.topic.as_deref(), self.partition.as_deref());
        if answered.by.is_empty() {
            return Ok(Found::inconclusive(format!(
                "{} was sent nothing after {what}",
                client.name
            )));
        }
        let worst = answered.by.iter().max_by_key(|(_, at)| at.unwrap_or(i64::MAX));
        let worst = worst.map(|(p, _)| p.to_string());
        let until_us = answered.recovered_us().map(|took| broke_us + took);
        measured(j, client, Stretch::Recovered, worst.clone(), broke_us, until_us);
        let Some(took_us) = answered.recovered_us() else {
            return Ok(not_yet(self, client, &answered, (broke_us, &what))
                .because(why(client, &answered, j)));
        };
        let worst = worst.unwrap_or_default();
        let who = format!("{} after {what}, last on {worst}", client.name);
        // With more traffic it could have been sooner, or later.
        Ok(Found { firm: false, ..timed(self.bound, took_us, who, "came back") })
    }

    fn rests_on(&self, client: &Client, j: &Judge<'_>) -> Option<RestsOn> {
        let needs = Needs::of_client(client, self.topic.as_deref(), self.partition.as_deref(), j);
        let time = JudgedTime::since(self.since.as_deref(), j);
        // It is about one fault.
        let breaks = &j.stage.breaks;
        let meant = match &time.since {
            Some(step) => {
                let id = j.stage.step_named(step);
                id.and_then(|id| breaks.newest_of_step(&id, &client.name))
            }
            None => breaks.last_for(&client.name),
        };
        let faults = meant.into_iter().collect();
        Some((needs, JudgedTime { since: None, faults, ..time }))
    }
}

/// It has not come back: how long it has waited is the least that it will take.
fn not_yet(
    c: &Recovered,
    client: &Client,
    answered: &Answered,
    (broke_us, what): (i64, &str),
) -> Found {
    let gone = client.downs().iter().find(|(_, to)| to.is_none()).map(|(from, _)| *from);
    let waited = Duration::from_micros(
        u64::try_from(gone.unwrap_or_else(now_us) - broke_us).unwrap_or_default(),
    );
    let found = format!("{} {} since {what}", client.name, standstill(client, answered));
    let judged = Found::bounded(c.bound, waited, found.as_str(), Value::Null);
    if judged.firm {
        return judged;
    }
    let shown =
        duration_text(Duration::from_millis(u64::try_from(waited.as_millis()).unwrap_or(u64::MAX)));
    Found::inconclusive(format!("{found}, {shown} ago: it is not known when it will"))
}
