//! `brokers_alive`

use async_trait::async_trait;
use kplan_dsl::conditions::BrokersAlive;
use serde_json::json;

use super::{Found, Judged, JudgedNow, cluster::whole};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for BrokersAlive {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let alive = whole!(j).brokers_alive();
        let listed: Vec<String> = alive.iter().map(u32::to_string).collect();
        let found = format!(
            "{} alive: {}",
            alive.len(),
            if listed.is_empty() { "none".into() } else { listed.join(", ") }
        );
        Ok(Found::bounded(self.bound, alive.len() as u64, found, json!(alive.len())))
    }
}
