//! Quotas of users and clients.

use std::collections::BTreeMap;

use crate::{
    event::StepRun,
    observer::{AskError, QuotaEntity, QuotaLimits, patiently},
    stage::{Running, Stage, altered::settled, outcome::StepError},
};

/// One limit of one user, client, or user in a client.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuotaKey {
    pub of: QuotaEntity,
    pub name: String,
}

type GivenLimit = (QuotaKey, Option<f64>);

impl Stage {
    /// Sets limits for each of these entities, and waits until the brokers report them.
    pub async fn alter_quotas(
        &self,
        step: &StepRun,
        entities: &[QuotaEntity],
        limits: &QuotaLimits,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        let living = running.observer.fresh().await.brokers_alive();
        let broker = living.first().ok_or(AskError::NobodyAnswers)?;
        let mut all: Vec<GivenLimit> = Vec::new();
        for of in entities {
            let before = running.observer.ask().quota(*broker, of).await?;
            for (name, limit) in limits {
                let key = QuotaKey { of: of.clone(), name: name.clone() };
                // Recorded first: if the step is cut off, a part of it may be done.
                self.altered.quotas.put(step, key.clone(), *limit, before.get(name).copied());
                all.push((key, *limit));
            }
        }
        Ok(set_all(&running, &all).await?)
    }

    /// Takes back what a step set.
    pub async fn restore_quotas(&self, step: &StepRun) -> Result<(), StepError> {
        let running = self.running()?;
        set_all(&running, &self.altered.quotas.without(step)).await?;
        self.altered.quotas.taken_back(step);
        Ok(())
    }
}

/// Sets the limits, and waits until the brokers that answer report them.
pub(super) async fn set_all(running: &Running, all: &[GivenLimit]) -> Result<(), AskError> {
    let mut changes: BTreeMap<QuotaEntity, QuotaLimits> = BTreeMap::new();
    for (key, limit) in all {
        changes.entry(key.of.clone()).or_default().insert(key.name.clone(), *limit);
    }
    if changes.is_empty() {
        return Ok(());
    }
    let ask = running.observer.ask();
    patiently(|| ask.alter_quotas(&changes)).await?;
    settled(|| missing(running, &changes)).await
}

/// The first limit that a broker does not report. With ZooKeeper brokers report what they read there.
async fn missing(
    running: &Running,
    changes: &BTreeMap<QuotaEntity, QuotaLimits>,
) -> Result<Option<String>, AskError> {
    let ask = running.observer.ask();
    for broker in running.observer.fresh().await.brokers_alive() {
        for (of, limits) in changes {
            let found = ask.quota(broker, of).await?;
            let other = limits.iter().find(|(name, limit)| found.get(*name).copied() != **limit);
            if let Some((name, limit)) = other {
                let wanted = limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
                return Ok(Some(format!("broker {broker} does not have {name}: {wanted}")));
            }
        }
    }
    Ok(None)
}
