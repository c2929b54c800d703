//! Commands inside a running container.

use std::time::Duration;

use bollard::{
    Docker,
    errors::Error,
    exec::{CreateExecOptions, StartExecOptions, StartExecResults},
};
use futures::StreamExt;
use tokio::time::timeout;

use super::super::RigError;
pub use super::super::contained::command::{BY, FROM, Output};
use super::engine::failed;

/// The limit of each command.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a command and waits for its end. Impossible in a dead or paused container.
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
