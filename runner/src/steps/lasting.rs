//! Faults that can undo themselves: each has a beginning and an end, and what it struck in between.
//!
//! With `for` alone the step waits here; what is to run `during` a fault is the conductor's.

use kplan_dsl::{
    Verb,
    steps::{ResumeClient, StartClient},
    value::Clients,
};

use crate::{
    cluster::{Data, Node, NodeState},
    conductor::outcome::{Done, StepError},
    steps::{Cx, brokers, clients, degrade_network, fill_disk, partition_network},
};

/// A fault that is in force, with whom it struck.
#[derive(Debug)]
pub enum InForce {
    /// Brokers are down.
    Down(Vec<Node>),
    /// Brokers are frozen.
    Frozen(Vec<Node>),
    /// The network is disturbed by this step.
    Network,
    /// Disks are full.
    Full(Vec<Node>),
    /// Clients are killed.
    Killed(Clients),
    /// Clients are frozen.
    Paused(Clients),
    /// There is nothing to undo.
    Nothing,
}

/// Carries a fault out; with `for` it is undone after that time.
///
/// # Errors
/// When it cannot be done or undone.
pub async fn carry_out(cx: &Cx<'_>) -> Result<Done, StepError> {
    let in_force = begin(cx).await?;
    if let Some(time) = cx.verb.for_time() {
        cx.stage.talk(cx.id, "", Some(time));
        tokio::time::sleep(time).await;
        end(&in_force, cx).await?;
    }
    Ok(Done::default())
}

/// Does what the fault does.
///
/// # Errors
/// When it cannot be done.
pub async fn begin(cx: &Cx<'_>) -> Result<InForce, StepError> {
    match cx.verb {
        Verb::KillBroker(args) => brokers::kill(args, cx).await.map(InForce::Down),
        Verb::StopBroker(args) => brokers::stop(args, cx).await.map(InForce::Down),
        Verb::PauseBroker(args) => brokers::pause(args, cx).await.map(InForce::Frozen),
        Verb::PartitionNetwork(args) => {
            partition_network::part(args, cx).await.map(|()| InForce::Network)
        }
        Verb::DegradeNetwork(args) => {
            degrade_network::degrade(args, cx).await.map(|()| InForce::Network)
        }
        Verb::FillDisk(args) => fill_disk::fill(args, cx).await.map(InForce::Full),
        Verb::KillClient(args) => {
            clients::kill(args, cx).await.map(|()| InForce::Killed(args.client.clone()))
        }
        Verb::PauseClient(args) => {
            clients::pause(args, cx).await.map(|()| InForce::Paused(args.client.clone()))
        }
        // Whatever is no such fault has nothing to undo.
        _ => Ok(InForce::Nothing),
    }
}

/// Undoes it. What another step undid meanwhile, or replaced by another fault, is left as it is.
///
/// # Errors
/// When it cannot be undone.
pub async fn end(in_force: &InForce, cx: &Cx<'_>) -> Result<(), StepError> {
    let still = |nodes: &[Node], state: NodeState| -> Vec<Node> {
        nodes.iter().copied().filter(|n| cx.stage.wanted.get(*n) == state).collect()
    };
    match in_force {
        InForce::Down(nodes) => match still(nodes, NodeState::Dead) {
            down if down.is_empty() => Ok(()),
            down => cx.stage.bring_up(cx.id, &down, Data::Kept).await,
        },
        InForce::Frozen(nodes) => match still(nodes, NodeState::Paused) {
            frozen if frozen.is_empty() => Ok(()),
            frozen => cx.stage.thaw(cx.id, &frozen).await,
        },
        InForce::Network => cx.stage.heal(Some(cx.id)).await,
        InForce::Full(nodes) => cx.stage.free_disks(nodes).await,
        InForce::Killed(client) => {
            clients::start(&StartClient { client: client.clone() }, cx).await.map(drop)
        }
        InForce::Paused(client) => {
            clients::resume(&ResumeClient { client: client.clone() }, cx).await.map(drop)
        }
        InForce::Nothing => Ok(()),
    }
}
