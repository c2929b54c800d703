//! Topics whose replication a step throttled.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use crate::{
    event::StepRun,
    stage::{Stage, outcome::StepError},
};

/// The throttled topics, by the step that throttled them.
#[derive(Debug, Default)]
pub struct Throttles(Mutex<BTreeMap<StepRun, String>>);

impl Throttles {
    fn all(&self) -> MutexGuard<'_, BTreeMap<StepRun, String>> {
        self.0.lock().expect("no holder panics")
    }
}

impl Stage {
    /// Limits the replication of a topic to `rate` bytes per second.
    pub async fn throttle(&self, step: &StepRun, topic: &str, rate: u64) -> Result<(), StepError> {
        let running = self.running()?;
        // Recorded first: if the step is cut off, a part of it may be done.
        self.throttles.all().insert(step.clone(), topic.to_owned());
        Ok(running.observer.ask().throttle(topic, Some(rate)).await?)
    }

    /// Removes the throttle of a step; does nothing without one.
    pub async fn unthrottle(&self, step: &StepRun) -> Result<(), StepError> {
        let running = self.running()?;
        let Some(topic) = self.throttles.all().get(step).cloned() else { return Ok(()) };
        running.observer.ask().throttle(&topic, None).await?;
        self.throttles.all().remove(step);
        Ok(())
    }
}
