//! librdkafka for the clients, close to its C interface: one thread polls, reports come by the
//! thousand, and each costs nanoseconds. The `rdkafka` crate's own wrapper allocates and counts
//! references for each message, and its errors for end-of-partition and resets do not say the
//! topic; so this is a wrapper over the same `rdkafka-sys`, safe to its users.
#![allow(unsafe_code)]

pub(crate) mod ask;
mod callbacks;
mod consumer;
#[cfg(test)]
pub(crate) mod fake;
mod group_queue;
mod list;
mod log_queue;
mod producer;
mod resolve;
pub(crate) mod table;
mod waits;

use std::{
    cell::Cell,
    collections::BTreeMap,
    ffi::{CStr, CString, c_char},
    fmt,
    marker::PhantomData,
    ptr::NonNull,
    rc::Rc,
    sync::OnceLock,
    time::Duration,
};

use indexmap::IndexMap;
use rdkafka_sys as sys;

use callbacks::Receiver;

use super::routes::{Router, Routes};
use crate::codes::kafkas_own;

pub(super) use callbacks::{Delivery, Events, Rebalance};
pub(super) use consumer::Asked;
pub(super) use group_queue::{GroupQueue, Message};
pub(super) use list::TopicPosition;
pub(super) use log_queue::LogQueue;
pub(super) use producer::{Header, Topic, TxnError};
pub(crate) use resolve::{Routed, create};

/// An error of Kafka or librdkafka, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub i32);

impl Code {
    pub(super) const EOF: Self =
        Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__PARTITION_EOF as i32);
    pub(super) const QUEUE_FULL: Self =
        Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL as i32);
    pub(super) const AUTO_OFFSET_RESET: Self =
        Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET as i32);
    pub(super) const NO_OFFSET: Self =
        Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__NO_OFFSET as i32);
    pub(super) const BAD_MSG: Self =
        Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__BAD_MSG as i32);
    pub(super) const BAD_COMPRESSION: Self =
        Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__BAD_COMPRESSION as i32);
    pub(super) const NOT_IMPLEMENTED: Self =
        Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED as i32);
    pub(super) const FAIL: Self = Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__FAIL as i32);
    pub(super) const FATAL: Self = Self(sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__FATAL as i32);

    pub(super) fn of(err: sys::rd_kafka_resp_err_t) -> Self {
        Self(err as i32)
    }

    pub(super) fn check(err: sys::rd_kafka_resp_err_t) -> Result<(), Self> {
        if err as i32 == 0 { Ok(()) } else { Err(Self(err as i32)) }
    }

    /// Kafka's name of it, or librdkafka's own with an underscore, e.g. `NOT_ENOUGH_REPLICAS`,
    /// `_MSG_TIMED_OUT`. Where librdkafka keeps an old name of Kafka's, today's is used.
    pub fn name(self) -> &'static str {
        codes().get(&self.0).map_or("UNKNOWN", |c| c.0.as_str())
    }

    /// Its meaning, as librdkafka's text.
    pub fn meaning(self) -> &'static str {
        codes().get(&self.0).map_or("unknown error", |c| c.1)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), self.meaning())
    }
}

type Codes = BTreeMap<i32, (String, &'static str)>;

fn codes() -> &'static Codes {
    static CODES: OnceLock<Codes> = OnceLock::new();
    CODES.get_or_init(|| {
        let (mut first, mut count) = (std::ptr::null(), 0);
        // SAFETY: librdkafka answers with a static table of `count` entries, names and meanings
        // being static C strings or null. The table has holes, whose code is only read as a number.
        unsafe {
            sys::rd_kafka_get_err_descs(&raw mut first, &raw mut count);
            (0..count)
                .map(|i| first.add(i))
                .filter(|d| !(*d).is_null() && !(**d).name.is_null())
                .map(|d| {
                    let number = (&raw const (*d).code).cast::<i32>().read();
                    let name = kafkas_own(number).unwrap_or_else(|| text((*d).name).to_owned());
                    (number, (name, text((*d).desc)))
                })
                .collect()
        }
    })
}

/// # Safety
/// `pointer` is null or a C string that lives as long as the caller's use of the result.
unsafe fn text<'a>(pointer: *const c_char) -> &'a str {
    if pointer.is_null() {
        return "";
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap_or("(not UTF-8)")
}

/// A number of milliseconds that C takes.
fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
}

/// Why an instance cannot be made or a name cannot be passed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub String);

fn c_string(text: &str) -> Result<CString, Refused> {
    CString::new(text).map_err(|_| Refused(format!("{text:?} holds a zero byte")))
}

/// What kind of instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ClientType {
    Producer,
    Consumer,
}

/// Why a setting is refused.
#[derive(Debug)]
pub(crate) enum NotSet {
    /// librdkafka has no setting of this name.
    Unknown,
    /// librdkafka refuses the value: its text.
    Value(String),
}

/// A borrowed librdkafka instance: the functions that may be called, also from inside a callback. Only the
/// thread that created it has it (it is neither `Send` nor `Sync`).
#[derive(Debug)]
pub(super) struct Kafka<'a> {
    rk: NonNull<sys::rd_kafka_t>,
    life: PhantomData<&'a ()>,
}

/// The broker that answered a metadata request.
#[derive(Clone, Debug)]
pub(super) struct Contact {
    pub broker: i32,
    pub name: String,
}

impl Kafka<'_> {
    fn ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// The error after which the instance is of no use, with its words; none while it works.
    pub(super) fn fatal(&self) -> Option<(Code, String)> {
        let mut words = [0_u8; 512];
        // SAFETY: the instance lives; the buffer for the words has that length.
        let code = Code::of(unsafe {
            sys::rd_kafka_fatal_error(self.ptr(), words.as_mut_ptr().cast::<c_char>(), words.len())
        });
        (code.0 != 0).then(|| (code, until_zero(&words)))
    }

    /// Asks any broker for metadata of the topics known to this instance: proof of contact.
    pub(super) fn contact(&self, limit: Duration) -> Result<Contact, Code> {
        let mut answer = std::ptr::null();
        // SAFETY: the instance lives; on success the answer is ours until it is destroyed, and its
        // strings are copied before.
        unsafe {
            Code::check(sys::rd_kafka_metadata(
                self.ptr(),
                0,
                std::ptr::null_mut(),
                &raw mut answer,
                millis(limit),
            ))?;
            let contact = Contact {
                broker: (*answer).orig_broker_id,
                name: text((*answer).orig_broker_name).to_owned(),
            };
            sys::rd_kafka_metadata_destroy(answer);
            Ok(contact)
        }
    }

    /// Calls the callbacks that are due; waits at most `limit` for the first one.
    pub(super) fn poll(&self, limit: Duration) -> i32 {
        // SAFETY: the instance lives.
        unsafe { sys::rd_kafka_poll(self.ptr(), millis(limit)) }
    }
}

/// A librdkafka instance of one's own; derefs to [`Kafka`].
pub(super) struct Instance {
    kafka: Kafka<'static>,
    // The callbacks' opaque is its address.
    _receiver: Box<Receiver>,
}

impl Instance {
    /// Makes an instance; its callbacks go to `events`, on the thread that polls. With `routes` its
    /// connections go where they say.
    pub(super) fn new(
        kind: ClientType,
        settings: &IndexMap<String, String>,
        routes: Option<&Routes>,
        events: Rc<dyn Events>,
    ) -> Result<Self, Refused> {
        let conf = Conf::new(settings)?;
        let first = settings.get("bootstrap.servers").map_or("", String::as_str);
        let receiver = Box::new(Receiver {
            events,
            bootstrap: c_string(first)?,
            router: routes.cloned().map(Router::new),
            given_us: Cell::new(0),
        });
        // SAFETY: the opaque is the address of `receiver`, which `Instance` keeps at that address until
        // the instance is destroyed.
        unsafe {
            callbacks::install(conf.0.as_ptr(), kind, std::ptr::from_ref(&*receiver));
            let rk = conf.start(kind)?;
            if kind == ClientType::Consumer {
                sys::rd_kafka_poll_set_consumer(rk.as_ptr());
            }
            Ok(Self { kafka: Kafka { rk, life: PhantomData }, _receiver: receiver })
        }
    }
}

impl std::ops::Deref for Instance {
    type Target = Kafka<'static>;

    fn deref(&self) -> &Self::Target {
        &self.kafka
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: the instance is ours, and this is its last use. Without the flag a consumer's
        // destroy would try to close it again, which waits for brokers.
        unsafe {
            sys::rd_kafka_destroy_flags(
                self.kafka.ptr(),
                sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE,
            );
        }
    }
}

struct Conf(NonNull<sys::rd_kafka_conf_t>);

impl Conf {
    fn empty() -> Result<Self, Refused> {
        // SAFETY: a fresh configuration.
        let conf = unsafe { sys::rd_kafka_conf_new() };
        Ok(Self(NonNull::new(conf).ok_or_else(|| Refused("no memory".into()))?))
    }

    fn new(settings: &IndexMap<String, String>) -> Result<Self, Refused> {
        let mut conf = Self::empty()?;
        for (key, value) in settings {
            conf.set(key, value).map_err(|why| match why {
                NotSet::Unknown => Refused(format!("librdkafka has no setting `{key}`")),
                NotSet::Value(why) => Refused(why),
            })?;
        }
        Ok(conf)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), NotSet> {
        let text = |text| c_string(text).map_err(|why| NotSet::Value(why.0));
        let (name, setting) = (text(key)?, text(value)?);
        let mut why = [0_u8; 512];
        // SAFETY: the configuration lives, the strings end in zero, and `why` has that length.
        let result = unsafe {
            sys::rd_kafka_conf_set(
                self.0.as_ptr(),
                name.as_ptr(),
                setting.as_ptr(),
                why.as_mut_ptr().cast::<c_char>(),
                why.len(),
            )
        };
        match result {
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => Err(NotSet::Unknown),
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => Err(NotSet::Value(until_zero(&why))),
        }
    }

    /// Makes an instance of it.
    fn start(self, kind: ClientType) -> Result<NonNull<sys::rd_kafka_t>, Refused> {
        let type_ = match kind {
            ClientType::Producer => sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            ClientType::Consumer => sys::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let mut why = [0_u8; 512];
        // SAFETY: the configuration is alive and ours; `rd_kafka_new` takes it over only when it
        // succeeds, and `why` has that length.
        let rk = unsafe {
            sys::rd_kafka_new(type_, self.0.as_ptr(), why.as_mut_ptr().cast::<c_char>(), why.len())
        };
        let rk = NonNull::new(rk).ok_or_else(|| Refused(until_zero(&why)))?;
        std::mem::forget(self);
        Ok(rk)
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: not taken over by an instance (that forgets this value).
        unsafe { sys::rd_kafka_conf_destroy(self.0.as_ptr()) };
    }
}

fn until_zero(bytes: &[u8]) -> String {
    let text = bytes.split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
