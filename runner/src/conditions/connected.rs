//! `connected`: the number of that broker's answers rose between two samples that both lie after the last fault
//! and after the broker's start. If it did not, that proves something only after the client has sent a request and
//! the broker had time to answer.
//! Definition: `judgement` in the docs, section Availability.

use std::time::Duration;

use async_trait::async_trait;
use kplan_dsl::{conditions::Connected, value::Clients};

use super::{
    Found, Judged, JudgedByClient,
    clients::{away, open, unanswered, unreadable},
    evidence::RestsOn,
};
use crate::{
    cluster::{Node, NodeState},
    history::{
        now_us,
        query::{Asked, Standing, Window},
    },
    stage::{
        clients::{Client, Presence},
        judge::{Judge, Looking, since},
        outcome::StepError,
    },
};

/// How long a broker may take to answer a client: the default of `progressing`.
const ANSWERS: Duration = Duration::from_secs(10);

/// What is known about a client's requests to a broker that did not answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BrokerRequest {
    /// No request is known that the broker had to answer.
    Unknown,
    /// The broker has not had time to answer, or the client has not had time to send a request.
    Early,
    /// The broker had time to answer.
    Overdue,
}

#[async_trait]
impl JudgedByClient for Connected {
    fn clients(&self) -> &Clients {
        &self.client
    }

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged {
        if client.numbers_itself() {
            let text = format!(
                "{} is another program, which does not report its connections",
                client.name
            );
            return Ok(Found::inconclusive(text));
        }
        let brokers = j.stage.brokers_meant(&self.broker).await?;
        let presence = client.presence();
        if presence == Presence::Away {
            return Ok(Found::not_covered(format!("{} does not run", client.name)));
        }
        let broke = j.broke(None, &client.name).map(|(acted, _)| acted.by_us);
        let broke = broke.or_else(|| j.since(None)).unwrap_or(0);
        let mut yes = Vec::new();
        let mut no = Vec::new();
        let mut requests = Vec::new();
        for broker in &brokers {
            let started = j.stage.wanted.since(Node::Broker(*broker)).unwrap_or(0);
            let since_us = broke.max(started);
            if client.connected(*broker, since_us) {
                yes.push(broker.to_string());
                continue;
            }
            no.push(broker.to_string());
            requests.push(request(client, j, *broker, since_us)?);
        }
        if no.is_empty() {
            let found = format!("{} has answers from broker {}", client.name, yes.join(", "));
            return Ok(Found::plain(true, found));
        }
        let found = format!("broker {} has not answered {} since", no.join(", "), client.name);
        if client.unanswered() {
            return Ok(Found::inconclusive(format!("{found}, and {}", unanswered(client))));
        }
        if presence == Presence::Died || requests.contains(&BrokerRequest::Overdue) {
            return Ok(Found::plain(false, found).because([client.causes()]));
        }
        let why = if presence == Presence::Finished {
            format!("{found}, and {} had sent all its messages", client.name)
        } else if requests.contains(&BrokerRequest::Early) {
            format!("{found} it could, but that was only just now")
        } else {
            format!("{found}, and nothing shows that {} sent it a request", client.name)
        };
        let covers = !matches!(j.looking, Looking::Throughout { .. });
        Ok(Found { covers, ..Found::inconclusive(why) }.because([client.causes()]))
    }

    fn rests_on(&self, _: &Client, _: &Judge<'_>) -> Option<RestsOn> {
        // It is judged at this moment.
        None
    }
}

/// Whether a client must have sent a request to a broker that has not answered it since a moment. A dead
/// broker answers no request.
fn request(
    client: &Client,
    j: &Judge<'_>,
    broker: u32,
    since_us: i64,
) -> Result<BrokerRequest, StepError> {
    let own_time = if let Looking::Until(within) = j.looking { within } else { Duration::MAX };
    let patience = ANSWERS.min(own_time);
    let back = client.downs().iter().filter_map(|(_, to)| *to).max().unwrap_or(0);
    let begun = client.answers_since_us().map(|first| first.max(back).max(since_us));
    let Some(begun) = begun.filter(|begun| since(*begun) >= patience) else {
        return Ok(BrokerRequest::Early);
    };
    let view = j.view().ok();
    let leads = |topic: &str, partition: u32| {
        let at = view.as_ref().and_then(|view| view.partition(topic, partition));
        at.is_some_and(|at| at.leader == Some(broker))
    };
    // A reader continuously sends requests to the leaders of its partitions; with a rack it may ask other replicas.
    let own_rack = client.spec.common().config.contains_key("client.rack");
    let reads = !client.sends() && !own_rack;
    Ok(RequestEvidence {
        dead: j.stage.wanted.get(Node::Broker(broker)) == NodeState::Dead,
        leads_for_reader: reads && client.given().iter().any(|at| leads(&at.topic, at.partition)),
        asked: client.asked_us(broker, since_us).map(|at| since(at) >= patience),
        waits: if client.sends() { waits(client, &leads, begun, patience)? } else { None },
    }
    .request())
}

/// What shows whether a client sent a request to a broker that has not answered it.
#[derive(Clone, Copy)]
struct RequestEvidence {
    /// The broker is dead: it answers no request.
    dead: bool,
    /// It leads a partition that the client reads.
    leads_for_reader: bool,
    /// Whether the broker has had the time to answer the request; none if no request is known.
    asked: Option<bool>,
    /// How the client's messages to partitions that the broker leads stand; none if there are none.
    waits: Option<Standing>,
}

impl RequestEvidence {
    fn request(self) -> BrokerRequest {
        let overdue = self.asked == Some(true) || self.waits == Some(Standing::Stuck);
        if self.dead || self.leads_for_reader || overdue {
            BrokerRequest::Overdue
        } else if self.asked.is_some() || self.waits.is_some() {
            BrokerRequest::Early
        } else {
            BrokerRequest::Unknown
        }
    }
}

/// Whether a message waits for a long time, or at all, on a partition that a broker leads.
fn waits(
    client: &Client,
    leads: &impl Fn(&str, u32) -> bool,
    begin_us: i64,
    patience: Duration,
) -> Result<Option<Standing>, StepError> {
    let (own, now_us) = (open(client)?, now_us());
    let senders = [(open(client)?, away(client))];
    let mut any = None;
    // A window shows messages that were sent in it or in the one before.
    for times in [1, 2, 4, 8] {
        let within_us = i64::try_from((patience * times).as_micros()).unwrap_or(i64::MAX / 4);
        let asked = Asked { begin_us, now_us, within_us };
        let window = Window::read(&senders, (&own, &[]), asked).map_err(unreadable)?;
        let led = window.by.iter().filter(|(at, _)| leads(&at.topic, at.partition));
        for (_, standing) in led {
            match standing {
                Standing::Stuck => return Ok(Some(Standing::Stuck)),
                Standing::Early => any = Some(Standing::Early),
                Standing::Answered => {}
            }
        }
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_overdue_only_from_a_broker_that_was_asked_long_ago() {
        let of = |dead, leads_for_reader, asked, waits| {
            RequestEvidence { dead, leads_for_reader, asked, waits }.request()
        };
        use BrokerRequest::{Early, Overdue, Unknown};
        assert_eq!(of(false, false, None, None), Unknown, "nothing shows that it was asked");
        assert_eq!(of(true, false, None, None), Overdue);
        assert_eq!(of(false, true, None, None), Overdue, "a reader fetches without end");
        assert_eq!(of(false, false, Some(true), None), Overdue);
        assert_eq!(of(false, false, Some(false), None), Early);
        assert_eq!(of(false, false, None, Some(Standing::Stuck)), Overdue);
        assert_eq!(of(false, false, None, Some(Standing::Early)), Early);
        assert_eq!(of(false, false, Some(false), Some(Standing::Stuck)), Overdue);
        assert_eq!(of(false, false, Some(true), Some(Standing::Early)), Overdue);
    }
}
