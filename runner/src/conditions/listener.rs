//! `listener`: every configured port of each broker is bound in the socket table inside its host, and
//! answers an ApiVersions request through the advertised address.

use async_trait::async_trait;
use kplan_dsl::{conditions::Listener, value::Family};
use serde_json::json;

use super::{Found, Judged, JudgedNow};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for Listener {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let running = j.stage.running()?;
        let mut each = Vec::new();
        for broker in j.stage.brokers_meant(&self.broker).await? {
            let sockets = running.cluster.hosts()?.sockets(broker).await?;
            let mut wrong = Vec::new();
            let mut reported = Vec::new();
            for port in running.cluster.hosts()?.listener_ports(broker) {
                let bound: Vec<_> = sockets.iter().filter(|s| s.port == port).collect();
                // A dual-stack socket is in the IPv6 table only.
                let family = match (bound.iter().any(|s| s.ipv6), bound.is_empty()) {
                    (_, true) => None,
                    (true, false) => Some(Family::Ipv6),
                    (false, false) => Some(Family::Ipv4),
                };
                match family {
                    None => wrong.push(format!("nothing listens on port {port}")),
                    Some(f) => {
                        reported.push(format!("port {port} on {f}"));
                        if self.family.is_some_and(|wanted| wanted != f) {
                            wrong.push(format!("port {port} is bound to {f}"));
                        }
                    }
                }
            }
            let answer = running.observer.ask().listener_reachable(broker).await;
            if let (Some(wanted), answered) = (self.reachable, answer.is_ok()) {
                if wanted != answered {
                    let why =
                        answer.err().map_or_else(|| "it answers".to_owned(), |e| e.to_string());
                    wrong.push(format!("ApiVersions request: {why}"));
                }
                reported.push(if answered { "answers".into() } else { "does not answer".into() });
            }
            let words = if wrong.is_empty() { reported } else { wrong.clone() };
            let mut found =
                Found::plain(wrong.is_empty(), format!("broker {broker}: {}", words.join(", ")));
            found.value = json!(words);
            each.push((broker.to_string(), found));
        }
        Ok(Found::every(each))
    }
}
