//! Routes connections to brokers independently of the addresses that brokers advertise.
//!
//! The backend file of an external cluster may give the addresses under which this machine reaches brokers, by
//! number. librdkafka knows brokers by the addresses that they advertise and has those resolved: a
//! [`Router`] answers with the given address of the broker that advertises it. Which broker that is, is
//! in the brokers' Metadata, requested at the given addresses; it is requested again before a connection is
//! made, because a broker can come back under another address.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use indexmap::IndexMap;
use kafka_protocol::messages::MetadataRequest;
use serde::{Deserialize, Serialize};

use crate::wire::{Connection, Credentials, WireError};

/// How long to wait for the brokers' advertised addresses; after that the known ones are used.
const LIMIT: Duration = Duration::from_secs(1);

/// How a cluster's brokers are reached: the part of a client's specification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routes {
    /// `HOST:PORT` under which this machine reaches a broker, by number; the others at their advertised addresses.
    pub given: BTreeMap<u32, String>,
    /// `HOST:PORT` that each broker advertised when it was last asked.
    pub advertised: BTreeMap<u32, String>,
    /// librdkafka's settings with which brokers are asked: the cluster's own, not a user's of the plan.
    pub settings: IndexMap<String, String>,
}

impl Routes {
    /// The bootstrap brokers for librdkafka. They are named by their advertised addresses, as
    /// all others: certificates are issued for those names.
    pub fn bootstrap(&self) -> String {
        self.advertised.values().map(String::as_str).collect::<Vec<_>>().join(",")
    }
}

/// What a broker advertises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    pub host: String,
    /// `HOST:PORT`, an IPv6 address in brackets.
    pub address: String,
}

/// Asks a broker what the brokers of its cluster advertise.
pub async fn advertised(
    connection: &mut Connection,
    limit: Duration,
) -> Result<BTreeMap<u32, Advertised>, WireError> {
    // With no topic: the brokers alone. Version 0 has no such question, and every broker from 0.10
    // on knows version 1.
    let version = connection.version::<MetadataRequest>(9)?;
    let request = MetadataRequest::default().with_topics(Some(vec![]));
    let answer = connection.call(&request, version, limit).await?;
    let brokers = answer.brokers.iter().filter_map(|broker| {
        let host = broker.host.to_string();
        let address = address(&host, &broker.port.to_string());
        Some((u32::try_from(broker.node_id.0).ok()?, Advertised { host, address }))
    });
    Ok(brokers.collect())
}

/// `HOST:PORT`, an IPv6 address in brackets.
pub(super) fn address(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Host and port of `HOST:PORT`, an IPv6 address without its brackets.
pub(super) fn parts(address: &str) -> Option<(&str, &str)> {
    let (host, port) = address.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    Some((bare.unwrap_or(host), port))
}

/// Maps an advertised address to the one to connect to. Shared by the threads of a librdkafka instance.
pub struct Router {
    given: BTreeMap<u32, String>,
    settings: IndexMap<String, String>,
    credentials: Credentials,
    known: Mutex<Known>,
}

struct Known {
    /// The newest address of each broker.
    advertised: BTreeMap<u32, String>,
    /// The broker of each address that was ever advertised: the last one that did.
    owners: BTreeMap<String, u32>,
    /// When the last answers came.
    asked: Option<Instant>,
}

impl Known {
    fn learn(&mut self, advertised: BTreeMap<u32, String>) {
        for (broker, address) in advertised {
            self.owners.insert(address.clone(), broker);
            self.advertised.insert(broker, address);
        }
    }
}

impl Router {
    /// A router with these routes; the advertised addresses are requested before the first connection.
    pub fn new(routes: Routes) -> Self {
        let Routes { given, advertised, settings } = routes;
        let credentials = Credentials::from_client_config(&settings);
        let mut known = Known { advertised: BTreeMap::new(), owners: BTreeMap::new(), asked: None };
        known.learn(advertised);
        Self { given, settings, credentials, known: Mutex::new(known) }
    }

    /// The routes as they are now known.
    pub fn routes(&self) -> Routes {
        Routes {
            given: self.given.clone(),
            advertised: self.known().advertised.clone(),
            settings: self.settings.clone(),
        }
    }

    /// The address to connect to for an advertised one; none while no broker is known to advertise
    /// it. May ask the brokers, and waits for their answer a second at most: not for async code.
    pub fn target(&self, address: &str) -> Option<String> {
        // An address may now belong to another broker, and librdkafka may know that already:
        // only newer answers count. Threads that come meanwhile share one answer.
        let begun = Instant::now();
        let mut known = self.known();
        if known.asked.is_none_or(|asked| asked < begun) {
            let places = self.places(&known.advertised);
            for answer in ask(&places, &self.credentials, address) {
                known.learn(answer);
            }
            known.asked = Some(Instant::now());
        }
        let broker = known.owners.get(address)?;
        Some(self.given.get(broker).cloned().unwrap_or_else(|| address.to_owned()))
    }

    /// Where brokers can be asked.
    fn places(&self, advertised: &BTreeMap<u32, String>) -> Vec<String> {
        let direct = advertised.iter().filter(|(broker, _)| !self.given.contains_key(broker));
        self.given.values().chain(direct.map(|(_, address)| address)).cloned().collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // A panic elsewhere left a table that was true a moment ago.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks all places at once for the advertised addresses; ends with the first answer that contains
/// `wanted`, else with the last. Returns the answers in the order in which they came.
fn ask(places: &[String], credentials: &Credentials, wanted: &str) -> Vec<BTreeMap<u32, String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let answers = runtime.block_on(async {
        let end = tokio::time::Instant::now() + LIMIT;
        let mut asked: FuturesUnordered<_> =
            places.iter().map(|place| one(place, credentials)).collect();
        let mut answers = Vec::new();
        while let Ok(Some(answer)) = tokio::time::timeout_at(end, asked.next()).await {
            let Ok(answer) = answer else { continue };
            let reported = answer.values().any(|address| address == wanted);
            answers.push(answer);
            if reported {
                break;
            }
        }
        answers
    });
    // A name that is still being looked up would hold up its end.
    runtime.shutdown_background();
    answers
}

async fn one(place: &str, credentials: &Credentials) -> Result<BTreeMap<u32, String>, WireError> {
    let mut connection = Connection::open(place, credentials, LIMIT).await?;
    let brokers = advertised(&mut connection, LIMIT).await?;
    Ok(brokers.into_iter().map(|(broker, reported)| (broker, reported.address)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::raw::fake::Brokers;

    fn at(port: u16) -> String {
        format!("127.0.0.1:{port}")
    }

    #[test]
    fn a_broker_without_an_address_of_its_own_is_reached_where_it_advertises() {
        let brokers = Brokers::start(2);
        // No process listens on port 1.
        brokers.advertise(&[1, brokers.ports[1]]);
        let advertised = [(1, at(1)), (2, at(brokers.ports[1]))].into();
        let given = [(1, at(brokers.ports[0]))].into();
        let router = Router::new(Routes { given, advertised, settings: IndexMap::new() });
        assert_eq!(router.target(&at(1)), Some(at(brokers.ports[0])));
        assert_eq!(router.target(&at(brokers.ports[1])), Some(at(brokers.ports[1])));
        assert_eq!(router.target("elsewhere:9092"), None, "no broker advertises it");
    }

    #[test]
    fn what_is_known_has_to_do_while_nobody_answers() {
        let routes = Routes {
            given: [(1, at(1))].into(),
            advertised: [(1, "kafka-1:9092".to_owned())].into(),
            settings: IndexMap::new(),
        };
        assert_eq!(routes.bootstrap(), "kafka-1:9092");
        let router = Router::new(routes);
        assert_eq!(router.target("kafka-1:9092"), Some(at(1)));
        assert_eq!(router.target("kafka-2:9092"), None);
    }

    #[test]
    fn an_address_that_changes_hands_leads_to_its_last_owner() {
        let brokers = Brokers::start(2);
        brokers.advertise(&[1, 2]);
        let given = [(1, at(brokers.ports[0])), (2, at(brokers.ports[1]))].into();
        let advertised = [(1, at(1)), (2, at(2))].into();
        let router = Router::new(Routes { given, advertised, settings: IndexMap::new() });
        brokers.advertise(&[2, 1]);
        assert_eq!(router.target(&at(2)), Some(at(brokers.ports[0])));
        assert_eq!(router.target(&at(1)), Some(at(brokers.ports[1])));
        assert_eq!(router.routes().bootstrap(), format!("{},{}", at(2), at(1)));
    }

    #[test]
    fn addresses_of_ipv6_have_brackets() {
        assert_eq!(address("::1", "9092"), "[::1]:9092");
        assert_eq!(parts("[::1]:9092"), Some(("::1", "9092")));
        assert_eq!(parts("kafka-1:9092"), Some(("kafka-1", "9092")));
        assert_eq!(parts("kafka-1"), None);
    }
}
