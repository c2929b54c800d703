//! Conditions about clients' traffic, judged from their histories. Definitions: `judgement` in the docs,
//! section Availability.

use std::{sync::Arc, time::Duration};

use kplan_dsl::{
    conditions::{Connected, Progressing, Recovered, Unavailable},
    value::{BoundGroup, Clients, Spread, duration_text},
};
use serde_json::{Value, json};

use crate::{
    conditions::{Found, cluster::row},
    conductor::{
        clients::Client, faults::Break, judge::Judge, outcome::StepError, traffic::sent_between,
    },
    event::Span,
    history::{
        HistoryError, HistoryFile, now_us,
        query::{Answered, Away, Gap, Place, SentSince, consumer_gaps, producer_gaps},
    },
};

pub(super) type Judged = Result<Found, StepError>;

/// Partitions of a client that the cluster is quoted on.
const PARTITIONS_TOLD: usize = 5;

/// Judges each client that a condition names.
pub(super) fn each(
    clients: &Clients,
    j: &Judge<'_>,
    one: impl Fn(&Arc<Client>) -> Judged,
) -> Judged {
    let mut all = Vec::new();
    for name in clients.iter() {
        let client = j.stage.clients.get(&name.client)?;
        all.push((client.name.clone(), one(&client)?));
    }
    Ok(Found::every(all))
}

/// `progressing`: since the asking step began, a message sent (appended) after that beginning was
/// acknowledged (delivered), on every partition in use: traffic from before proves nothing.
pub fn progressing(c: &Progressing, j: &Judge<'_>) -> Judged {
    each(&c.client, j, |client| {
        let answered = answered_since(client, j, j.began_us)?;
        let holds = answered.progressing(c.partitions == Spread::Any);
        if holds {
            return Ok(Found::plain(true, format!("{} goes on", client.name)));
        }
        let mut found =
            Found::plain(false, format!("{} {}", client.name, standstill(client, &answered)));
        if !client.lives() {
            found.found = format!("{} does not run", client.name);
        }
        Ok(found.because(why(client, &answered, j)))
    })
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
    let waiting: Vec<String> = answered.waiting().map(Place::to_string).collect();
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
    let own = open(client)?;
    let mut producers = Vec::new();
    if client.sends() {
        producers.extend(open(client)?);
    } else {
        let topics = client.topics();
        for other in j.stage.clients.all().iter().filter(|c| c.sends()) {
            if other.topics().iter().any(|t| topics.contains(t)) {
                producers.extend(open(other)?);
            }
        }
    }
    Ok((own, producers))
}

fn open(client: &Client) -> Result<Vec<HistoryFile>, StepError> {
    let there = client.traffic().into_iter().filter(|p| p.exists());
    there.map(|p| HistoryFile::open(&p).map_err(unreadable)).collect()
}

fn refs(files: &[HistoryFile]) -> Vec<&HistoryFile> {
    files.iter().collect()
}

fn unreadable(error: HistoryError) -> StepError {
    StepError::rig(format!("a history cannot be read: {error}"))
}

/// `connected`: answers of that broker rose between two looks that both lie after the last breaking
/// step and after the broker's start.
pub async fn connected(c: &Connected, j: &Judge<'_>) -> Judged {
    let brokers = j.stage.brokers_meant(&c.broker).await?;
    each(&c.client, j, |client| {
        let broke = j.broke(None, &client.name).map_or(0, |(acted, _)| acted.by_us);
        let mut yes = Vec::new();
        let mut no = Vec::new();
        for broker in &brokers {
            let started = j.stage.wanted.since(crate::cluster::Node::Broker(*broker)).unwrap_or(0);
            let list =
                if client.connected(*broker, broke.max(started)) { &mut yes } else { &mut no };
            list.push(broker.to_string());
        }
        if no.is_empty() {
            return Ok(Found::plain(
                true,
                format!("{} talks to broker {}", client.name, yes.join(", ")),
            ));
        }
        let found = format!("broker {} has not answered {} since", no.join(", "), client.name);
        Ok(Found::plain(false, found).because([client.causes()]))
    })
}

/// `recovered`: from the moment at which the last fault began to act to the first acknowledgement (delivery)
/// of a message that was sent while it acted on all that it struck, on the worst partition.
pub fn recovered(c: &Recovered, j: &Judge<'_>) -> Judged {
    each(&c.client, j, |client| {
        let since = c.since.as_deref().map(|s| s.as_str());
        let Some((acted, what)) = j.broke(since, &client.name) else {
            return Ok(Found::inconclusive(format!(
                "nothing broke {}: there is nothing to recover from",
                client.name
            )));
        };
        // What was sent while some of it still answered may have been answered by that.
        let mut answered = answered_since(client, j, acted.by_us)?;
        answered.since_us = acted.from_us;
        let broke_us = acted.from_us;
        let what = format!("{} ({what})", time_of_day(j, broke_us));
        narrow(&mut answered.by, c.topic.as_deref().map(|t| t.as_str()), c.partition.as_deref());
        if answered.by.is_empty() {
            return Ok(Found::inconclusive(format!(
                "{} was sent nothing after {what}",
                client.name
            )));
        }
        let worst = answered
            .by
            .iter()
            .max_by_key(|(_, at)| at.unwrap_or(i64::MAX))
            .map(|(p, _)| p.to_string());
        let until_us = answered.recovered_us().map(|took| broke_us + took);
        span(j, client, "recovered", worst.clone(), broke_us, until_us);
        let Some(took_us) = answered.recovered_us() else {
            let mut found = Found::plain(
                false,
                format!("{} {} since {what}", client.name, standstill(client, &answered)),
            );
            found.value = Value::Null;
            return Ok(found.because(why(client, &answered, j)));
        };
        let worst = worst.unwrap_or_default();
        timed(
            c.bound,
            took_us,
            format!("{} after {what}, last on {worst}", client.name),
            "came back",
        )
    })
}

/// `unavailable`: the longest time without an acknowledgement (delivery) while there was something to
/// acknowledge (deliver), on the worst partition.
pub fn unavailable(c: &Unavailable, j: &Judge<'_>) -> Judged {
    each(&c.client, j, |client| {
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
        let owed = if client.sends() { &own } else { &producers };
        let faults: Vec<_> =
            j.stage.breaks.of_cluster().into_iter().filter(|f| f.at_us >= since).collect();
        if quiet(&faults, owed) {
            return Ok(Found::inconclusive(format!(
                "nothing was sent that {} could have waited for while a fault was in effect: {}",
                client.name, faults[0].what
            )));
        }
        let Some((place, worst)) = gaps.into_iter().max_by_key(|(_, gap)| gap_us(gap, since))
        else {
            return Ok(Found::inconclusive(format!("{} was given nothing to do", client.name)));
        };
        let from = worst.from_us.max(since);
        span(
            j,
            client,
            "unavailable",
            Some(place.to_string()),
            from,
            (!worst.open).then_some(worst.to_us),
        );
        timed(
            c.bound,
            gap_us(&worst, since),
            format!("{} on {place}", client.name),
            &format!("from {} was without service", time_of_day(j, from)),
        )
    })
}

/// Nothing was sent during any fault that began while it could have been: then service was not asked
/// for when it was in danger. Faults from before the first message are not meant.
fn quiet(faults: &[Break], sent: &[HistoryFile]) -> bool {
    let first = |file: &HistoryFile| Some(file.iter_from(0).next()?.ok()?.first_us);
    let Some(begun) = sent.iter().filter_map(first).min() else { return false };
    let mut meant = faults.iter().filter(|fault| fault.at_us >= begun).peekable();
    meant.peek().is_some()
        && meant.all(|fault| {
            // A fault that was over at once was still being noticed for a second.
            let until = fault.over_us.map_or(i64::MAX, |over| over.max(fault.at_us + 1_000_000));
            !sent.iter().any(|file| sent_between(file, fault.at_us, until))
        })
}

fn gap_us(gap: &Gap, since_us: i64) -> i64 {
    // A gap that began before is counted from there, without the client's own absence.
    gap.length_us.min(gap.to_us.saturating_sub(since_us))
}

/// When the plan itself kept a client from working.
fn away(client: &Client) -> Vec<Away> {
    client
        .downs()
        .into_iter()
        .map(|(from_us, to)| Away { from_us, to_us: to.unwrap_or(i64::MAX) })
        .collect()
}

fn narrow<T>(
    by: &mut std::collections::BTreeMap<Place, T>,
    topic: Option<&str>,
    partition: Option<&kplan_dsl::value::PartitionRef>,
) {
    by.retain(|place, _| {
        topic.is_none_or(|t| place.topic == t)
            && partition
                .is_none_or(|p| place.topic == p.topic.as_str() && place.partition == p.partition)
    });
}

fn timed(bound: BoundGroup<Duration>, us: i64, who: String, did: &str) -> Judged {
    let time = Duration::from_micros(u64::try_from(us).unwrap_or(0));
    let shown =
        duration_text(Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
    Ok(Found::bounded(
        bound,
        time,
        format!("{who} {did} for {shown}").replace("came back for", "came back within"),
        json!(time.as_secs_f64()),
    ))
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
    kind: &str,
    place: Option<String>,
    from_us: i64,
    until_us: Option<i64>,
) {
    j.stage.measured(Span {
        suite: j.stage.suite,
        step: j.step.to_owned(),
        kind: kind.to_owned(),
        client: client.name.clone(),
        place,
        from_us,
        until_us,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conductor::faults::Struck,
        history::{
            Mark, Writer,
            fixture::{header, history, message},
        },
    };

    const S: i64 = 1_000_000;

    fn fault(at_us: i64, over_us: i64) -> Break {
        Break {
            at_us,
            by_us: at_us,
            over_us: Some(over_us),
            step: "4".into(),
            struck: Struck::Cluster([].into()),
            what: "broker 2 killed".into(),
        }
    }

    #[test]
    fn a_fault_without_traffic_proves_no_availability() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |i: i64| message(Mark::Sent, 0, i.unsigned_abs(), -1, 10 * S + i * S);
        let sent: Vec<_> = (0..20).map(at).collect();
        let files = [history(dir.path(), &header(Writer::ProducerSent, "P", 1, 1), &sent)];
        let (before, during, after) =
            (fault(0, 5 * S), fault(15 * S, 16 * S), fault(60 * S, 70 * S));
        assert!(quiet(std::slice::from_ref(&after), &files));
        assert!(quiet(&[before.clone(), after.clone()], &files));
        assert!(!quiet(&[during, after], &files), "one of them met traffic");
        assert!(!quiet(&[before], &files), "it was over before anything was sent");
        assert!(!quiet(&[], &files) && !quiet(&[fault(0, S)], &[]), "other words tell of these");
    }
}
