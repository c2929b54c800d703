//! The backend file's commands.

use std::{process::Stdio, time::Duration};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::Command,
    time::timeout,
};

use super::super::RigError;

/// What is kept of each of the two streams.
const KEPT: usize = 16 * 1024;
/// How long output is read after the command has ended: a broker that it started may hold the
/// pipe forever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One command for one broker.
pub struct Work<'a> {
    /// What it does, e.g. `kill`.
    pub what: &'static str,
    pub broker: u32,
    /// The program and its arguments.
    pub words: Vec<String>,
    pub limit: Duration,
    /// Its output is wanted, and nothing that it leaves in the background has the same output.
    pub prints: bool,
    /// The run that the command ends with; none for a command that may start a broker, which must stay.
    pub run: Option<&'a str>,
}

impl Work<'_> {
    /// Runs the command to its end. Returns the beginning of what it printed, if that is wanted.
    pub async fn run(self) -> Result<String, RigError> {
        let name = format!("`{}` for broker {}", self.what, self.broker);
        let failed = |why: String| {
            RigError::Other(format!("the command {name} ({}) {why}", self.words.join(" ")))
        };
        let Some((program, rest)) = self.words.split_first() else {
            return Err(failed("is empty".to_owned()));
        };
        let mut command = Command::new(program);
        command.args(rest).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).env("KPLAN_BROKER", self.broker.to_string());
        if let Some(run) = self.run {
            command.env("KPLAN_RUN", run);
        }
        let mut child =
            command.spawn().map_err(|error| failed(format!("cannot be started: {error}")))?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let stdout = tokio::spawn(keep(child.stdout.take()));
        let stderr = tokio::spawn(keep(child.stderr.take()));
        let Ok(ended) = timeout(self.limit, child.wait()).await else {
            if let Some(group) = group {
                // An empty process group is no error.
                let _ = killpg(group, Signal::SIGKILL);
            }
            return Err(RigError::TimedOut {
                what: format!("the command {name}"),
                limit: self.limit,
            });
        };
        let status = ended.map_err(|error| failed(error.to_string()))?;
        if status.success() && !self.prints {
            return Ok(String::new());
        }
        let printed = text(timeout(LAST_WORDS, stdout).await);
        if status.success() {
            return Ok(printed);
        }
        let output = [printed, text(timeout(LAST_WORDS, stderr).await)];
        Err(failed(format!("ended with {status}:\n{}", output.concat().trim_end())))
    }
}

/// Reads to the end, but keeps only the beginning.
async fn keep(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
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
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(words: &[&str], limit: Duration) -> Work<'static> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Work { what: "kill", broker: 2, words, limit, prints: true, run: None }
    }

    #[tokio::test]
    async fn a_command_is_told_with_what_it_said() {
        let limit = Duration::from_secs(20);
        work(&["sh", "-c", "test $KPLAN_BROKER = 2"], limit).run().await.expect("it ends well");
        let error = work(&["sh", "-c", "echo no such host >&2; exit 3"], limit).run().await;
        let text = error.expect_err("it fails").to_string();
        assert!(text.contains("`kill` for broker 2") && text.contains("no such host"), "{text}");
        let text = work(&["/no/such/program"], limit).run().await.expect_err("none").to_string();
        assert!(text.contains("cannot be started"), "{text}");
    }

    #[tokio::test]
    async fn a_command_without_an_end_is_ended() {
        let error = work(&["sleep", "600"], Duration::from_millis(50)).run().await;
        assert!(matches!(error, Err(RigError::TimedOut { .. })));
    }

    #[tokio::test]
    async fn what_stays_in_the_background_holds_nobody_up() {
        let words = ["sh", "-c", "sleep 5 & echo started"];
        work(&words, Duration::from_secs(3)).run().await.expect("the command itself ended");
    }
}
