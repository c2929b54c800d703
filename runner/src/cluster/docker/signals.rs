//! Requests that change the nodes' processes, and what became of them.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::super::RigError;
use super::{DockerCluster, engine::failed, lifecycle::PAUSE, node::DockerNode};
use crate::engine::{ContainerIs, ContainerRequest};

/// How long a process may need to end after SIGKILL.
const DEATH_LIMIT: Duration = Duration::from_secs(20);
/// Time between two SIGTERMs to a node that still runs.
const ASK_AGAIN: Duration = Duration::from_secs(3);

impl DockerCluster {
    /// Signals all nodes at once; a dead node is no error.
    pub(super) async fn signal(&self, nodes: &[&DockerNode], signal: &str) -> Result<(), RigError> {
        nodes.iter().for_each(|node| node.set_wanted(false));
        self.each(nodes, ContainerRequest::Signal(signal)).await
    }

    /// Carries out a request on all nodes at once. Fails with the first error.
    pub(super) async fn each(
        &self,
        nodes: &[&DockerNode],
        request: ContainerRequest<'_>,
    ) -> Result<(), RigError> {
        let requests = nodes.iter().map(|node| request.carry_out(self.docker(), &node.name));
        for (node, done) in nodes.iter().zip(join_all(requests).await) {
            done.map_err(|error| failed(&format!("{} {}", request.verb(), node.node), &error))?;
        }
        Ok(())
    }

    /// Sends SIGTERM repeatedly until the nodes end: the first process of a container ignores a SIGTERM that comes
    /// before its handler is installed, so a node that has just been started may miss it.
    pub(super) async fn ask_to_end(
        &self,
        nodes: &[&DockerNode],
        limit: Duration,
    ) -> Result<(), RigError> {
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
