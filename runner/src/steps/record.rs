//! `record`: values into the report, judged by nobody.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::steps::Record;

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
        for condition in self.that.iter() {
            let (finding, value) = conditions::judge_with_value(condition, &judge).await?;
            let name = unique(&values, condition.info().word);
            if finding.holds == Holds::Inconclusive {
                unknown.insert(name.clone(), finding.found.clone());
            } else {
                captured.insert(name.clone(), value.clone());
            }
            values.insert(name, plain(value));
            findings.push(finding);
        }
        cx.stage.tell.emit(Event::Recorded { step: cx.id.to_owned(), values });
        if let Some(name) = &cx.head.capture {
            cx.stage.capture_unknown(name, unknown);
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

fn unique(values: &IndexMap<String, serde_json::Value>, word: &str) -> String {
    let mut name = word.to_owned();
    let mut number = 2;
    while values.contains_key(&name) {
        name = format!("{word}_{number}");
        number += 1;
    }
    name
}
