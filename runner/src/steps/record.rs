//! `record`: puts values into the report without judging them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::{conditions::Condition, steps::Record};
use serde_json::Value;

use crate::{
    conditions,
    event::{Event, Holds},
    stage::{
        chaos::flow,
        outcome::{Done, StepError},
    },
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
fn plain(value: Value) -> Value {
    match value.get("total") {
        Some(total) => total.clone(),
        None => value,
    }
}

/// Which part of a count is recorded, as written in the plan: reports must not show it as the whole count.
fn narrowed(condition: &Condition, since: Option<&str>) -> String {
    let arguments = condition.count().map(|_| condition.arguments());
    let Some(Value::Object(mut parts)) = arguments else { return String::new() };
    if let Some(since) = since {
        parts.entry("since").or_insert_with(|| since.into());
    }
    if parts.is_empty() { String::new() } else { flow(&Value::Object(parts)) }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kplan_dsl::{Options, Verb, check_text};

    use super::*;

    /// What a part of a count is called.
    fn named(condition: &str, since: Option<&str>) -> String {
        let text = format!(
            "plan: v1\nname: x\nsteps:\n  - start_cluster: {{ brokers: 3 }}\n  \
             - create_topic: orders\n  - start_producer: {{ name: P, topic: orders }}\n  \
             - {{ name: the end, kill_broker: 2 }}\n  - stop_client: P\n  - record: [{condition}]\n"
        );
        let checked = check_text(Path::new("x.yaml"), &text, &Options::default());
        let plan = checked.suites.first().unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        let Some(Verb::Record(record)) = plan.steps.last().and_then(|step| step.verb()) else {
            panic!("{text}");
        };
        narrowed(&record.that[0], since)
    }

    #[test]
    fn every_way_to_narrow_a_count_is_in_its_name() {
        let names = [
            ("acked", None, ""),
            ("brokers_alive", Some("the end"), ""),
            ("acked", Some("the end"), "{ since: \"the end\" }"),
            ("{ acked: { client: P } }", None, "{ client: P }"),
            ("{ acked: { topic: orders } }", None, "{ topic: orders }"),
            ("{ acked: { partition: orders/0 } }", None, "{ partition: orders/0 }"),
            ("{ acked: { client: P, since: the end } }", None, "{ client: P, since: \"the end\" }"),
            ("{ failed: { error: _MSG_TIMED_OUT } }", None, "{ error: \"_MSG_TIMED_OUT\" }"),
        ];
        for (condition, since, name) in names {
            assert_eq!(named(condition, since), name, "{condition} {since:?}");
        }
        let at_rest = named("{ lost: { sent: before, of: the end } }", None);
        assert_eq!(at_rest, "{ sent: before, of: \"the end\" }");
    }
}
