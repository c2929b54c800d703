//! `fill_disk`

use kplan_dsl::steps::FillDisk;

use crate::{cluster::Node, conductor::outcome::StepError, steps::Cx};

/// Fills disks, and says whose.
pub async fn fill(args: &FillDisk, cx: &Cx<'_>) -> Result<Vec<Node>, StepError> {
    let nodes = cx.stage.resolve(&args.broker, cx.id).await?;
    cx.stage.fill_disks(cx.id, &nodes, args.leave.0).await?;
    Ok(nodes)
}
