//! `progressing`: since the asking step began, a message sent (appended) after that beginning was
//! acknowledged (delivered), on every partition in use: traffic from before proves nothing.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{
    conditions::Progressing,
    value::{Clients, Spread, duration_text},
};

use super::{
    Found, Judged, JudgedByClient,
    clients::{
        LEFT, answered_since, left, mates, nothing, open, refs, senders, sent_by, standstill,
        unreadable, why,
    },
    evidence::{JudgedTime, Needs, RestsOn},
    untold::{is_open, why_unknown},
};
use crate::{
    history::{
        HistoryFile, now_us,
        query::{Asked, Holders, PartitionPlace, SentSince, Standing, Window},
    },
    stage::{
        clients::{Client, Presence},
        judge::{Judge, Looking, since},
        outcome::StepError,
    },
};

#[async_trait]
impl JudgedByClient for Progressing {
    fn clients(&self) -> &Clients {
        &self.client
    }

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged {
        let own_time = match j.looking {
            Looking::Throughout { last } => return watched(self, client, j, last),
            Looking::Once => Duration::MAX,
            Looking::Until(within) => within,
        };
        let holders = Holders::read(&open(client)?, &mates(client, j)?).map_err(unreadable)?;
        let answered = answered_since(client, j, j.began_us, &holders)?;
        let name = &client.name;
        if answered.progressing(self.partitions == Spread::Any) {
            return Ok(Found::plain(true, format!("{name} makes progress")));
        }
        let because = why(client, answered.waiting(), j);
        let found = match client.presence() {
            Presence::Died => {
                Found::plain(false, format!("{name} does not run: it ended by itself"))
            }
            Presence::Away => Found::not_covered(format!("{name} does not run: the plan ended it")),
            Presence::Finished => Found::not_covered(format!("{name} had sent all its messages")),
            Presence::Working if answered.by.is_empty() && client.derives().is_some() => {
                Found::inconclusive(format!("nothing was sent to the topic that {name} reads"))
            }
            Presence::Working if answered.by.is_empty() && !client.sends() => Found::inconclusive(
                format!("nothing was sent to a partition that is assigned to {name}"),
            ),
            Presence::Working if answered.waiting().next().is_none() => {
                Found::inconclusive(format!("{name} has not sent anything since this step began"))
            }
            // The step began too recently for an answer to be due.
            Presence::Working if since(j.began_us) < self.patience().min(own_time) => {
                Found::inconclusive(format!(
                    "{name} {}, but this step began only just now",
                    standstill(client, answered.waiting())
                ))
            }
            Presence::Working if answered.waiting().all(|place| left(place, &holders)) => {
                let found = format!("{name} {}", standstill(client, answered.waiting()));
                Found::inconclusive(format!("{found}, {LEFT}"))
            }
            Presence::Working => {
                Found::plain(false, format!("{name} {}", standstill(client, answered.waiting())))
            }
        };
        Ok(found.because(because))
    }

    fn rests_on(&self, client: &Client, j: &Judge<'_>) -> Option<RestsOn> {
        // A single look is about this moment.
        let throughout = matches!(j.looking, Looking::Throughout { .. });
        throughout
            .then(|| (Needs::of_client(client, None, None, j), JudgedTime::of(j.began_us, None, j)))
    }
}

/// `progressing` throughout a time: each window of `within` is judged.
fn watched(c: &Progressing, client: &Client, j: &Judge<'_>, last: bool) -> Judged {
    let name = &client.name;
    let back = client.downs().iter().filter_map(|(_, to)| *to).max().unwrap_or(i64::MIN);
    let (own, mates) = (open(client)?, mates(client, j)?);
    let holders = Holders::read(&own, &mates).map_err(unreadable)?;
    let gone = |why: String| {
        // Until then every window had an answer: one answer shows that there was traffic.
        let ever = last && answered_since(client, j, j.began_us, &holders)?.progressing(true);
        let until = format!("{name} made progress for as long as it could");
        Ok(if ever {
            Found::plain(true, until)
        } else if last {
            Found::inconclusive(why)
        } else {
            Found::not_covered(why)
        })
    };
    match client.presence() {
        Presence::Working => {}
        Presence::Away => return gone(format!("{name} does not run: the plan ended it")),
        Presence::Finished => return gone(format!("{name} had sent all its messages")),
        Presence::Died => {
            return Ok(Found::plain(false, format!("{name} does not run: it ended by itself")));
        }
    }
    let senders = senders(client, j);
    let nobody = !senders.iter().any(|s| s.presence() == Presence::Working);
    let files = sent_by(&senders)?;
    let within = c.patience();
    let now_us = now_us();
    let begin_us = j.began_us.max(back);
    let within_us = i64::try_from(within.as_micros()).unwrap_or(i64::MAX / 4);
    let asked = Asked { begin_us, now_us, within_us };
    let window = Window::read(&files, (&own, &mates), asked).map_err(unreadable)?;
    let any = c.partitions == Spread::Any;
    let shown = duration_text(within);
    let silent = if any { Vec::new() } else { silent(client, &own, &window)? };
    match standing(&window, any) {
        Some(Standing::Answered) if !silent.is_empty() => {
            let (why, on) = (why_unknown(client), silent.join(", "));
            Ok(Found::inconclusive(format!("{why}: whether one waits on {on} is not known")))
        }
        Some(Standing::Answered) => Ok(Found::plain(true, format!("{name} makes progress"))),
        Some(Standing::Stuck) => {
            let answered = answered_since(client, j, now_us - within_us, &holders)?;
            let places: Vec<String> = stuck(&window).map(ToString::to_string).collect();
            let what = nothing(client);
            let found = format!("{name} has {what} for {shown} on {}", places.join(", "));
            Ok(Found::plain(false, found).because(why(client, answered.waiting(), j)))
        }
        Some(Standing::Early) => {
            gone(format!("the messages that {name} waits for were sent less than {shown} ago"))
        }
        None if nobody || !window.begun || now_us - begin_us < within_us => {
            gone(format!("nothing was sent that {name} could make progress with"))
        }
        None => Ok(Found::inconclusive(format!(
            "nothing was sent for {shown} that {name} could make progress with"
        ))),
    }
}

fn stuck(window: &Window) -> impl Iterator<Item = &PartitionPlace> {
    window.by.iter().filter(|(_, standing)| **standing == Standing::Stuck).map(|(place, _)| place)
}

/// Partitions that a producer uses and on which messages may wait of which it has not told.
fn silent(client: &Client, own: &[HistoryFile], window: &Window) -> Result<Vec<String>, StepError> {
    if !client.sends() || !is_open(client) {
        return Ok(Vec::new());
    }
    let used = SentSince::new(&refs(own), now_us(), |_| Some(i64::MIN)).map_err(unreadable)?;
    let silent = used.partitions().filter(|place| !window.by.contains_key(*place));
    Ok(silent.map(PartitionPlace::to_string).collect())
}

/// All partitions together: on every one where something was sent, or on any.
fn standing(window: &Window, any: bool) -> Option<Standing> {
    let order = match any {
        true => [Standing::Answered, Standing::Stuck, Standing::Early],
        false => [Standing::Stuck, Standing::Answered, Standing::Early],
    };
    order.into_iter().find(|wanted| window.by.values().any(|standing| standing == wanted))
}
