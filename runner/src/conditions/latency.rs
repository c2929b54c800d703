//! `latency`: from the intended send time (open loop) to the acknowledgement or delivery: of all messages, of those
//! that were sent since a step began, or of those that were answered before, during or after a fault.

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
    found::rank,
};
use crate::{
    event::Holds,
    history::now_us,
    stage::{
        clients::{Client, MeantMessages, Measured},
        faults::Break,
        judge::Judge,
    },
};

#[async_trait]
impl JudgedByClient for Latency {
    fn clients(&self) -> &Clients {
        &self.client
    }

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged {
        let (meant, when) = match meant(self, j) {
            Ok(meant) => meant,
            Err(reason) => return Ok(Found::inconclusive(reason)),
        };
        let measured = client.latencies().of(&meant);
        if measured.messages == 0 {
            let (name, border) = (&client.name, at_border(&measured));
            if client.numbers_itself() {
                let what = if client.sends() {
                    "it prints no `sent_ms`"
                } else {
                    "it reports no send times"
                };
                return Ok(Found::inconclusive(format!(
                    "{name} has no latencies to judge{when}{border}: it is another program, and {what}"
                )));
            }
            return Ok(Found::inconclusive(format!(
                "{name} has no latencies to judge{when}{border}"
            )));
        }
        let bounds = self.bounds();
        if !bounds.is_empty() {
            return Ok(judged(&client.name, &measured, &bounds, &when));
        }
        let mut value = percentiles(&measured);
        let mut found = format!("{}: {}{when}", client.name, words(&measured));
        if meant == MeantMessages::ALL
            && let Some((reported, parts)) = around(client, j)
        {
            found.push_str(&reported);
            value["fault"] = parts;
        }
        Ok(Found::bounded(None::<Bound<u64>>, 0, found, value))
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

/// Whether a fault lies in the time whose latency is judged.
fn in_phase(c: &Latency, fault: &Break, j: &Judge<'_>) -> bool {
    let named = |step: &Option<Spanned<StepName>>| {
        let id = j.stage.timeline.named(step.as_deref()?.as_str())?;
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

/// A percentile with its bound: its name, and the share of the messages.
type Bounded = (&'static str, f64, Bound<Duration>);

/// Compares percentiles with their bounds. For some messages it is not known on which side of a border they are: if
/// the judgement depends on them, there is none.
fn judged(name: &str, measured: &Measured, bounds: &[Bounded], when: &str) -> Found {
    let holds = |(_, share, bound): &Bounded| {
        let (least, most) = span(measured, *share);
        if bound.holds(least) && bound.holds(most) {
            Holds::Yes
        } else if bound.most().is_some_and(|n| least > n) || bound.least().is_some_and(|n| most < n)
        {
            Holds::No
        } else {
            Holds::Inconclusive
        }
    };
    let each: Vec<Holds> = bounds.iter().map(holds).collect();
    let holds = *each.iter().max_by_key(|holds| rank(**holds)).unwrap_or(&Holds::Inconclusive);
    let shares: Vec<String> = bounds
        .iter()
        .zip(&each)
        .map(|((name, share, _), holds)| match (holds, span(measured, *share)) {
            (Holds::Inconclusive, (least, most)) => {
                format!("{name} between {} and {}", shown(least), shown(most))
            }
            _ => format!("{name} {}", shown(at(measured, *share))),
        })
        .collect();
    let (shares, messages, border) = (shares.join(", "), measured.messages, at_border(measured));
    let found = format!("{name}: {shares} over {messages} messages{when}{border}");
    if holds == Holds::Inconclusive {
        return Found::inconclusive(found);
    }
    // More messages can only raise the maximum; percentiles can go either way.
    let over = |(_, share, bound): &Bounded| {
        *share >= 1.0 && bound.most().is_some_and(|most| span(measured, *share).0 > most)
    };
    let firm = holds == Holds::No && bounds.iter().any(over);
    let value = percentiles(measured);
    Found { value, firm, ..Found::plain(holds == Holds::Yes, found) }
}

/// How many messages may count too.
fn at_border(measured: &Measured) -> String {
    match measured.doubtful {
        0 => String::new(),
        1 => "; 1 more at the border may or may not count".to_owned(),
        n => format!("; {n} more at the border may or may not count"),
    }
}

/// The messages to judge, with a description; the reason if there was no such time.
fn meant(c: &Latency, j: &Judge<'_>) -> Result<(MeantMessages, String), String> {
    let phases = [(&c.before, "before"), (&c.during, "during"), (&c.after, "after")];
    let Some((step, phase)) =
        phases.iter().find_map(|(step, phase)| Some((step.as_ref()?, *phase)))
    else {
        let since = j.since(c.since.as_deref().map(|s| s.as_str()));
        return Ok((since.map_or(MeantMessages::ALL, MeantMessages::SentSince), String::new()));
    };
    let id = j.stage.timeline.named(step.as_str());
    let faults = id.map(|id| j.stage.breaks.of_step(&id)).unwrap_or_default();
    let when = format!(" {phase} \"{}\"", step.as_str());
    Ok((MeantMessages::AnsweredIn(times(&faults, phase, step.as_str())?), when))
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
    let mut reported = Vec::new();
    let mut value = json!({ "what": fault.what });
    for (phase, from, to) in parts {
        let measured = client.latencies().of(&MeantMessages::AnsweredIn(vec![(from, to)]));
        if measured.messages > 0 {
            reported.push(format!("{phase} {}", words(&measured)));
            value[phase] = percentiles(&measured);
        }
    }
    (!reported.is_empty()).then(|| (format!("; {}: {}", fault.what, reported.join("; ")), value))
}

fn at(measured: &Measured, share: f64) -> Duration {
    Duration::from_micros(measured.at(share))
}

/// The least and the most that it can be.
fn span(measured: &Measured, share: f64) -> (Duration, Duration) {
    let (least, most) = measured.between(share);
    (Duration::from_micros(least), Duration::from_micros(most))
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
        client::protocol::LatencySlice,
        event::{FaultId, FaultKind, StepRun},
        stage::{clients::Latencies, faults::Struck},
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

    #[test]
    fn a_judgement_that_messages_at_a_border_would_change_is_none() {
        let ms = Duration::from_millis;
        let slice = |from_us, buckets: &[(u64, u64)]| LatencySlice {
            from_us,
            to_us: from_us + 100,
            buckets: buckets.to_vec(),
        };
        let slices = [slice(1_000, &[(3_000, 1), (400_000, 1)]), slice(5_000, &[(5_000, 98)])];
        let mut latencies = Latencies::default();
        latencies.add((1, 1), 9_000, &slices);
        let judge = |from_us, share, bound| {
            let meant = MeantMessages::AnsweredIn(vec![(from_us, i64::MAX)]);
            judged("P", &latencies.of(&meant), &[("it", share, bound)], "")
        };
        let holds = |from_us, share, bound| judge(from_us, share, bound).holds;
        assert_eq!(holds(1_000, 1.0, Bound::AtMost(ms(100))), Holds::No, "it is inside");
        assert_eq!(holds(1_200, 1.0, Bound::AtMost(ms(100))), Holds::Yes, "it is outside");
        let border = judge(1_050, 1.0, Bound::AtMost(ms(100)));
        assert_eq!((border.holds, border.firm), (Holds::Inconclusive, false));
        assert!(border.found.contains("between 5.0 ms and 400.0 ms over 98"), "{}", border.found);
        assert!(border.found.contains("2 more at the border"), "{}", border.found);
        // What they cannot change is certain.
        assert_eq!(holds(1_050, 1.0, Bound::AtMost(ms(400))), Holds::Yes);
        assert_eq!(holds(1_050, 1.0, Bound::AtMost(ms(4))), Holds::No);
        assert_eq!(holds(1_050, 0.5, Bound::AtMost(ms(5))), Holds::Yes);
        assert_eq!(holds(1_050, 1.0, Bound::AtLeast(ms(5))), Holds::Yes);
        assert_eq!(holds(1_050, 1.0, Bound::AtLeast(ms(100))), Holds::Inconclusive);
        assert_eq!(holds(1_050, 1.0, Bound::AtLeast(ms(500))), Holds::No);
        assert_eq!(holds(1_050, 1.0, Bound::Is(ms(5))), Holds::Inconclusive);
        let meant = MeantMessages::AnsweredIn(vec![(1_050, i64::MAX)]);
        let both = [("a", 1.0, Bound::AtMost(ms(4))), ("b", 1.0, Bound::AtMost(ms(100)))];
        let both = judged("P", &latencies.of(&meant), &both, "");
        assert_eq!(
            (both.holds, both.firm),
            (Holds::No, true),
            "a no is certain whatever the other is"
        );
    }
}
