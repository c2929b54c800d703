//! `run`: a command on this machine, in a process group of its own that never outlives the step.

use std::{process::Stdio, time::Duration};

use async_trait::async_trait;
use kplan_dsl::{
    steps::{Run, RunExpect},
    value::Settings,
};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
};

use crate::{
    event::{Event, Finding, Holds},
    stage::outcome::{Done, PlanCause, StepError},
    steps::{Act, Cx},
};

/// Bytes that are kept of each of the two streams; the rest is read and discarded.
const KEPT: usize = 64 * 1024;
/// Lines that are shown if an expectation of the command does not hold.
const SHOWN: usize = 20;
/// How long output is read after the command has ended: a process that left its process group may hold
/// the pipe forever.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(1);

/// Kills the command and all that it started, however the step ends.
pub(super) struct CommandGroup(Pid);

impl Drop for CommandGroup {
    fn drop(&mut self) {
        // An empty process group is no error.
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

/// Runs the command and judges its exit status and output.
#[async_trait]
impl Act for Run {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let words: Vec<&str> = self.command.iter().map(|w| w.as_str()).collect();
        let (mut child, group) = start(&words, &self.env, cx)?;
        let stdout = tokio::spawn(keep(child.stdout.take()));
        let stderr = tokio::spawn(keep(child.stderr.take()));
        let status = child.wait().await.map_err(StepError::rig)?;
        // Background processes of the command end with it, and release the pipes.
        drop(group);
        let output = text(tokio::time::timeout(LAST_WORDS, stdout).await);
        let errors = text(tokio::time::timeout(LAST_WORDS, stderr).await);
        tell(&words, &output, &errors, cx);
        let found =
            status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
        Done::judged(judge(self.expect.as_ref(), status.code(), found, &output, &errors))
    }

    fn limit(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }
}

/// Starts a command. What is returned beside it ends it, with everything that it started.
pub(super) fn start(
    words: &[&str],
    env: &Settings,
    cx: &Cx<'_>,
) -> Result<(Child, Option<CommandGroup>), StepError> {
    let Some((program, rest)) = words.split_first() else {
        return Err(StepError::not_so("the command is empty"));
    };
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).env("KPLAN_RUN", &cx.stage.run.id);
    if let Ok(running) = cx.stage.running() {
        command.env("KPLAN_BOOTSTRAP", running.bootstrap());
    }
    command.envs(env.iter());
    let child = command.spawn().map_err(|error| not_started(program, &error))?;
    let pid = child.id().and_then(|id| i32::try_from(id).ok());
    Ok((child, pid.map(|id| CommandGroup(Pid::from_raw(id)))))
}

/// A command that does not exist or may not be run is a mistake of the plan; missing memory or processes are a
/// failure of the machine.
fn not_started(program: &str, error: &std::io::Error) -> StepError {
    use std::io::ErrorKind as K;
    let text = format!("{program} cannot be started: {error}");
    match error.kind() {
        K::OutOfMemory | K::WouldBlock | K::ResourceBusy | K::StorageFull => StepError::rig(text),
        _ => StepError::Plan(PlanCause::Command(text)),
    }
}

/// Reads to the end, but keeps only the beginning.
pub(super) async fn keep(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return kept };
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        let room = KEPT.saturating_sub(kept.len()).min(read);
        kept.extend_from_slice(&chunk[..room]);
    }
    kept
}

fn text<E, F>(read: Result<Result<Vec<u8>, E>, F>) -> String {
    match read {
        Ok(Ok(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        _ => "(something in the background held the output open)".to_owned(),
    }
}

fn tell(words: &[&str], output: &str, errors: &str, cx: &Cx<'_>) {
    let lines: Vec<String> =
        [output, errors].iter().flat_map(|t| t.lines()).map(|l| format!("    {l}")).collect();
    if lines.is_empty() {
        return;
    }
    cx.stage.tell.emit(Event::Described {
        step: cx.id.to_owned(),
        title: format!("Output of {}", words.join(" ")),
        text: lines.join("\n"),
    });
}

fn judge(
    expect: Option<&RunExpect>,
    code: Option<i32>,
    found: String,
    output: &str,
    errors: &str,
) -> Vec<Finding> {
    let wanted = expect.map_or(0, |e| e.exit);
    let finding = |condition: String, holds: bool, expected: String, found: String| Finding {
        condition,
        line: 0,
        holds: if holds { Holds::Yes } else { Holds::No },
        expected,
        found,
        evidence: if holds { Vec::new() } else { last_lines(output, errors) },
        after_ms: None,
    };
    let mut findings = vec![finding(
        format!("exit: {wanted}"),
        code == Some(wanted),
        format!("the command ends with exit status {wanted}"),
        found,
    )];
    if let Some(wanted) = expect.and_then(|e| e.stdout.as_ref()) {
        let holds = output.contains(wanted.as_str());
        let found = if holds { "it prints this" } else { "it does not print this" };
        let expected = format!("the command prints `{wanted}`");
        findings.push(finding(format!("stdout: {wanted}"), holds, expected, found.to_owned()));
    }
    findings
}

fn last_lines(output: &str, errors: &str) -> Vec<String> {
    let all: Vec<&str> = output.lines().chain(errors.lines()).collect();
    all.iter().skip(all.len().saturating_sub(SHOWN)).map(|l| (*l).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(expect: Option<&RunExpect>, code: Option<i32>, output: &str) -> Vec<bool> {
        let findings = judge(expect, code, String::new(), output, "");
        findings.iter().map(|f| f.holds == Holds::Yes).collect()
    }

    #[test]
    fn status_and_output_are_judged() {
        assert_eq!(holds(None, Some(0), ""), [true]);
        assert_eq!(holds(None, Some(1), ""), [false]);
        assert_eq!(holds(None, None, ""), [false], "killed by a signal");
        let expect = RunExpect { exit: 3, stdout: Some("well".to_owned()) };
        assert_eq!(holds(Some(&expect), Some(3), "all is well\n"), [true, true]);
        assert_eq!(holds(Some(&expect), Some(0), "no"), [false, false]);
    }

    #[tokio::test]
    async fn output_is_bounded() {
        let long = vec![b'x'; 3 * KEPT];
        assert_eq!(keep(Some(long.as_slice())).await.len(), KEPT);
        assert!(keep(None::<&[u8]>).await.is_empty());
    }
}
