//! `preferred_leaders`

use async_trait::async_trait;
use kplan_dsl::conditions::PreferredLeaders;

use super::{
    Found, Judged, JudgedNow,
    cluster::{row, unknown, whole},
};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for PreferredLeaders {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let view = whole!(j);
        let topic = self.topic.as_deref().map(|t| t.as_str());
        if view.partitions(topic).next().is_none() {
            return Ok(unknown(topic.unwrap_or("any topic")));
        }
        let not: Vec<String> = view.not_led_by_preferred(topic).map(|(t, p)| row(t, p)).collect();
        let found = match not.len() {
            0 => "every partition is led by its first replica".to_owned(),
            n => format!("{n} partitions are not led by their first replica"),
        };
        Ok(Found::plain(not.is_empty(), found).because(not))
    }
}
