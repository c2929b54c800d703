//! `log`: lines of the logs of brokers and clients that match.

use async_trait::async_trait;
use kplan_dsl::{
    conditions::Log,
    value::{Bound, MemberRef, Target},
};
use regex::Regex;
use serde_json::Value;

use super::{Found, Judged, JudgedNow};
use crate::{
    client::program::LOG_ENDS,
    event::StepRun,
    stage::{clients::shown, judge::Judge, outcome::StepError},
};

/// Lines that are shown.
const SHOWN: usize = 10;

#[async_trait]
impl JudgedNow for Log {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let pattern = Regex::new(&self.matches).map_err(StepError::not_so)?;
        let since = j.since(self.since.as_deref().map(|s| s.as_str()));
        let mut found = Matches { pattern, count: 0, evidence: Vec::new(), unknown: Vec::new() };
        match &self.client {
            Some(client) => found.of_client(client, since, j).await?,
            None => found.of_brokers(self.brokers(), since, j).await?,
        }
        let Matches { count, evidence, unknown, .. } = found;
        Ok(counted(self.bound, count, &unknown).because(evidence))
    }
}

/// The lines that match.
struct Matches {
    pattern: Regex,
    count: u64,
    evidence: Vec<String>,
    /// Logs that may lack lines.
    unknown: Vec<String>,
}

impl Matches {
    async fn of_brokers(
        &mut self,
        target: &Target,
        since: Option<i64>,
        j: &Judge<'_>,
    ) -> Result<(), StepError> {
        let nodes = j.stage.nodes_meant(target, &StepRun::default()).await?;
        if nodes.is_empty() {
            return Err(StepError::not_so(format!("{target} selects no node now")));
        }
        let running = j.stage.running()?;
        let logs = running.cluster.logs()?;
        for node in nodes {
            let path = logs.log_file(node).unwrap_or_default();
            let skip = since.map_or(0, |us| j.stage.place.log_size_at(node, us));
            let text = tokio::fs::read(&path).await.unwrap_or_default();
            // Every node logs something: a node without a log was not followed.
            if text.is_empty() {
                self.unknown.push(node.to_string());
            }
            self.search(&node.to_string(), &text, skip);
        }
        Ok(())
    }

    async fn of_client(
        &mut self,
        name: &MemberRef,
        since: Option<i64>,
        j: &Judge<'_>,
    ) -> Result<(), StepError> {
        let client = j.stage.clients.get(&name.client)?;
        let only = name.member;
        for member in
            client.members.iter().filter(|m| only.is_none_or(|n| n == u32::from(m.number)))
        {
            let who = shown(&client, member);
            for (path, skip) in client.logs(member, since) {
                match tokio::fs::read(&path).await {
                    Ok(text) => {
                        if text.trim_ascii_end().ends_with(LOG_ENDS.as_bytes()) {
                            self.unknown.push(who.clone());
                        }
                        self.search(&who, &text, skip);
                    }
                    Err(_) => self.unknown.push(who.clone()),
                }
            }
        }
        Ok(())
    }

    fn search(&mut self, who: &str, text: &[u8], skip: u64) {
        let fresh = text.get(usize::try_from(skip).unwrap_or(usize::MAX)..).unwrap_or_default();
        let text = String::from_utf8_lossy(fresh);
        for line in text.lines().filter(|line| self.pattern.is_match(line)) {
            self.count += 1;
            if self.evidence.len() < SHOWN {
                self.evidence.push(format!("{who}: {line}"));
            }
        }
    }
}

/// A log that may lack lines proves no absence of lines.
fn counted(bound: Option<Bound<u64>>, count: u64, unknown: &[String]) -> Found {
    let found = Found::bounded(bound, count, format!("{count} lines match"), Value::from(count));
    if found.firm || unknown.is_empty() {
        return found;
    }
    found.doubted(format!("not everything is known of the log of {}", unknown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Holds;

    #[test]
    fn a_broker_without_a_log_proves_nothing() {
        let none = Some(Bound::Is(0));
        assert_eq!(counted(none, 0, &[]).holds, Holds::Yes);
        assert_eq!(counted(none, 0, &["broker 2".into()]).holds, Holds::Inconclusive);
        assert_eq!(counted(none, 3, &["2".into()]).holds, Holds::No);
        assert_eq!(counted(Some(Bound::AtLeast(1)), 3, &["2".into()]).holds, Holds::Yes);
    }
}
