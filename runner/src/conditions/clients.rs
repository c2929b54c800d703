//! Conditions about clients' traffic, judged from their histories. Definitions: `judgement` in the docs,
//! section Availability.

use std::{path::PathBuf, sync::Arc, time::Duration};

use kplan_dsl::{
    conditions::{Condition, Progressing},
    value::{Clients, Spread, duration_text},
};

use crate::{
    conditions::{Found, cluster::row},
    history::{
        HistoryError, HistoryFile, now_us,
        query::{
            Answered, Asked, Away, Holders, Holding, Mate, PartitionPlace, SenderFiles, SentSince,
            Standing, Window,
        },
    },
    stage::{
        clients::{Client, Presence},
        judge::{Judge, Looking, since},
        outcome::StepError,
    },
};

pub(super) type Judged = Result<Found, StepError>;

/// Of partitions that are nobody's.
pub(super) const LEFT: &str = "which another client of its group had, and nobody has taken over";

/// Partitions of a client that the cluster is quoted on.
const PARTITIONS_TOLD: usize = 5;

/// The clients that a condition names, each of which is judged.
pub(super) fn named(condition: &Condition) -> Option<&Clients> {
    match condition {
        Condition::Progressing(c) => Some(&c.client),
        Condition::Connected(c) => Some(&c.client),
        Condition::Unavailable(c) => Some(&c.client),
        Condition::Recovered(c) => Some(&c.client),
        Condition::Latency(c) => Some(&c.client),
        _ => None,
    }
}

/// Why what is measured by acknowledgements cannot be measured of a client with `acks: 0`.
pub(super) fn unanswered(client: &Client) -> String {
    format!("{} sends with acks=0: no broker answers what it sends", client.name)
}

/// `progressing`: since the asking step began, a message sent (appended) after that beginning was
/// acknowledged (delivered), on every partition in use: traffic from before proves nothing.
pub fn progressing(c: &Progressing, client: &Client, j: &Judge<'_>) -> Judged {
    let own_time = match j.looking {
        Looking::Throughout { last } => return watched(c, client, j, last),
        Looking::Once => Duration::MAX,
        Looking::Until(within) => within,
    };
    let holders = Holders::read(&open(client)?, &mates(client, j)?).map_err(unreadable)?;
    let answered = answered_since(client, j, j.began_us, &holders)?;
    let name = &client.name;
    if answered.progressing(c.partitions == Spread::Any) {
        return Ok(Found::plain(true, format!("{name} goes on")));
    }
    let because = why(client, answered.waiting(), j);
    let found = match client.presence() {
        Presence::Died => Found::plain(false, format!("{name} does not run: it ended by itself")),
        Presence::Away => Found::not_covered(format!("{name} does not run: the plan ended it")),
        Presence::Finished => {
            Found::not_covered(format!("{name} had sent all that it was to send"))
        }
        Presence::Working if answered.by.is_empty() && !client.sends() => {
            Found::inconclusive(format!("nothing was sent to a partition that {name} holds"))
        }
        Presence::Working if answered.waiting().next().is_none() => {
            Found::inconclusive(format!("{name} has not sent anything since this step began"))
        }
        // Who asks at once has not given an answer the time to come.
        Presence::Working if since(j.began_us) < c.patience().min(own_time) => {
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

/// `progressing` throughout a time: each window of `within` anew.
fn watched(c: &Progressing, client: &Client, j: &Judge<'_>, last: bool) -> Judged {
    let name = &client.name;
    let back = client.downs().iter().filter_map(|(_, to)| *to).max().unwrap_or(i64::MIN);
    let (own, mates) = (open(client)?, mates(client, j)?);
    let holders = Holders::read(&own, &mates).map_err(unreadable)?;
    let gone = |why: String| {
        // Until then no window was without an answer: one answer shows that there were some.
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
        Presence::Finished => return gone(format!("{name} had sent all that it was to send")),
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
    match standing(&window, any) {
        Some(Standing::Answered) => Ok(Found::plain(true, format!("{name} goes on"))),
        Some(Standing::Stuck) => {
            let answered = answered_since(client, j, now_us - within_us, &holders)?;
            let places: Vec<String> = stuck(&window).map(ToString::to_string).collect();
            let what = if client.sends() { "nothing acknowledged" } else { "nothing delivered" };
            let found = format!("{name} has {what} for {shown} on {}", places.join(", "));
            Ok(Found::plain(false, found).because(why(client, answered.waiting(), j)))
        }
        Some(Standing::Early) => {
            gone(format!("what {name} waits for was sent less than {shown} ago"))
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

/// All partitions together: on every one where something was sent, or on any.
fn standing(window: &Window, any: bool) -> Option<Standing> {
    let order = match any {
        true => [Standing::Answered, Standing::Stuck, Standing::Early],
        false => [Standing::Stuck, Standing::Answered, Standing::Early],
    };
    order.into_iter().find(|wanted| window.by.values().any(|standing| standing == wanted))
}

/// What the client last complained of, and what the cluster says of the partitions that it waits for.
pub(super) fn why<'p>(
    client: &Client,
    waiting: impl Iterator<Item = &'p PartitionPlace>,
    j: &Judge<'_>,
) -> Vec<String> {
    let mut all = vec![client.causes()];
    if let Ok(view) = j.view() {
        let told = waiting.filter_map(|at| Some((at, view.partition(&at.topic, at.partition)?)));
        all.extend(told.take(PARTITIONS_TOLD).map(|(at, p)| row(&at.topic, p)));
    }
    all
}

pub(super) fn standstill<'p>(
    client: &Client,
    waiting: impl Iterator<Item = &'p PartitionPlace>,
) -> String {
    let waiting: Vec<String> = waiting.map(PartitionPlace::to_string).collect();
    let what = if client.sends() { "nothing acknowledged" } else { "nothing delivered" };
    if waiting.is_empty() {
        "has not sent anything".to_owned()
    } else {
        format!("has {what} on {}", waiting.join(", "))
    }
}

/// When messages that were sent after a time were first acknowledged (for a consumer: delivered), on what is the
/// client's own.
fn answered_since(
    client: &Client,
    j: &Judge<'_>,
    since_us: i64,
    holders: &Holders,
) -> Result<Answered, StepError> {
    let (own, sent) = histories(client, j)?;
    let topics = client.topics();
    let held = |place: &PartitionPlace| held(place, &topics, holders);
    let sent = SentSince::new(&refs(&sent), since_us, held).map_err(unreadable)?;
    sent.answered(&refs(&own)).map_err(unreadable)
}

/// Since when it waits for what is sent to a partition; none if that is none of its own.
pub(super) fn held(place: &PartitionPlace, topics: &[String], holders: &Holders) -> Option<i64> {
    if topics.contains(&place.topic) { holders.now(place).since_us() } else { None }
}

/// The other clients of a reader's group.
pub(super) fn mates(client: &Client, j: &Judge<'_>) -> Result<Vec<Mate>, StepError> {
    let Some((group, _)) = client.group().filter(|_| !client.sends()) else {
        return Ok(Vec::new());
    };
    let mut others = j.stage.clients.all();
    others.retain(|other| {
        other.name != client.name && other.group().is_some_and(|(own, _)| own == group)
    });
    // When all have ended, each held what it held then.
    let works = client.presence() == Presence::Working;
    let mate = |other: &Arc<Client>| {
        let gone = works && other.presence() != Presence::Working;
        Ok(Mate { files: opened(other.histories())?, gone })
    };
    others.iter().map(mate).collect()
}

/// What nobody has taken over from a client that is gone.
pub(super) fn left(place: &PartitionPlace, holders: &Holders) -> bool {
    holders.now(place) == Holding::Left
}

/// A client's own histories, and those of the producers of its topics (its own, for a producer).
pub(super) fn histories(
    client: &Client,
    j: &Judge<'_>,
) -> Result<(Vec<HistoryFile>, Vec<HistoryFile>), StepError> {
    let mut producers = Vec::new();
    for sender in senders(client, j) {
        producers.extend(open(&sender)?);
    }
    Ok((open(client)?, producers))
}

/// Those whose messages it waits for: itself, or for a consumer the producers of its topics.
pub(super) fn senders(client: &Client, j: &Judge<'_>) -> Vec<Arc<Client>> {
    let topics = client.topics();
    let mut all = j.stage.clients.all();
    all.retain(|other| match client.sends() {
        true => other.name == client.name,
        false => other.sends() && other.topics().iter().any(|t| topics.contains(t)),
    });
    all
}

/// What they sent, each with its absences.
pub(super) fn sent_by(senders: &[Arc<Client>]) -> Result<Vec<SenderFiles>, StepError> {
    senders.iter().map(|sender| Ok((open(sender)?, away(sender)))).collect()
}

pub(super) fn open(client: &Client) -> Result<Vec<HistoryFile>, StepError> {
    opened(client.traffic())
}

fn opened(files: Vec<PathBuf>) -> Result<Vec<HistoryFile>, StepError> {
    let there = files.into_iter().filter(|p| p.exists());
    there.map(|p| HistoryFile::open(&p).map_err(unreadable)).collect()
}

pub(super) fn refs(files: &[HistoryFile]) -> Vec<&HistoryFile> {
    files.iter().collect()
}

pub(super) fn unreadable(error: HistoryError) -> StepError {
    StepError::rig(format!("a history cannot be read: {error}"))
}

/// When the plan itself kept a client from working.
pub(super) fn away(client: &Client) -> Vec<Away> {
    client
        .downs()
        .into_iter()
        .map(|(from_us, to)| Away { from_us, to_us: to.unwrap_or(i64::MAX) })
        .collect()
}
