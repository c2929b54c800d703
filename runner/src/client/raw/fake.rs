//! Brokers of a few lines, for tests: they answer ApiVersions and Metadata, and drop a connection that
//! asks for anything else.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::{BufMut, BytesMut};
use kafka_protocol::{
    ResponseError,
    messages::{
        ApiVersionsResponse, BrokerId, MetadataResponse, TopicName,
        api_versions_response::ApiVersion,
        metadata_response::{
            MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
        },
    },
    protocol::{Encodable, StrBytes},
};

/// The topic of one partition, led by broker 1.
pub(crate) const TOPIC: &str = "orders";
pub(crate) const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

#[derive(Default)]
struct Shared {
    /// Ports of 127.0.0.1 that broker 1, 2, ... advertise.
    advertised: Mutex<Vec<u16>>,
    /// What was asked, with the broker that was.
    asked: Mutex<Vec<(u32, i16)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no holder panics")
}

/// Brokers that list the addresses that `advertise` sets, possibly none, as a broker that has just
/// started with ZooKeeper.
pub(crate) struct Brokers {
    pub ports: Vec<u16>,
    shared: Arc<Shared>,
}

impl Brokers {
    /// They advertise where they are.
    pub(crate) fn start(count: usize) -> Self {
        let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a port");
        let listeners: Vec<TcpListener> = (0..count).map(bind).collect();
        let ports: Vec<u16> = listeners.iter().map(port).collect();
        let shared = Arc::new(Shared::default());
        for (number, listener) in (1..).zip(listeners) {
            let shared = shared.clone();
            std::thread::spawn(move || {
                for connection in listener.incoming().map_while(Result::ok) {
                    let shared = shared.clone();
                    std::thread::spawn(move || serve(connection, number, &shared));
                }
            });
        }
        let brokers = Self { ports, shared };
        brokers.advertise(&brokers.ports);
        brokers
    }

    /// What they list from now on.
    pub(crate) fn advertise(&self, ports: &[u16]) {
        *lock(&self.shared.advertised) = ports.to_vec();
    }

    pub(crate) fn addresses(&self) -> String {
        let each: Vec<String> = self.ports.iter().map(|p| format!("127.0.0.1:{p}")).collect();
        each.join(",")
    }

    /// How often a broker was asked this.
    pub(crate) fn asked(&self, broker: u32, key: i16) -> usize {
        lock(&self.shared.asked).iter().filter(|asked| **asked == (broker, key)).count()
    }
}

pub(crate) fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("bound").port()
}

/// Answers until the connection ends.
fn serve(mut connection: TcpStream, broker: u32, shared: &Shared) -> Option<()> {
    loop {
        let mut length = [0; 4];
        connection.read_exact(&mut length).ok()?;
        let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()?];
        connection.read_exact(&mut request).ok()?;
        let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        lock(&shared.asked).push((broker, number(0)));
        let mut body = BytesMut::new();
        body.put_slice(&request[4..8]);
        match number(0) {
            API_VERSIONS => versions().encode(&mut body, number(2)).ok()?,
            METADATA => {
                let ports = lock(&shared.advertised).clone();
                metadata(&ports).encode(&mut body, number(2)).ok()?;
            }
            _ => return None,
        }
        let length = u32::try_from(body.len()).ok()?;
        connection.write_all(&[&length.to_be_bytes(), &body[..]].concat()).ok()?;
    }
}

fn versions() -> ApiVersionsResponse {
    let api = |key, most| ApiVersion::default().with_api_key(key).with_max_version(most);
    let apis = vec![api(PRODUCE, 7), api(METADATA, 4), api(API_VERSIONS, 3)];
    ApiVersionsResponse::default().with_api_keys(apis)
}

/// The topic has a partition where there are brokers, and is unknown where there are none.
fn metadata(ports: &[u16]) -> MetadataResponse {
    let brokers = (1..).zip(ports).map(|(number, port)| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(number))
            .with_host(StrBytes::from_static_str("127.0.0.1"))
            .with_port((*port).into())
    });
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_static_str(TOPIC))));
    let partition = MetadataResponsePartition::default().with_leader_id(BrokerId(1));
    let topic = if ports.is_empty() {
        topic.with_error_code(ResponseError::UnknownTopicOrPartition.code())
    } else {
        topic.with_partitions(vec![partition])
    };
    MetadataResponse::default().with_brokers(brokers.collect()).with_topics(vec![topic])
}
