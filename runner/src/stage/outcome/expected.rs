//! `expect_error`: the step must fail for that reason and no other.

use kplan_dsl::value::ExpectedError;

use crate::{
    client::handle::kafkas_name,
    cluster::KafkaError,
    event::{Finding, Holds},
    stage::outcome::{Done, KafkaCause, ServiceCause, StepError},
};

/// Judges how a step with `expect_error` ended. A failure of the rig stays one: it does not show what Kafka would
/// have answered.
pub fn expect_error(
    expected: &ExpectedError,
    result: Result<Done, StepError>,
) -> Result<Done, StepError> {
    let (holds, found) = match &result {
        Ok(_) => (Holds::No, "it succeeded".to_owned()),
        Err(
            StepError::Kafka(_)
            | StepError::Plan(_)
            | StepError::Service(_)
            | StepError::TimedOut(_),
        ) => {
            let error = result.as_ref().expect_err("it is one");
            let found = error.words().unwrap_or_default();
            (if is_it(expected, error) { Holds::Yes } else { Holds::No }, found)
        }
        Err(
            StepError::Judged(_)
            | StepError::Unproven(_)
            | StepError::Rig(_)
            | StepError::Interrupted,
        ) => return result,
    };
    Done::judged(vec![Finding {
        condition: format!("expect_error: {expected}"),
        line: 0,
        holds,
        expected: format!("the step fails with {expected} and for no other reason"),
        found,
        evidence: Vec::new(),
        after_ms: None,
    }])
}

/// Whether every error of the step is the expected one. A pattern is searched for in each error, or in the
/// step's error text if there is no code.
fn is_it(expected: &ExpectedError, error: &StepError) -> bool {
    let errors = match error {
        StepError::Kafka(cause) => cause.errors(),
        _ => Vec::new(),
    };
    match expected {
        ExpectedError::Matches(pattern) if errors.is_empty() => {
            reason(error).is_some_and(|words| pattern.is_match(&words))
        }
        _ => !errors.is_empty() && errors.iter().all(|error| is_error(expected, error)),
    }
}

/// The text that a pattern is searched for in: without the log of a node that ended at the same time, and with the
/// last lines of a program that ended by itself.
fn reason(error: &StepError) -> Option<String> {
    match error {
        StepError::Kafka(KafkaCause::After { cause, death }) => {
            Some(format!("{cause}; {}", death.words()))
        }
        // Only its own output says why a program ended.
        StepError::Service(cause @ ServiceCause::Ended { last, .. }) => {
            Some(format!("{cause}\n{}", last.join("\n")))
        }
        other => other.words(),
    }
}

/// Whether an error is the expected one.
pub fn is_error(meant: &ExpectedError, error: &KafkaError) -> bool {
    match meant {
        ExpectedError::Code(code) => {
            error.code == *code || kafkas_name(&error.code).is_some_and(|name| name == code)
        }
        ExpectedError::Matches(pattern) => pattern.is_match(&error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::program::{EndedBy, ProgramKind},
        cluster::{Death, Node},
        stage::outcome::Answer,
    };

    fn refused(codes: &[&str]) -> Result<Done, StepError> {
        let answer = |code: &&str| Answer {
            about: "a message".to_owned(),
            error: KafkaError { code: (*code).to_owned(), message: "it failed".to_owned() },
        };
        let answers = codes.iter().map(answer).collect();
        Err(StepError::Kafka(KafkaCause::Refused { what: "produce".to_owned(), answers }))
    }

    fn code(name: &str) -> ExpectedError {
        ExpectedError::Code(name.to_owned())
    }

    fn pattern(text: &str) -> ExpectedError {
        ExpectedError::Matches(regex::Regex::new(text).expect("a pattern"))
    }

    #[test]
    fn an_expected_error_must_come_and_be_that_one() {
        let wanted = code("NOT_ENOUGH_REPLICAS");
        assert!(expect_error(&wanted, refused(&["NOT_ENOUGH_REPLICAS"])).is_ok());
        for other in [
            refused(&["REQUEST_TIMED_OUT"]),
            // A part of the name is another name.
            refused(&["NOT_ENOUGH_REPLICAS_AFTER_APPEND"]),
            // One of two failed for another reason.
            refused(&["NOT_ENOUGH_REPLICAS", "MESSAGE_TOO_LARGE"]),
            Err(StepError::not_so("broker 2 is already down")),
            Err(StepError::TimedOut("the step's limit ran out".to_owned())),
            Ok(Done::default()),
        ] {
            let judged = expect_error(&wanted, other);
            assert!(matches!(judged, Err(StepError::Judged(_))), "{judged:?}");
        }
    }

    #[test]
    fn a_pattern_is_looked_for_in_each_error_or_in_the_words() {
        assert!(
            expect_error(&pattern("^NOT_ENOUGH.*it failed"), refused(&["NOT_ENOUGH_REPLICAS"]))
                .is_ok()
        );
        let two = refused(&["NOT_ENOUGH_REPLICAS", "MESSAGE_TOO_LARGE"]);
        assert!(expect_error(&pattern("NOT_ENOUGH"), two).is_err());
        let down = || Err(StepError::not_so("broker 2 is already down"));
        assert!(expect_error(&pattern("already down"), down()).is_ok());
        assert!(expect_error(&pattern("paused"), down()).is_err());
    }

    #[test]
    fn a_pattern_is_looked_for_in_the_last_lines_of_a_program_that_ended() {
        let ended = || {
            Err(StepError::Service(ServiceCause::Ended {
                kind: ProgramKind::Client,
                name: "P".to_owned(),
                how: EndedBy::Status(1),
                last: vec!["starting".to_owned(), "NoBrokersAvailable: none".to_owned()],
            }))
        };
        for text in ["^NoBrokers", "^client P ended by itself: exit status 1"] {
            // Lines begin and end where the program's did.
            assert!(expect_error(&pattern(&format!("(?m){text}")), ended()).is_ok(), "{text}");
        }
        assert!(expect_error(&pattern("TimeoutException"), ended()).is_err());
    }

    #[test]
    fn a_pattern_is_not_looked_for_in_the_log_of_a_node_that_ended_beside() {
        let after = || {
            let death = Death {
                node: Node::Broker(1),
                exit: "exit code 1".to_owned(),
                log_tail: "ERROR all log dirs have failed".to_owned(),
                foreign: false,
            };
            let cause = Box::new(KafkaCause::Silent("no answer".to_owned()));
            Err(StepError::Kafka(KafkaCause::After { cause, death }))
        };
        assert!(expect_error(&pattern("no answer"), after()).is_ok());
        let judged = expect_error(&pattern("log dirs"), after());
        assert!(matches!(judged, Err(StepError::Judged(_))), "{judged:?}");
        let Err(error) = after() else { unreachable!("it is one") };
        assert!(error.words().is_some_and(|words| words.contains("log dirs")), "it is shown");
    }

    #[test]
    fn kafkas_name_stands_for_the_clients_own() {
        let refusal = || refused(&["_AUTHENTICATION"]);
        assert!(expect_error(&code("SASL_AUTHENTICATION_FAILED"), refusal()).is_ok());
        assert!(expect_error(&code("_AUTHENTICATION"), refusal()).is_ok());
    }

    #[test]
    fn a_broken_rig_is_no_kafka_error() {
        let gone = Err(StepError::rig("the engine is gone: NOT_ENOUGH_REPLICAS"));
        let judged = expect_error(&pattern("NOT_ENOUGH_REPLICAS"), gone);
        assert!(matches!(judged, Err(StepError::Rig(_))), "{judged:?}");
    }

    #[test]
    fn every_code_that_a_plan_may_name_is_one_that_is_shown() {
        for (number, name) in (0..).zip(kplan_dsl::value::KAFKA_ERRORS.iter().copied()) {
            let number = if number == 0 { -1 } else { number };
            // Newer errors than this protocol library's are not shown by their names.
            let shown = crate::codes::kafkas_own(number);
            // Either none of this library, or that one.
            assert!(shown.is_none() || shown.as_deref() == Some(name), "{number} {name} {shown:?}");
        }
        for number in 1..1_000 {
            let Some(shown) = crate::codes::kafkas_own(number) else { continue };
            assert!(kplan_dsl::value::KAFKA_ERRORS.contains(&shown.as_str()), "{number} {shown}");
        }
        let own: Vec<&str> = (-200..0).map(|n| crate::client::Code(n).name()).collect();
        for name in kplan_dsl::value::CLIENT_ERRORS.iter() {
            assert!(own.contains(name), "{name}");
        }
    }
}
