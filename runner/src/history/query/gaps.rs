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
    pub(super) fn answer(&mut self, first: i64, last: i64, more: bool, away: &[Away]) {
        if let Some(from) = self.owed_since.take() {
            self.close(from, first, false, away);
        }
        let last = self.last_answer.map_or(last, |known| known.max(last));
        self.last_answer = Some(last);
        if more {
            self.owed_since = Some(last);
        }
    }

    /// The longest gap when time ends at `until`.
    pub(super) fn end(mut self, until: i64, away: &[Away]) -> Option<Gap> {
        if let Some(from) = self.owed_since.take() {
            self.close(from, until, true, away);
        }
        self.longest
    }

    fn close(&mut self, from_us: i64, to_us: i64, open: bool, away: &[Away]) {
        let to_us = to_us.max(from_us);
        let absent: i64 =
            away.iter().map(|a| (a.to_us.min(to_us) - a.from_us.max(from_us)).max(0)).sum();
        let gap = Gap { from_us, to_us, length_us: (to_us - from_us - absent).max(0), open };
        if self.longest.is_none_or(|longest| gap.length_us > longest.length_us) {
            self.longest = Some(gap);
        }
    }
}
