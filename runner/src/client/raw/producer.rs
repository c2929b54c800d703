//! Functions of producers only.

use std::{
    ffi::{CString, c_void},
    ptr::NonNull,
    time::Duration,
};

use rdkafka_sys as sys;

use super::{Code, Instance, Kafka, Refused, TopicPosition, c_string, list::List, millis, text};

/// A topic to produce to.
pub(crate) struct Topic<'a> {
    rkt: NonNull<sys::rd_kafka_topic_t>,
    kafka: &'a Instance,
}

/// A header that messages are sent with.
pub(crate) struct Header {
    name: CString,
    value: Vec<u8>,
}

impl Header {
    /// A header whose value is still to be written.
    pub(crate) fn new(name: &str) -> Result<Self, Refused> {
        Ok(Self { name: c_string(name)?, value: Vec::new() })
    }

    /// Its value, to be written.
    pub(crate) fn value(&mut self) -> &mut Vec<u8> {
        &mut self.value
    }

    fn argument(&self) -> sys::rd_kafka_vu_t {
        let header = sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
            name: self.name.as_ptr(),
            val: self.value.as_ptr().cast::<c_void>(),
            size: self.value.len().cast_signed(),
        };
        argument(sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADER, Union { header })
    }
}

type Union = sys::rd_kafka_vu_s__bindgen_ty_1;

fn argument(vtype: sys::rd_kafka_vtype_t, u: Union) -> sys::rd_kafka_vu_t {
    sys::rd_kafka_vu_t { vtype, u }
}

fn bytes(of: &[u8]) -> Union {
    let ptr = of.as_ptr().cast_mut().cast::<c_void>();
    Union { mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 { ptr, size: of.len() } }
}

impl Topic<'_> {
    /// Hands a message over; value, key and headers are copied. Without a value it is a tombstone. `opaque` comes back with its report. `time_ms`: the
    /// message's timestamp, milliseconds of the wall clock; none for now.
    pub(crate) fn produce(
        &self,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        (headers, time_ms): (&[Header], Option<i64>),
        opaque: usize,
    ) -> Result<(), Code> {
        if !headers.is_empty() || time_ms.is_some() {
            return self.produce_with(partition, key, value, (headers, time_ms), opaque);
        }
        let raw = |of: Option<&[u8]>| of.map_or((std::ptr::null(), 0), |b| (b.as_ptr(), b.len()));
        let ((key, key_len), (value, value_len)) = (raw(key), raw(value));
        // SAFETY: the topic lives; librdkafka only reads value and key during the call (F_COPY),
        // and passes the opaque on without looking at it.
        let result = unsafe {
            sys::rd_kafka_produce(
                self.rkt.as_ptr(),
                partition,
                sys::RD_KAFKA_MSG_F_COPY,
                value.cast_mut().cast::<c_void>(),
                value_len,
                key.cast::<c_void>(),
                key_len,
                std::ptr::without_provenance_mut(opaque),
            )
        };
        if result == 0 {
            return Ok(());
        }
        // SAFETY: the error of this thread's last call.
        Err(Code::of(unsafe { sys::rd_kafka_last_error() }))
    }
}

impl Topic<'_> {
    /// The same by the call that takes headers and timestamps, which costs more.
    fn produce_with(
        &self,
        partition: i32,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        (headers, time_ms): (&[Header], Option<i64>),
        opaque: usize,
    ) -> Result<(), Code> {
        use sys::rd_kafka_vtype_t::*;
        let ptr = std::ptr::without_provenance_mut(opaque);
        let mut arguments = vec![
            argument(RD_KAFKA_VTYPE_RKT, Union { rkt: self.rkt.as_ptr() }),
            argument(RD_KAFKA_VTYPE_PARTITION, Union { i32_: partition }),
            argument(RD_KAFKA_VTYPE_MSGFLAGS, Union { i: sys::RD_KAFKA_MSG_F_COPY }),
            argument(RD_KAFKA_VTYPE_OPAQUE, Union { ptr }),
        ];
        arguments.extend(value.map(|value| argument(RD_KAFKA_VTYPE_VALUE, bytes(value))));
        arguments.extend(key.map(|key| argument(RD_KAFKA_VTYPE_KEY, bytes(key))));
        arguments.extend(time_ms.map(|i64_| argument(RD_KAFKA_VTYPE_TIMESTAMP, Union { i64_ })));
        arguments.extend(headers.iter().map(Header::argument));
        // SAFETY: instance and topic live; what the arguments point to is read during the call only
        // (F_COPY, headers are copied always); the error is ours and destroyed here.
        unsafe {
            let rk = self.kafka.ptr();
            let error = sys::rd_kafka_produceva(rk, arguments.as_ptr(), arguments.len());
            if error.is_null() {
                return Ok(());
            }
            let code = Code::of(sys::rd_kafka_error_code(error));
            sys::rd_kafka_error_destroy(error);
            Err(code)
        }
    }
}

impl Drop for Topic<'_> {
    fn drop(&mut self) {
        // SAFETY: ours, and the last use.
        unsafe { sys::rd_kafka_topic_destroy(self.rkt.as_ptr()) };
    }
}

/// Why a transaction's step failed.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {words}")]
pub(crate) struct TxnError {
    pub code: Code,
    pub words: String,
    /// The same call may be repeated.
    pub retriable: bool,
    /// The transaction must be aborted, then one can go on.
    pub must_abort: bool,
    /// The producer cannot go on.
    pub fatal: bool,
}

impl Instance {
    pub(crate) fn topic(&self, name: &str) -> Result<Topic<'_>, Refused> {
        let c_name = c_string(name)?;
        // SAFETY: the instance lives as long as the topic; a null configuration is the default.
        let rkt =
            unsafe { sys::rd_kafka_topic_new(self.ptr(), c_name.as_ptr(), std::ptr::null_mut()) };
        let rkt = NonNull::new(rkt).ok_or_else(|| Refused(format!("no topic {name:?}")))?;
        Ok(Topic { rkt, kafka: self })
    }
}

impl Kafka<'_> {
    pub(crate) fn init_transactions(&self, limit: Duration) -> Result<(), TxnError> {
        // SAFETY: the instance lives; the error is ours.
        unsafe { taken(sys::rd_kafka_init_transactions(self.ptr(), millis(limit))) }
    }

    pub(crate) fn begin_transaction(&self) -> Result<(), TxnError> {
        // SAFETY: as above.
        unsafe { taken(sys::rd_kafka_begin_transaction(self.ptr())) }
    }

    /// Adds a group's positions to the transaction: they are committed with it or not at all, and only
    /// while the consumer is a member of its group as it knows it.
    pub(crate) fn send_offsets(
        &self,
        consumer: &Kafka<'_>,
        positions: &[TopicPosition],
        limit: Duration,
    ) -> Result<(), TxnError> {
        let refused = |words: String| TxnError {
            code: Code::FATAL,
            words,
            retriable: false,
            must_abort: false,
            fatal: true,
        };
        let list = List::new(positions).map_err(|e| refused(e.to_string()))?;
        // SAFETY: both instances and the list live; the metadata is ours and destroyed here, the error
        // is ours.
        unsafe {
            let group = sys::rd_kafka_consumer_group_metadata(consumer.ptr());
            if group.is_null() {
                return Err(refused("the consumer is not in a group".to_owned()));
            }
            let error = sys::rd_kafka_send_offsets_to_transaction(
                self.ptr(),
                list.ptr(),
                group,
                millis(limit),
            );
            sys::rd_kafka_consumer_group_metadata_destroy(group);
            taken(error)
        }
    }

    /// Flushes and commits; reports come meanwhile.
    pub(crate) fn commit_transaction(&self, limit: Duration) -> Result<(), TxnError> {
        // SAFETY: as above.
        unsafe { taken(sys::rd_kafka_commit_transaction(self.ptr(), millis(limit))) }
    }

    /// Purges and aborts; reports come meanwhile.
    pub(crate) fn abort_transaction(&self, limit: Duration) -> Result<(), TxnError> {
        // SAFETY: as above.
        unsafe { taken(sys::rd_kafka_abort_transaction(self.ptr(), millis(limit))) }
    }
}

/// # Safety
/// `error` is null or an error that nothing else owns.
unsafe fn taken(error: *mut sys::rd_kafka_error_t) -> Result<(), TxnError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise; the words are copied, and this is the last use.
    unsafe {
        let taken = TxnError {
            code: Code::of(sys::rd_kafka_error_code(error)),
            words: text(sys::rd_kafka_error_string(error)).to_owned(),
            retriable: sys::rd_kafka_error_is_retriable(error) != 0,
            must_abort: sys::rd_kafka_error_txn_requires_abort(error) != 0,
            fatal: sys::rd_kafka_error_is_fatal(error) != 0,
        };
        sys::rd_kafka_error_destroy(error);
        Err(taken)
    }
}
