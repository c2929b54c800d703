//! Steps that break something and mend it themselves: how each begins, and how what it did is undone. When that is
//! done, and whatever cut it off, is the same for all of them: see `conductor/during`.

use kplan_dsl::{
    Verb,
    steps::Lasting,
    value::{DataFate, RestartHow},
};

use crate::{
    cluster::{Node, NodeState},
    event::Event,
    stage::{
        nodes::Down,
        outcome::{Done, StepError},
    },
    steps::{Cx, brokers, clients, degrade_network, fill_disk, partition_network, upgrade_broker},
};

/// Does what the fault does, and lets the time of its `for` pass, if it has one. To undo it is the conductor's.
pub async fn carry_out(cx: &Cx<'_>) -> Result<Done, StepError> {
    begin(cx).await?;
    if let Some(time) = cx.verb.for_time() {
        cx.stage.talk(cx.id, "", Some(time));
        tokio::time::sleep(time).await;
    }
    Ok(Done::default())
}

/// Whether a step undoes what it did when its time is over.
pub fn passes(verb: &Verb) -> bool {
    verb.lasting().is_some_and(Lasting::passes)
}

/// Whether a step leaves nothing broken when it is done, and would if it were cut off. A `chaos` sees to its
/// faults itself, each of which is such a step.
pub fn mends_itself(verb: &Verb) -> bool {
    match verb {
        Verb::RestartBroker(_) | Verb::UpgradeBroker(_) => true,
        Verb::ReassignPartitions(args) => args.throttle.is_some(),
        other => passes(other),
    }
}

/// What ended a fault early, and what became of undoing it: the rig's error decides before any other, else the
/// first one. The events have both.
pub fn both(cx: &Cx<'_>, first: StepError, undone: Result<(), StepError>) -> StepError {
    let Err(undoing) = undone else { return first };
    let words = [&first, &undoing].map(|e| e.words().unwrap_or_else(|| "interrupted".to_owned()));
    let [why, text] = words;
    let text = format!("{why}; then the fault could not be undone: {text}");
    let step = cx.id.to_owned();
    cx.stage.tell.emit(Event::Note { step, text });
    decides(first, undoing)
}

fn decides(first: StepError, undoing: StepError) -> StepError {
    match (&first, &undoing) {
        (StepError::Rig(_), _) => first,
        (_, StepError::Rig(_)) => undoing,
        _ => first,
    }
}

/// Does what the fault does.
pub async fn begin(cx: &Cx<'_>) -> Result<(), StepError> {
    match cx.verb {
        Verb::KillBroker(args) => brokers::kill(args, cx).await,
        Verb::StopBroker(args) => brokers::stop(args, cx).await,
        Verb::PauseBroker(args) => brokers::pause(args, cx).await,
        Verb::PartitionNetwork(args) => partition_network::part(args, cx).await,
        Verb::DegradeNetwork(args) => degrade_network::degrade(args, cx).await,
        Verb::FillDisk(args) => fill_disk::fill(args, cx).await,
        Verb::KillClient(args) => clients::kill(args, cx).await,
        Verb::PauseClient(args) => clients::pause(args, cx).await,
        // Whatever is no such fault does nothing here.
        _ => Ok(()),
    }
}

/// Undoes what this step did, all of it or the part that it came to. What another step undid meanwhile, or
/// replaced by another fault, is left as it is.
pub async fn end(cx: &Cx<'_>) -> Result<(), StepError> {
    if cx.stage.running().is_err() {
        return Ok(());
    }
    match cx.verb {
        Verb::KillBroker(_) => bring_back(cx, Down::Kill).await,
        Verb::StopBroker(_) => bring_back(cx, Down::Stop).await,
        Verb::RestartBroker(args) => match args.how {
            RestartHow::Kill => bring_back(cx, Down::Kill).await,
            RestartHow::Stop => bring_back(cx, Down::Stop).await,
        },
        Verb::UpgradeBroker(args) => {
            let back = bring_back(cx, Down::Stop).await;
            let down = down_by(cx);
            // Of the version before nothing may be there any more.
            if down.is_empty() { back } else { upgrade_broker::bring_up(args, &down, cx).await }
        }
        Verb::ReassignPartitions(_) => cx.stage.unthrottle(cx.id).await,
        Verb::PauseBroker(_) => match cx.stage.wanted.made_by(cx.id, NodeState::Paused) {
            frozen if frozen.is_empty() => Ok(()),
            frozen => cx.stage.thaw(cx.id, &frozen).await,
        },
        Verb::PartitionNetwork(_) | Verb::DegradeNetwork(_) => cx.stage.heal(Some(cx.id)).await,
        Verb::FillDisk(_) => cx.stage.free_disks(&cx.stage.full.filled_by(cx.id)).await,
        Verb::KillClient(_) | Verb::PauseClient(_) => clients::undo(cx).await,
        // Whatever is no such step has nothing to undo: see `mends_itself`.
        _ => Ok(()),
    }
}

/// The nodes that this step took down and that nobody started since.
fn down_by(cx: &Cx<'_>) -> Vec<Node> {
    cx.stage.wanted.made_by(cx.id, NodeState::Dead)
}

/// Starts the nodes that this step took down.
async fn bring_back(cx: &Cx<'_>, how: Down) -> Result<(), StepError> {
    let down = down_by(cx);
    if down.is_empty() {
        return Ok(());
    }
    // One that was still ending when the step was cut off would count as started, and then be gone.
    cx.stage.end_taking_down(&down, how).await?;
    cx.stage.bring_up(cx.id, &down, DataFate::Kept).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rig_that_cannot_undo_a_fault_decides_and_nothing_else_hides_what_came_first() {
        let rig = || StepError::rig("the engine is gone");
        let late = || StepError::TimedOut("too long".into());
        assert!(matches!(decides(late(), rig()), StepError::Rig(_)));
        assert!(matches!(decides(rig(), late()), StepError::Rig(_)));
        assert!(matches!(decides(StepError::Interrupted, rig()), StepError::Rig(_)));
        assert!(matches!(decides(late(), StepError::not_so("it runs")), StepError::TimedOut(_)));
    }
}
