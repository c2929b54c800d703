//! What `disk_errors` and `slow_disk` have in common.

use crate::{stage::outcome::StepError, steps::Cx};

/// Undoes the fault. One that has met no call proves nothing.
pub async fn end(cx: &Cx<'_>) -> Result<(), StepError> {
    match cx.stage.spare_calls(cx.id).await? {
        true => Ok(()),
        false => Err(cx.proves_nothing(
            "the fault meets at least one call",
            "it met none while it was in force".to_owned(),
            &["the notes of the step name the nodes"],
        )),
    }
}
