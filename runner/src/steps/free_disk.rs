//! `free_disk`

use kplan_dsl::steps::FreeDisk;

use crate::{
    stage::outcome::{Done, StepError},
    steps::Cx,
};

/// Frees disks; one that was never filled stays as it is without an error.
pub async fn free(args: &FreeDisk, cx: &Cx<'_>) -> Result<Done, StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    cx.stage.free_disks(&nodes).await?;
    Ok(Done::default())
}
