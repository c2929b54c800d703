//! `record`: puts values into the report without judging them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::{conditions::Condition, steps::Record};

use crate::{
    conditions,
    event::{Event, Holds},
    stage::outcome::{Done, StepError},
    steps::{Act, Cx, limits::JUDGEMENT_LIMIT},
};

#[async_trait]
impl Act for Record {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let mut judge = cx.judge(true);
        judge.since = self.since.as_deref().map(|s| s.as_str());
        cx.stage.look_anew().await;
        let mut values = IndexMap::new();
        let mut captured = serde_json::Map::new();
        let mut findings = Vec::new();
        let mut unknown = BTreeMap::new();
        let mut names = BTreeSet::new();
        for condition in self.that.iter() {
            let (finding, value) = conditions::judge_with_value(condition, &judge).await?;
            let name = unique(&names, condition.info().word);
            if finding.holds == Holds::Inconclusive {
                unknown.insert(name.clone(), finding.found.clone());
            } else {
                captured.insert(name.clone(), value.clone());
            }
            let part = narrowed(condition, judge.since);
            values.insert(
                if part.is_empty() { name.clone() } else { format!("{name} {part}") },
                plain(value),
            );
            names.insert(name);
            findings.push(finding);
        }
        cx.stage.tell.emit(Event::Recorded { step: cx.id.to_owned(), values });
        if let Some(name) = &cx.head.capture {
            cx.stage.captures.set_unknown(name, unknown);
        }
        Ok(Done { findings, captured: Some(captured.into()) })
    }

    fn limit(&self) -> Option<Duration> {
        Some(JUDGEMENT_LIMIT)
    }
}

/// The total of a count by client, for reports; everything else as it is.
fn plain(value: serde_json::Value) -> serde_json::Value {
    match value.get("total") {
        Some(total) => total.clone(),
        None => value,
    }
}

/// Which part of a count is recorded, as written in the plan: reports must not show it as the whole count.
fn narrowed(condition: &Condition, since: Option<&str>) -> String {
    let Some(count) = condition.count() else { return String::new() };
    let error = match condition {
        Condition::Failed(c) => c.error.as_ref().map(|e| format!("error: {}", **e)),
        _ => None,
    };
    let own = count.since.as_deref().map(|step| step.as_str());
    let parts = [
        count.client.as_deref().map(|client| format!("client: {client}")),
        count.topic.as_deref().map(|topic| format!("topic: {topic}")),
        count.partition.as_deref().map(|partition| format!("partition: {partition}")),
        error,
        own.or(since).map(|step| format!("since: {step}")),
        count.of.as_deref().map(|step| format!("sent: before, of: {step}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("{{ {} }}", parts.join(", ")) }
}

fn unique(names: &BTreeSet<String>, word: &str) -> String {
    let mut name = word.to_owned();
    let mut number = 2;
    while names.contains(&name) {
        name = format!("{word}_{number}");
        number += 1;
    }
    name
}
