//! `controller`

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::conditions::Controller;

use super::{Found, Judged, JudgedNow, cluster::is_node};
use crate::stage::{
    judge::{Judge, Looking},
    sight::SHOWS_WITHIN,
};

#[async_trait]
impl JudgedNow for Controller {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        // A look that is repeated need not wait for the proof.
        let limit = match j.looking {
            Looking::Until(_) => Duration::ZERO,
            Looking::Once | Looking::Throughout { .. } => SHOWS_WITHIN,
        };
        Ok(match j.stage.controller(limit).await? {
            Ok(node) => {
                is_node(self.is.as_deref(), node, "the controller is", "there is no controller")
            }
            Err(why) => Found::inconclusive(why),
        })
    }
}
