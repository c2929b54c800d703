//! A proxy that understands Kafka's protocol, between a client and the brokers.
//!
//! A client that is given the proxy's address stays behind it: the addresses of brokers in answers are replaced by
//! addresses of the proxy, one for each broker. Versions of requests are limited to those that the proxy can read. What
//! becomes of requests and answers, a [`Policy`] decides; without one that changes anything, only addresses and
//! versions differ from what the broker sent.
//!
//! Connections without TLS only, and brokers from Kafka 0.11 on.

mod addresses;
mod connection;
pub mod disturb;
mod frame;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{IpAddr, TcpListener},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::watch, task::AbortHandle};

pub use frame::Call;

/// What becomes of the requests and answers of a client.
pub trait Policy: Send + Sync + Sized + 'static {
    /// What is kept of a request until its answer.
    type Kept: Default + Send;
    /// What is kept of a connection.
    type Own: Default + Send;

    /// What becomes of a request. An error ends the connection.
    fn request(&self, way: &Route<'_>, request: &Asked) -> io::Result<Passing<Self::Kept>>;

    /// The answer that the client gets for the broker's.
    fn answer(
        &self,
        way: &Route<'_>,
        call: &Call,
        kept: Self::Kept,
        own: &mut Self::Own,
        frame: Bytes,
    ) -> io::Result<Bytes>;

    /// A request that was held back ([`Passing::hold`]) was sent: after the next one, or, because none came, before it.
    fn released(&self, _kept: &Self::Kept, _overtaken: bool) {}
}

/// A request of a client.
pub struct Asked {
    pub call: Call,
    /// As it came, with its header.
    pub frame: Bytes,
    pub body: Bytes,
}

/// Between whom it passes, and what is known there.
pub struct Route<'a> {
    /// The broker's number.
    pub broker: i32,
    names: &'a Mutex<HashMap<u128, String>>,
}

impl Route<'_> {
    /// A topic's name, where a message may give only its id.
    pub fn topic(&self, name: &str, id: u128) -> String {
        match name.is_empty() {
            true => lock(self.names).get(&id).cloned().unwrap_or_default(),
            false => name.to_owned(),
        }
    }
}

/// What becomes of a request.
pub struct Passing<K> {
    /// What the broker is sent; none if it gets nothing.
    pub forward: Option<Bytes>,
    /// What it is sent directly after that; the client does not hear the answer.
    pub again: Option<Bytes>,
    /// The answer, if the broker gives none.
    pub made: Option<Bytes>,
    /// Whether the client waits for an answer.
    pub answered: bool,
    /// How much later the answer arrives.
    pub after: Duration,
    /// The answer, and what would follow it, does not arrive: the connection is closed when this channel is.
    pub silence: Option<watch::Receiver<()>>,
    /// It is kept until the next request was sent.
    pub hold: bool,
    pub kept: K,
}

impl<K: Default> Passing<K> {
    /// As it came.
    pub fn through(asked: &Asked) -> Self {
        Self {
            forward: Some(asked.frame.clone()),
            again: None,
            made: None,
            answered: true,
            after: Duration::ZERO,
            silence: None,
            hold: false,
            kept: K::default(),
        }
    }
}

/// A running proxy: it accepts connections until it is dropped.
pub struct Proxy<P: Policy> {
    shared: Arc<Shared<P>>,
    bootstrap: String,
}

impl<P: Policy> Proxy<P> {
    /// Listens at this address, for each of these brokers (`HOST:PORT` by number) on a port of its own. Must be called
    /// inside a runtime, which then serves the connections.
    ///
    /// # Errors
    /// When the address is not this machine's or no port can be had.
    pub fn start(at: IpAddr, brokers: &BTreeMap<i32, String>, policy: P) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            policy,
            at,
            doors: Mutex::default(),
            names: Mutex::default(),
            troubles: Mutex::default(),
            accepted: AtomicUsize::new(0),
        });
        let door = |(broker, address): (&i32, &String)| shared.door(*broker, address);
        let ports: io::Result<Vec<u16>> = brokers.iter().map(door).collect();
        let addresses: Vec<_> = ports?.iter().map(|port| format!("{at}:{port}")).collect();
        Ok(Self { shared, bootstrap: addresses.join(",") })
    }

    /// Where clients find it: `HOST:PORT` for each broker, separated by commas.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub fn policy(&self) -> &P {
        &self.shared.policy
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

impl<P: Policy> Drop for Proxy<P> {
    fn drop(&mut self) {
        lock(&self.shared.doors).values().for_each(|door| door.task.abort());
    }
}

/// What every connection knows.
struct Shared<P> {
    policy: P,
    at: IpAddr,
    /// By the broker's number.
    doors: Mutex<BTreeMap<i32, Door>>,
    /// Names of topics by their ids: newer requests name a topic by its id alone.
    names: Mutex<HashMap<u128, String>>,
    troubles: Mutex<Vec<String>>,
    accepted: AtomicUsize,
}

/// Where a broker is reached through the proxy.
struct Door {
    port: u16,
    task: AbortHandle,
}

impl<P: Policy> Shared<P> {
    /// The port for a broker: a new one, which leads to this address, if the broker was not met before.
    fn door(self: &Arc<Self>, broker: i32, address: &str) -> io::Result<u16> {
        let mut doors = lock(&self.doors);
        if let Some(door) = doors.get(&broker) {
            return Ok(door.port);
        }
        let listener = TcpListener::bind((self.at, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let task = tokio::spawn(Arc::clone(self).accept(listener, broker, address.to_owned()));
        doors.insert(broker, Door { port, task: task.abort_handle() });
        Ok(port)
    }

    async fn accept(self: Arc<Self>, at: tokio::net::TcpListener, broker: i32, address: String) {
        while let Ok((client, _)) = at.accept().await {
            self.accepted.fetch_add(1, Ordering::SeqCst);
            let (shared, address) = (Arc::clone(&self), address.clone());
            tokio::spawn(async move {
                let ended = connection::serve(&shared, client, broker, &address).await;
                if let Err(error) = ended
                    && error.kind() == io::ErrorKind::InvalidData
                {
                    lock(&shared.troubles).push(format!("broker {broker}: {error}"));
                }
            });
        }
    }

    fn way(&self, broker: i32) -> Route<'_> {
        Route { broker, names: &self.names }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a peer sent is not what the protocol says.
fn invalid(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}
