//! What a service wrote elsewhere than into a topic, as a command of the plan prints it.

use std::env;

use kplan::{
    event::{Holds, Verdict},
    record::StepRecord,
};

use super::{common::Ran, services};

fn step<'r>(ran: &'r Ran, name: &str) -> &'r StepRecord {
    let mut steps = ran.record.suites[0].steps.iter();
    let step = steps.find(|step| step.info.title == name);
    step.unwrap_or_else(|| panic!("no step {name}: {}", ran.why()))
}

/// The verdict of the step of this name.
fn verdict(ran: &Ran, name: &str) -> Verdict {
    step(ran, name).verdict
}

/// How the only condition of the step of this name was judged.
fn holds(ran: &Ran, name: &str) -> Holds {
    step(ran, name).findings.last().unwrap_or_else(|| panic!("{}", ran.why())).holds
}

/// Runs the plan with a file of its own.
fn collected(more: impl FnOnce(&str) -> Vec<String>) -> Ran {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("written").display().to_string();
    let program = env::current_exe().expect("this binary").display().to_string();
    let mut params = vec![format!("program={program}"), format!("file={file}")];
    params.extend(more(&file));
    let args: Vec<&str> = params.iter().flat_map(|param| ["--param", param.as_str()]).collect();
    services("collected", &args)
}

#[test]
fn what_a_service_wrote_elsewhere_is_judged_when_it_has_stopped_and_not_before() {
    let ran = collected(|_| vec![]);
    assert_eq!(verdict(&ran, "counted"), Verdict::Passed, "{}", ran.why());
    assert_eq!(holds(&ran, "while it runs"), Holds::Inconclusive, "{}", ran.why());
    assert_eq!(holds(&ran, "after another life"), Holds::Inconclusive, "{}", ran.why());
}

#[test]
fn what_a_service_left_out_or_wrote_twice_elsewhere_is_counted() {
    let ran = collected(|_| vec!["most=30".to_owned(), "missing=10".to_owned()]);
    assert_eq!(verdict(&ran, "counted"), Verdict::Passed, "{}", ran.why());
    let ran = collected(|file| vec![format!("more={file}"), "surplus=40".to_owned()]);
    assert_eq!(verdict(&ran, "counted"), Verdict::Passed, "{}", ran.why());
}

#[test]
fn a_command_that_fails_collects_nothing() {
    let ran = collected(|file| vec![format!("more={file}/nowhere")]);
    assert_eq!(verdict(&ran, "all of it"), Verdict::Failed, "{}", ran.why());
    assert!(ran.why().contains("nowhere"), "{}", ran.why());
}
