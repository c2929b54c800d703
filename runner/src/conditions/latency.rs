//! `latency`: from the intended send time (open loop) to the acknowledgement or delivery, by the time of
//! the answer: all of it, or before, during or after a fault.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{
    Spanned,
    conditions::Latency,
    value::{Bound, Clients, StepName},
};
use serde_json::{Value, json};

use super::{
    Found, Judged, JudgedByClient,
    evidence::{JudgedTime, Needs, RestsOn},
};
use crate::{
    history::now_us,
    stage::{
        clients::{Client, Measured},
        faults::Break,
        judge::Judge,
    },
};

/// From when to when (monotonic microseconds), once or more often, and what that is.
type Range = (Vec<(i64, i64)>, String);

#[async_trait]
impl JudgedByClient for Latency {
    fn clients(&self) -> &Clients {
        &self.client
    }

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged {
        let (times, when) = match range(self, j) {
            Ok(range) => range,
            Err(reason) => return Ok(Found::inconclusive(reason)),
        };
        let Some(measured) = client.latencies().between(&times) else {
            let name = &client.name;
            return Ok(Found::inconclusive(format!("{name} has no latencies to judge{when}")));
        };
        let mut value = percentiles(&measured);
        let bounds = self.bounds();
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

    fn rests_on(&self, client: &Client, j: &Judge<'_>) -> Option<RestsOn> {
        let time = match self.since.as_deref() {
            Some(step) => JudgedTime::since(Some(step), j),
            None => JudgedTime::of(i64::MIN, None, j),
        };
        let mut faults = time.faults;
        faults.retain(|fault| in_phase(self, fault, j));
        Some((Needs::of_client(client, None, None, j), JudgedTime { faults, ..time }))
    }
}

/// Whether a fault lies in the time whose latency is asked for.
fn in_phase(c: &Latency, fault: &Break, j: &Judge<'_>) -> bool {
    let named = |step: &Option<Spanned<StepName>>| {
        let id = j.stage.step_named(step.as_deref()?.as_str())?;
        Some(j.stage.breaks.of_step(&id)).filter(|faults| !faults.is_empty())
    };
    if let Some(own) = named(&c.before) {
        return own.iter().all(|own| fault.at_us < own.at_us);
    }
    if let Some(own) = named(&c.during) {
        return own.contains(fault);
    }
    match named(&c.after) {
        Some(own) => own.iter().all(|own| own.over_us.is_some_and(|over| fault.at_us >= over)),
        None => true,
    }
}

/// The time that is asked for; the reason where there was none.
fn range(c: &Latency, j: &Judge<'_>) -> Result<Range, String> {
    let phases = [(&c.before, "before"), (&c.during, "during"), (&c.after, "after")];
    let Some((step, phase)) =
        phases.iter().find_map(|(step, phase)| Some((step.as_ref()?, *phase)))
    else {
        let since = j.since(c.since.as_deref().map(|s| s.as_str()));
        return Ok((vec![(since.unwrap_or(i64::MIN), i64::MAX)], String::new()));
    };
    let id = j.stage.step_named(step.as_str());
    let faults = id.map(|id| j.stage.breaks.of_step(&id)).unwrap_or_default();
    let when = format!(" {phase} \"{}\"", step.as_str());
    Ok((times(&faults, phase, step.as_str())?, when))
}

/// Before the first of a step's faults, during any of them, or after the last.
fn times(faults: &[Break], phase: &str, step: &str) -> Result<Vec<(i64, i64)>, String> {
    let Some(first) = faults.iter().map(|f| f.at_us).min() else {
        return Err(format!("step \"{step}\" broke nothing"));
    };
    let during = |f: &Break| (f.at_us, f.over_us.unwrap_or_else(now_us));
    match phase {
        "before" => Ok(vec![(i64::MIN, first)]),
        "during" => Ok(faults.iter().map(during).collect()),
        _ => {
            let over: Option<Vec<i64>> = faults.iter().map(|f| f.over_us).collect();
            let last = over.and_then(|all| all.into_iter().max());
            let still = || format!("the fault of step \"{step}\" is still in effect");
            Ok(vec![(last.ok_or_else(still)?, i64::MAX)])
        }
    }
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
        if let Some(measured) = client.latencies().between(&[(from, to)]) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{FaultId, FaultKind, StepRun},
        stage::faults::Struck,
    };

    fn fault(at_us: i64, over_us: Option<i64>) -> Break {
        Break {
            id: FaultId(1),
            kind: FaultKind::NodeKilled,
            at_us,
            by_us: at_us,
            over_us,
            step: StepRun::default(),
            around: Vec::new(),
            struck: Struck::Cluster([].into()),
            what: String::new(),
        }
    }

    #[test]
    fn phases_of_a_step_with_several_faults_are_around_all_of_them() {
        // The first one lasts longest.
        let faults = [fault(10, Some(50)), fault(20, Some(30))];
        let of = |faults: &[Break], phase: &str| times(faults, phase, "CHAOS");
        assert_eq!(of(&faults, "before"), Ok(vec![(i64::MIN, 10)]));
        assert_eq!(of(&faults, "during"), Ok(vec![(10, 50), (20, 30)]));
        assert_eq!(of(&faults, "after"), Ok(vec![(50, i64::MAX)]));
        let lasting = [fault(10, None), fault(20, Some(30))];
        let why = of(&lasting, "after").expect_err("one of them lasts");
        assert!(why.contains("still in effect"), "{why}");
        let during = of(&lasting, "during").expect("times");
        assert!(during[0].1 > 30, "until now: {during:?}");
        assert!(of(&[], "before").expect_err("no fault").contains("broke nothing"));
    }
}
