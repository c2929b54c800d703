//! The container engine: where it is, whether it answers, and the states of its containers. Docker and podman speak
//! the same protocol, and differ in texts, status codes and names of states: nothing here, nor where it is used, judges
//! by those that differ.

mod containers;
mod place;
mod refused;
mod requests;

use std::time::Duration;

use bollard::Docker;

pub use self::containers::{ContainerIs, inspect, is, list};
pub use self::place::{EngineAt, EngineHints, EnginePlace};
pub use self::requests::ContainerRequest;

/// How long the engine may need to answer the question whether it is there.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// An engine that has not answered a request by then hangs; none of kplan's requests takes as long.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);

/// No engine can be used: why, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}\n{help}")]
pub struct NoEngine {
    pub what: String,
    /// The command or setting that fixes it.
    pub help: String,
}

impl NoEngine {
    /// Nothing answers there.
    fn silent(place: &EnginePlace, why: impl std::fmt::Display) -> Self {
        Self {
            what: format!("no container engine answers at {place}: {why}"),
            help: "start the container engine (on Debian: `ci/engine start`), or set DOCKER_HOST; \
                   `--backend embedded` needs no engine"
                .to_owned(),
        }
    }
}

/// Finds the engine as `docker` does, and checks that it answers. Fails with what is in the way.
pub async fn connect() -> Result<Docker, NoEngine> {
    let place = EnginePlace::find(&EngineHints::here())?;
    if let EngineAt::Socket(path) = &place.at {
        let connected = tokio::time::timeout(ANSWER_LIMIT, tokio::net::UnixStream::connect(path));
        match connected.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(refused::socket(&place, path, &error)),
            Err(_) => return Err(NoEngine::silent(&place, late())),
        }
    }
    let docker = place.open(REQUEST_LIMIT)?;
    match tokio::time::timeout(ANSWER_LIMIT, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(error)) => Err(NoEngine::silent(&place, error)),
        Err(_) => Err(NoEngine::silent(&place, late())),
    }
}

/// A connection to the engine that has been found to answer before.
pub fn connect_again(limit: Duration) -> Result<Docker, NoEngine> {
    EnginePlace::find(&EngineHints::here())?.open(limit)
}

fn late() -> String {
    format!("no answer within {ANSWER_LIMIT:?}")
}
