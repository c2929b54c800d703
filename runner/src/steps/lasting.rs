//! Faults that can undo themselves: each has a beginning and an end, and what it struck in between.
//!
//! A fault of a chaos waits for its `for` here; the steps of a plan do so in `conductor/during`.

use std::time::Duration;

use kplan_dsl::Verb;

use crate::{
    cluster::{Data, NodeState},
    conductor::outcome::{Done, StepError},
    event::Event,
    steps::{Cx, brokers, clients, degrade_network, fill_disk, partition_network},
};

/// Carries a fault out; with `for` it is undone after that time, and also if it could be done in part only.
///
/// # Errors
/// When it cannot be done or undone.
pub async fn carry_out(cx: &Cx<'_>) -> Result<Done, StepError> {
    let Some(time) = cx.verb.for_time() else { return begin(cx).await.map(|()| Done::default()) };
    let done = begin_for(time, cx).await;
    let undone = end(cx).await;
    match done {
        Ok(()) => undone.map(|()| Done::default()),
        Err(error) => Err(both(cx, error, undone)),
    }
}

async fn begin_for(time: Duration, cx: &Cx<'_>) -> Result<(), StepError> {
    begin(cx).await?;
    cx.stage.talk(cx.id, "", Some(time));
    tokio::time::sleep(time).await;
    Ok(())
}

/// What ended a fault early, and what became of undoing it: the rig's error decides before any other, else the
/// first one. The events have both.
pub fn both(cx: &Cx<'_>, first: StepError, undone: Result<(), StepError>) -> StepError {
    let Err(undoing) = undone else { return first };
    let words = [&first, &undoing].map(|e| e.words().unwrap_or_else(|| "interrupted".to_owned()));
    let [why, text] = words;
    let text = format!("{why}; then the fault could not be undone: {text}");
    let (suite, step) = (cx.stage.suite, cx.id.to_owned());
    cx.stage.run.sink.emit(Event::Note { suite, step, text });
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
///
/// # Errors
/// When it cannot be done.
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
///
/// # Errors
/// When it cannot be undone.
pub async fn end(cx: &Cx<'_>) -> Result<(), StepError> {
    if cx.stage.running().is_err() {
        return Ok(());
    }
    match cx.verb {
        Verb::KillBroker(_) | Verb::StopBroker(_) => {
            match cx.stage.wanted.made_by(cx.id, NodeState::Dead) {
                down if down.is_empty() => Ok(()),
                down => cx.stage.bring_up(cx.id, &down, Data::Kept).await,
            }
        }
        Verb::PauseBroker(_) => match cx.stage.wanted.made_by(cx.id, NodeState::Paused) {
            frozen if frozen.is_empty() => Ok(()),
            frozen => cx.stage.thaw(cx.id, &frozen).await,
        },
        Verb::PartitionNetwork(_) | Verb::DegradeNetwork(_) => cx.stage.heal(Some(cx.id)).await,
        Verb::FillDisk(_) => cx.stage.free_disks(&cx.stage.full.filled_by(cx.id)).await,
        Verb::KillClient(_) | Verb::PauseClient(_) => clients::undo(cx).await,
        // Whatever is no such fault has nothing to undo.
        _ => Ok(()),
    }
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
