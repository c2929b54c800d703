//! kplan's proxy with a policy that lies. Each [`Rule`] says what it changes, and keeps what was done under it as
//! [`Deed`]s. Without a rule it changes nothing but addresses and versions. Record batches of message format 2 only.

mod batch;
mod fetch;
mod produce;
mod rules;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use kplan::proxy::{self, Asked, Call, Passing, Policy, Route};

pub use batch::{Batch, Checksum};
pub use rules::{Act, Deed, Rule, Selector, Standing};

/// A running proxy: it accepts connections until it is dropped.
pub struct Proxy(proxy::Proxy<Lies>);

impl Proxy {
    /// Listens for each of these brokers (`HOST:PORT` by number) on a port of this machine's own. Must be called
    /// inside a runtime, which then serves the connections.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(brokers: &BTreeMap<i32, String>) -> io::Result<Self> {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        proxy::Proxy::start(here, brokers, Lies::default()).map(Self)
    }

    /// Where clients find it.
    pub fn bootstrap(&self) -> &str {
        self.0.bootstrap()
    }

    /// Adds a rule; it holds for requests and answers from now on.
    pub fn add(&self, rule: Rule) -> Arc<Standing> {
        let standing = Arc::new(Standing::new(rule));
        lock(&self.0.policy().rules).push(Arc::clone(&standing));
        standing
    }

    /// Removes a rule; what it did stays known.
    pub fn remove(&self, rule: &Arc<Standing>) {
        lock(&self.0.policy().rules).retain(|other| !Arc::ptr_eq(other, rule));
    }

    /// How many connections it was asked for.
    pub fn accepted(&self) -> usize {
        self.0.accepted()
    }

    /// What could not be read or passed on: each of them ended a connection.
    pub fn troubles(&self) -> Vec<String> {
        self.0.troubles()
    }
}

/// The lies in force.
#[derive(Default)]
struct Lies {
    rules: Mutex<Vec<Arc<Standing>>>,
    ends: produce::Ends,
}

impl Lies {
    /// The rules that hold for this client and topic.
    fn rules(&self, client: &str, topic: &str) -> Vec<Arc<Standing>> {
        let rules = lock(&self.rules);
        rules.iter().filter(|r| r.rule().on.covers(client, topic)).cloned().collect()
    }
}

impl Policy for Lies {
    type Kept = Option<produce::Produced>;
    type Own = Vec<fetch::Kept>;

    fn request(&self, way: &Route<'_>, asked: &Asked) -> io::Result<Passing<Self::Kept>> {
        match asked.call.api {
            ApiKey::Produce => produce::passage(self, way, asked),
            _ => Ok(Passing::through(asked)),
        }
    }

    fn answer(
        &self,
        way: &Route<'_>,
        call: &Call,
        kept: Self::Kept,
        own: &mut Self::Own,
        frame: Bytes,
    ) -> io::Result<Bytes> {
        match kept {
            Some(produced) => produced.answer(self, way, call, Some(frame)),
            None if call.api == ApiKey::Fetch => fetch::rewrite(self, way, call, frame, own),
            None => Ok(frame),
        }
    }

    fn released(&self, kept: &Self::Kept, overtaken: bool) {
        match (kept, overtaken) {
            (Some(produced), true) => produced.overtaken(),
            (Some(produced), false) => produced.not_overtaken(),
            (None, _) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a peer sent is not what the protocol says.
fn invalid(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}
