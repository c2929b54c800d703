//! A proxy that understands Kafka's protocol, between clients and brokers.
//!
//! A client that is given the proxy's address stays behind it: the addresses that brokers advertise
//! (in the answers to Metadata, FindCoordinator and DescribeCluster) are replaced by addresses of the
//! proxy, one for each broker. Versions of requests are limited to those that the proxy can read.
//! What it changes is told by [`Rule`]s; what it did under each rule, that rule remembers as
//! [`Deed`]s. Without a rule it changes nothing but addresses and versions.
//!
//! Connections in clear only, and record batches of message format 2 (Kafka 0.11 on).

mod addresses;
mod batch;
mod connection;
mod fetch;
mod frame;
mod produce;
mod rules;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::TcpListener,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::task::AbortHandle;

pub use batch::{Batch, Checksum};
pub use rules::{Act, Deed, Rule, Selector, Standing};

/// A running proxy: it accepts connections until it is dropped.
pub struct Proxy {
    shared: Arc<Shared>,
    bootstrap: String,
}

impl Proxy {
    /// Listens for each of these brokers (`HOST:PORT`) on a port of this machine's own. Must be called
    /// inside a runtime, which then serves the connections.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(brokers: &[String]) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ports: io::Result<Vec<u16>> =
            brokers.iter().map(|broker| shared.port_for(broker)).collect();
        let addresses: Vec<_> = ports?.iter().map(|port| format!("{HOST}:{port}")).collect();
        Ok(Self { shared, bootstrap: addresses.join(",") })
    }

    /// Where clients find it.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Adds a rule; it holds for requests and answers from now on.
    pub fn add(&self, rule: Rule) -> Arc<Standing> {
        let standing = Arc::new(Standing::new(rule));
        lock(&self.shared.rules).push(Arc::clone(&standing));
        standing
    }

    /// Removes a rule; what it did stays known.
    pub fn remove(&self, rule: &Arc<Standing>) {
        lock(&self.shared.rules).retain(|other| !Arc::ptr_eq(other, rule));
    }

    /// How many connections it was asked for.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// What could not be read or passed on: each of them ended a connection.
    pub fn troubles(&self) -> Vec<String> {
        lock(&self.shared.troubles).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        lock(&self.shared.listening).iter().for_each(AbortHandle::abort);
    }
}

/// The name under which the proxy is reached.
const HOST: &str = "127.0.0.1";

/// What every connection knows.
#[derive(Default)]
struct Shared {
    rules: Mutex<Vec<Arc<Standing>>>,
    /// The proxy's port for each broker, by the address that the broker advertises.
    ports: Mutex<BTreeMap<String, u16>>,
    listening: Mutex<Vec<AbortHandle>>,
    /// Names of topics by their ids: newer requests name a topic by its id alone.
    names: Mutex<HashMap<u128, String>>,
    troubles: Mutex<Vec<String>>,
    accepted: AtomicUsize,
    ends: produce::Ends,
}

impl Shared {
    /// The proxy's port for this broker: a new one if it was not met before.
    fn port_for(self: &Arc<Self>, broker: &str) -> io::Result<u16> {
        let mut ports = lock(&self.ports);
        if let Some(port) = ports.get(broker) {
            return Ok(*port);
        }
        let listener = TcpListener::bind((HOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (shared, broker) = (Arc::clone(self), broker.to_owned());
        ports.insert(broker.clone(), port);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                let (shared, broker) = (Arc::clone(&shared), broker.clone());
                tokio::spawn(async move {
                    if let Err(e) = connection::serve(&shared, client, &broker).await
                        && e.kind() == io::ErrorKind::InvalidData
                    {
                        lock(&shared.troubles).push(format!("{broker}: {e}"));
                    }
                });
            }
        });
        lock(&self.listening).push(task.abort_handle());
        Ok(port)
    }

    /// The rules that hold for this client and topic.
    fn rules(&self, client: &str, topic: &str) -> Vec<Arc<Standing>> {
        let rules = lock(&self.rules);
        rules.iter().filter(|r| r.rule().on.covers(client, topic)).cloned().collect()
    }

    /// A topic's name, where a message may give only its id.
    fn topic(&self, name: &str, id: u128) -> String {
        match name.is_empty() {
            true => lock(&self.names).get(&id).cloned().unwrap_or_default(),
            false => name.to_owned(),
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
