//! Leaves the external cluster as it was found.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::{RigError, TopicAdmin as _};
use super::{BrokerLife, ExternalCluster};

/// How long a broker that was started or resumed at the end may need to answer.
const BACK_LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);

impl ExternalCluster {
    /// Undoes what the plan broke and deletes the topics that it created; returns what was done.
    pub(super) async fn mend_and_clear(&self) -> Result<Vec<String>, RigError> {
        let mut reported = Vec::new();
        let mut troubles = Vec::new();
        let frozen = self.brokers_in(BrokerLife::Paused);
        let down = self.brokers_in(BrokerLife::Down);
        for (brokers, what, verb) in [(frozen, "resume", "resumed"), (down, "start", "started")] {
            if brokers.is_empty() {
                continue;
            }
            let who = list("broker", brokers.iter());
            let done = match what {
                "resume" => self.command(&brokers, what, |c| c.resume.as_ref()).await.map(drop),
                _ => self.start_again(&brokers).await,
            };
            match done {
                Ok(()) => {
                    self.set(&brokers, BrokerLife::Starting);
                    reported.push(format!("{who} {verb} again"));
                }
                Err(error) => troubles.push(format!("{who} not {verb} again: {error}")),
            }
        }
        if let Err(error) = self.all_answer().await {
            troubles.push(error.to_string());
        }
        let topics: Vec<String> = self.created().iter().cloned().collect();
        let mut deleted = Vec::new();
        for topic in topics {
            match self.topics.delete_topic(&topic).await {
                Ok(()) => {
                    self.created().remove(&topic);
                    deleted.push(topic);
                }
                Err(error) => troubles.push(format!("topic {topic} not deleted: {error}")),
            }
        }
        if !deleted.is_empty() {
            reported
                .push(format!("{}, created by this plan, deleted", list("topic", deleted.iter())));
        }
        if troubles.is_empty() { Ok(reported) } else { Err(RigError::Other(troubles.join("; "))) }
    }

    fn brokers_in(&self, life: BrokerLife) -> Vec<u32> {
        self.lives().iter().filter(|(_, own)| **own == life).map(|(broker, _)| *broker).collect()
    }

    /// Waits until the started brokers answer.
    async fn all_answer(&self) -> Result<(), RigError> {
        let deadline = Instant::now() + BACK_LIMIT;
        for broker in self.brokers_in(BrokerLife::Starting) {
            while !self.answers(broker).await {
                if Instant::now() >= deadline {
                    let what = format!("the return of broker {broker}");
                    return Err(RigError::TimedOut { what, limit: BACK_LIMIT });
                }
                sleep(PAUSE).await;
            }
            self.set(&[broker], BrokerLife::Up);
        }
        Ok(())
    }
}

/// `broker 2`, `topics a, b`.
fn list<T: ToString>(what: &str, all: impl ExactSizeIterator<Item = T>) -> String {
    let many = if all.len() == 1 { "" } else { "s" };
    let words: Vec<String> = all.map(|one| one.to_string()).collect();
    format!("{what}{many} {}", words.join(", "))
}
