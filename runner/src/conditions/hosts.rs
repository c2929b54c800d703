//! Conditions about a broker's host: its sockets and its own log.

use kplan_dsl::{
    conditions::{Listener, Log},
    value::{Bound, Family},
};
use serde_json::{Value, json};

use crate::{
    conditions::Found,
    event::StepRun,
    stage::{judge::Judge, outcome::StepError},
};

type Judged = Result<Found, StepError>;

/// `listener`: every configured port of each broker is bound in the socket table inside its host, and
/// answers an ApiVersions request through the advertised address.
pub async fn listener(c: &Listener, j: &Judge<'_>) -> Judged {
    let running = j.stage.running()?;
    let mut each = Vec::new();
    for broker in j.stage.brokers_meant(&c.broker).await? {
        let sockets = running.cluster.hosts()?.sockets(broker).await?;
        let mut wrong = Vec::new();
        let mut told = Vec::new();
        for port in running.cluster.hosts()?.listener_ports(broker) {
            let bound: Vec<_> = sockets.iter().filter(|s| s.port == port).collect();
            // A dual-stack socket stands in the IPv6 table only.
            let family = match (bound.iter().any(|s| s.ipv6), bound.is_empty()) {
                (_, true) => None,
                (true, false) => Some(Family::Ipv6),
                (false, false) => Some(Family::Ipv4),
            };
            match family {
                None => wrong.push(format!("nothing listens on port {port}")),
                Some(f) => {
                    told.push(format!("port {port} on {f}"));
                    if c.family.is_some_and(|wanted| wanted != f) {
                        wrong.push(format!("port {port} is bound to {f}"));
                    }
                }
            }
        }
        let answer = running.observer.ask().listener_reachable(broker).await;
        if let (Some(wanted), answered) = (c.reachable, answer.is_ok()) {
            if wanted != answered {
                let why = answer.err().map_or_else(|| "it answers".to_owned(), |e| e.to_string());
                wrong.push(format!("asked for ApiVersions: {why}"));
            }
            told.push(if answered { "answers".into() } else { "does not answer".into() });
        }
        let words = if wrong.is_empty() { told } else { wrong.clone() };
        let mut found =
            Found::plain(wrong.is_empty(), format!("broker {broker}: {}", words.join(", ")));
        found.value = json!(words);
        each.push((broker.to_string(), found));
    }
    Ok(Found::every(each))
}

/// `log`: lines of brokers' own logs that match.
pub async fn log(c: &Log, j: &Judge<'_>) -> Judged {
    let pattern = regex::Regex::new(&c.matches).map_err(StepError::not_so)?;
    let since = j.since(c.since.as_deref().map(|s| s.as_str()));
    let mut count = 0_u64;
    let mut evidence = Vec::new();
    let mut silent = Vec::new();
    let nodes = j.stage.nodes_meant(&c.broker, &StepRun::default()).await?;
    if nodes.is_empty() {
        return Err(StepError::not_so(format!("{} means no node now", c.broker)));
    }
    let running = j.stage.running()?;
    let logs = running.cluster.logs()?;
    for node in nodes {
        let path = logs.log_file(node).unwrap_or_default();
        let skip = since.map_or(0, |us| j.stage.log_size_at(node, us));
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
    Ok(counted(c.bound, count, &silent).because(evidence))
}

/// A node always logs something: one without a log was not listened to, and proves no absence.
fn counted(bound: Option<Bound<u64>>, count: u64, silent: &[String]) -> Found {
    let found = Found::bounded(bound, count, format!("{count} lines match"), Value::from(count));
    if found.firm || silent.is_empty() {
        return found;
    }
    found.doubted(format!("nothing is known of the log of {}", silent.join(", ")))
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
