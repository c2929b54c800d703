//! `wait`, `assert` and `record`: the three ways of asking conditions.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use kplan_dsl::steps::{Assert, Record, Wait};

use crate::{
    conditions,
    event::{Event, Holds},
    stage::{
        judge::since,
        outcome::{Done, StepError},
    },
    steps::Cx,
};

/// `wait`: a time, or until conditions hold.
pub async fn wait(args: &Wait, cx: &Cx<'_>) -> Result<Done, StepError> {
    match args {
        Wait::Pause(time) => {
            cx.stage.talk(cx.id, "", Some(**time));
            tokio::time::sleep(**time).await;
            Ok(Done::default())
        }
        Wait::Until(args) => {
            let findings = cx.judge(false).until(&args.until, *args.within, args.poll).await?;
            Done::judged(findings)
        }
    }
}

/// `assert`: now, within a time (from here, or from the end of a step), or throughout a time.
pub async fn assert(args: &Assert, cx: &Cx<'_>) -> Result<Done, StepError> {
    let judge = cx.judge(false);
    if let Some(time) = args.for_time.as_deref() {
        cx.stage.look_anew().await;
        return Done::judged(judge.throughout(&args.that, *time).await?);
    }
    let Some(within) = args.within.as_deref() else {
        cx.stage.look_anew().await;
        return Done::judged(judge.now(&args.that).await?);
    };
    let mut left = *within;
    if let Some(step) = args.since.as_deref() {
        let id = cx.stage.step_named(step);
        let ended = id.and_then(|id| cx.stage.step_times(&id)).and_then(|t| t.ended_us);
        let ended =
            ended.ok_or_else(|| StepError::not_so(format!("step \"{step}\" has not run")))?;
        left = left.saturating_sub(since(ended));
    }
    Done::judged(judge.until(&args.that, left, None).await?)
}

/// `record`: values into the report, judged by nobody.
pub async fn record(args: &Record, cx: &Cx<'_>) -> Result<Done, StepError> {
    let mut judge = cx.judge(true);
    judge.since = args.since.as_deref().map(|s| s.as_str());
    cx.stage.look_anew().await;
    let mut values = IndexMap::new();
    let mut captured = serde_json::Map::new();
    let mut findings = Vec::new();
    let mut unknown = BTreeMap::new();
    for condition in args.that.iter() {
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
