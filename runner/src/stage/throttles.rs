//! Topics whose replication a step throttled.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use crate::{
    event::StepRun,
    stage::{Stage, outcome::StepError},
};

/// Each by the step that did it.
#[derive(Debug, Default)]
pub struct Throttles(Mutex<BTreeMap<StepRun, String>>);

impl Throttles {
    fn all(&self) -> MutexGuard<'_, BTreeMap<StepRun, String>> {
        self.0.lock().expect("no holder panics")
    }
}

impl Stage {
    /// Bounds the replication of a topic to so many bytes per second.
    pub async fn throttle(&self, step: &StepRun, topic: &str, rate: u64) -> Result<(), StepError> {
        let running = self.running()?;
        // Said first: whatever cuts it off, a part of it may be done.
        self.throttles.all().insert(step.clone(), topic.to_owned());
        Ok(running.observer.ask().throttle(topic, Some(rate)).await?)
    }

    /// Takes the throttle of a step away; without one does nothing.
    pub async fn unthrottle(&self, step: &StepRun) -> Result<(), StepError> {
        let running = self.running()?;
        let Some(topic) = self.throttles.all().get(step).cloned() else { return Ok(()) };
        running.observer.ask().throttle(&topic, None).await?;
        self.throttles.all().remove(step);
        Ok(())
    }
}
