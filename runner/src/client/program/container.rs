//! A program as a container in the cluster's network.

mod request;

use std::{
    collections::BTreeMap, io, path::PathBuf, pin::Pin, sync::mpsc::SyncSender, thread,
    time::Duration,
};

use bollard::{
    Docker,
    container::{AttachContainerResults, LogOutput},
    errors::Error,
    models::ContainerState,
    query_parameters::{AttachContainerOptionsBuilder, RemoveContainerOptionsBuilder},
};
use futures::{StreamExt as _, stream::BoxStream};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt as _},
    runtime::Runtime,
    time::timeout,
};

use self::request::{body, container_name, copies};
use super::{
    EndedBy, ProgramEnd, ProgramError, ProgramEvent, ProgramLog, ProgramOwner, ProgramSpec,
    output::{LinePieces, ProgramOutput},
};
use crate::{
    engine::{self, ContainerIs, ContainerRequest},
    history::now_us,
    new_container,
};

/// The limit of one request to the engine.
const REQUEST: Duration = Duration::from_secs(60);

/// The output of a container, in pieces.
type Written = BoxStream<'static, Result<LogOutput, Error>>;

/// A container to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerSpec {
    pub image: String,
    /// What runs in it instead of what the image would start.
    pub command: Option<Vec<String>>,
    /// The cluster's network.
    pub network: String,
    /// The labels by which it is found and removed.
    pub labels: BTreeMap<String, String>,
    /// Ports of all instances.
    pub ports: Vec<PublishedPort>,
    /// Files of this machine that are copied into it, by their path there.
    pub files: BTreeMap<String, PathBuf>,
    /// The most bytes of memory.
    pub memory: Option<i64>,
}

impl ContainerSpec {
    /// The name of an instance's container.
    pub(crate) fn name(&self, owner: &ProgramOwner) -> String {
        container_name(&self.network, owner)
    }
}

/// A port of an instance's container that is published on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedPort {
    pub member: u16,
    pub inside: u16,
    pub host: u16,
}

/// A running container, and the runtime of its orders.
pub(crate) struct ServiceContainer {
    runtime: Runtime,
    docker: Docker,
    name: String,
    stdin: Pin<Box<dyn AsyncWrite + Send>>,
}

impl ServiceContainer {
    pub(super) fn start(
        spec: &ContainerSpec,
        program: &ProgramSpec,
        owner: &ProgramOwner,
        log: ProgramLog,
        events: SyncSender<ProgramEvent>,
    ) -> Result<Self, ProgramError> {
        let unasked = |error: io::Error| ProgramError::machine("cannot ask the engine", error);
        let asking = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(unasked)?;
            // The connection's parts belong to the runtime in which it is made.
            let docker = runtime.block_on(async { engine::connect_again(REQUEST) });
            let docker = docker.map_err(|e| unasked(io::Error::other(e)))?;
            Ok::<_, ProgramError>((runtime, docker))
        };
        let name = spec.name(owner);
        let output = ProgramOutput::new(log, events);
        let (runtime, docker) = asking()?;
        // Its own thread and connection: it waits for a reader of the output, and orders are carried out meanwhile.
        let (following, listening) = asking()?;
        runtime.block_on(create(&docker, &name, spec, program, owner))?;
        let attached = following.block_on(attach(&listening, &name, program.stdin))?;
        let stdin = attached.input;
        let container = Self { runtime, docker, name: name.clone(), stdin };
        container.start_made(spec)?;
        let followed = follow(listening, name, attached.output, output);
        thread::spawn(move || following.block_on(followed));
        Ok(container)
    }

    fn start_made(&self, spec: &ContainerSpec) -> Result<(), ProgramError> {
        match self.runtime.block_on(new_container::start(&self.docker, &self.name)) {
            Ok(()) => Ok(()),
            // The engine found the image, but not the program in it.
            Err(error) if is_no_program(&error) => Err(ProgramError::program(
                &format!("cannot start {}", spec.image),
                io::Error::other(error),
            )),
            Err(error) => Err(failed("start the container", error)),
        }
    }

    pub(super) fn tell(&mut self, line: &str) -> io::Result<()> {
        let line = format!("{line}\n");
        self.runtime.block_on(self.stdin.write_all(line.as_bytes()))
    }

    pub(super) fn signal(&mut self, signal: Signal) -> Result<(), ProgramError> {
        let request = match signal {
            Signal::SIGSTOP => ContainerRequest::Pause,
            Signal::SIGCONT => ContainerRequest::Resume,
            other => ContainerRequest::Signal(other.as_str()),
        };
        match self.runtime.block_on(request.carry_out(&self.docker, &self.name)) {
            Ok(()) => Ok(()),
            Err(_) if self.runtime.block_on(is_gone(&self.docker, &self.name)) => Ok(()),
            Err(error) => Err(failed(&format!("send {signal} to {}", self.name), error)),
        }
    }
}

impl Drop for ServiceContainer {
    fn drop(&mut self) {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        let removed = self.docker.remove_container(&self.name, Some(options));
        // What cannot be removed here is removed with its cluster, or by the guardian.
        let _ = self.runtime.block_on(async { timeout(REQUEST, removed).await });
    }
}

/// The container has ended, or was removed.
async fn is_gone(docker: &Docker, name: &str) -> bool {
    matches!(
        engine::is(docker, name).await,
        Ok(ContainerIs::Ended) | Err(Error::DockerResponseServerError { status_code: 404, .. })
    )
}

fn failed(what: &str, error: Error) -> ProgramError {
    ProgramError::machine(
        &format!("the container engine could not {what}"),
        io::Error::other(error),
    )
}

async fn create(
    docker: &Docker,
    name: &str,
    spec: &ContainerSpec,
    program: &ProgramSpec,
    owner: &ProgramOwner,
) -> Result<(), ProgramError> {
    let files = copies(&spec.files).await;
    let files = files.map_err(|e| ProgramError::machine("cannot read a file", e))?;
    let made = new_container::make(docker, name, body(name, spec, program, owner), files).await;
    made.map_err(|error| failed("make the container", error))
}

/// True for the engine's answer about a program that the image does not have, or that cannot be run.
fn is_no_program(error: &Error) -> bool {
    let text = error.to_string();
    ["executable file not found", "no such file or directory", "permission denied"]
        .iter()
        .any(|words| text.contains(words))
}

/// What a container writes, from its start. It waits for its reader as a process does whose pipe is full, so that at
/// most about a megabyte is unread when it ends; a reader of the engine's log files would be behind by any amount.
async fn attach(
    docker: &Docker,
    name: &str,
    stdin: bool,
) -> Result<AttachContainerResults, ProgramError> {
    let options = AttachContainerOptionsBuilder::new().stream(true).stdout(true).stderr(true);
    let attached = docker.attach_container(name, Some(options.stdin(stdin).build())).await;
    attached.map_err(|error| failed("pass on the container's output", error))
}

/// Passes on what the container writes until it has ended, and reports how it ended.
async fn follow(docker: Docker, name: String, mut written: Written, output: ProgramOutput) {
    let (mut out, mut errors) = (LinePieces::default(), LinePieces::default());
    while let Some(Ok(piece)) = written.next().await {
        let is_error = matches!(piece, LogOutput::StdErr { .. });
        let lines = if is_error { &mut errors } else { &mut out };
        lines.add(&piece.into_bytes(), |line| output.take(line, is_error));
    }
    out.end(|line| output.take(line, false));
    errors.end(|line| output.take(line, true));
    let how = ended_by(&docker, &name).await;
    output.ended(ProgramEnd { at_us: now_us(), how, last: output.last() });
}

/// Waits for the end of the container's process.
async fn ended_by(docker: &Docker, name: &str) -> EndedBy {
    let mut waited = docker.wait_container(name, None);
    // An exit status other than 0 is an error of this stream.
    let _ = waited.next().await;
    let state = engine::inspect(docker, name).await;
    state.ok().and_then(|answer| answer.state).map_or(EndedBy::Removed, |state| how(&state))
}

fn how(state: &ContainerState) -> EndedBy {
    let code = state.exit_code.and_then(|code| i32::try_from(code).ok()).unwrap_or(-1);
    match (state.oom_killed, code) {
        (Some(true), _) => EndedBy::OutOfMemory,
        // The engine reports a signal as a shell does.
        (_, 129..=192) => EndedBy::Signal(code - 128),
        _ => EndedBy::Status(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_and_lack_of_memory_are_no_status() {
        let ended = |code, oom| {
            how(&ContainerState {
                exit_code: Some(code),
                oom_killed: Some(oom),
                ..Default::default()
            })
        };
        assert_eq!(ended(3, false), EndedBy::Status(3));
        assert_eq!(ended(137, false), EndedBy::Signal(9));
        assert_eq!(ended(137, true), EndedBy::OutOfMemory);
    }
}
