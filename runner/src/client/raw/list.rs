//! Lists of topic partitions.

use std::ptr::NonNull;

use rdkafka_sys as sys;

use super::{Code, Refused, c_string, text};

/// A partition with an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicPosition {
    pub topic: String,
    pub partition: i32,
    /// Negative where librdkafka says that there is none.
    pub offset: i64,
    pub error: Option<Code>,
}

impl TopicPosition {
    pub(crate) fn new(topic: &str, partition: i32, offset: i64) -> Self {
        Self { topic: topic.to_owned(), partition, offset, error: None }
    }
}

/// A list of librdkafka's, owned.
pub(super) struct List(NonNull<sys::rd_kafka_topic_partition_list_t>);

impl List {
    pub(super) fn new(places: &[TopicPosition]) -> Result<Self, Refused> {
        // SAFETY: a fresh list; it grows as it needs.
        let list = unsafe { sys::rd_kafka_topic_partition_list_new(places.len() as i32) };
        let list = Self(NonNull::new(list).ok_or_else(|| Refused("no memory".into()))?);
        for place in places {
            let topic = c_string(&place.topic)?;
            // SAFETY: the list lives and copies the name; the new entry is ours to fill in until
            // the next one is added.
            unsafe {
                let entry = sys::rd_kafka_topic_partition_list_add(
                    list.ptr(),
                    topic.as_ptr(),
                    place.partition,
                );
                if let Some(entry) = entry.as_mut() {
                    entry.offset = place.offset;
                }
            }
        }
        Ok(list)
    }

    pub(super) fn ptr(&self) -> *mut sys::rd_kafka_topic_partition_list_t {
        self.0.as_ptr()
    }

    pub(super) fn places(&self) -> Vec<TopicPosition> {
        // SAFETY: the list lives.
        unsafe { places(self.ptr()) }
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // SAFETY: ours, and the last use.
        unsafe { sys::rd_kafka_topic_partition_list_destroy(self.ptr()) };
    }
}

/// A copy of a list.
///
/// # Safety
/// `list` is null or a list that lives during the call.
pub(super) unsafe fn places(
    list: *const sys::rd_kafka_topic_partition_list_t,
) -> Vec<TopicPosition> {
    // SAFETY: the caller's promise; `elems` holds `cnt` entries with C strings.
    unsafe {
        let Some(list) = list.as_ref() else { return Vec::new() };
        let count = usize::try_from(list.cnt).unwrap_or(0);
        (0..count)
            .map(|i| &*list.elems.add(i))
            .map(|e| TopicPosition {
                topic: text(e.topic).to_owned(),
                partition: e.partition,
                offset: e.offset,
                error: Code::check(e.err).err(),
            })
            .collect()
    }
}
