//! `latency`: from the intended send time (open loop) to the acknowledgement or delivery, by the time of
//! the answer: all of it, or before, during or after a fault.

use std::time::Duration;

use kplan_dsl::{
    conditions::Latency,
    value::{Bound, StepName},
};
use serde_json::{Value, json};

use crate::{
    conditions::{Found, clients::Judged},
    conductor::{
        clients::{Client, Measured},
        faults::Break,
        judge::Judge,
    },
    history::now_us,
};

/// From when to when (monotonic microseconds), and what that is.
type Range = (i64, i64, String);

/// Judges the percentiles that are bounded.
pub fn latency(c: &Latency, client: &Client, j: &Judge<'_>) -> Judged {
    let (from, to, when) = match range(c, j) {
        Ok(range) => range,
        Err(reason) => return Ok(Found::inconclusive(reason)),
    };
    let Some(measured) = client.latencies().between(from, to) else {
        let name = &client.name;
        return Ok(Found::inconclusive(format!("{name} has no latencies to judge{when}")));
    };
    let mut value = percentiles(&measured);
    let bounds = c.bounds();
    if bounds.is_empty() {
        let mut found = format!("{}: {}{when}", client.name, words(&measured));
        if when.is_empty()
            && let Some((told, parts)) = around(client, j)
        {
            found.push_str(&told);
            value["fault"] = parts;
        }
        return Ok(Found::bounded(None::<Bound<u64>>, 0, found, value));
    }
    let shares: Vec<String> = bounds
        .iter()
        .map(|(name, share, _)| format!("{name} {}", shown(at(&measured, *share))))
        .collect();
    let holds = bounds.iter().all(|(_, share, bound)| bound.holds(at(&measured, *share)));
    let (name, shares, messages) = (&client.name, shares.join(", "), measured.messages);
    let found = format!("{name}: {shares} over {messages} messages{when}");
    // The greatest is the least that it can be; the shares of fewer messages can go either way.
    let over = |(_, share, bound): &(_, f64, Bound<Duration>)| {
        bound.most().is_some_and(|most| at(&measured, *share) > most)
    };
    let firm = !holds && bounds.iter().any(|one| one.1 >= 1.0 && over(one));
    Ok(Found { value, firm, ..Found::plain(holds, found) })
}

/// The time that is asked for; the reason where there was none.
fn range(c: &Latency, j: &Judge<'_>) -> Result<Range, String> {
    let phases = [(&c.before, "before"), (&c.during, "during"), (&c.after, "after")];
    let Some((step, phase)) =
        phases.iter().find_map(|(step, phase)| Some((step.as_ref()?, *phase)))
    else {
        let since = j.since(c.since.as_deref().map(|s| s.as_str()));
        return Ok((since.unwrap_or(i64::MIN), i64::MAX, String::new()));
    };
    let fault = fault(j, step)?;
    let when = format!(" {phase} \"{}\"", step.as_str());
    match (phase, fault.over_us) {
        ("before", _) => Ok((i64::MIN, fault.at_us, when)),
        ("during", over) => Ok((fault.at_us, over.unwrap_or_else(now_us), when)),
        (_, Some(over)) => Ok((over, i64::MAX, when)),
        (_, None) => Err(format!("the fault of step \"{}\" is still in effect", step.as_str())),
    }
}

fn fault(j: &Judge<'_>, step: &StepName) -> Result<Break, String> {
    let id = j.stage.step_named(step.as_str());
    let fault = id.and_then(|id| j.stage.breaks.of_step(&id));
    fault.ok_or_else(|| format!("step \"{}\" broke nothing", step.as_str()))
}

/// What the newest fault did to a client's latency.
fn around(client: &Client, j: &Judge<'_>) -> Option<(String, Value)> {
    let fault = j.stage.breaks.last_for(&client.name)?;
    let until = fault.over_us.unwrap_or_else(now_us);
    let parts = [
        ("before", i64::MIN, fault.at_us),
        ("during", fault.at_us, until),
        ("after", until, i64::MAX),
    ];
    let mut told = Vec::new();
    let mut value = json!({ "what": fault.what });
    for (phase, from, to) in parts {
        if let Some(measured) = client.latencies().between(from, to) {
            told.push(format!("{phase} {}", words(&measured)));
            value[phase] = percentiles(&measured);
        }
    }
    (!told.is_empty()).then(|| (format!("; {}: {}", fault.what, told.join("; ")), value))
}

fn at(measured: &Measured, share: f64) -> Duration {
    Duration::from_micros(measured.at(share))
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

fn words(measured: &Measured) -> String {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| shown(at(measured, share)));
    format!("p50 {p50}, p99 {p99}, max {max}")
}

fn percentiles(measured: &Measured) -> Value {
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| at(measured, share).as_secs_f64());
    json!({ "p50": p50, "p99": p99, "max": max, "messages": measured.messages })
}
