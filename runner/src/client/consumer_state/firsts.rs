//! Which deliveries are the first: repeated deliveries to a group have no latency of their own.

use std::sync::atomic::Ordering;

use crate::{
    client::spec::Common,
    history::{HistoryError, Words},
};

/// The most partitions of a topic that are tracked; deliveries of others always count as first.
const PARTITIONS: usize = 4_096;

/// How far a topic was delivered to a group, for all its members and their lives: by partition the next offset, and
/// the intended send time of the newest message.
pub(super) struct Firsts(Words);

impl Firsts {
    pub(super) fn open(common: &Common, group: &str, topic: &str) -> Result<Self, HistoryError> {
        Words::open(&common.firsts_path(group, topic), 2 * PARTITIONS).map(Self)
    }

    /// Takes in a delivery; false if that message was delivered to the group before. At an offset that was passed,
    /// a message that is newer than all before is another one: the log was truncated there, or the topic created
    /// again.
    pub(super) fn is_first(&self, partition: u32, offset: i64, intended_us: i64) -> bool {
        let at = 2 * partition as usize;
        let (Some(next), Some(newest)) = (self.0.get().get(at), self.0.get().get(at + 1)) else {
            return true;
        };
        let (offset, intended_us) =
            (offset.max(0).unsigned_abs(), intended_us.max(0).unsigned_abs());
        let passed = next.fetch_max(offset + 1, Ordering::AcqRel) > offset;
        let older = newest.fetch_max(intended_us, Ordering::AcqRel) >= intended_us;
        !(passed && older)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(dir: &std::path::Path) -> Common {
        std::fs::create_dir_all(dir.join("history")).expect("a directory");
        serde_json::from_value(serde_json::json!({ "run": "r", "name": "C", "client_id": 1,
            "member": 1, "life": 1, "bootstrap": "", "dir": dir, "config": {} }))
        .expect("a client")
    }

    #[test]
    fn what_a_group_is_given_again_is_not_the_first_whichever_member_has_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let common = common(dir.path());
        let open = |group| Firsts::open(&common, group, "orders").expect("a file");
        let (one, two) = (open("g"), open("g"));
        assert!(one.is_first(0, 0, 100) && one.is_first(0, 1, 200));
        assert!(!two.is_first(0, 0, 100) && !two.is_first(0, 1, 200), "another member or life");
        assert!(two.is_first(0, 2, 150), "of another producer, and new");
        assert!(one.is_first(1, 0, 100) && open("other").is_first(0, 0, 100));
        assert!(one.is_first(0, 1, 300), "the log was cut off, and this is written there now");
        assert!(one.is_first(PARTITIONS as u32, 0, 1) && one.is_first(PARTITIONS as u32, 0, 1));
    }
}
