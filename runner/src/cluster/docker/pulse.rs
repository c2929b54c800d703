//! Whether the engine still answers, asked beside everything else: an engine that hangs closes no
//! connection, and a cluster can live on under it while its logs and its deaths go unnoticed.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use testcontainers::bollard::Docker;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::super::RigError;
use super::engine::ANSWER_LIMIT;

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(3);

/// Asks an engine until it is dropped, or until there was no answer.
pub struct Pulse {
    lost: Arc<OnceLock<String>>,
    task: JoinHandle<()>,
}

impl Pulse {
    pub fn feel(docker: Docker) -> Self {
        let lost = Arc::new(OnceLock::new());
        let told = lost.clone();
        let task = tokio::spawn(async move {
            loop {
                sleep(PAUSE).await;
                let why = match timeout(ANSWER_LIMIT, docker.ping()).await {
                    Ok(Ok(_)) => continue,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("it was silent for {ANSWER_LIMIT:?}"),
                };
                let _ = told.set(why);
                return;
            }
        });
        Self { lost, task }
    }

    /// Whether it answered so far.
    pub fn check(&self) -> Result<(), RigError> {
        self.lost.get().map_or(Ok(()), |why| {
            Err(RigError::Other(format!("the container engine does not answer any more: {why}")))
        })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.task.abort();
    }
}
