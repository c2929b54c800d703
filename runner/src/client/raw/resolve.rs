//! Routes librdkafka's connections: it resolves every address before it connects, and a
//! [`Router`] answers.

use std::{
    collections::BTreeMap,
    ffi::{CString, c_char, c_int, c_void},
    ops::Deref,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use nix::libc;
use rdkafka::{ClientConfig, config::FromClientConfigAndContext, error::KafkaResult};
use rdkafka_sys as sys;

use super::text;
use crate::client::routes::{Router, address, parts};

type ResolveCallback = unsafe extern "C" fn(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut *mut libc::addrinfo,
    opaque: *mut c_void,
) -> c_int;

// rdkafka-sys leaves this function of rdkafka.h out, as it does not know `struct addrinfo`.
unsafe extern "C" {
    fn rd_kafka_conf_set_resolve_cb(
        conf: *mut sys::rd_kafka_conf_t,
        resolve_cb: Option<ResolveCallback>,
    );
}

/// # Safety
/// `conf` is alive and no thread of an instance resolves addresses by it now; `callback` takes the
/// opaque that the instance made of it has.
pub(super) unsafe fn install(conf: *mut sys::rd_kafka_conf_t, callback: ResolveCallback) {
    // SAFETY: the caller's promise.
    unsafe { rd_kafka_conf_set_resolve_cb(conf, Some(callback)) };
}

/// Answers librdkafka's question as `getaddrinfo` does; without a node it is to free an answer.
///
/// # Safety
/// The arguments are librdkafka's: strings and hints that live for the call or are null, and a result
/// to be set, or to be freed where there is no node.
pub(super) unsafe fn answer(
    router: Option<&Router>,
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut *mut libc::addrinfo,
) -> c_int {
    // SAFETY: the caller's promise; what is freed was made by `getaddrinfo` below.
    unsafe {
        if node.is_null() {
            if !(*result).is_null() {
                libc::freeaddrinfo(*result);
            }
            return 0;
        }
        let wanted = address(text(node), text(service));
        let target = router.and_then(|router| router.target(&wanted));
        // librdkafka retries later: a broker may advertise the address by then.
        let Some(target) = target else { return libc::EAI_AGAIN };
        let Some((host, port)) = parts(&target) else { return libc::EAI_NONAME };
        let (Ok(host), Ok(port)) = (CString::new(host), CString::new(port)) else {
            return libc::EAI_NONAME;
        };
        libc::getaddrinfo(host.as_ptr(), port.as_ptr(), hints, result)
    }
}

/// Routers of the `rdkafka` crate's clients, whose opaque is the crate's own, by that opaque.
static LISTED: Mutex<BTreeMap<usize, Arc<Router>>> = Mutex::new(BTreeMap::new());

fn listed() -> MutexGuard<'static, BTreeMap<usize, Arc<Router>>> {
    LISTED.lock().unwrap_or_else(PoisonError::into_inner)
}

unsafe extern "C" fn by_list(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut *mut libc::addrinfo,
    opaque: *mut c_void,
) -> c_int {
    let router = listed().get(&opaque.addr()).cloned();
    // SAFETY: librdkafka's arguments are handed on.
    unsafe { answer(router.as_deref(), node, service, hints, result) }
}

/// A client of the `rdkafka` crate whose connections a [`Router`] routes, if there is one.
pub(crate) struct Routed<T> {
    // Goes first: its threads ask the list.
    client: T,
    _listing: Option<Listing>,
}

impl<T> Deref for Routed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.client
    }
}

/// An entry of the list, for as long as its client lives.
struct Listing(usize);

impl Drop for Listing {
    fn drop(&mut self) {
        listed().remove(&self.0);
    }
}

/// Makes a client of the `rdkafka` crate: without a router for `bootstrap`, with one for the brokers
/// that it knows.
pub(crate) fn create<C, T>(
    mut config: ClientConfig,
    context: C,
    bootstrap: &str,
    router: Option<Arc<Router>>,
    native: fn(&T) -> *mut sys::rd_kafka_t,
) -> KafkaResult<Routed<T>>
where
    C: rdkafka::ClientContext,
    T: FromClientConfigAndContext<C>,
{
    let Some(router) = router else {
        config.set("bootstrap.servers", bootstrap);
        return Ok(Routed { client: config.create_with_context(context)?, _listing: None });
    };
    // The crate makes configuration and instance in one go. Without a broker the instance resolves
    // nothing: it is given its brokers when it has the callback.
    config.remove("bootstrap.servers");
    let client: T = config.create_with_context(context)?;
    let first = CString::new(router.routes().bootstrap()).unwrap_or_default();
    let rk = native(&client);
    // SAFETY: the instance lives. Its configuration is its own, and the one function pointer that is
    // set in it is read by threads of brokers alone, of which there are none before the next call. The
    // callback takes any opaque.
    let opaque = unsafe {
        let opaque = sys::rd_kafka_opaque(rk).addr();
        listed().insert(opaque, router);
        install(sys::rd_kafka_conf(rk).cast_mut(), by_list);
        sys::rd_kafka_brokers_add(rk, first.as_ptr());
        opaque
    };
    Ok(Routed { client, _listing: Some(Listing(opaque)) })
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        rc::Rc,
        sync::atomic::{AtomicUsize, Ordering},
        time::{Duration, Instant},
    };

    use indexmap::IndexMap;
    use rdkafka::{
        client::DefaultClientContext,
        producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer},
    };

    use super::*;
    use crate::client::{
        raw::{
            ClientType, Code, Events, Instance,
            fake::{Brokers, PRODUCE, TOPIC, port},
        },
        routes::Routes,
    };

    /// Long enough for a busy machine.
    const LIMIT: Duration = Duration::from_secs(30);

    struct Nobody;

    impl Events for Nobody {
        fn error(&self, _: Code, _: bool, _: &str) {}
        fn stats(&self, _: &[u8]) {}
    }

    /// Advertised addresses to which no client may connect: counts connections.
    struct Traps {
        ports: Vec<u16>,
        caught: Arc<AtomicUsize>,
    }

    impl Traps {
        fn set(count: usize) -> Self {
            let caught = Arc::new(AtomicUsize::new(0));
            let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a port");
            let listeners: Vec<TcpListener> = (0..count).map(bind).collect();
            let ports = listeners.iter().map(port).collect();
            for listener in listeners {
                let caught = caught.clone();
                std::thread::spawn(move || {
                    listener.incoming().for_each(|_| {
                        caught.fetch_add(1, Ordering::SeqCst);
                    });
                });
            }
            Self { ports, caught }
        }

        fn caught(&self) -> usize {
            self.caught.load(Ordering::SeqCst)
        }
    }

    fn numbered(ports: &[u16]) -> BTreeMap<u32, String> {
        (1..).zip(ports).map(|(id, port)| (id, format!("127.0.0.1:{port}"))).collect()
    }

    fn routes(brokers: &Brokers, advertised: &[u16]) -> Routes {
        let (given, advertised) = (numbered(&brokers.ports), numbered(advertised));
        Routes { given, advertised, settings: IndexMap::new() }
    }

    /// Does it again and again until it has come true.
    fn until(what: &str, mut does: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !does() {
            assert!(begun.elapsed() < LIMIT, "{what}");
        }
    }

    #[test]
    fn connections_go_where_they_are_given_though_brokers_change_what_they_advertise() {
        let (brokers, traps) = (Brokers::start(2), Traps::set(3));
        brokers.advertise(&traps.ports[..2]);
        let routes = routes(&brokers, &traps.ports[..2]);
        let settings = [("bootstrap.servers", routes.bootstrap()), ("linger.ms", "0".into())];
        let settings = settings.map(|(key, value)| (key.to_owned(), value)).into();
        let kafka = Instance::new(ClientType::Producer, &settings, Some(&routes), Rc::new(Nobody));
        let kafka = kafka.expect("a client");
        let topic = kafka.topic(TOPIC).expect("a topic");
        let send = |what: &str| {
            let before = brokers.asked(1, PRODUCE);
            topic.produce(0, None, Some(b"value"), (&[], None), 0).expect("room");
            until(what, || {
                // The result does not matter: the request makes librdkafka learn the addresses.
                let _ = kafka.contact(Duration::from_millis(200));
                kafka.poll(Duration::from_millis(20));
                brokers.asked(1, PRODUCE) > before
            });
        };
        send("the leader is reached");
        // Broker 1 takes what was broker 2's, and that one takes a third.
        brokers.advertise(&traps.ports[1..]);
        send("the leader is reached under another name");
        brokers.advertise(&[traps.ports[2], traps.ports[0]]);
        send("and under one more");
        assert_eq!(traps.caught(), 0, "nobody goes where brokers advertise");
        assert_eq!(brokers.asked(2, PRODUCE), 0, "nothing for the leader goes to the other");
    }

    #[test]
    fn clients_of_the_crate_go_there_too() {
        let (brokers, traps) = (Brokers::start(2), Traps::set(2));
        brokers.advertise(&traps.ports);
        let router = Arc::new(Router::new(routes(&brokers, &traps.ports)));
        let native =
            |producer: &ThreadedProducer<DefaultProducerContext>| producer.client().native_ptr();
        let mut config = ClientConfig::new();
        config.set("linger.ms", "0");
        let producer = create(config, DefaultProducerContext, "127.0.0.1:1", Some(router), native);
        let producer = producer.expect("a producer");
        producer.send(BaseRecord::<str, str>::to(TOPIC).partition(0).payload("v")).expect("room");
        until("the leader is reached", || {
            std::thread::yield_now();
            brokers.asked(1, PRODUCE) > 0
        });
        assert_eq!(traps.caught(), 0, "nobody goes where brokers advertise");
        drop(producer);
    }

    #[test]
    fn a_client_without_a_router_goes_where_it_is_told() {
        let brokers = Brokers::start(1);
        let native = |client: &rdkafka::admin::AdminClient<DefaultClientContext>| {
            client.inner().native_ptr()
        };
        let first = brokers.addresses();
        let admin = create(ClientConfig::new(), DefaultClientContext, &first, None, native);
        let admin = admin.expect("a client");
        let metadata = admin.inner().fetch_metadata(None, LIMIT).expect("an answer");
        assert_eq!(metadata.brokers().len(), 1);
    }
}
