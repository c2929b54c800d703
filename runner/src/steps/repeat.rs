//! `repeat`: the conductor runs the steps inside it.

use async_trait::async_trait;
use kplan_dsl::steps::Repeat;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx, Inside},
};

#[async_trait]
impl Act for Repeat {
    async fn act(&self, _: &Cx<'_>) -> Result<Done, StepError> {
        Ok(Done::default())
    }

    fn inside(&self) -> Option<Inside<'_>> {
        Some(Inside::Rounds(self.rounds.iter().map(|r| &*r.steps).collect()))
    }
}
