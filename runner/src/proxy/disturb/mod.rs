//! The policy of a plan's disturbances: requests that are answered with an error, late, twice or not at all.

mod answers;
mod made;
mod rules;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kplan_dsl::value::Disturbance;

use super::{Asked, Call, Passing, Policy, Route, lock};
pub use rules::{DisturbCounts, DisturbRule, StandingRule};

/// The disturbances in force, for all clients.
#[derive(Default)]
pub struct Disturbances(Mutex<Vec<Arc<StandingRule>>>);

impl Disturbances {
    /// Adds a disturbance; it holds for requests from now on.
    pub fn add(&self, rule: DisturbRule) -> Arc<StandingRule> {
        let standing = Arc::new(StandingRule::new(rule));
        lock(&self.0).push(Arc::clone(&standing));
        standing
    }

    /// Ends a disturbance, and the connections that it silenced. Returns what it did in all.
    pub fn remove(&self, rule: &Arc<StandingRule>) -> DisturbCounts {
        lock(&self.0).retain(|other| !Arc::ptr_eq(other, rule));
        rule.over()
    }
}

/// What becomes of the requests of one client.
pub struct Disturber {
    /// Its name in the plan.
    pub client: String,
    pub all: Arc<Disturbances>,
}

/// What is done to a broker's answer.
#[derive(Default)]
pub struct Changed(Option<(Arc<StandingRule>, AnswerChange)>);

enum AnswerChange {
    /// It has this error.
    Error(i16),
    /// It demands that the client waits, milliseconds.
    Throttle(i32),
}

impl Policy for Disturber {
    type Kept = Changed;
    type Own = ();

    fn request(&self, way: &Route<'_>, asked: &Asked) -> io::Result<Passing<Changed>> {
        let mut passage = Passing::through(asked);
        passage.answered = answers::are_awaited(asked)?;
        let rules = lock(&self.all.0).clone();
        for rule in rules.iter().rev().filter(|rule| rule.rule().covers(self, way, &asked.call)) {
            if !rule.rule().names_topic(way, asked)? {
                continue;
            }
            // The newest rule decides, also by letting the request pass.
            if rule.is_due(passage.answered) {
                disturb(rule, asked, &mut passage)?;
            }
            break;
        }
        Ok(passage)
    }

    fn answer(
        &self,
        _way: &Route<'_>,
        call: &Call,
        Changed(kept): Changed,
        (): &mut (),
        frame: Bytes,
    ) -> io::Result<Bytes> {
        let Some((rule, effect)) = kept else { return Ok(frame) };
        let changed = match effect {
            AnswerChange::Error(code) => answers::with_error(call, frame.clone(), code)?,
            AnswerChange::Throttle(ms) => Some(answers::with_throttle(call, frame.clone(), ms)?),
        };
        // A rule may have ended since the request.
        let changed = changed.filter(|_| rule.does().is_some());
        Ok(changed.unwrap_or(frame))
    }
}

/// Does to a request what a rule wants, unless the rule is over.
fn disturb(
    rule: &Arc<StandingRule>,
    asked: &Asked,
    passage: &mut Passing<Changed>,
) -> io::Result<()> {
    let keep = |effect| Changed(Some((Arc::clone(rule), effect)));
    match &rule.rule().how {
        Disturbance::Error(name) => {
            let error = error_of(name)?;
            if answers::is_carried_out(asked.call.api, error) {
                passage.kept = keep(AnswerChange::Error(error.code()));
            } else if rule.does().is_some() {
                passage.made = Some(made::made(asked, error.code())?);
                passage.forward = None;
            }
        }
        Disturbance::Throttle(time) => {
            passage.kept = keep(AnswerChange::Throttle(milliseconds(*time)));
        }
        Disturbance::Delay(time) if rule.does().is_some() => passage.after = *time,
        Disturbance::DropAnswer => passage.silence = rule.does(),
        Disturbance::Duplicate if rule.does().is_some() => {
            passage.again = passage.forward.clone();
        }
        Disturbance::Disconnect if rule.does().is_some() => {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Disturbance::Delay(_) | Disturbance::Duplicate | Disturbance::Disconnect => {}
    }
    Ok(())
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// Kafka's error of this name.
fn error_of(name: &str) -> io::Result<ResponseError> {
    let codes = (-1..i16::from(u8::MAX)).filter_map(ResponseError::try_from_code);
    let mut errors = codes.filter(|error| crate::codes::error_name(*error) == name);
    errors.next().ok_or_else(|| super::invalid(format!("the protocol library has no {name}")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use kafka_protocol::messages::{ApiKey, ProduceRequest, ProduceResponse};
    use kplan_dsl::value::KAFKA_ERRORS;

    use super::{answers::tests::asked, *};

    #[test]
    fn every_error_that_a_plan_may_name_has_a_code() {
        let unknown: Vec<_> = KAFKA_ERRORS.iter().filter(|name| error_of(name).is_err()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let code = error_of("NOT_ENOUGH_REPLICAS_AFTER_APPEND").map(|error| error.code());
        assert_eq!(code.ok(), Some(20));
    }

    /// A disturbance of every request to produce, and what changes requests by it.
    fn every_produce(how: Disturbance) -> (Disturber, Arc<StandingRule>) {
        let all = Arc::new(Disturbances::default());
        let rule = all.add(DisturbRule {
            apis: vec![ApiKey::Produce],
            brokers: None,
            clients: None,
            topic: None,
            draw: Box::new(|_| true),
            how,
        });
        (Disturber { client: "P".to_owned(), all }, rule)
    }

    fn every_kind() -> [Disturbance; 7] {
        let second = Duration::from_secs(1);
        [
            Disturbance::Error("NOT_ENOUGH_REPLICAS".to_owned()),
            Disturbance::Error("NOT_ENOUGH_REPLICAS_AFTER_APPEND".to_owned()),
            Disturbance::Delay(second),
            Disturbance::Throttle(second),
            Disturbance::DropAnswer,
            Disturbance::Duplicate,
            Disturbance::Disconnect,
        ]
    }

    #[test]
    fn an_answer_that_comes_after_the_end_is_neither_changed_nor_counted() {
        let names = Mutex::<HashMap<u128, String>>::default();
        let way = Route { broker: 1, names: &names };
        let asked = asked(ApiKey::Produce, 9, &ProduceRequest::default().with_acks(-1));
        let answer = asked.call.answer(&ProduceResponse::default()).expect("an answer");
        for how in every_kind() {
            let (client, rule) = every_produce(how.clone());
            let passage = client.request(&way, &asked);
            let at_end = client.all.remove(&rule);
            assert_eq!(at_end.met, 1, "{how:?}");
            let Ok(Passing { forward: Some(_), kept, .. }) = passage else {
                assert_eq!(at_end.disturbed, 1, "{how:?}: it was, when it came");
                continue;
            };
            let given = client.answer(&way, &asked.call, kept, &mut (), answer.clone());
            assert_eq!(given.expect("an answer"), answer, "{how:?}");
            assert_eq!(rule.over(), at_end, "{how:?}: nothing is counted after the end");
        }
    }

    #[test]
    fn a_request_that_meets_a_rule_that_is_over_passes() {
        let asked = asked(ApiKey::Produce, 9, &ProduceRequest::default().with_acks(-1));
        for how in every_kind() {
            let (client, rule) = every_produce(how.clone());
            let at_end = client.all.remove(&rule);
            assert!(!rule.is_due(true), "{how:?}");
            let mut passage = Passing::through(&asked);
            disturb(&rule, &asked, &mut passage).expect("it passes");
            let Passing { forward, again, made, after, silence, .. } = passage;
            assert_eq!(forward, Some(asked.frame.clone()), "{how:?}");
            assert!(again.is_none() && made.is_none() && silence.is_none(), "{how:?}");
            assert_eq!(after, Duration::ZERO, "{how:?}");
            assert_eq!(rule.over(), at_end, "{how:?}");
        }
    }
}
