//! Messages taken from the queue of a group's member, and what a message is.

use std::{ffi::c_void, ptr::NonNull, time::Duration};

use rdkafka_sys as sys;

use super::{Code, Kafka, millis, text};
use crate::identity::MessageParts;

/// # Safety
/// `pointer` is null or the start of `length` bytes that live as long as the result is used.
pub(super) unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Option<&'a [u8]> {
    let pointer = NonNull::new(pointer.cast_mut().cast::<u8>())?;
    // SAFETY: the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(pointer.as_ptr(), length) })
}

/// The queue of a group's member, and the message taken from it last.
///
/// Messages are taken one by one. `rd_kafka_consume_batch_queue` counts an end of partition as a message: the
/// position of the application is one too far then, and an incremental rebalance, which pauses and resumes what
/// stays, goes on behind a message that was delivered to no client. And while a batch is held, a rebalance of the same
/// call can revoke a partition and assign it again: the batch's messages of it come a second time.
pub(crate) struct GroupQueue<'a> {
    queue: NonNull<sys::rd_kafka_queue_t>,
    last: Option<NonNull<sys::rd_kafka_message_t>>,
    _kafka: &'a Kafka<'static>,
}

impl<'a> GroupQueue<'a> {
    /// The queue of a group's member; none if the instance has no group.
    pub(crate) fn of(kafka: &'a Kafka<'static>) -> Option<Self> {
        // SAFETY: the instance lives as long as this value.
        let queue = NonNull::new(unsafe { sys::rd_kafka_queue_get_consumer(kafka.ptr()) })?;
        Some(Self { queue, last: None, _kafka: kafka })
    }

    /// The next message; waits at most `limit`. Callbacks are called meanwhile. The previous message is
    /// destroyed.
    pub(crate) fn next(&mut self, limit: Duration) -> Option<Message<'_>> {
        self.clear();
        // SAFETY: the queue lives; the message is ours until it is destroyed, by the next call or at the end,
        // and is lent no longer than until then.
        unsafe {
            let next = sys::rd_kafka_consume_queue(self.queue.as_ptr(), millis(limit));
            self.last = Some(NonNull::new(next)?);
            next.as_ref().map(Message)
        }
    }

    fn clear(&mut self) {
        if let Some(message) = self.last.take() {
            // SAFETY: ours, and the last use.
            unsafe { sys::rd_kafka_message_destroy(message.as_ptr()) };
        }
    }
}

impl Drop for GroupQueue<'_> {
    fn drop(&mut self) {
        self.clear();
        // SAFETY: the reference taken in `of`.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// A message, an end of partition, or an error of a partition.
#[derive(Clone, Copy)]
pub(crate) struct Message<'a>(&'a sys::rd_kafka_message_t);

impl<'a> Message<'a> {
    pub(super) fn of(message: &'a sys::rd_kafka_message_t) -> Self {
        Self(message)
    }

    pub(crate) fn error(&self) -> Option<Code> {
        Code::check(self.0.err).err()
    }

    /// The same number for the same topic while the instance lives.
    pub(crate) fn topic_key(&self) -> usize {
        self.0.rkt.addr()
    }

    /// Empty for an error that belongs to no topic.
    pub(crate) fn topic(&self) -> &'a str {
        if self.0.rkt.is_null() {
            return "";
        }
        // SAFETY: the message keeps its topic alive, whose name is a C string.
        unsafe { text(sys::rd_kafka_topic_name(self.0.rkt)) }
    }

    pub(crate) fn partition(&self) -> i32 {
        self.0.partition
    }

    /// At an end of partition: the position.
    pub(crate) fn offset(&self) -> i64 {
        self.0.offset
    }

    pub(crate) fn value(&self) -> Option<&'a [u8]> {
        // SAFETY: the message lives as long as its queue lends it.
        unsafe { bytes(self.0.payload, self.0.len) }
    }

    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: as above.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    /// Its parts; the headers are only read if they are asked for.
    pub(crate) fn parts(&self) -> MessageParts<'a, impl Iterator<Item = &'a [u8]> + use<'a>> {
        let message = self.0;
        let (mut headers, mut begun, mut at) = (std::ptr::null_mut(), false, 0);
        let next = move || {
            // SAFETY: the message lives as long as its queue lends it, and keeps its headers and their values as
            // long; the pointers are written during the calls.
            unsafe {
                if !std::mem::replace(&mut begun, true) {
                    Code::check(sys::rd_kafka_message_headers(message, &raw mut headers)).ok()?;
                }
                let headers = NonNull::new(headers)?.as_ptr();
                let (mut name, mut value, mut size) = (std::ptr::null(), std::ptr::null(), 0);
                let (name, of, size_of) = (&raw mut name, &raw mut value, &raw mut size);
                let found = sys::rd_kafka_header_get_all(headers, at, name, of, size_of);
                Code::check(found).ok()?;
                at += 1;
                Some(bytes(value, size).unwrap_or_default())
            }
        };
        let headers = std::iter::from_fn(next);
        MessageParts { key: self.key(), value: self.value(), headers }
    }

    /// When its producer created it, milliseconds of the wall clock; none if the broker replaced the timestamp, or
    /// there is none.
    pub(crate) fn created_ms(&self) -> Option<i64> {
        self.timestamp_ms(sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME)
    }

    /// When the broker appended it, milliseconds of the broker's wall clock; none if the topic keeps the timestamps of
    /// producers.
    pub(crate) fn appended_ms(&self) -> Option<i64> {
        self.timestamp_ms(sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME)
    }

    fn timestamp_ms(&self, meant: sys::rd_kafka_timestamp_type_t) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message lives as long as its queue lends it, and `kind` is written during the call.
        let at = unsafe { sys::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        (kind == meant && at >= 0).then_some(at)
    }

    /// An error's words.
    pub(crate) fn words(&self) -> &'a str {
        // SAFETY: as above; librdkafka answers with the payload or a static string.
        unsafe { text(sys::rd_kafka_message_errstr(self.0)) }
    }
}
