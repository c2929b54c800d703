//! Commands inside a container that runs.

use std::time::Duration;

use futures::StreamExt;
use testcontainers::bollard::{
    Docker,
    errors::Error,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
};
use tokio::time::timeout;

use super::super::RigError;
use super::engine::failed;

/// No command of kplan's takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// What came of a command.
pub struct Output {
    /// Exit status; none where the engine does not tell.
    pub status: Option<i64>,
    /// What it printed, to both streams.
    pub text: Vec<u8>,
}

impl Output {
    /// What it printed as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// It ended with status 0.
    pub fn succeeded(&self) -> bool {
        self.status == Some(0)
    }
}

/// Runs a command and waits for its end. Impossible in a container that is dead or frozen.
pub async fn run(
    docker: &Docker,
    container: &str,
    command: &[&str],
    errors: bool,
) -> Result<Output, RigError> {
    let what = format!("run {} in {container}", command.first().copied().unwrap_or_default());
    let fail = |error: Error| failed(&what, &error);
    let options = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(errors),
        cmd: Some(command.to_vec()),
        ..Default::default()
    };
    let work = async {
        let exec = docker.create_exec(container, options).await.map_err(fail)?;
        let started = docker.start_exec(&exec.id, None::<StartExecOptions>).await;
        let mut text = Vec::new();
        if let StartExecResults::Attached { mut output, .. } = started.map_err(fail)? {
            while let Some(chunk) = output.next().await {
                text.extend_from_slice(&chunk.map_err(fail)?.into_bytes());
            }
        }
        let status = docker.inspect_exec(&exec.id).await.map_err(fail)?.exit_code;
        Ok(Output { status, text })
    };
    match timeout(LIMIT, work).await {
        Ok(result) => result,
        Err(_) => Err(RigError::TimedOut { what, limit: LIMIT }),
    }
}

/// Runs a bash script.
pub async fn script(docker: &Docker, container: &str, text: &str) -> Result<Output, RigError> {
    run(docker, container, &["/bin/bash", "-c", text], true).await
}
