//! `message`

use async_trait::async_trait;
use kplan_dsl::conditions::Message;
use serde_json::Value;

use super::{Found, Judged, JudgedNow};
use crate::stage::{judge::Judge, messages::find_messages, outcome::StepError};

#[async_trait]
impl JudgedNow for Message {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let asked = find_messages(j.stage, &self.topic, self.key.as_deref(), self.value.as_deref());
        let count = match asked.await {
            // The content of a log that was not read is unknown.
            Err(error @ (StepError::Kafka(_) | StepError::TimedOut(_))) => {
                return Ok(Found::inconclusive(error.words().unwrap_or_default()));
            }
            other => other?,
        };
        let found = format!("{count} matching messages in {}", *self.topic);
        let mut found = Found::plain(count > 0, found);
        found.value = Value::from(count);
        Ok(found)
    }
}
