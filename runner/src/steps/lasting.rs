//! Steps that undo their own faults. A fault with `for` or `during` begins, then its steps run while its time
//! passes, then it ends. If such a step, another step that leaves nothing broken, or a fault of a `chaos` is cut off,
//! its effect is undone here and nowhere else.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::{StepHead, Verb, steps::Lasting};

use crate::{
    cluster::Node,
    event::Event,
    stage::outcome::{Done, StepError},
    steps::{
        Act, Cx, act_of,
        limits::{Surroundings, limited},
        meant_by,
    },
};

/// A fault, or another change of the cluster, that undoes itself: every verb with `for` and `during`.
#[async_trait]
pub trait Fault: Send + Sync {
    /// Does what the fault does.
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError>;

    /// Undoes what is left of it: see [`Act::undo`].
    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError>;

    /// See [`Act::takes_away`].
    async fn takes_away(&self, cx: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        meant_by(cx).await
    }
}

#[async_trait]
impl<F: Fault> Act for F {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        self.begin(cx).await?;
        Ok(Done::default())
    }

    async fn undo(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        self.end(cx).await
    }

    async fn takes_away(&self, cx: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        Fault::takes_away(self, cx).await
    }
}

/// Carries out a step, and waits for the time of its `for`, if it has one. [`settled`] undoes it.
pub async fn pass(cx: &Cx<'_>) -> Result<Done, StepError> {
    let done = act_of(cx.verb).act(cx).await?;
    if let Some(time) = cx.verb.for_time() {
        cx.stage.talk(cx.id, "", Some(time));
        tokio::time::sleep(time).await;
    }
    Ok(done)
}

/// Whether a step undoes its fault when its time is over.
pub fn passes(verb: &Verb) -> bool {
    verb.lasting().is_some_and(Lasting::passes)
}

/// The result of a step after its faults are undone. A fault whose time is over is undone; so is what any other
/// step left when it did not reach its end.
pub async fn settled(cx: &Cx<'_>, done: Result<Done, StepError>) -> Result<Done, StepError> {
    match done {
        Ok(done) if passes(cx.verb) => undo(cx).await.map(|()| done),
        Err(error) if passes(cx.verb) || act_of(cx.verb).mends_itself() => {
            Err(both(cx, error, undo(cx).await))
        }
        done => done,
    }
}

/// Undoes the fault, whatever ended its steps or its time (a failure, a limit, the first signal) or cut off its
/// beginning: the step's own limit does not apply to undoing.
async fn undo(cx: &Cx<'_>) -> Result<(), StepError> {
    let around = Surroundings { finally: true, ..Surroundings::default() };
    let head = StepHead { timeout: None, ..cx.head.clone() };
    let cx = Cx { head: &head, around, ..*cx };
    let undoing = async {
        // Without the cluster there is nothing left to undo.
        if cx.stage.running().is_err() {
            return Ok(());
        }
        act_of(cx.verb).undo(&cx).await
    };
    limited(&cx, undoing).await
}

/// Combines the error that ended a fault early with the error of undoing it: an error of the rig decides, else the
/// first error. The events have both.
fn both(cx: &Cx<'_>, first: StepError, undone: Result<(), StepError>) -> StepError {
    let Err(undoing) = undone else { return first };
    if let StepError::Unproven(_) = undoing {
        return first;
    }
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
