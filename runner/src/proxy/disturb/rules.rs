//! Which requests are disturbed, and how many were.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

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
    met: AtomicU64,
    disturbed: AtomicU64,
    /// None when it is over.
    open: Mutex<Option<watch::Sender<()>>>,
}

impl StandingRule {
    pub(super) fn new(rule: DisturbRule) -> Self {
        let open = Mutex::new(Some(watch::Sender::new(())));
        Self { rule, met: AtomicU64::new(0), disturbed: AtomicU64::new(0), open }
    }

    pub(super) fn rule(&self) -> &DisturbRule {
        &self.rule
    }

    pub fn counts(&self) -> DisturbCounts {
        DisturbCounts {
            met: self.met.load(Ordering::SeqCst),
            disturbed: self.disturbed.load(Ordering::SeqCst),
        }
    }

    /// Counts a request, and decides whether it is disturbed. One without an answer is not where the answer is what is
    /// disturbed.
    pub(super) fn is_due(&self, answered: bool) -> bool {
        let number = self.met.fetch_add(1, Ordering::SeqCst);
        let of_request = matches!(self.rule.how, Disturbance::Duplicate | Disturbance::Disconnect);
        (answered || of_request) && (self.rule.draw)(number)
    }

    /// Counts one that was disturbed.
    pub(super) fn did(&self) {
        self.disturbed.fetch_add(1, Ordering::SeqCst);
    }

    /// A channel that is closed when the rule is over.
    pub(super) fn until_over(&self) -> watch::Receiver<()> {
        match &*lock(&self.open) {
            Some(open) => open.subscribe(),
            None => watch::channel(()).1,
        }
    }

    pub(super) fn over(&self) {
        lock(&self.open).take();
    }
}
