//! Signals to the nodes' processes, and what became of them. What a request to the engine achieved is judged by the
//! state that the container is in: engines differ in status codes and texts.

use std::time::Duration;

use bollard::{errors::Error, query_parameters::KillContainerOptionsBuilder};
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::super::RigError;
use super::{DockerCluster, engine::failed, lifecycle::PAUSE, node::DockerNode};
use crate::engine::ContainerIs;

/// How long a process may need to end after SIGKILL.
const DEATH_LIMIT: Duration = Duration::from_secs(20);
/// Time between two SIGTERMs to a node that still runs.
const ASK_AGAIN: Duration = Duration::from_secs(3);

impl DockerCluster {
    /// Signals all nodes at once; a dead node is no error.
    pub(super) async fn signal(&self, nodes: &[&DockerNode], signal: &str) -> Result<(), RigError> {
        let sent = nodes.iter().map(|node| {
            node.set_wanted(false);
            let options = KillContainerOptionsBuilder::new().signal(signal).build();
            self.docker().kill_container(&node.name, Some(options))
        });
        self.each(nodes, join_all(sent).await, "signal", |is| is == ContainerIs::Ended).await
    }

    /// The first error, except of a node that is in the wanted state all the same: there was nothing to do, which
    /// every engine says in its own words.
    pub(super) async fn each(
        &self,
        nodes: &[&DockerNode],
        results: Vec<Result<(), Error>>,
        verb: &str,
        wanted: impl Fn(ContainerIs) -> bool,
    ) -> Result<(), RigError> {
        let left = self.failures(nodes, results, wanted).await?;
        left.into_iter().next().map_or(Ok(()), |(node, _, error)| {
            Err(failed(&format!("{verb} {}", node.node), &error))
        })
    }

    /// The errors of nodes that are not in the wanted state, with the states that they are in.
    pub(super) async fn failures<'n>(
        &self,
        nodes: &[&'n DockerNode],
        results: Vec<Result<(), Error>>,
        wanted: impl Fn(ContainerIs) -> bool,
    ) -> Result<Vec<(&'n DockerNode, ContainerIs, Error)>, RigError> {
        let mut failures = Vec::new();
        for (node, result) in nodes.iter().copied().zip(results) {
            let Err(error) = result else { continue };
            let is = node.is(self.docker()).await?;
            if !wanted(is) {
                failures.push((node, is, error));
            }
        }
        Ok(failures)
    }

    /// Sends SIGTERM repeatedly until the nodes end: the first process of a container ignores a SIGTERM that comes
    /// before its handler is installed, so a node that has just been started may miss it.
    pub(super) async fn ask_to_end(&self, nodes: &[&DockerNode], limit: Duration) -> Result<(), RigError> {
        let deadline = Instant::now() + limit;
        loop {
            self.signal(nodes, "SIGTERM").await?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.wait_dead(nodes, left.min(ASK_AGAIN)).await {
                Err(RigError::StillRuns { node, .. }) if left <= ASK_AGAIN => {
                    return Err(RigError::StillRuns { node, limit });
                }
                Err(RigError::StillRuns { .. }) => {}
                ended => return ended,
            }
        }
    }

    /// Waits until killed nodes are dead: a process that survives SIGKILL hangs in the kernel.
    pub(super) async fn killed(&self, nodes: &[&DockerNode]) -> Result<(), RigError> {
        self.wait_dead(nodes, DEATH_LIMIT).await.map_err(|error| match error {
            RigError::StillRuns { node, limit } => {
                RigError::TimedOut { what: format!("killing {node}"), limit }
            }
            other => other,
        })
    }

    async fn wait_dead(&self, nodes: &[&DockerNode], limit: Duration) -> Result<(), RigError> {
        let deadline = Instant::now() + limit;
        for node in nodes {
            while node.is(self.docker()).await? != ContainerIs::Ended {
                if Instant::now() >= deadline {
                    return Err(RigError::StillRuns { node: node.node, limit });
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}
