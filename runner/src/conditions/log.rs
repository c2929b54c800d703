//! `log`: lines of brokers' own logs that match.

use async_trait::async_trait;
use kplan_dsl::{conditions::Log, value::Bound};
use serde_json::Value;

use super::{Found, Judged, JudgedNow};
use crate::{
    event::StepRun,
    stage::{judge::Judge, outcome::StepError},
};

#[async_trait]
impl JudgedNow for Log {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let pattern = regex::Regex::new(&self.matches).map_err(StepError::not_so)?;
        let since = j.since(self.since.as_deref().map(|s| s.as_str()));
        let mut count = 0_u64;
        let mut evidence = Vec::new();
        let mut silent = Vec::new();
        let nodes = j.stage.nodes_meant(&self.broker, &StepRun::default()).await?;
        if nodes.is_empty() {
            return Err(StepError::not_so(format!("{} selects no node now", self.broker)));
        }
        let running = j.stage.running()?;
        let logs = running.cluster.logs()?;
        for node in nodes {
            let path = logs.log_file(node).unwrap_or_default();
            let skip = since.map_or(0, |us| j.stage.place.log_size_at(node, us));
            let text = tokio::fs::read(&path).await.unwrap_or_default();
            if text.is_empty() {
                silent.push(node.to_string());
            }
            let fresh = text.get(usize::try_from(skip).unwrap_or(usize::MAX)..).unwrap_or_default();
            for line in String::from_utf8_lossy(fresh).lines().filter(|l| pattern.is_match(l)) {
                count += 1;
                if evidence.len() < 10 {
                    evidence.push(format!("{node}: {line}"));
                }
            }
        }
        Ok(counted(self.bound, count, &silent).because(evidence))
    }
}

/// Every node logs something: a node without a log was not followed, and proves no absence of lines.
fn counted(bound: Option<Bound<u64>>, count: u64, silent: &[String]) -> Found {
    let found = Found::bounded(bound, count, format!("{count} lines match"), Value::from(count));
    if found.firm || silent.is_empty() {
        return found;
    }
    found.doubted(format!("nothing is known about the log of {}", silent.join(", ")))
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
