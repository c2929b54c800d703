//! `recovered` and `unavailable`: how long clients waited, judged from their histories. Definitions:
//! `judgement` in the docs, section Availability.

use std::{collections::BTreeMap, time::Duration};

use kplan_dsl::{
    conditions::{Recovered, Unavailable},
    value::BoundGroup,
};
use serde_json::{Value, json};

use crate::{
    conditions::{
        Found,
        clients::{
            self, Judged, LEFT, away, held, histories, left, mates, open, refs, senders, sent_by,
            standstill, unreadable, why,
        },
    },
    event::{Holds, Measurement, Stretch},
    history::{
        HistoryFile, now_us,
        query::{
            Gap, GapTime, Holders, Onset, PartitionPlace, Waited, absent_us, consumer_gaps,
            producer_gaps, waits,
        },
    },
    stage::{
        clients::Client,
        judge::{Judge, in_ms},
        outcome::StepError,
    },
};

/// `recovered`: from the moment at which the last fault began to act to the first acknowledgement (delivery)
/// of a message that was sent while it acted on all that it struck, on the worst partition. Where nothing was on
/// its way at that moment, the first message after it is what waits first.
pub fn recovered(c: &Recovered, client: &Client, j: &Judge<'_>) -> Judged {
    let own = c.since.as_deref().map(|s| s.as_str());
    let Some((acted, what)) = j.broke(own, &client.name) else {
        let broke = own.or(j.since).map(|step| format!("step \"{step}\" broke nothing"));
        let broke = broke.unwrap_or_else(|| format!("nothing broke {}", client.name));
        let found = format!("{broke}: there is nothing to recover from");
        return Ok(Found::not_covered(found));
    };
    let files = open(client)?;
    if j.mended(own, &client.name).is_some_and(|over| begun_us(&files).is_some_and(|at| at > over))
    {
        let found = format!("{} began when this was over: {what}", client.name);
        return Ok(Found::not_covered(format!("{found}: there is nothing to recover from")));
    }
    let what = format!("{} ({what})", time_of_day(j, acted.from_us));
    // What was sent while some of it still answered may have been answered by that.
    let onset = Onset { from_us: acted.from_us, by_us: acted.by_us };
    let senders = sent_by(&senders(client, j))?;
    let holders = Holders::read(&files, &mates(client, j)?).map_err(unreadable)?;
    let topics = client.topics();
    let own = |place: &PartitionPlace| held(place, &topics, &holders);
    let mut by = waits(&senders, &files, own, onset).map_err(unreadable)?;
    narrow(&mut by, c.topic.as_deref().map(|t| t.as_str()), c.partition.as_deref());
    let (away, now_us) = (away(client), now_us());
    let length = |wait: &Waited| {
        let until_us = wait.until_us.unwrap_or(now_us).max(wait.from_us);
        until_us - wait.from_us - absent_us(&away, wait.from_us, until_us)
    };
    // Where there is no answer yet, it is worse than anywhere else.
    let worst = by.iter().max_by_key(|(place, wait)| {
        (wait.until_us.is_none(), !left(place, &holders), length(wait))
    });
    let Some((place, worst)) = worst else {
        return Ok(Found::inconclusive(format!("{} was sent nothing after {what}", client.name)));
    };
    let took_us = length(worst);
    let until_us = worst.until_us.map(|until| until.max(worst.from_us));
    let away_us = until_us.unwrap_or(now_us) - worst.from_us - took_us;
    let measured = (worst.from_us, until_us, away_us);
    span(j, client, Stretch::Recovered, Some(place.to_string()), measured);
    if until_us.is_none() {
        let waiting = || by.iter().filter(|(_, w)| w.until_us.is_none()).map(|(place, _)| place);
        let found = format!("{} {} since {what}", client.name, standstill(client, waiting()));
        if left(place, &holders) {
            return Ok(Found::inconclusive(format!("{found}, {LEFT}")));
        }
        return Ok(not_yet(c.bound, took_us, &found).because(why(client, waiting(), j)));
    }
    let who = format!("{} after {what}, last on {place}", client.name);
    // With more traffic it could have been sooner, or later.
    Ok(Found { firm: false, ..timed(c.bound, took_us, who, "came back") })
}

/// When a client's histories begin.
fn begun_us(files: &[HistoryFile]) -> Option<i64> {
    files.iter().filter_map(|file| Some(file.iter_from(0).next()?.ok()?.first_us)).min()
}

/// It has not come back: how long it has waited is the least that it will take.
fn not_yet(bound: BoundGroup<Duration>, waited_us: i64, found: &str) -> Found {
    let waited = Duration::from_micros(u64::try_from(waited_us).unwrap_or_default());
    let judged = Found::bounded(bound, waited, found, Value::Null);
    if judged.firm {
        return judged;
    }
    let shown = in_ms(waited);
    Found::inconclusive(format!("{found}, {shown} ago: it is not known when it will"))
}

/// `unavailable`: the longest time without an acknowledgement (delivery) while there was something to
/// acknowledge (deliver), on the worst partition.
pub fn unavailable(c: &Unavailable, client: &Client, j: &Judge<'_>) -> Judged {
    let (own, sent) = histories(client, j)?;
    let mates = mates(client, j)?;
    let since_us = j.since(c.since.as_deref().map(|s| s.as_str())).unwrap_or(i64::MIN);
    let time = GapTime { since_us, until_us: now_us(), away: &away(client) };
    // The worst gap; of what nobody answered with `unanswered`, as if all of it had reached the log.
    let worst = |unanswered: bool| -> Result<Option<(PartitionPlace, Gap)>, StepError> {
        let gaps = match client.sends() {
            true => producer_gaps(&refs(&own), &time),
            false => consumer_gaps(&refs(&own), &mates, (&refs(&sent), unanswered), &time),
        };
        let mut gaps = gaps.map_err(unreadable)?;
        narrow(&mut gaps, c.topic.as_deref().map(|t| t.as_str()), c.partition.as_deref());
        Ok(gaps.into_iter().max_by_key(|(_, gap)| gap.length_us))
    };
    let Some((place, longest)) = worst(true)? else {
        return Ok(Found::inconclusive(format!("{} was given nothing to do", client.name)));
    };
    let who = format!("{} on {place}", client.name);
    let did = format!("from {} was without service", time_of_day(j, longest.from_us));
    let found = timed(c.bound, longest.length_us, who, &did);
    let senders = senders(client, j);
    if let Some(sender) = senders.iter().find(|s| !client.sends() && s.unanswered()) {
        let least_us = worst(false)?.map_or(0, |(_, gap)| gap.length_us);
        if least_us < longest.length_us {
            let why = format!("{}, so it may have been shorter", clients::unanswered(sender));
            return Ok(at_most(c.bound, least_us, found, why));
        }
    }
    let until_us = (!longest.open).then_some(longest.to_us);
    let away_us = longest.to_us - longest.from_us - longest.length_us;
    let measured = (longest.from_us, until_us, away_us);
    span(j, client, Stretch::Unavailable, Some(place.to_string()), measured);
    Ok(found)
}

/// What took at most as long as was found, and for certain only `least_us`: judged where all between is judged
/// alike.
fn at_most(bound: BoundGroup<Duration>, least_us: i64, most: Found, why: String) -> Found {
    let time = Duration::from_micros(u64::try_from(least_us).unwrap_or_default());
    let least = Found::bounded(bound, time, "", Value::Null);
    // A "no" is firm where it breaks the upper bound.
    let no = (least.holds == Holds::No && least.firm) || (most.holds == Holds::No && !most.firm);
    if no || (least.holds, most.holds) == (Holds::Yes, Holds::Yes) {
        return Found { firm: least.firm, ..most.because([why]) };
    }
    Found::inconclusive(format!("{}, but {why}", most.found))
}

fn narrow<T>(
    by: &mut BTreeMap<PartitionPlace, T>,
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
    let shown = in_ms(time);
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
    (from_us, until_us, away_us): (i64, Option<i64>, i64),
) {
    j.stage.measured(Measurement {
        step: j.step.clone(),
        kind,
        client: client.name.clone(),
        place,
        from_us,
        until_us,
        away_us,
    });
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
