//! `fill_disk`

use kplan_dsl::steps::FillDisk;

use crate::{stage::outcome::StepError, steps::Cx};

pub async fn fill(args: &FillDisk, cx: &Cx<'_>) -> Result<(), StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    cx.stage.fill_disks(cx.id, &nodes, args.leave.0).await
}
