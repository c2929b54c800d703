//! Requests that change the process of a container, until they took effect.

use std::time::Duration;

use bollard::{Docker, errors::Error, query_parameters::KillContainerOptionsBuilder};
use tokio::time::{Instant, sleep};

use super::{ContainerIs, is};

/// How long a request that was refused is sent again: on a busy machine the kernel gives up pausing before all threads
/// have stopped, and while a process ends an engine may refuse a signal and not know yet that it has ended.
const AGAIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// What happens to the process of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerRequest<'s> {
    /// A signal, by its name.
    Signal(&'s str),
    Pause,
    Resume,
}

impl ContainerRequest<'_> {
    /// As messages name it: `signal broker 1`.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Signal(_) => "signal",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// Carries it out. What a refusal means is judged by the state of the container, because engines differ in status
    /// codes and texts: where there was nothing to do, there is no error.
    pub async fn carry_out(self, docker: &Docker, container: &str) -> Result<(), Error> {
        let deadline = Instant::now() + AGAIN;
        loop {
            let Err(error) = self.send(docker, container).await else { return Ok(()) };
            let state = is(docker, container).await?;
            if self.is_done(state) {
                return Ok(());
            }
            if state == ContainerIs::Ended || Instant::now() >= deadline {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }

    async fn send(self, docker: &Docker, container: &str) -> Result<(), Error> {
        match self {
            Self::Signal(signal) => {
                let options = KillContainerOptionsBuilder::new().signal(signal).build();
                docker.kill_container(container, Some(options)).await
            }
            Self::Pause => docker.pause_container(container).await,
            Self::Resume => docker.unpause_container(container).await,
        }
    }

    /// Whether there is nothing to do in this state.
    fn is_done(self, state: ContainerIs) -> bool {
        match self {
            Self::Signal(_) => state == ContainerIs::Ended,
            Self::Pause => state == ContainerIs::Paused,
            Self::Resume => state != ContainerIs::Paused,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use bollard::API_DEFAULT_VERSION;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{UnixListener, UnixStream},
    };

    use super::*;

    const RUNNING: (u16, &str) =
        (200, r#"{"State": {"Status": "running", "Running": true, "Paused": false}}"#);
    const PAUSED: (u16, &str) =
        (200, r#"{"State": {"Status": "paused", "Running": true, "Paused": true}}"#);
    const STOPPED: (u16, &str) =
        (200, r#"{"State": {"Status": "stopped", "Running": false, "Paused": false}}"#);
    const EXITED: (u16, &str) =
        (200, r#"{"State": {"Status": "exited", "Running": false, "Paused": false}}"#);
    const DONE: (u16, &str) = (204, "");
    /// What podman 4.3 says where Docker answers with 409.
    const REFUSED: (u16, &str) = (500, r#"{"message": "container state improper: stopped"}"#);
    const CONFLICT: (u16, &str) = (409, r#"{"message": "Container a is not running"}"#);
    const GONE: (u16, &str) = (404, r#"{"message": "No such container: a"}"#);

    /// The result of a request to an engine that gives these answers, and how many requests it got.
    async fn asked(
        request: ContainerRequest<'_>,
        answers: &'static [(u16, &str)],
    ) -> (Result<(), Error>, usize) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("engine.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let served = Arc::new(Mutex::new(0));
        let count = served.clone();
        let engine = tokio::spawn(async move {
            for answer in answers {
                let (stream, _) = listener.accept().await.expect("a connection");
                serve(stream, *answer).await;
                *count.lock().expect("no holder panics") += 1;
            }
        });
        let path = path.to_str().expect("plain");
        let docker = Docker::connect_with_unix(path, 5, API_DEFAULT_VERSION).expect("a client");
        let done = request.carry_out(&docker, "a").await;
        engine.abort();
        let served = *served.lock().expect("no holder panics");
        (done, served)
    }

    async fn serve(mut stream: UnixStream, (status, body): (u16, &str)) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.expect("a request"));
        }
        let length = if status == 204 {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let answer = format!("HTTP/1.1 {status} X\r\n{length}Connection: close\r\n\r\n{body}");
        stream.write_all(answer.as_bytes()).await.expect("it listens");
        stream.shutdown().await.expect("it listens");
    }

    const TERM: ContainerRequest<'static> = ContainerRequest::Signal("SIGTERM");

    #[tokio::test]
    async fn a_signal_to_what_has_ended_is_no_error_in_any_engines_words() {
        for answers in [&[REFUSED, STOPPED], &[REFUSED, EXITED], &[CONFLICT, EXITED]] {
            let (done, served) = asked(TERM, answers).await;
            assert!(done.is_ok() && served == 2, "{answers:?}: {done:?}");
        }
    }

    #[tokio::test]
    async fn a_signal_is_sent_again_while_a_process_ends() {
        let (done, served) =
            asked(TERM, &[REFUSED, RUNNING, REFUSED, RUNNING, REFUSED, STOPPED]).await;
        assert!(done.is_ok() && served == 6, "{done:?}");
        let (done, served) = asked(TERM, &[REFUSED, RUNNING, DONE]).await;
        assert!(done.is_ok() && served == 3, "{done:?}");
    }

    #[tokio::test]
    async fn a_pause_that_did_not_succeed_is_tried_again_and_what_is_dead_is_not_paused() {
        let pause = ContainerRequest::Pause;
        let (done, _) = asked(pause, &[REFUSED, RUNNING, DONE]).await;
        assert!(done.is_ok(), "{done:?}");
        let (done, _) = asked(pause, &[REFUSED, PAUSED]).await;
        assert!(done.is_ok(), "{done:?}");
        let (done, served) = asked(pause, &[CONFLICT, EXITED]).await;
        assert!(done.is_err() && served == 2, "{done:?}");
    }

    #[tokio::test]
    async fn what_runs_is_resumed_already_and_what_is_gone_is_an_error() {
        let (done, _) = asked(ContainerRequest::Resume, &[REFUSED, RUNNING]).await;
        assert!(done.is_ok(), "{done:?}");
        let (done, _) = asked(TERM, &[GONE, GONE]).await;
        assert!(
            matches!(done, Err(Error::DockerResponseServerError { status_code: 404, .. })),
            "{done:?}"
        );
    }
}
