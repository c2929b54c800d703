//! `lag`: visible data records after the committed offset. Without a commit the lag is unknown, not 0.

use std::collections::BTreeSet;

use async_trait::async_trait;
use kplan_dsl::{conditions::Lag, value::External};
use serde_json::Value;

use super::{Found, Judged, JudgedNow, cluster::whole};
use crate::{
    observer::{AskError, Asker},
    stage::judge::Judge,
};

#[async_trait]
impl JudgedNow for Lag {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let running = j.stage.running()?;
        whole!(j);
        let ask = running.observer.ask();
        let one = self.partition.as_deref();
        let topics: Vec<String> = match (one, self.topic.as_deref()) {
            (Some(p), _) => vec![p.topic.to_string()],
            (None, Some(t)) => vec![t.to_string()],
            (None, None) => match all_topics(&self.group, j, ask).await {
                Ok(topics) => topics.into_iter().collect(),
                Err(error) => return Ok(Found::inconclusive(error.to_string())),
            },
        };
        let (mut lag, mut least) = (0_u64, 0_u64);
        let mut evidence = Vec::new();
        for topic in &topics {
            let reported =
                match ask.lag(&self.group, topic, j.stage.isolation_of_group(&self.group)).await {
                    Ok(reported) => reported,
                    Err(error) => return Ok(Found::inconclusive(error.to_string())),
                };
            for (partition, of) in
                reported.iter().filter(|(p, _)| one.is_none_or(|o| o.partition == **p))
            {
                let (Some(next), Some(behind)) = (of.committed, of.records) else {
                    return Ok(Found::inconclusive(format!(
                        "group {} has committed nothing in {topic}/{partition}",
                        *self.group
                    )));
                };
                lag += behind.most;
                least += behind.least;
                evidence.push(format!(
                    "{topic}/{partition}: committed {next}, end {}, {} messages behind",
                    of.end,
                    span(behind.least, behind.most)
                ));
            }
        }
        if evidence.is_empty() {
            return Ok(Found::inconclusive(format!(
                "no partition of group {} is known",
                *self.group
            )));
        }
        let words = format!("{} messages behind", span(least, lag));
        let found = Found::bounded(self.bound, lag, words, Value::from(lag)).because(evidence);
        if least < lag {
            let why = "only the first 100,000 offsets of a partition are looked at".to_owned();
            return Ok(found.or_less(self.bound, least, why));
        }
        Ok(found)
    }
}

/// The topics that a group reads. What programs outside the plan read in it shows only in what it has committed.
async fn all_topics(group: &str, j: &Judge<'_>, ask: &Asker) -> Result<BTreeSet<String>, AskError> {
    let mut topics: BTreeSet<String> = j.stage.topics_of_group(group).into_iter().collect();
    if j.stage.plan.external.iter().flat_map(External::groups).any(|other| other == group) {
        topics.extend(ask.committed_topics(group).await?);
    }
    Ok(topics)
}

fn span(least: u64, most: u64) -> String {
    if least == most { most.to_string() } else { format!("{least} to {most}") }
}
