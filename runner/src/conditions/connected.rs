//! `connected`: answers of that broker rose between two looks that both lie after the last breaking
//! step and after the broker's start. That they did not says something once they had the time to.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{conditions::Connected, value::Clients};

use super::{Found, Judged, JudgedByClient, evidence::RestsOn};
use crate::{
    cluster::Node,
    stage::{
        clients::{Client, Presence},
        judge::{Judge, Looking, since},
    },
};

/// How long a broker may take to answer a client: what `progressing` gives by default.
const ANSWERS: Duration = Duration::from_secs(10);

#[async_trait]
impl JudgedByClient for Connected {
    fn clients(&self) -> &Clients {
        &self.client
    }

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged {
        let brokers = j.stage.brokers_meant(&self.broker).await?;
        if client.presence() != Presence::Working && client.presence() != Presence::Died {
            return Ok(Found::not_covered(format!("{} does not run", client.name)));
        }
        let broke = j.broke(None, &client.name).map(|(acted, _)| acted.by_us);
        let broke = broke.or_else(|| j.since(None)).unwrap_or(0);
        let back = client.downs().iter().filter_map(|(_, to)| *to).max().unwrap_or(0);
        let begun = client.answers_since_us().map(|first| first.max(back).max(broke));
        let own_time = if let Looking::Until(within) = j.looking { within } else { Duration::MAX };
        let mut yes = Vec::new();
        let mut no = Vec::new();
        let mut early = true;
        for broker in &brokers {
            let started = j.stage.wanted.since(Node::Broker(*broker)).unwrap_or(0);
            if client.connected(*broker, broke.max(started)) {
                yes.push(broker.to_string());
                continue;
            }
            no.push(broker.to_string());
            early &= begun.is_none_or(|begun| since(begun.max(started)) < ANSWERS.min(own_time));
        }
        if no.is_empty() {
            let found = format!("{} talks to broker {}", client.name, yes.join(", "));
            return Ok(Found::plain(true, found));
        }
        let found = format!("broker {} has not answered {} since", no.join(", "), client.name);
        let found = match (client.presence(), j.looking) {
            (Presence::Working, Looking::Throughout { .. }) if early => {
                Found::not_covered(format!("{found} it could, only just now"))
            }
            (Presence::Working, _) if early => {
                Found::inconclusive(format!("{found} it could, only just now"))
            }
            _ => Found::plain(false, found),
        };
        Ok(found.because([client.causes()]))
    }

    fn rests_on(&self, _: &Client, _: &Judge<'_>) -> Option<RestsOn> {
        // It asks about its own moment.
        None
    }
}
