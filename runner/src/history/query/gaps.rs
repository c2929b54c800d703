//! The longest time without an answer while one was owed, on one partition.

/// A time in which a client could not do anything: it was stopped, killed or paused. Its own waits
/// are not the cluster's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    /// Since, in monotonic microseconds.
    pub from_us: i64,
    /// Until; `i64::MAX` if it never came back.
    pub to_us: i64,
}

/// A time without an answer while one was owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When it began, in monotonic microseconds.
    pub from_us: i64,
    /// When the answer came, or up to when was looked.
    pub to_us: i64,
    /// Its length without the client's own absence, in microseconds.
    pub length_us: i64,
    /// No answer has come yet.
    pub open: bool,
}

/// What is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// The client's absences, which do not overlap.
    pub away: &'a [Away],
    /// Of a gap only what lies after this counts, in monotonic microseconds.
    pub since_us: i64,
    /// Time ends here.
    pub until_us: i64,
}

/// Follows one partition, told in the order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Follower {
    owed_since: Option<i64>,
    last_answer: Option<i64>,
    longest: Option<Gap>,
}

impl Follower {
    /// Something is to be answered from `at` on.
    pub(super) fn owe(&mut self, at: i64) {
        let from = self.last_answer.map_or(at, |last| last.max(at));
        self.owed_since.get_or_insert(from);
    }

    /// Nothing is to be answered any more, though no answer came.
    pub(super) fn forgive(&mut self) {
        self.owed_since = None;
    }

    /// Answers came from `first` to `last`; `more`: others are still owed.
    pub(super) fn answer(&mut self, first: i64, last: i64, more: bool, watched: Watched<'_>) {
        if let Some(from) = self.owed_since.take() {
            self.close(from, first, false, watched);
        }
        let last = self.last_answer.map_or(last, |known| known.max(last));
        self.last_answer = Some(last);
        if more {
            self.owed_since = Some(last);
        }
    }

    /// The longest gap when time ends.
    pub(super) fn end(mut self, watched: Watched<'_>) -> Option<Gap> {
        if let Some(from) = self.owed_since.take() {
            self.close(from, watched.until_us, true, watched);
        }
        self.longest
    }

    fn close(&mut self, from_us: i64, to_us: i64, open: bool, watched: Watched<'_>) {
        let to_us = to_us.max(from_us);
        if to_us <= watched.since_us {
            return;
        }
        let from_us = from_us.max(watched.since_us);
        let length_us = (to_us - from_us - absence(watched.away, from_us, to_us)).max(0);
        let gap = Gap { from_us, to_us, length_us, open };
        if self.longest.is_none_or(|longest| gap.length_us > longest.length_us) {
            self.longest = Some(gap);
        }
    }
}

/// How much of a time a client was away, in microseconds.
pub fn absence(away: &[Away], from_us: i64, to_us: i64) -> i64 {
    away.iter().map(|a| (a.to_us.min(to_us) - a.from_us.max(from_us)).max(0)).sum()
}
