//! Where librdkafka's connections go: it asks for every address that it is to connect to, and a
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
        // librdkafka tries again later: somebody may advertise it by then.
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

/// A client of the `rdkafka` crate whose connections go where a [`Router`] says, if there is one.
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
