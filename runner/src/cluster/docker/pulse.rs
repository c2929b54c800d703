//! Checks in the background whether the engine still answers: an engine that hangs closes no
//! connection, and its containers can go on while their logs and deaths go unnoticed.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use bollard::Docker;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::super::RigError;
use crate::engine::ANSWER_LIMIT;

/// Time between two requests.
const PAUSE: Duration = Duration::from_secs(3);

/// Asks an engine until it is dropped, or until there was no answer.
pub struct Pulse {
    lost: Arc<OnceLock<String>>,
    task: JoinHandle<()>,
}

impl Pulse {
    pub fn feel(docker: Docker) -> Self {
        let lost = Arc::new(OnceLock::new());
        let reported = lost.clone();
        let task = tokio::spawn(async move {
            loop {
                sleep(PAUSE).await;
                let why = match timeout(ANSWER_LIMIT, docker.ping()).await {
                    Ok(Ok(_)) => continue,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("no answer within {ANSWER_LIMIT:?}"),
                };
                let _ = reported.set(why);
                return;
            }
        });
        Self { lost, task }
    }

    /// Fails if the engine has stopped answering.
    pub fn check(&self) -> Result<(), RigError> {
        self.lost.get().map_or(Ok(()), |why| {
            Err(RigError::Other(format!("the container engine stopped answering: {why}")))
        })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}
