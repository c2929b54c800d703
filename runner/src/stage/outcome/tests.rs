//! Each cause and its verdict: the table of docs/judgement.md.

use std::{sync::Arc, time::Duration};

use crate::{
    client::handle::{ClientState, Exit, SeenError},
    cluster::{KafkaError, Node},
    stage::outcome::*,
};

const LIMIT: Duration = Duration::from_secs(1);

fn death(foreign: bool, log: &str) -> Death {
    Death { node: Node::Broker(2), exit: "exit code 1".into(), log_tail: log.into(), foreign }
}

fn answer(code: &str) -> KafkaError {
    KafkaError { code: code.into(), message: "no".into() }
}

/// A client that ended with a status (none: it lives), after it reported an error.
fn client(exit: Option<(i32, bool)>, code: &str) -> StepError {
    let exit = exit.map(|(status, signalled)| Exit {
        text: format!("exit status: {status}"),
        clean: status == 0 && !signalled,
        signalled,
        crashed: false,
        gave_up: status == 1 && !signalled,
    });
    let errors = [(code, true), ("CLIENT", true)].map(|(code, fatal)| SeenError {
        at_us: 1,
        code: code.into(),
        text: "no".into(),
        fatal,
    });
    let state = ClientState { exit, errors: errors.into(), ..ClientState::default() };
    let late =
        NotInTime { name: "P".into(), what: "stopped", limit: LIMIT, state: Box::new(state) };
    HandleError::NotInTime(late).into()
}

#[test]
fn each_cause_has_its_verdict() {
    use Whose::{Kafka, Plan, Rig};
    let wire = || Arc::new(crate::wire::WireError::TimedOut { what: "x".into(), limit: LIMIT });
    let setting = "org.apache.kafka.common.config.ConfigException: Invalid value";
    let all: Vec<(StepError, Whose)> = vec![
        (AdminError::Kafka(answer("INVALID_PARTITIONS")).into(), Kafka),
        (AdminError::Kafka(answer("_TRANSPORT")).into(), Kafka),
        (AdminError::Impossible("no".into()).into(), Plan),
        (AdminError::Rig(RigError::Other("no".into())).into(), Rig),
        (AskError::Kafka { what: "x".into(), error: answer("NOT_CONTROLLER") }.into(), Kafka),
        (AskError::Wire { broker: 1, cause: wire() }.into(), Kafka),
        (AskError::NoLeader { topic: "t".into(), partition: 0 }.into(), Kafka),
        (AskError::Missing("topic t".into()).into(), Kafka),
        (AskError::NobodyAnswers.into(), Kafka),
        (AskError::TimedOut { what: "x".into(), limit: LIMIT }.into(), Kafka),
        (AskError::Zookeeper("no".into()).into(), Kafka),
        (AskError::Unsupported("no".into()).into(), Plan),
        (RigError::NodeExited(death(false, "")).into(), Kafka),
        (RigError::NodeExited(death(false, setting)).into(), Plan),
        (RigError::NodeExited(death(true, setting)).into(), Rig),
        (RigError::StillRuns { node: Node::Broker(2), limit: LIMIT }.into(), Kafka),
        (RigError::Late { what: "x".into(), limit: LIMIT }.into(), Kafka),
        (RigError::NotSo("no".into()).into(), Plan),
        (RigError::Missing { what: "x".into(), help: "y".into() }.into(), Rig),
        (RigError::TimedOut { what: "x".into(), limit: LIMIT }.into(), Rig),
        (RigError::Unsupported { backend: "x", what: "y".into() }.into(), Rig),
        (RigError::Other("no".into()).into(), Rig),
        (client(None, "_TRANSPORT"), Kafka),
        (client(Some((1, false)), "OUT_OF_ORDER_SEQUENCE_NUMBER"), Kafka),
        (client(Some((1, false)), "_FENCED"), Kafka),
        (client(Some((1, false)), "SETTING"), Plan),
        (client(Some((0, false)), "_TRANSPORT"), Plan),
        (client(Some((9, true)), "_TRANSPORT"), Rig),
        (client(Some((101, false)), "_TRANSPORT"), Rig),
        (client(Some((1, false)), "HISTORY"), Rig),
        (client(None, "HISTORY"), Rig),
        (StepError::Plan(PlanCause::Expression("no".into())), Plan),
        (StepError::Plan(PlanCause::Command("no".into())), Plan),
        (StepError::TimedOut("no".into()), Kafka),
        (StepError::Rig(RigCause::Taken("no".into())), Rig),
    ];
    for (error, whose) in all {
        assert_eq!(error.cause().map(|c| c.whose), Some(whose), "{error:?}");
        let verdict = if whose == Rig { Verdict::Broken } else { Verdict::Failed };
        assert_eq!(error.verdict(), verdict, "{error:?}");
        assert!(error.words().is_some_and(|words| !words.is_empty()), "{error:?}");
    }
    assert_eq!(StepError::Interrupted.verdict(), Verdict::Broken);
}

#[test]
fn a_client_that_dies_of_kafkas_word_does_not_end_the_plan() {
    let died = client(Some((1, false)), "_FENCED");
    assert!(died.goes_on());
    let cause = died.cause().expect("one");
    assert_eq!((cause.client.as_deref(), cause.codes), (Some("P"), vec!["_FENCED".to_owned()]));
    let StepError::Kafka(cause) = died else { panic!("Kafka's") };
    let after = KafkaCause::After { cause: Box::new(cause), death: death(false, "last line") };
    assert!(StepError::Kafka(after).goes_on());
    for other in [client(None, "_TRANSPORT"), client(Some((9, true)), "x"), StepError::lacks("x")] {
        assert!(!other.goes_on(), "{other:?}");
    }
}

#[test]
fn of_several_errors_the_rigs_decides_and_a_dead_client_last() {
    let died = || client(Some((1, false)), "_FENCED");
    let worst = StepError::worst([died(), StepError::lacks("x"), StepError::rig("y")]);
    assert!(matches!(worst, Some(StepError::Rig(_))), "{worst:?}");
    let worst = StepError::worst([died(), StepError::lacks("x")]);
    assert!(!worst.expect("one").goes_on());
    assert!(StepError::worst([]).is_none());
}
