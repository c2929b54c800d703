//! `fill_disk`

use kplan_dsl::steps::FillDisk;

use crate::{
    conductor::outcome::{Done, StepError},
    steps::Cx,
};

/// Fills disks; with `for` the step lasts that long and frees them.
pub async fn fill(args: &FillDisk, cx: &Cx<'_>) -> Result<Done, StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    cx.stage.fill_disks(cx.id, &nodes, args.leave.0).await?;
    if let Some(time) = args.for_time {
        tokio::time::sleep(time).await;
        cx.stage.free_disks(&nodes).await?;
    }
    Ok(Done::default())
}
