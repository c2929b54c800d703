//! The leader of the quorum (KRaft), and whether a majority of the voters still follows it.
//!
//! A leader that is cut off from the others goes on claiming to be the leader for seconds, even after
//! they have elected another. From DescribeQuorum v1 on it also reports when each voter last fetched
//! from it, by its own clock: that shows whether it still has a majority, whatever clock it has.

use kafka_protocol::messages::describe_quorum_response::{PartitionData, ReplicaState};

/// A leader from which a majority fetched within this time is believed: Kafka's voters start
/// an election when they could not fetch for 2 s (controller.quorum.fetch.timeout.ms).
const BACKED_MS: i64 = 2000;
/// The leader delays the answer to a fetch by up to this time, until there is something new (a constant of
/// Kafka's), and stamps it again when it answers: the stamp may be this much later than the fetch.
const HELD_BACK_MS: i64 = 500;

/// An answer to DescribeQuorum (KIP-595), which only the active controller gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuorumWord {
    /// The quorum's epoch: the newer one counts.
    pub epoch: i32,
    /// Its leader: the active controller.
    pub leader: u32,
    /// Whether a majority of the voters fetched from it recently; none if that is not reported (before
    /// Kafka 3.3).
    pub backed: Option<bool>,
}

/// An answer, and how old its proof was when it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct QuorumAnswer {
    pub(super) word: QuorumWord,
    /// How long before the answer a majority had certainly fetched from the leader.
    pub(super) proof_ms: i64,
}

/// A partition's part of the answer; none if it names no leader.
pub(super) fn read(answer: &PartitionData) -> Option<QuorumAnswer> {
    let leader = u32::try_from(answer.leader_id.0).ok()?;
    let age = majority_age(leader, &answer.current_voters);
    // The leader's own stamp is the present time.
    let alone = answer.current_voters.len() == 1;
    let held_back = if alone || age.is_none() { 0 } else { HELD_BACK_MS };
    let backed = age.map(|age| age.is_some_and(|age| age <= BACKED_MS));
    let proof_ms = age.flatten().unwrap_or(0).saturating_add(held_back);
    Some(QuorumAnswer { word: QuorumWord { epoch: answer.leader_epoch, leader, backed }, proof_ms })
}

/// How long ago, by the leader's clock, the last of the quickest majority (the leader is one of them)
/// fetched. None if the answer has no stamps; none inside if a majority never fetched.
#[allow(clippy::option_option, reason = "not reported and never are two answers")]
fn majority_age(leader: u32, voters: &[ReplicaState]) -> Option<Option<i64>> {
    let is_leader = |v: &&ReplicaState| u32::try_from(v.replica_id.0) == Ok(leader);
    let now = voters.iter().find(is_leader)?.last_fetch_timestamp;
    if now < 0 {
        return None;
    }
    let mut ages: Vec<i64> = voters
        .iter()
        .filter(|v| v.last_fetch_timestamp >= 0)
        .map(|v| now.saturating_sub(v.last_fetch_timestamp).max(0))
        .collect();
    ages.sort_unstable();
    Some(ages.get(voters.len() / 2).copied())
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::BrokerId;

    use super::*;

    /// The leader is 1; when each voter fetched last, by its clock, −1 for never.
    fn reported(stamps: &[i64]) -> QuorumAnswer {
        let voters = stamps.iter().zip(1..).map(|(at, id)| {
            ReplicaState::default().with_replica_id(BrokerId(id)).with_last_fetch_timestamp(*at)
        });
        let answer = PartitionData::default()
            .with_leader_id(BrokerId(1))
            .with_leader_epoch(7)
            .with_current_voters(voters.collect());
        read(&answer).expect("it names a leader")
    }

    #[test]
    fn a_leader_is_backed_while_a_majority_fetches_from_it() {
        let now = 1_000_000;
        for (stamps, backed, proof_ms) in [
            (&[now][..], Some(true), 0),
            (&[now, now - 300], Some(true), 800),
            (&[now, now - 2001], Some(false), 2501),
            (&[now, now - 300, now - 90_000], Some(true), 800),
            (&[now, -1, now - 2000], Some(true), 2500),
            (&[now, now - 2001, now - 3000], Some(false), 2501),
            (&[now, -1, -1], Some(false), 500),
            (&[now, now - 10, -1, -1], Some(false), 500),
            (&[now, now - 10, now - 400, -1, -1], Some(true), 900),
            // A clock that was set back between two stamps is no proof against it.
            (&[now, now + 5000, -1], Some(true), 500),
            // Before Kafka 3.3.
            (&[-1, -1, -1], None, 0),
        ] {
            let found = reported(stamps);
            assert_eq!((found.word.backed, found.proof_ms), (backed, proof_ms), "{stamps:?}");
            assert_eq!((found.word.epoch, found.word.leader), (7, 1));
        }
        let nobody = PartitionData::default().with_leader_id(BrokerId(-1));
        assert_eq!(read(&nobody), None);
    }
}
