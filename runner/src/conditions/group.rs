//! `group`

use async_trait::async_trait;
use kplan_dsl::{conditions::Group, value::Bound};
use serde_json::json;

use super::{Found, Judged, JudgedNow, cluster::whole};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for Group {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let running = j.stage.running()?;
        whole!(j);
        let reported = match running.observer.ask().group(&self.name).await {
            Ok(reported) => reported,
            Err(error) => return Ok(Found::inconclusive(error.to_string())),
        };
        let members = reported.members.len() as u64;
        let found = format!("{} with {members} members", reported.state);
        let value = json!({ "state": reported.state, "members": members });
        if self.state.is_none() && self.members.is_none() {
            return Ok(Found::bounded(None::<Bound<u64>>, members, found, value));
        }
        let state = self.state.is_none_or(|s| s.to_string() == reported.state);
        let count = self.members.is_none_or(|b| b.holds(members));
        Ok(Found { value, ..Found::plain(state && count, found) })
    }
}
