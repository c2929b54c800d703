//! Conditions about consumer groups, offsets and single messages.

use kplan_dsl::{
    conditions::{Group, Lag, Message, Offset},
    value::Bound,
};
use serde_json::{Value, json};

use crate::{
    conditions::{Found, cluster::whole},
    observer::At,
    stage::{judge::Judge, outcome::StepError},
};

type Judged = Result<Found, StepError>;

/// `group`
pub async fn group(c: &Group, j: &Judge<'_>) -> Judged {
    let running = j.stage.running()?;
    if let Err(found) = whole(j).await? {
        return Ok(found);
    }
    let told = match running.observer.ask().group(&c.name).await {
        Ok(told) => told,
        Err(error) => return Ok(Found::inconclusive(error.to_string())),
    };
    let members = told.members.len() as u64;
    let found = format!("{} with {members} members", told.state);
    let value = json!({ "state": told.state, "members": members });
    if c.state.is_none() && c.members.is_none() {
        return Ok(Found::bounded(None::<Bound<u64>>, members, found, value));
    }
    let state = c.state.is_none_or(|s| s.to_string() == told.state);
    let count = c.members.is_none_or(|b| b.holds(members));
    Ok(Found { value, ..Found::plain(state && count, found) })
}

/// `lag`: visible data records after the commit. No commit is unknown, not 0.
pub async fn lag(c: &Lag, j: &Judge<'_>) -> Judged {
    let running = j.stage.running()?;
    if let Err(found) = whole(j).await? {
        return Ok(found);
    }
    let ask = running.observer.ask();
    let one = c.partition.as_deref();
    let topics: Vec<String> = match (one, c.topic.as_deref()) {
        (Some(p), _) => vec![p.topic.to_string()],
        (None, Some(t)) => vec![t.to_string()],
        (None, None) => j.stage.topics_of_group(&c.group),
    };
    let mut lag = 0_u64;
    let mut evidence = Vec::new();
    for topic in &topics {
        let told = match ask.lag(&c.group, topic, j.stage.isolation_of_group(&c.group)).await {
            Ok(told) => told,
            Err(error) => return Ok(Found::inconclusive(error.to_string())),
        };
        for (partition, of) in told.iter().filter(|(p, _)| one.is_none_or(|o| o.partition == **p)) {
            let (Some(next), Some(behind)) = (of.committed, of.records) else {
                return Ok(Found::inconclusive(format!(
                    "group {} has committed nothing in {topic}/{partition}",
                    *c.group
                )));
            };
            lag += behind;
            let about = if of.exact { "" } else { "at most " };
            evidence.push(format!(
                "{topic}/{partition}: committed {next}, end {}, {about}{behind} messages behind",
                of.end
            ));
        }
    }
    if evidence.is_empty() {
        return Ok(Found::inconclusive(format!("no partition of group {} is known", *c.group)));
    }
    Ok(Found::bounded(c.bound, lag, format!("{lag} messages behind"), Value::from(lag))
        .because(evidence))
}

/// `offset`
pub async fn offset(c: &Offset, j: &Judge<'_>) -> Judged {
    let running = j.stage.running()?;
    if let Err(found) = whole(j).await? {
        return Ok(found);
    }
    let ask = running.observer.ask();
    let (topic, partition) = (c.partition.topic.as_str(), c.partition.partition);
    let edges = (
        ask.offset(topic, partition, At::Start).await,
        ask.offset(topic, partition, At::HighWatermark).await,
    );
    let (start, end) = match edges {
        (Ok(start), Ok(end)) => (start, end),
        (Err(error), _) | (_, Err(error)) => return Ok(Found::inconclusive(error.to_string())),
    };
    let found = format!("{} starts at {start} and ends at {end}", *c.partition);
    let value = json!({ "start": start, "end": end });
    let number = |n: i64| u64::try_from(n).unwrap_or(0);
    if c.start.is_none() && c.end.is_none() {
        return Ok(Found::bounded(None::<Bound<u64>>, number(end), found, value));
    }
    let holds = c.start.is_none_or(|b| b.holds(number(start)))
        && c.end.is_none_or(|b| b.holds(number(end)));
    Ok(Found { value, ..Found::plain(holds, found) })
}

/// `message`
pub async fn message(c: &Message, j: &Judge<'_>) -> Judged {
    let asked =
        crate::steps::find_messages(j.stage, &c.topic, c.key.as_deref(), c.value.as_deref());
    let count = match asked.await {
        // A log that was not read holds nobody knows what.
        Err(error @ (StepError::Kafka(_) | StepError::TimedOut(_))) => {
            return Ok(Found::inconclusive(error.words().unwrap_or_default()));
        }
        other => other?,
    };
    let found = format!("{count} such messages in {}", *c.topic);
    let mut found = Found::plain(count > 0, found);
    found.value = Value::from(count);
    Ok(found)
}
