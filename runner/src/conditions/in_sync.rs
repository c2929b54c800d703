//! `in_sync`: the in-sync set of every partition must be within the bound; the smallest set is shown.

use async_trait::async_trait;
use kplan_dsl::{conditions::InSync, value::Bound};
use serde_json::{Value, json};

use super::{
    Found, Judged, JudgedNow,
    cluster::{row, unknown, whole},
};
use crate::{observer::PartitionView, stage::judge::Judge};

#[async_trait]
impl JudgedNow for InSync {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let view = whole!(j);
        let topic = self.topic.as_deref().map(|t| t.as_str());
        let one = self.partition.as_deref();
        let partitions: Vec<(&str, &PartitionView)> = match one {
            Some(p) => view
                .partition(&p.topic, p.partition)
                .map(|v| (p.topic.as_str(), v))
                .into_iter()
                .collect(),
            None => view.partitions(topic).collect(),
        };
        let name =
            one.map(ToString::to_string).or_else(|| topic.map(str::to_owned)).unwrap_or_default();
        let Some(least) = partitions.iter().map(|(_, p)| p.in_sync.len() as u64).min() else {
            return Ok(unknown(&name));
        };
        let most = partitions.iter().map(|(_, p)| p.in_sync.len() as u64).max().unwrap_or(least);
        let found = if least == most {
            format!("{least} in sync")
        } else {
            format!("{least} to {most} in sync")
        };
        let reported: serde_json::Map<String, Value> = partitions
            .iter()
            .map(|(t, p)| (format!("{t}/{}", p.partition), json!(p.in_sync)))
            .collect();
        let Some(bound) = self.replicas else {
            return Ok(Found::bounded(None::<Bound<u64>>, least, found, Value::Object(reported)));
        };
        let outside: Vec<String> = partitions
            .iter()
            .filter(|(_, p)| !bound.holds(p.in_sync.len() as u64))
            .map(|(t, p)| row(t, p))
            .collect();
        Ok(Found { value: Value::Object(reported), ..Found::plain(outside.is_empty(), found) }
            .because(outside))
    }
}
