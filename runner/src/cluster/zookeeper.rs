//! Waits until ZooKeeper has removed the session of a broker's earlier life.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use zookeeper_client::Client;

use super::RigError;

/// The longest session of Kafka's defaults is 18 s (3.x); ZooKeeper rounds up to its tick
/// and, after its own restart, begins to count again.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
const ATTEMPT: Duration = Duration::from_secs(5);

/// Waits until ZooKeeper has no `/brokers/ids/N` of these brokers. A broker that finds the node of its
/// earlier life exits at once (0.10 always, later versions if the session is not its own).
/// Fails with [`RigError::Late`] when ZooKeeper does not answer, or a node stays.
pub async fn wait_until_gone(address: &str, brokers: &[u32]) -> Result<(), RigError> {
    let deadline = Instant::now() + LIMIT;
    let mut client: Option<Client> = None;
    let mut left = brokers.to_vec();
    while let Some(id) = left.last() {
        if Instant::now() >= deadline {
            let what = format!("the removal of broker {id}'s earlier session from ZooKeeper");
            return Err(RigError::Late { what, limit: LIMIT });
        }
        let Some(connected) = &client else {
            client = timeout(ATTEMPT, connect(address)).await.ok().flatten();
            if client.is_none() {
                sleep(PAUSE).await;
            }
            continue;
        };
        match timeout(ATTEMPT, connected.check_stat(&format!("/brokers/ids/{id}"))).await {
            Ok(Ok(None)) => {
                left.pop();
            }
            Ok(Ok(Some(_))) => sleep(PAUSE).await,
            Ok(Err(_)) | Err(_) => client = None,
        }
    }
    Ok(())
}

async fn connect(address: &str) -> Option<Client> {
    Client::connector()
        .with_session_timeout(Duration::from_secs(10))
        .with_connection_timeout(ATTEMPT)
        .connect(address)
        .await
        .ok()
}
