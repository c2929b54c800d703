//! What proves that a command of the backend file had its effect.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::{Cluster as _, RigError};
use super::ExternalCluster;
use crate::wire::Connection;

/// A broker that sends no answer for this long counts as not answering.
const SILENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);

impl ExternalCluster {
    /// A successful command proves nothing: the broker must have stopped answering.
    pub(super) async fn all_silent(
        &self,
        brokers: &[u32],
        what: &'static str,
        limit: Duration,
    ) -> Result<(), RigError> {
        let deadline = Instant::now() + limit;
        for broker in brokers {
            while self.answers(*broker).await {
                if Instant::now() >= deadline {
                    return Err(RigError::Other(format!(
                        "the command `{what}` for broker {broker} succeeded, but the broker still \
                         answers {limit:?} later"
                    )));
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// Whether a broker answers a request now.
    pub(super) async fn answers(&self, broker: u32) -> bool {
        Connection::open(&self.address(broker), &self.credentials, SILENCE).await.is_ok()
    }

    /// What identifies the brokers' processes now; none if brokers that were taken down stay down.
    pub(super) async fn identities(
        &self,
        brokers: &[u32],
    ) -> Result<Option<Vec<String>>, RigError> {
        if !self.file.brokers_come_back {
            return Ok(None);
        }
        let all = self.command(brokers, "identity", |c| c.identity.as_ref()).await?;
        match all.iter().zip(brokers).find(|(printed, _)| printed.trim().is_empty()) {
            Some((_, broker)) => Err(RigError::Other(format!(
                "the command `identity` for broker {broker} printed nothing"
            ))),
            None => Ok(Some(all)),
        }
    }

    /// A broker that comes back may answer again at once: its process must be another one than before, or gone.
    pub(super) async fn all_others(
        &self,
        brokers: &[u32],
        before: &[String],
        what: &'static str,
        limit: Duration,
    ) -> Result<(), RigError> {
        let deadline = Instant::now() + limit;
        for (broker, before) in brokers.iter().zip(before) {
            loop {
                // Without a process there may be nothing to print.
                let now = self.command(&[*broker], "identity", |c| c.identity.as_ref()).await;
                if now.as_ref().is_ok_and(|now| now.first() != Some(before)) {
                    break;
                }
                if Instant::now() >= deadline {
                    let shown = before.trim();
                    return Err(RigError::Other(format!(
                        "the command `{what}` for broker {broker} succeeded, but {limit:?} later its process is \
                         still the same: `identity` prints {shown}"
                    )));
                }
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }
}
