//! What `disk_errors` and `slow_disk` have in common.

use crate::{
    event::{Finding, Holds},
    stage::outcome::StepError,
    steps::Cx,
};

/// Undoes the fault. One that has met no call proves nothing.
pub async fn end(cx: &Cx<'_>) -> Result<(), StepError> {
    match cx.stage.spare_calls(cx.id).await? {
        true => Ok(()),
        false => Err(StepError::Judged(vec![Finding {
            condition: cx.head.word.to_owned(),
            line: cx.head.lines.0,
            holds: Holds::Inconclusive,
            expected: "the fault meets at least one call".to_owned(),
            found: "it met none while it was in force".to_owned(),
            evidence: vec!["the notes of the step name the nodes".to_owned()],
            after_ms: None,
        }])),
    }
}
