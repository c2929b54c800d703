//! Copiers: start. Everything else is said to them as to other clients.

use kplan_dsl::{steps::StartCopier, value};

use crate::{
    client::spec::{CopierSpec, Isolation},
    conductor::{
        clients::Template,
        outcome::{Done, StepError},
    },
    steps::{Cx, clients},
};

/// `start_copier`
pub async fn start(args: &StartCopier, cx: &Cx<'_>) -> Result<Done, StepError> {
    let running = cx.stage.running()?;
    let to = args.to.to_string();
    let partitions = running.observer.fresh().await.partitions(Some(&to)).count();
    let spec = CopierSpec {
        common: clients::common(&args.name, args.user.as_deref(), &args.config, &running, cx)?,
        from: args.from.to_string(),
        partitions: u32::try_from(partitions)
            .ok()
            .filter(|n| *n > 0)
            .ok_or_else(|| StepError::lacks(format!("no living broker knows the topic {to}")))?,
        to,
        group: args.group_name(),
        messages: *args.messages,
        isolation: match args.isolation {
            value::Isolation::ReadCommitted => Isolation::ReadCommitted,
            value::Isolation::ReadUncommitted => Isolation::ReadUncommitted,
        },
    };
    running.cluster.expect_group(&spec.group);
    clients::begin(&args.name, Template::Copier(spec), 1, cx).await
}
