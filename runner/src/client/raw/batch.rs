//! Messages taken from a consumer's queue, many at once.

use std::{ffi::c_void, ptr::NonNull, time::Duration};

use rdkafka_sys as sys;

use super::{Code, Kafka, millis, text};

/// Messages that one call takes at most.
const ROOM: usize = 2048;

/// # Safety
/// `pointer` is null or the start of `length` bytes that live as long as the result is used.
pub(super) unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Option<&'a [u8]> {
    let pointer = NonNull::new(pointer.cast_mut().cast::<u8>())?;
    // SAFETY: the caller's promise.
    Some(unsafe { std::slice::from_raw_parts(pointer.as_ptr(), length) })
}

/// A consumer's queue and the messages taken from it last.
pub(crate) struct Batch<'a> {
    queue: NonNull<sys::rd_kafka_queue_t>,
    messages: Vec<*mut sys::rd_kafka_message_t>,
    _kafka: &'a Kafka<'static>,
}

impl<'a> Batch<'a> {
    /// The queue of a group's member; none if the instance has no group.
    pub(crate) fn of(kafka: &'a Kafka<'static>) -> Option<Self> {
        // SAFETY: the instance lives as long as this value.
        let queue = NonNull::new(unsafe { sys::rd_kafka_queue_get_consumer(kafka.ptr()) })?;
        Some(Self { queue, messages: Vec::with_capacity(ROOM), _kafka: kafka })
    }

    /// Waits for the first message at most so long, then takes what else is there. Callbacks are
    /// called meanwhile. The messages of the last call end their lives.
    pub(crate) fn fill(&mut self, limit: Duration) -> usize {
        self.clear();
        // SAFETY: the queue lives. The batch call writes at most the spare capacity, and answers how
        // many it wrote; each message is ours until it is destroyed.
        unsafe {
            // The batch call alone would wait its whole limit for a full batch.
            let first = sys::rd_kafka_consume_queue(self.queue.as_ptr(), millis(limit));
            if first.is_null() {
                return 0;
            }
            self.messages.push(first);
            let spare = self.messages.spare_capacity_mut();
            let taken = sys::rd_kafka_consume_batch_queue(
                self.queue.as_ptr(),
                0,
                spare.as_mut_ptr().cast::<*mut sys::rd_kafka_message_t>(),
                spare.len(),
            );
            self.messages.set_len(1 + usize::try_from(taken).unwrap_or(0));
        }
        self.messages.len()
    }

    /// The messages taken last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        // SAFETY: every pointer is a message that lives until `clear`.
        self.messages.iter().map(|m| Message(unsafe { &**m }))
    }

    fn clear(&mut self) {
        for message in self.messages.drain(..) {
            // SAFETY: ours, and the last use.
            unsafe { sys::rd_kafka_message_destroy(message) };
        }
    }
}

impl Drop for Batch<'_> {
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
        // SAFETY: the message lives as long as the batch lends it.
        unsafe { bytes(self.0.payload, self.0.len) }
    }

    pub(crate) fn key(&self) -> Option<&'a [u8]> {
        // SAFETY: as above.
        unsafe { bytes(self.0.key, self.0.key_len) }
    }

    /// An error's words.
    pub(crate) fn words(&self) -> &'a str {
        // SAFETY: as above; librdkafka answers with the payload or a static string.
        unsafe { text(sys::rd_kafka_message_errstr(self.0)) }
    }
}
