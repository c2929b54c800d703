//! Copiers: start. Everything else is said to them as to other clients.

use kplan_dsl::steps::StartCopier;

use crate::{
    client::of_plan,
    stage::{
        clients::Template,
        outcome::{Done, StepError},
    },
    steps::{Cx, clients},
};

/// `start_copier`
pub async fn start(args: &StartCopier, cx: &Cx<'_>) -> Result<Done, StepError> {
    let running = cx.stage.running()?;
    let partitions = clients::partitions(&args.to, &running).await?;
    let common = clients::common(&args.name, args.user.as_deref(), &args.config, &running, cx)?;
    let spec = of_plan::copier(args, common, partitions);
    running.cluster.topics().expect_group(&spec.group);
    clients::begin(&args.name, Template::Copier(spec), 1, cx).await
}
