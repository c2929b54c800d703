//! `offset`

use async_trait::async_trait;
use kplan_dsl::{conditions::Offset, value::Bound};
use serde_json::json;

use super::{Found, Judged, JudgedNow, cluster::whole};
use crate::{observer::At, stage::judge::Judge};

#[async_trait]
impl JudgedNow for Offset {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let running = j.stage.running()?;
        whole!(j);
        let ask = running.observer.ask();
        let (topic, partition) = (self.partition.topic.as_str(), self.partition.partition);
        let edges = (
            ask.offset(topic, partition, At::Start).await,
            ask.offset(topic, partition, At::HighWatermark).await,
        );
        let (start, end) = match edges {
            (Ok(start), Ok(end)) => (start, end),
            (Err(error), _) | (_, Err(error)) => return Ok(Found::inconclusive(error.to_string())),
        };
        let found = format!("{} starts at {start} and ends at {end}", *self.partition);
        let value = json!({ "start": start, "end": end });
        let number = |n: i64| u64::try_from(n).unwrap_or(0);
        if self.start.is_none() && self.end.is_none() {
            return Ok(Found::bounded(None::<Bound<u64>>, number(end), found, value));
        }
        let holds = self.start.is_none_or(|b| b.holds(number(start)))
            && self.end.is_none_or(|b| b.holds(number(end)));
        Ok(Found { value, ..Found::plain(holds, found) })
    }
}
