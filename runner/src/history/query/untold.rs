//! What a client of another program does not tell: it prints a message when its outcome is known. So a message that
//! waits is not known, and if the client prints no send times, neither is how long one waited that was answered.

use std::collections::BTreeMap;

use super::{
    Gap, PartitionPlace, availability::ended, gaps::Follower, gaps::GapTime, merged::Merged, place,
};
use crate::history::{HistoryError, HistoryFile, Mark, Writer};

/// What such a client does not tell.
#[derive(Clone, Debug, Default)]
pub struct Untold {
    /// Since when messages may have waited, if it prints no send times; in monotonic microseconds.
    pub since_us: Option<i64>,
    /// When it was killed: it had told of no message that waited then.
    pub kills: Vec<i64>,
    /// Messages may wait now.
    pub open: bool,
}

/// The longest time of each partition in which messages may have waited for an answer, within the judged time.
/// `files` are the histories of what was answered, over all lives.
pub fn untold_gaps(
    files: &[&HistoryFile],
    untold: &Untold,
    time: &GapTime<'_>,
) -> Result<BTreeMap<PartitionPlace, Gap>, HistoryError> {
    let heard = files.iter().filter(|f| f.header().writer == Writer::ProducerHeard);
    let heard: Vec<_> = heard.copied().collect();
    let mut parts: BTreeMap<PartitionPlace, Silence> = BTreeMap::new();
    let mut merged = Merged::new(&heard);
    while let Some(next) = merged.next() {
        let (file, run) = next?;
        if run.mark == Mark::Acked {
            let part = parts.entry(place(file, &run)?).or_insert_with(|| Silence::new(untold));
            part.killed_until(run.first_us, untold, time);
            part.follower.answer(run.first_us, run.last_us, untold.since_us.is_some(), time);
        }
    }
    let parts = parts.into_iter().map(|(place, part)| (place, part.ended(untold, time)));
    Ok(ended(parts, time))
}

/// A partition on which nothing may be answered.
struct Silence {
    follower: Follower,
    /// How many of the kills were before.
    kills: usize,
}

impl Silence {
    fn new(untold: &Untold) -> Self {
        let mut follower = Follower::default();
        if let Some(since_us) = untold.since_us {
            follower.owe(since_us);
        }
        Self { follower, kills: 0 }
    }

    /// Messages may have waited from the last answer to a kill; an earlier life's no longer count.
    fn killed_until(&mut self, at_us: i64, untold: &Untold, time: &GapTime<'_>) {
        while let Some(kill_us) = untold.kills.get(self.kills).filter(|kill_us| **kill_us <= at_us)
        {
            self.kills += 1;
            if !self.follower.is_new() {
                self.follower.owe(i64::MIN);
            }
            self.follower.hand_over(*kill_us, time);
            if untold.since_us.is_some() {
                self.follower.owe(*kill_us);
            }
        }
    }

    fn ended(mut self, untold: &Untold, time: &GapTime<'_>) -> Follower {
        self.killed_until(time.until_us, untold, time);
        if untold.open {
            self.follower.owe(i64::MIN);
        } else {
            self.follower.forgive();
        }
        self.follower
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{
        fixture::{header, history, message},
        query::Away,
    };

    const S: i64 = 1_000_000;

    /// The longest silence in seconds, of a client that was answered at these times.
    fn longest(answers: &[i64], untold: &Untold, away: &[Away], until: i64) -> i64 {
        let dir = tempfile::tempdir().expect("a directory");
        let acked =
            |(seq, at): (usize, &i64)| message(Mark::Acked, 0, seq as u64, seq as i64, at * S);
        let acked: Vec<_> = answers.iter().enumerate().map(acked).collect();
        let file = history(dir.path(), &header(Writer::ProducerHeard, "P", 1, 1), &acked);
        let time = GapTime { since_us: i64::MIN, until_us: until * S, away };
        let gaps = untold_gaps(&[&file], untold, &time).expect("readable");
        gaps.values().next().expect("a partition").length_us / S
    }

    #[test]
    fn without_send_times_a_message_may_wait_since_the_answer_before() {
        let hidden = Untold { since_us: Some(0), ..Untold::default() };
        assert_eq!(longest(&[2, 3, 9, 10], &hidden, &[], 30), 6, "nothing waits at the end");
        assert_eq!(longest(&[8, 9, 10], &hidden, &[], 30), 8, "from its begin");
        let open = Untold { open: true, ..hidden.clone() };
        assert_eq!(longest(&[2, 3, 9, 10], &open, &[], 30), 20);
        let away = [Away { from_us: 4 * S, to_us: 8 * S }];
        assert_eq!(longest(&[2, 3, 9, 10], &hidden, &away, 30), 2, "it could not send");
    }

    #[test]
    fn with_send_times_a_message_may_wait_only_untold() {
        assert_eq!(longest(&[2, 9], &Untold::default(), &[], 30), 0);
        let open = Untold { open: true, ..Untold::default() };
        assert_eq!(longest(&[2, 9], &open, &[], 30), 21);
    }

    #[test]
    fn what_a_killed_client_did_not_tell_may_have_waited_until_then() {
        let killed = Untold { kills: vec![6 * S], ..Untold::default() };
        assert_eq!(longest(&[2, 9, 10], &killed, &[], 30), 4);
        assert_eq!(longest(&[2, 4], &killed, &[], 30), 2);
        assert_eq!(longest(&[7, 8], &killed, &[], 30), 0, "it was killed before it used it");
        let hidden = Untold { since_us: Some(0), ..killed };
        assert_eq!(longest(&[2, 11, 12], &hidden, &[], 30), 5, "its next life begins anew");
        assert_eq!(longest(&[10, 11], &hidden, &[], 30), 6, "from its begin to its end");
    }
}
