//! librdkafka's callbacks, made safe.

use std::{
    cell::Cell,
    collections::BTreeMap,
    ffi::{CString, c_char, c_int, c_void},
    marker::PhantomData,
    ptr::NonNull,
    rc::Rc,
};

use nix::libc;
use rdkafka_sys as sys;
use serde::Deserialize;

use super::{ClientType, Code, Kafka, TopicPosition, list, resolve, text};
use crate::{client::routes::Router, history::now_us};

#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    /// What was given to `produce`.
    pub opaque: usize,
    /// None: delivered.
    pub error: Option<Code>,
    pub offset: i64,
    /// The message's value.
    pub value: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rebalance {
    Assign,
    Revoke,
}

/// The callbacks of an instance. All are called on the thread that polls it (or consumes, or waits
/// for a transaction's end), never at another time.
pub(crate) trait Events {
    /// A message's outcome.
    fn delivered(&self, _delivery: &Delivery<'_>) {}
    /// An error of the instance: connections, authentication, fatal ones.
    fn error(&self, code: Code, fatal: bool, words: &str);
    /// Statistics, JSON.
    fn stats(&self, json: &[u8]);
    /// Partitions are assigned or revoked: must assign or unassign.
    fn rebalance(&self, _kafka: &Kafka<'_>, _what: Rebalance, _partitions: Vec<TopicPosition>) {}
    /// A commit ended.
    fn committed(&self, _error: Option<Code>, _offsets: Vec<TopicPosition>) {}
}

/// The receiver and data of an instance's callbacks.
pub(super) struct Receiver {
    pub events: Rc<dyn Events>,
    /// The brokers to ask first, as in `bootstrap.servers`.
    pub bootstrap: CString,
    /// Where connections go, if not where brokers advertise.
    pub router: Option<Router>,
    /// When the first brokers were last given again, monotonic microseconds.
    pub given_us: Cell<i64>,
}

impl Receiver {
    /// Whether the first brokers are to be given again, where no connection has changed for that long: librdkafka
    /// keeps all that it is given, so not at each look.
    fn is_to_give_again(&self, still_us: i64) -> bool {
        let now = now_us();
        let due = still_us == i64::MAX
            || still_us > STILL_US && now.saturating_sub(self.given_us.get()) > STILL_US;
        if due {
            self.given_us.set(now);
        }
        due
    }
}

/// # Safety
/// `conf` is alive, and `receiver` stays where it is for as long as the instance made of it lives.
pub(super) unsafe fn install(
    conf: *mut sys::rd_kafka_conf_t,
    kind: ClientType,
    receiver: *const Receiver,
) {
    // SAFETY: the caller's promise.
    unsafe {
        sys::rd_kafka_conf_set_opaque(conf, receiver.cast_mut().cast::<c_void>());
        sys::rd_kafka_conf_set_error_cb(conf, Some(on_error));
        sys::rd_kafka_conf_set_stats_cb(conf, Some(on_stats));
        sys::rd_kafka_conf_set_log_cb(conf, Some(on_log));
        if (*receiver).router.is_some() {
            resolve::install(conf, on_resolve);
        }
        if kind == ClientType::Producer {
            sys::rd_kafka_conf_set_dr_msg_cb(conf, Some(on_delivery));
        } else {
            sys::rd_kafka_conf_set_rebalance_cb(conf, Some(on_rebalance));
            sys::rd_kafka_conf_set_offset_commit_cb(conf, Some(on_commit));
        }
    }
}

/// # Safety
/// `opaque` is what [`install`] was given, and it lives.
unsafe fn receiver<'a>(opaque: *mut c_void) -> &'a Receiver {
    // SAFETY: the caller's promise.
    unsafe { &*opaque.cast::<Receiver>() }
}

/// # Safety
/// As [`receiver`].
unsafe fn events<'a>(opaque: *mut c_void) -> &'a dyn Events {
    // SAFETY: the caller's promise.
    unsafe { &*receiver(opaque).events }
}

// In the callbacks below librdkafka passes pointers that live for the call, and the opaque of the
// instance's configuration: that is what their SAFETY comments rest on.

unsafe extern "C" fn on_delivery(
    _: *mut sys::rd_kafka_t,
    message: *const sys::rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: see above; payload and length describe the message's copy of the value.
    unsafe {
        let message = &*message;
        let code = Code::of(message.err);
        let delivery = Delivery {
            opaque: message._private.addr(),
            error: (code.0 != 0).then_some(code),
            offset: message.offset,
            value: super::group_queue::bytes(message.payload, message.len).unwrap_or_default(),
        };
        events(opaque).delivered(&delivery);
    }
}

unsafe extern "C" fn on_error(
    rk: *mut sys::rd_kafka_t,
    err: c_int,
    reason: *const c_char,
    opaque: *mut c_void,
) {
    // SAFETY: see above; the buffer for the fatal error's words has that length.
    unsafe {
        if Code(err) == Code::FATAL {
            let mut why = [0_u8; 512];
            let code = sys::rd_kafka_fatal_error(rk, why.as_mut_ptr().cast::<c_char>(), why.len());
            events(opaque).error(Code::of(code), true, &super::until_zero(&why));
        } else {
            events(opaque).error(Code(err), false, text(reason));
        }
    }
}

unsafe extern "C" fn on_stats(
    rk: *mut sys::rd_kafka_t,
    json: *mut c_char,
    bytes: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: see above. The answer 0 leaves the string to librdkafka.
    unsafe {
        if let Some(json) = super::group_queue::bytes(json.cast::<c_void>(), bytes) {
            let receiver = receiver(opaque);
            receiver.events.stats(json);
            if receiver.is_to_give_again(still_us(json)) {
                super::super::log(
                    "librdkafka has no broker to ask any more: the bootstrap brokers are added again",
                );
                sys::rd_kafka_brokers_add(rk, receiver.bootstrap.as_ptr());
            }
        }
    }
    0
}

/// How long no broker's connection may change before the first brokers are given again.
const STILL_US: i64 = 5_000_000;

/// A broker that has just started in ZooKeeper mode lists few brokers or none, not even itself. librdkafka then
/// forgets those that are not listed, those of `bootstrap.servers` among them. If none is left, nothing makes it
/// look again. One that it has given up may also stay in its list, where `rd_kafka_connect_any` of 2.12 chooses it
/// and nothing connects: so its source reads, and so a client stood still for 90 s after an outage of all brokers. A
/// broker that is only down changes its state with every attempt. To give brokers again that it still has does
/// nothing.
///
/// For how many microseconds all that it has were without a change; `i64::MAX` if it has none, 0 if one is connected.
fn still_us(json: &[u8]) -> i64 {
    #[derive(Deserialize)]
    struct Stats<'a> {
        #[serde(borrow)]
        brokers: BTreeMap<&'a str, Broker<'a>>,
    }
    #[derive(Deserialize)]
    struct Broker<'a> {
        source: &'a str,
        state: &'a str,
        /// Since when it is in this state, in microseconds.
        stateage: i64,
    }
    let still = |broker: &Broker<'_>| match broker.source {
        "internal" | "logical" => i64::MAX,
        _ if broker.state == "UP" => 0,
        _ => broker.stateage,
    };
    let stats = serde_json::from_slice::<Stats<'_>>(json);
    stats.map_or(0, |stats| stats.brokers.values().map(still).min().unwrap_or(i64::MAX))
}

/// Called from any of librdkafka's threads; stderr is the client's log.
unsafe extern "C" fn on_log(
    _: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    // SAFETY: see above.
    let (facility, line) = unsafe { (text(facility), text(line)) };
    super::super::log(&format!("librdkafka {level} {facility}: {line}"));
}

/// Called from librdkafka's broker threads: it may use only the router of the opaque.
unsafe extern "C" fn on_resolve(
    node: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    result: *mut *mut libc::addrinfo,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: see above; the field is made a reference without one of the whole.
    unsafe {
        let router = (&raw const (*opaque.cast::<Receiver>()).router).as_ref();
        resolve::answer(router.and_then(Option::as_ref), node, service, hints, result)
    }
}

unsafe extern "C" fn on_rebalance(
    rk: *mut sys::rd_kafka_t,
    err: sys::rd_kafka_resp_err_t,
    partitions: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    let Some(rk) = NonNull::new(rk) else { return };
    let assign =
        err as i32 == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS as i32;
    let what = if assign { Rebalance::Assign } else { Rebalance::Revoke };
    // SAFETY: see above; the list is copied.
    unsafe {
        let kafka = Kafka { rk, life: PhantomData };
        events(opaque).rebalance(&kafka, what, list::places(partitions));
    }
}

unsafe extern "C" fn on_commit(
    _: *mut sys::rd_kafka_t,
    err: sys::rd_kafka_resp_err_t,
    offsets: *mut sys::rd_kafka_topic_partition_list_t,
    opaque: *mut c_void,
) {
    let code = Code::of(err);
    // SAFETY: see above; the list is copied.
    unsafe {
        events(opaque).committed((code.0 != 0).then_some(code), list::places(offsets));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use indexmap::IndexMap;

    use super::*;
    use crate::client::raw::{
        Instance,
        fake::{Brokers, TOPIC},
    };

    /// Long enough for a busy machine; an answer takes milliseconds.
    const LIMIT: Duration = Duration::from_secs(20);

    struct Nobody;

    impl Events for Nobody {
        fn error(&self, _: Code, _: bool, _: &str) {}
        fn stats(&self, _: &[u8]) {}
    }

    fn until_answered(kafka: &Instance) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            kafka.poll(Duration::from_millis(20));
            if kafka.contact(Duration::from_millis(500)).is_ok() {
                return true;
            }
        }
        false
    }

    #[test]
    fn a_broker_that_lists_nobody_is_not_the_end_of_a_client() {
        let brokers = Brokers::start(3);
        let addresses = brokers.addresses();
        let pairs = [("bootstrap.servers", addresses.as_str()), ("statistics.interval.ms", "50")];
        let settings: IndexMap<String, String> =
            pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let kafka = Instance::new(ClientType::Producer, &settings, None, Rc::new(Nobody))
            .expect("a client");
        let _topic = kafka.topic(TOPIC).expect("a topic");
        for round in 0..20 {
            assert!(until_answered(&kafka), "round {round}");
            brokers.advertise(&[]);
            // This answer removes the brokers, even if it is an error.
            let _ = kafka.contact(Duration::from_secs(1));
            brokers.advertise(&brokers.ports);
        }
        assert!(until_answered(&kafka), "at last");
    }

    #[test]
    fn statistics_show_for_how_long_nobody_is_asked() {
        let still = |brokers: &[(&str, &str, i64)]| {
            let broker = |(i, (source, state, age)): (usize, &(&str, &str, i64))| {
                format!(
                    r#""{i}":{{"source":"{source}","state":"{state}","stateage":{age},"rx":1}}"#
                )
            };
            let brokers: Vec<String> = brokers.iter().enumerate().map(broker).collect();
            still_us(format!(r#"{{"name":"p","brokers":{{{}}}}}"#, brokers.join(",")).as_bytes())
        };
        assert_eq!(still(&[]), i64::MAX);
        assert_eq!(still(&[("internal", "UP", 1), ("logical", "UP", 1)]), i64::MAX);
        assert_eq!(still(&[("internal", "UP", 9), ("configured", "UP", 9)]), 0);
        assert_eq!(still(&[("learned", "TRY_CONNECT", 9), ("learned", "CONNECT", 2)]), 2);
        assert_eq!(still(&[("learned", "TRY_CONNECT", 9), ("logical", "UP", 2)]), 9);
        assert_eq!(still_us(b"{"), 0, "what is not understood says nothing");
    }

    #[test]
    fn the_first_brokers_are_given_again_at_once_or_now_and_then() {
        let receiver = Receiver {
            events: Rc::new(Nobody),
            bootstrap: CString::default(),
            router: None,
            given_us: Cell::new(now_us()),
        };
        assert!(receiver.is_to_give_again(i64::MAX) && receiver.is_to_give_again(i64::MAX));
        assert!(!receiver.is_to_give_again(STILL_US + 1), "they were given just now");
        receiver.given_us.set(now_us() - 2 * STILL_US);
        assert!(!receiver.is_to_give_again(STILL_US), "not for long enough");
        assert!(
            receiver.is_to_give_again(STILL_US + 1) && !receiver.is_to_give_again(STILL_US + 1)
        );
    }
}
