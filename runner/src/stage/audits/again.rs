//! Reads the log again while leaders still change: after a fault, preferred leaders take their partitions back.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::{Duration, Instant},
};

use super::reading::LogRead;
use crate::{
    audit::GroupCommits,
    history::Extent,
    observer::{AuditBounds, TopicPartition},
    stage::outcome::StepError,
};

/// One reading of the log.
#[derive(Default)]
pub(super) struct Taken {
    /// When it began, in monotonic microseconds: a client that had finished before writes no more.
    pub at_us: i64,
    /// How far the histories were published before the log's end was requested.
    pub extents: BTreeMap<PathBuf, Extent>,
    /// The clients that had read to their end and left by then: their histories are complete.
    pub left: BTreeSet<String>,
    /// The services that lived by then.
    pub serving: BTreeSet<String>,
    /// What the groups of services had committed before the log's end was requested.
    pub committed: BTreeMap<String, GroupCommits>,
    pub bounds: AuditBounds,
    pub read: LogRead,
    /// Partitions whose leader changed while they were read: nothing is known about them.
    pub moved: BTreeSet<TopicPartition>,
}

/// Reads (`take`, with the time that it may wait) until no leader changed meanwhile. No reading begins after
/// `limit`, except the second: a reading may take longer than that. With `again` false there is only one.
/// The last reading counts, even if leaders changed during it.
pub(super) async fn until_settled<R>(
    limit: Duration,
    again: bool,
    mut take: impl FnMut(Duration) -> R,
) -> Result<Taken, StepError>
where
    R: Future<Output = Result<Taken, StepError>>,
{
    let begun = Instant::now();
    let mut taken = take(limit).await?;
    let mut second = true;
    while again && !taken.moved.is_empty() {
        let left = limit.saturating_sub(begun.elapsed());
        if left.is_zero() && !second {
            break;
        }
        second = false;
        taken = take(left).await?;
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;
    use crate::stage::judge::Looking;

    const LONG: Duration = Duration::from_secs(3600);

    /// A leader changes in each of the first `moves` readings. How many there were, and what moved in the last.
    async fn readings(limit: Duration, again: bool, moves: usize) -> (usize, usize) {
        let mut count = 0;
        let take = |_| {
            count += 1;
            let moved = (count <= moves).then(|| ("orders".to_owned(), 0));
            ready(Ok(Taken { moved: moved.into_iter().collect(), ..Taken::default() }))
        };
        let taken = until_settled(limit, again, take).await.expect("read");
        (count, taken.moved.len())
    }

    #[tokio::test]
    async fn what_moved_is_read_again_until_nothing_does() {
        assert_eq!(readings(LONG, true, 0).await, (1, 0));
        assert_eq!(readings(LONG, true, 1).await, (2, 0));
        assert_eq!(readings(LONG, true, 5).await, (6, 0));
    }

    #[tokio::test]
    async fn what_always_moves_ends_at_the_limit_and_stays_in_doubt() {
        let (count, moved) = readings(Duration::from_millis(1), true, usize::MAX).await;
        assert!(count >= 2, "{count}");
        assert_eq!(moved, 1);
    }

    /// A long log takes more than the limit to read: it is read once more all the same.
    #[tokio::test]
    async fn a_second_reading_is_there_after_the_limit_too() {
        assert_eq!(readings(Duration::ZERO, true, 1).await, (2, 0));
        assert_eq!(readings(Duration::ZERO, true, usize::MAX).await, (2, 1));
    }

    #[tokio::test]
    async fn a_look_that_others_follow_gets_one_reading() {
        assert_eq!(readings(LONG, false, usize::MAX).await, (1, 1));
        let all = [
            (Looking::Once, true),
            (Looking::Until(LONG), false),
            (Looking::Throughout { last: false }, false),
            (Looking::Throughout { last: true }, true),
        ];
        for (looking, again) in all {
            assert_eq!(looking.is_last(), again, "{looking:?}");
        }
    }
}
