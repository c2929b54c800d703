//! Conditions about clients' traffic, judged from their histories. Definitions: `judgement` in the docs,
//! section Availability.

use std::{sync::Arc, time::Duration};

use kplan_dsl::{
    conditions::{Condition, Progressing, Recovered, Unavailable},
    value::{BoundGroup, Clients, Spread, duration_text},
};
use serde_json::{Value, json};

use crate::{
    conditions::{Found, cluster::row},
    event::{Measurement, Stretch},
    history::{
        HistoryError, HistoryFile, now_us,
        query::{
            Answered, Asked, Away, Gap, PartitionPlace, SentSince, Standing, Window, consumer_gaps,
            producer_gaps,
        },
    },
    stage::{
        clients::{Client, Presence},
        judge::{Judge, Looking, since},
        outcome::StepError,
    },
};

pub(super) type Judged = Result<Found, StepError>;

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
    let answered = answered_since(client, j, j.began_us)?;
    let name = &client.name;
    if answered.progressing(c.partitions == Spread::Any) {
        return Ok(Found::plain(true, format!("{name} goes on")));
    }
    let because = why(client, &answered, j);
    let found = match client.presence() {
        Presence::Died => Found::plain(false, format!("{name} does not run: it ended by itself")),
        Presence::Away => Found::not_covered(format!("{name} does not run: the plan ended it")),
        Presence::Finished => {
            Found::not_covered(format!("{name} had sent all that it was to send"))
        }
        Presence::Working if answered.waiting().next().is_none() => {
            Found::inconclusive(format!("{name} has not sent anything since this step began"))
        }
        // Who asks at once has not given an answer the time to come.
        Presence::Working if since(j.began_us) < c.patience().min(own_time) => Found::inconclusive(
            format!("{name} {}, but this step began only just now", standstill(client, &answered)),
        ),
        Presence::Working => {
            Found::plain(false, format!("{name} {}", standstill(client, &answered)))
        }
    };
    Ok(found.because(because))
}

/// `progressing` throughout a time: each window of `within` anew.
fn watched(c: &Progressing, client: &Client, j: &Judge<'_>, last: bool) -> Judged {
    let name = &client.name;
    let back = client.downs().iter().filter_map(|(_, to)| *to).max().unwrap_or(i64::MIN);
    let gone = |why: String| {
        // Until then no window was without an answer: one answer shows that there were some.
        let ever = last && answered_since(client, j, j.began_us)?.progressing(true);
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
    let mut files = Vec::new();
    for sender in &senders {
        files.push((open(sender)?, away(sender)));
    }
    let within = c.patience();
    let now_us = now_us();
    let begin_us = j.began_us.max(back);
    let within_us = i64::try_from(within.as_micros()).unwrap_or(i64::MAX / 4);
    let asked = Asked { begin_us, now_us, within_us };
    let window = Window::read(&files, &open(client)?, asked).map_err(unreadable)?;
    let any = c.partitions == Spread::Any;
    let shown = duration_text(within);
    match standing(&window, any) {
        Some(Standing::Answered) => Ok(Found::plain(true, format!("{name} goes on"))),
        Some(Standing::Stuck) => {
            let answered = answered_since(client, j, now_us - within_us)?;
            let places: Vec<String> = stuck(&window).map(ToString::to_string).collect();
            let what = if client.sends() { "nothing acknowledged" } else { "nothing delivered" };
            let found = format!("{name} has {what} for {shown} on {}", places.join(", "));
            Ok(Found::plain(false, found).because(why(client, &answered, j)))
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
fn why(client: &Client, answered: &Answered, j: &Judge<'_>) -> Vec<String> {
    let mut all = vec![client.causes()];
    if let Ok(view) = j.view() {
        let waiting = answered.waiting();
        let told = waiting.filter_map(|at| Some((at, view.partition(&at.topic, at.partition)?)));
        all.extend(told.take(PARTITIONS_TOLD).map(|(at, p)| row(&at.topic, p)));
    }
    all
}

fn standstill(client: &Client, answered: &Answered) -> String {
    let waiting: Vec<String> = answered.waiting().map(PartitionPlace::to_string).collect();
    let what = if client.sends() { "nothing acknowledged" } else { "nothing delivered" };
    if waiting.is_empty() {
        "has not sent anything".to_owned()
    } else {
        format!("has {what} on {}", waiting.join(", "))
    }
}

/// When messages that were sent after a time were first acknowledged (for a consumer: delivered).
fn answered_since(client: &Client, j: &Judge<'_>, since_us: i64) -> Result<Answered, StepError> {
    let (own, sent) = histories(client, j)?;
    let topics = client.topics();
    let sent = SentSince::new(&refs(&sent), since_us, Some(&topics)).map_err(unreadable)?;
    sent.answered(&refs(&own)).map_err(unreadable)
}

/// A client's own histories, and those of the producers of its topics (its own, for a producer).
fn histories(
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
fn senders(client: &Client, j: &Judge<'_>) -> Vec<Arc<Client>> {
    let topics = client.topics();
    let mut all = j.stage.clients.all();
    all.retain(|other| match client.sends() {
        true => other.name == client.name,
        false => other.sends() && other.topics().iter().any(|t| topics.contains(t)),
    });
    all
}

pub(super) fn open(client: &Client) -> Result<Vec<HistoryFile>, StepError> {
    let there = client.traffic().into_iter().filter(|p| p.exists());
    there.map(|p| HistoryFile::open(&p).map_err(unreadable)).collect()
}

fn refs(files: &[HistoryFile]) -> Vec<&HistoryFile> {
    files.iter().collect()
}

pub(super) fn unreadable(error: HistoryError) -> StepError {
    StepError::rig(format!("a history cannot be read: {error}"))
}

/// `recovered`: from the moment at which the last fault began to act to the first acknowledgement (delivery)
/// of a message that was sent while it acted on all that it struck, on the worst partition.
pub fn recovered(c: &Recovered, client: &Client, j: &Judge<'_>) -> Judged {
    let own = c.since.as_deref().map(|s| s.as_str());
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
    narrow(&mut answered.by, c.topic.as_deref().map(|t| t.as_str()), c.partition.as_deref());
    if answered.by.is_empty() {
        return Ok(Found::inconclusive(format!("{} was sent nothing after {what}", client.name)));
    }
    let worst = answered.by.iter().max_by_key(|(_, at)| at.unwrap_or(i64::MAX));
    let worst = worst.map(|(p, _)| p.to_string());
    let until_us = answered.recovered_us().map(|took| broke_us + took);
    span(j, client, Stretch::Recovered, worst.clone(), broke_us, until_us);
    let Some(took_us) = answered.recovered_us() else {
        return Ok(
            not_yet(c, client, &answered, (broke_us, &what)).because(why(client, &answered, j))
        );
    };
    let worst = worst.unwrap_or_default();
    let who = format!("{} after {what}, last on {worst}", client.name);
    // With more traffic it could have been sooner, or later.
    Ok(Found { firm: false, ..timed(c.bound, took_us, who, "came back") })
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

/// `unavailable`: the longest time without an acknowledgement (delivery) while there was something to
/// acknowledge (deliver), on the worst partition.
pub fn unavailable(c: &Unavailable, client: &Client, j: &Judge<'_>) -> Judged {
    let (own, producers) = histories(client, j)?;
    let away: Vec<Away> = away(client);
    let gaps = if client.sends() {
        producer_gaps(&refs(&own), &away, now_us())
    } else {
        consumer_gaps(&refs(&own), &refs(&producers), &away, now_us())
    };
    let mut gaps = gaps.map_err(unreadable)?;
    narrow(&mut gaps, c.topic.as_deref().map(|t| t.as_str()), c.partition.as_deref());
    let since = j.since(c.since.as_deref().map(|s| s.as_str())).unwrap_or(i64::MIN);
    gaps.retain(|_, gap| gap.to_us > since);
    let Some((place, worst)) = gaps.into_iter().max_by_key(|(_, gap)| gap_us(gap, since)) else {
        return Ok(Found::inconclusive(format!("{} was given nothing to do", client.name)));
    };
    let from = worst.from_us.max(since);
    let until = (!worst.open).then_some(worst.to_us);
    span(j, client, Stretch::Unavailable, Some(place.to_string()), from, until);
    let who = format!("{} on {place}", client.name);
    let did = format!("from {} was without service", time_of_day(j, from));
    Ok(timed(c.bound, gap_us(&worst, since), who, &did))
}

fn gap_us(gap: &Gap, since_us: i64) -> i64 {
    // A gap that began before is counted from there, without the client's own absence.
    gap.length_us.min(gap.to_us.saturating_sub(since_us))
}

/// When the plan itself kept a client from working.
pub(super) fn away(client: &Client) -> Vec<Away> {
    client
        .downs()
        .into_iter()
        .map(|(from_us, to)| Away { from_us, to_us: to.unwrap_or(i64::MAX) })
        .collect()
}

fn narrow<T>(
    by: &mut std::collections::BTreeMap<PartitionPlace, T>,
    topic: Option<&str>,
    partition: Option<&kplan_dsl::value::PartitionRef>,
) {
    by.retain(|place, _| {
        topic.is_none_or(|t| place.topic == t)
            && partition
                .is_none_or(|p| place.topic == p.topic.as_str() && place.partition == p.partition)
    });
}

fn timed(bound: BoundGroup<Duration>, us: i64, who: String, did: &str) -> Found {
    let time = Duration::from_micros(u64::try_from(us).unwrap_or(0));
    let shown =
        duration_text(Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
    Found::bounded(
        bound,
        time,
        format!("{who} {did} for {shown}").replace("came back for", "came back within"),
        json!(time.as_secs_f64()),
    )
}

/// The time of day at a moment of the histories, as logs have it.
fn time_of_day(j: &Judge<'_>, at_us: i64) -> String {
    let wall_us = j.stage.run.sink.clock().wall_us(at_us);
    let at = jiff::Timestamp::from_microsecond(wall_us).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{} UTC", at.strftime("%H:%M:%S%.3f"))
}

/// Puts a measured stretch into the timeline when a step judges it for good.
fn span(
    j: &Judge<'_>,
    client: &Client,
    kind: Stretch,
    place: Option<String>,
    from_us: i64,
    until_us: Option<i64>,
) {
    j.stage.measured(Measurement {
        step: j.step.clone(),
        kind,
        client: client.name.clone(),
        place,
        from_us,
        until_us,
    });
}
