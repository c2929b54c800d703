//! librdkafka's callbacks, made safe.

use std::{
    ffi::{c_char, c_int, c_void},
    marker::PhantomData,
    ptr::NonNull,
    rc::Rc,
};

use rdkafka_sys as sys;

use super::{Code, Kafka, Kind, Place, list, text};

/// A delivery report.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    /// What was given to `produce`.
    pub opaque: usize,
    /// None: delivered.
    pub error: Option<Code>,
    /// As reported.
    pub offset: i64,
    /// The message's value.
    pub value: &'a [u8],
}

/// What a rebalance does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rebalance {
    Assign,
    Revoke,
}

/// What an instance tells. Everything is called on the thread that polls it (or consumes, or waits
/// for a transaction's end), never at another time.
pub(crate) trait Events {
    /// A message's outcome.
    fn delivered(&self, _delivery: &Delivery<'_>) {}
    /// An error of the instance: connections, authentication, fatal ones.
    fn error(&self, code: Code, fatal: bool, words: &str);
    /// Statistics, JSON.
    fn stats(&self, json: &[u8]);
    /// Partitions are given or taken: must assign or unassign.
    fn rebalance(&self, _kafka: &Kafka<'_>, _what: Rebalance, _partitions: Vec<Place>) {}
    /// A commit ended.
    fn committed(&self, _error: Option<Code>, _offsets: Vec<Place>) {}
}

/// # Safety
/// `conf` is alive, and `events` stays where it is for as long as the instance made of it lives.
pub(super) unsafe fn install(
    conf: *mut sys::rd_kafka_conf_t,
    kind: Kind,
    events: *const Rc<dyn Events>,
) {
    // SAFETY: the caller's promise.
    unsafe {
        sys::rd_kafka_conf_set_opaque(conf, events.cast_mut().cast::<c_void>());
        sys::rd_kafka_conf_set_error_cb(conf, Some(on_error));
        sys::rd_kafka_conf_set_stats_cb(conf, Some(on_stats));
        sys::rd_kafka_conf_set_log_cb(conf, Some(on_log));
        if kind == Kind::Producer {
            sys::rd_kafka_conf_set_dr_msg_cb(conf, Some(on_delivery));
        } else {
            sys::rd_kafka_conf_set_rebalance_cb(conf, Some(on_rebalance));
            sys::rd_kafka_conf_set_offset_commit_cb(conf, Some(on_commit));
        }
    }
}

/// # Safety
/// `opaque` is what [`install`] was given, and its events live.
unsafe fn events<'a>(opaque: *mut c_void) -> &'a dyn Events {
    // SAFETY: the caller's promise.
    unsafe { &**opaque.cast::<Rc<dyn Events>>() }
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
            value: super::batch::bytes(message.payload, message.len).unwrap_or_default(),
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
    _: *mut sys::rd_kafka_t,
    json: *mut c_char,
    bytes: usize,
    opaque: *mut c_void,
) -> c_int {
    // SAFETY: see above. The answer 0 leaves the string to librdkafka.
    unsafe {
        if let Some(json) = super::batch::bytes(json.cast::<c_void>(), bytes) {
            events(opaque).stats(json);
        }
    }
    0
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
