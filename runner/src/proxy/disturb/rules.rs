//! Which requests are disturbed, and how many were.

use std::{collections::BTreeSet, io, sync::Mutex};

use kafka_protocol::messages::ApiKey;
use kplan_dsl::value::Disturbance;
use tokio::sync::watch;

use super::{Asked, Call, Disturber, Route, answers, lock};

/// Which requests, and what is done to them.
pub struct DisturbRule {
    pub apis: Vec<ApiKey>,
    /// The numbers of the brokers; none: all.
    pub brokers: Option<BTreeSet<i32>>,
    /// The names of the clients; none: all.
    pub clients: Option<BTreeSet<String>>,
    pub topic: Option<String>,
    /// From the number of a request, from 0, to whether it is disturbed.
    pub draw: Box<dyn Fn(u64) -> bool + Send + Sync>,
    pub how: Disturbance,
}

impl DisturbRule {
    /// Whether a request of this client, of this kind and to this broker is meant.
    pub(super) fn covers(&self, client: &Disturber, way: &Route<'_>, call: &Call) -> bool {
        self.apis.contains(&call.api)
            && self.brokers.as_ref().is_none_or(|all| all.contains(&way.broker))
            && self.clients.as_ref().is_none_or(|all| all.contains(&client.client))
    }

    /// Whether a request is about the topic, if one is meant.
    pub(super) fn names_topic(&self, way: &Route<'_>, asked: &Asked) -> io::Result<bool> {
        let Some(topic) = &self.topic else { return Ok(true) };
        let named = answers::topics(asked)?;
        Ok(named.iter().any(|(name, id)| way.topic(name, *id) == *topic))
    }
}

/// How many requests a rule met, and how many it disturbed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DisturbCounts {
    pub met: u64,
    pub disturbed: u64,
}

/// A rule in force, and what it did.
pub struct StandingRule {
    rule: DisturbRule,
    state: Mutex<State>,
}

/// What a rule did, and whether it is in force: both change at once, so that nothing is done that is not counted.
struct State {
    counts: DisturbCounts,
    /// None when it is over.
    open: Option<watch::Sender<()>>,
}

impl StandingRule {
    pub(super) fn new(rule: DisturbRule) -> Self {
        let state = State { counts: DisturbCounts::default(), open: Some(watch::Sender::new(())) };
        Self { rule, state: Mutex::new(state) }
    }

    pub(super) fn rule(&self) -> &DisturbRule {
        &self.rule
    }

    /// Counts a request, and decides whether it is disturbed. One without an answer is not where the answer is what is
    /// disturbed.
    pub(super) fn is_due(&self, answered: bool) -> bool {
        let mut state = lock(&self.state);
        if state.open.is_none() {
            return false;
        }
        let number = state.counts.met;
        state.counts.met += 1;
        let of_request = matches!(self.rule.how, Disturbance::Duplicate | Disturbance::Disconnect);
        (answered || of_request) && (self.rule.draw)(number)
    }

    /// Counts one that is disturbed now. None when the rule is over: it must not be disturbed any more. The channel is
    /// closed when the rule is over.
    pub(super) fn does(&self) -> Option<watch::Receiver<()>> {
        let mut state = lock(&self.state);
        let until_over = state.open.as_ref()?.subscribe();
        state.counts.disturbed += 1;
        Some(until_over)
    }

    /// Ends it: what it did until now is all that it does.
    pub(super) fn over(&self) -> DisturbCounts {
        let mut state = lock(&self.state);
        state.open = None;
        state.counts
    }
}
