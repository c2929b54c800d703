//! The longest time without an answer while one was owed, on one partition.

use crate::history::HistoryFile;

/// A time in which a client could not do anything because it was stopped, killed or paused. It does not count as
/// unavailability of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Away {
    /// Since, in monotonic microseconds.
    pub from_us: i64,
    /// Until; `i64::MAX` if it never came back.
    pub to_us: i64,
}

/// What a sender wrote, and when it could not send.
pub type SenderFiles = (Vec<HistoryFile>, Vec<Away>);

/// When something that was to be done at a time could be done; `i64::MAX` if never.
pub(super) fn let_go(away: &[Away], at_us: i64) -> i64 {
    let absence = away.iter().find(|a| a.from_us <= at_us && at_us < a.to_us);
    absence.map_or(at_us, |a| a.to_us)
}

/// How much of a time a client was away.
pub fn absent_us(away: &[Away], from_us: i64, to_us: i64) -> i64 {
    away.iter().map(|a| (a.to_us.min(to_us) - a.from_us.max(from_us)).max(0)).sum()
}

/// A time without an answer while one was owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When it began, in monotonic microseconds; not before the judged time.
    pub from_us: i64,
    /// When the answer came, or the end of the judged time.
    pub to_us: i64,
    /// Its length without the client's own absence, in microseconds.
    pub length_us: i64,
    /// No answer has come yet.
    pub open: bool,
}

/// The judged time.
#[derive(Clone, Copy, Debug)]
pub struct GapTime<'a> {
    /// Time before this does not count, also as a part of a longer gap: `i64::MIN` for all.
    pub since_us: i64,
    /// Time ends here.
    pub until_us: i64,
    /// The times in which the client could do nothing. They do not overlap.
    pub away: &'a [Away],
}

impl GapTime<'_> {
    /// The part of a time that lies within what is asked about, without the client's absence; none if it ended
    /// before.
    fn part(&self, from_us: i64, to_us: i64, open: bool) -> Option<Gap> {
        if to_us < self.since_us {
            return None;
        }
        let from_us = from_us.max(self.since_us);
        let to_us = to_us.max(from_us);
        let absent = absent_us(self.away, from_us, to_us);
        Some(Gap { from_us, to_us, length_us: (to_us - from_us - absent).max(0), open })
    }
}

/// Follows one partition in the order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Follower {
    owed_since: Option<i64>,
    last_answer: Option<i64>,
    longest: Option<Gap>,
}

impl Follower {
    /// A message waits for an answer from `at` on.
    pub(super) fn owe(&mut self, at: i64) {
        let from = self.last_answer.map_or(at, |last| last.max(at));
        self.owed_since.get_or_insert(from);
    }

    /// True before the first answer.
    pub(super) fn is_new(&self) -> bool {
        self.last_answer.is_none()
    }

    /// No message waits any more, although no answer came.
    pub(super) fn forgive(&mut self) {
        self.owed_since = None;
    }

    /// Answers came from `first` to `last`; `more`: others are still owed.
    pub(super) fn answer(&mut self, first: i64, last: i64, more: bool, time: &GapTime<'_>) {
        // A delivery before the message was known did not wait: a gap of length 0.
        self.owed_since.get_or_insert(first);
        self.close(first, false, time);
        let last = self.last_answer.map_or(last, |known| known.max(last));
        self.last_answer = Some(last);
        if more {
            self.owed_since = Some(last);
        }
    }

    /// Another client waits from `at` on.
    pub(super) fn hand_over(&mut self, at: i64, time: &GapTime<'_>) {
        self.close(at, false, time);
    }

    /// The longest gap when time ends.
    pub(super) fn end(mut self, time: &GapTime<'_>) -> Option<Gap> {
        self.close(time.until_us, true, time);
        self.longest
    }

    /// Each gap is cut to the judged time before it is compared, so that a longer earlier gap hides no other.
    fn close(&mut self, to_us: i64, open: bool, time: &GapTime<'_>) {
        let Some(from) = self.owed_since.take() else { return };
        if let Some(gap) = time.part(from, to_us, open)
            && self.longest.is_none_or(|longest| gap.length_us > longest.length_us)
        {
            self.longest = Some(gap);
        }
    }
}
