//! Rules (ACLs) of Kafka's authorizer.

use crate::{
    event::StepRun,
    observer::{AclRule, AskError, patiently},
    stage::{Running, Stage, altered::settled, outcome::StepError},
};

/// A rule, and whether it is there.
type GivenRule = (AclRule, Option<()>);

impl Stage {
    /// Makes or removes rules, and waits until each broker has them, or has them no longer.
    pub async fn alter_acls(
        &self,
        step: &StepRun,
        rules: Vec<AclRule>,
        there: bool,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        let living = running.observer.fresh().await.brokers_alive();
        let broker = living.first().ok_or(AskError::NobodyAnswers)?;
        let mut all: Vec<GivenRule> = Vec::new();
        for rule in rules {
            let before = running.observer.ask().has_acl(*broker, &rule).await?;
            let value = there.then_some(());
            // Recorded first: if the step is cut off, a part of it may be done.
            self.altered.acls.put(step, rule.clone(), value, before.then_some(()));
            all.push((rule, value));
        }
        Ok(set_all(&running, &all).await?)
    }

    /// Takes back what a step made.
    pub async fn restore_acls(&self, step: &StepRun) -> Result<(), StepError> {
        let running = self.running()?;
        set_all(&running, &self.altered.acls.without(step)).await?;
        self.altered.acls.taken_back(step);
        Ok(())
    }
}

/// Makes and removes rules, and waits until all brokers that answer show it.
pub(super) async fn set_all(running: &Running, all: &[GivenRule]) -> Result<(), AskError> {
    let of = |there: bool| -> Vec<AclRule> {
        let own = all.iter().filter(|(_, value)| value.is_some() == there);
        own.map(|(rule, _)| rule.clone()).collect()
    };
    let (made, removed) = (of(true), of(false));
    let ask = running.observer.ask();
    if !made.is_empty() {
        patiently(|| ask.make_acls(&made)).await?;
    }
    if !removed.is_empty() {
        patiently(|| ask.remove_acls(&removed)).await?;
    }
    settled(|| missing(running, all)).await
}

/// The first broker that does not show it.
async fn missing(running: &Running, all: &[GivenRule]) -> Result<Option<String>, AskError> {
    let ask = running.observer.ask();
    for broker in running.observer.fresh().await.brokers_alive() {
        for (rule, value) in all {
            if ask.has_acl(broker, rule).await? != value.is_some() {
                let has = if value.is_some() { "does not have" } else { "still has" };
                return Ok(Some(format!("broker {broker} {has} the rule about {}", rule.name)));
            }
        }
    }
    Ok(None)
}
