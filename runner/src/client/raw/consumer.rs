//! Functions of consumers only.

use std::time::Duration;

use rdkafka_sys as sys;

use super::{
    Code, Kafka, Refused, TopicPosition, c_string,
    list::{List, places},
    millis, text,
};

/// An error of librdkafka or Kafka.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Asked {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{0}")]
    Code(Code),
}

impl From<Code> for Asked {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

impl Kafka<'_> {
    pub(crate) fn subscribe(&self, topics: &[String]) -> Result<(), Asked> {
        let topics: Vec<_> = topics.iter().map(|t| TopicPosition::new(t, -1, 0)).collect();
        let list = List::new(&topics)?;
        // SAFETY: instance and list live; the list is copied.
        Ok(Code::check(unsafe { sys::rd_kafka_subscribe(self.ptr(), list.ptr()) })?)
    }

    /// Whether partitions are assigned incrementally (cooperative), not all at once.
    pub(crate) fn cooperative(&self) -> bool {
        // SAFETY: the instance lives; the answer is a static string.
        unsafe { text(sys::rd_kafka_rebalance_protocol(self.ptr())) == "COOPERATIVE" }
    }

    /// Reads from these partitions and offsets, and no others.
    pub(crate) fn assign(&self, partitions: &[TopicPosition]) -> Result<(), Asked> {
        let list = List::new(partitions)?;
        // SAFETY: instance and list live; the list is copied.
        Ok(Code::check(unsafe { sys::rd_kafka_assign(self.ptr(), list.ptr()) })?)
    }

    /// Reads from these too.
    pub(crate) fn assign_more(&self, partitions: &[TopicPosition]) -> Result<(), Asked> {
        let list = List::new(partitions)?;
        // SAFETY: as above; the error is ours.
        unsafe { taken(sys::rd_kafka_incremental_assign(self.ptr(), list.ptr())) }
    }

    /// Reads no longer from these.
    pub(crate) fn unassign(&self, partitions: &[TopicPosition]) -> Result<(), Asked> {
        let list = List::new(partitions)?;
        // SAFETY: as above; the error is ours.
        unsafe { taken(sys::rd_kafka_incremental_unassign(self.ptr(), list.ptr())) }
    }

    /// Reads no longer from anything.
    pub(crate) fn unassign_all(&self) -> Result<(), Asked> {
        // SAFETY: the instance lives; a null list means none.
        Ok(Code::check(unsafe { sys::rd_kafka_assign(self.ptr(), std::ptr::null()) })?)
    }

    /// The group considered the member dead: its partitions may already be assigned to others.
    pub(crate) fn assignment_lost(&self) -> bool {
        // SAFETY: the instance lives.
        unsafe { sys::rd_kafka_assignment_lost(self.ptr()) != 0 }
    }

    /// The group's generation, as far as the member knows it; −1 in none.
    pub(crate) fn generation(&self) -> i32 {
        // SAFETY: the instance lives; the metadata is ours and destroyed here.
        unsafe {
            let metadata = sys::rd_kafka_consumer_group_metadata(self.ptr());
            if metadata.is_null() {
                return -1;
            }
            let generation = sys::rd_kafka_consumer_group_metadata_generation_id(metadata);
            sys::rd_kafka_consumer_group_metadata_destroy(metadata);
            generation
        }
    }

    /// The group's committed offsets; negative where there is none.
    pub(crate) fn committed(
        &self,
        partitions: &[TopicPosition],
        limit: Duration,
    ) -> Result<Vec<TopicPosition>, Asked> {
        let list = List::new(partitions)?;
        // SAFETY: instance and list live.
        let err = unsafe { sys::rd_kafka_committed(self.ptr(), list.ptr(), millis(limit)) };
        Code::check(err)?;
        Ok(list.places())
    }

    /// The log's start and end as this consumer's isolation level sees it.
    pub(crate) fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        limit: Duration,
    ) -> Result<(i64, i64), Asked> {
        let topic = c_string(topic)?;
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the instance lives, the name ends in zero.
        Code::check(unsafe {
            sys::rd_kafka_query_watermark_offsets(
                self.ptr(),
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
                millis(limit),
            )
        })?;
        Ok((low, high))
    }

    /// How many partitions a topic has; 0 if there is no such topic.
    pub(crate) fn partitions(&self, topic: &str, limit: Duration) -> Result<u32, Asked> {
        let mut answer = std::ptr::null();
        // SAFETY: the instance lives; on success the answer is ours until it is destroyed, and it contains as many
        // topics as it says, each with its name.
        unsafe {
            let none = std::ptr::null_mut();
            let limit = millis(limit);
            Code::check(sys::rd_kafka_metadata(self.ptr(), 1, none, &raw mut answer, limit))?;
            let count = usize::try_from((*answer).topic_cnt).unwrap_or_default();
            let mut topics = (0..count).map(|at| &*(*answer).topics.add(at));
            let found = topics.find(|one| text(one.topic) == topic);
            let partitions = found.and_then(|one| u32::try_from(one.partition_cnt).ok());
            sys::rd_kafka_metadata_destroy(answer);
            Ok(partitions.unwrap_or_default())
        }
    }

    /// Marks these positions as done: the next commit commits them.
    pub(crate) fn store_offsets(&self, positions: &[TopicPosition]) -> Result<(), Asked> {
        let list = List::new(positions)?;
        // SAFETY: instance and list live.
        Ok(Code::check(unsafe { sys::rd_kafka_offsets_store(self.ptr(), list.ptr()) })?)
    }

    /// Commits these positions and waits for the answer.
    pub(crate) fn commit(&self, positions: &[TopicPosition]) -> Result<Vec<TopicPosition>, Asked> {
        let list = List::new(positions)?;
        // SAFETY: instance and list live; librdkafka copies the list and writes nothing into it.
        Code::check(unsafe { sys::rd_kafka_commit(self.ptr(), list.ptr(), 0) })?;
        // SAFETY: the list lives.
        Ok(unsafe { places(list.ptr()) })
    }

    /// Commits what is stored, if librdkafka commits, and leaves the group.
    pub(crate) fn close(&self) -> Result<(), Code> {
        // SAFETY: the instance lives.
        Code::check(unsafe { sys::rd_kafka_consumer_close(self.ptr()) })
    }
}

/// # Safety
/// `error` is null or an error that nothing else owns.
unsafe fn taken(error: *mut sys::rd_kafka_error_t) -> Result<(), Asked> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the caller's promise; this is its last use.
    let code = unsafe {
        let code = Code::of(sys::rd_kafka_error_code(error));
        sys::rd_kafka_error_destroy(error);
        code
    };
    Err(Asked::Code(code))
}
