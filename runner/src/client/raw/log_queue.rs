//! Partitions read without a group: nothing is looked up, joined or committed.

use std::{ffi::c_void, ptr::NonNull, time::Duration};

use rdkafka_sys as sys;

use super::{Code, Instance, Message, Refused, c_string, millis};

/// A queue into which partitions are read.
pub(crate) struct LogQueue<'a> {
    queue: NonNull<sys::rd_kafka_queue_t>,
    kafka: &'a Instance,
    topics: Vec<(String, NonNull<sys::rd_kafka_topic_t>)>,
    started: Vec<(usize, i32)>,
}

impl<'a> LogQueue<'a> {
    pub(crate) fn new(kafka: &'a Instance) -> Result<Self, Refused> {
        // SAFETY: the instance lives as long as this value.
        let queue = NonNull::new(unsafe { sys::rd_kafka_queue_new(kafka.ptr()) });
        let queue = queue.ok_or_else(|| Refused("no memory".into()))?;
        Ok(Self { queue, kafka, topics: Vec::new(), started: Vec::new() })
    }

    /// Begins to read a partition; answers with [`super::Message::topic_key`] of its messages.
    pub(crate) fn start(
        &mut self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<usize, Refused> {
        let rkt = self.topic(topic)?;
        // SAFETY: topic and queue live until this value is dropped, which stops the reading first.
        let started = unsafe {
            sys::rd_kafka_consume_start_queue(rkt.as_ptr(), partition, offset, self.queue.as_ptr())
        };
        if started != 0 {
            // SAFETY: the error of this thread's last call.
            let code = Code::of(unsafe { sys::rd_kafka_last_error() });
            return Err(Refused(format!("{topic}/{partition} cannot be read: {code}")));
        }
        let key = rkt.as_ptr().addr();
        self.started.push((key, partition));
        Ok(key)
    }

    /// Ends the reading of a partition.
    pub(crate) fn stop(&mut self, place: (usize, i32)) {
        let Some(at) = self.started.iter().position(|s| *s == place) else { return };
        self.started.swap_remove(at);
        if let Some((_, rkt)) = self.topics.iter().find(|t| t.1.as_ptr().addr() == place.0) {
            // SAFETY: the topic lives, and this partition was started once. An error would say that
            // it is not being read, which is what is wanted.
            let _ = unsafe { sys::rd_kafka_consume_stop(rkt.as_ptr(), place.1) };
        }
    }

    /// Waits at most `limit` for the first message, and passes all messages by then to `each`. The queue
    /// is emptied under one lock; what groups need takes the lock for each message.
    pub(crate) fn serve<F: FnMut(&Message<'_>)>(&self, limit: Duration, mut each: F) {
        // SAFETY: the queue lives, and librdkafka calls back on this thread before it returns, with
        // `each` as it was lent here.
        unsafe {
            sys::rd_kafka_consume_callback_queue(
                self.queue.as_ptr(),
                millis(limit),
                Some(show::<F>),
                (&raw mut each).cast::<c_void>(),
            );
        }
    }

    fn topic(&mut self, name: &str) -> Result<NonNull<sys::rd_kafka_topic_t>, Refused> {
        if let Some((_, rkt)) = self.topics.iter().find(|t| t.0 == name) {
            return Ok(*rkt);
        }
        let c_name = c_string(name)?;
        // SAFETY: the instance lives; a null configuration is the default.
        let rkt = unsafe {
            sys::rd_kafka_topic_new(self.kafka.ptr(), c_name.as_ptr(), std::ptr::null_mut())
        };
        let rkt = NonNull::new(rkt).ok_or_else(|| Refused(format!("no topic {name:?}")))?;
        self.topics.push((name.to_owned(), rkt));
        Ok(rkt)
    }
}

/// What librdkafka calls for each message.
unsafe extern "C" fn show<F: FnMut(&Message<'_>)>(
    message: *mut sys::rd_kafka_message_t,
    each: *mut c_void,
) {
    // SAFETY: the message lives for this call, and `each` is what `serve` was given.
    unsafe { (*each.cast::<F>())(&Message::of(&*message)) }
}

impl Drop for LogQueue<'_> {
    fn drop(&mut self) {
        while let Some(place) = self.started.last().copied() {
            self.stop(place);
        }
        for (_, rkt) in self.topics.drain(..) {
            // SAFETY: ours, and the last use.
            unsafe { sys::rd_kafka_topic_destroy(rkt.as_ptr()) };
        }
        // SAFETY: ours, and the last use.
        unsafe { sys::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}
