//! `parallel`: the conductor runs the steps inside it.

use async_trait::async_trait;
use kplan_dsl::steps::Parallel;

use crate::{
    stage::outcome::{Done, StepError},
    steps::{Act, Cx, Inside},
};

#[async_trait]
impl Act for Parallel {
    async fn act(&self, _: &Cx<'_>) -> Result<Done, StepError> {
        Ok(Done::default())
    }

    fn inside(&self) -> Option<Inside<'_>> {
        Some(Inside::Branches(self.branches.iter().map(|b| b.steps.as_slice()).collect()))
    }
}
