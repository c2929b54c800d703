//! Progress by windows: whether, at a moment, a message was answered in the time before it, or waited all of
//! that time without an answer.

use std::collections::BTreeMap;

use super::{Away, Holders, Holding, Mate, PartitionPlace, SenderFiles, gaps::let_go, place};
use crate::history::{HistoryError, HistoryFile, Mark, Writer};

/// A producing client and its life.
type WindowStream = (u16, u16);

/// The state of traffic on one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Something was answered in the window.
    Answered,
    /// Something waits for longer than a window, and nothing was answered in it.
    Stuck,
    /// The waiting messages were sent within the window: it is too early to judge.
    Early,
}

/// The window that ends at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// By partition; a partition without sent or waiting messages has no entry.
    pub by: BTreeMap<PartitionPlace, Standing>,
    /// Something was sent at any time.
    pub begun: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The begin of the judged time: earlier answers do not count.
    pub begin_us: i64,
    /// The window's end.
    pub now_us: i64,
    pub within_us: i64,
}

#[derive(Default)]
struct Part {
    /// When messages were sent that are as old as the window or older, with the last sequence number.
    old: Vec<(WindowStream, u64)>,
    fresh: bool,
    answered_us: Option<i64>,
    /// The highest answered sequence number.
    highest: BTreeMap<WindowStream, u64>,
}

impl Window {
    /// Reads what senders, each with its absences, sent in the last two windows, and the client's own
    /// histories. A message that was due while a sender was away counts as sent when it was back; messages that an
    /// earlier life waited for no longer count. Partitions of other clients of the group do not count for a
    /// reader, and those clients may have got the waiting messages before it took a partition over.
    pub fn read(
        senders: &[SenderFiles],
        (own, mates): (&[HistoryFile], &[Mate]),
        asked: Asked,
    ) -> Result<Self, HistoryError> {
        let mut parts: BTreeMap<PartitionPlace, Part> = BTreeMap::new();
        let mut begun = false;
        for (files, away) in senders {
            let sent = || files.iter().filter(|f| f.header().writer == Writer::ProducerSent);
            let newest = sent().filter(|f| !f.is_empty()).map(|f| f.header().life).max();
            for file in sent() {
                begun |= !file.is_empty();
                if Some(file.header().life) == newest {
                    add_sent(&mut parts, file, away, asked)?;
                }
            }
        }
        own.iter().try_for_each(|file| add_answers(&mut parts, file, asked, true))?;
        let others = mates.iter().flat_map(|mate| &mate.files);
        others.into_iter().try_for_each(|file| add_answers(&mut parts, file, asked, false))?;
        let holders = Holders::read(own, mates)?;
        let by = parts.into_iter().filter_map(|(place, part)| {
            let standing = part.standing(asked, holders.now(&place))?;
            Some((place, standing))
        });
        Ok(Self { by: by.collect(), begun })
    }
}

fn add_sent(
    parts: &mut BTreeMap<PartitionPlace, Part>,
    file: &HistoryFile,
    away: &[Away],
    asked: Asked,
) -> Result<(), HistoryError> {
    let since = asked.now_us - 2 * asked.within_us;
    let header = file.header();
    let earliest = away.iter().filter(|a| a.to_us >= since).map(|a| a.from_us).min();
    let start = earliest.map_or(since, |from| from.min(since));
    for run in file.iter_from(file.first_at_or_after(start)?) {
        let run = run?;
        let at = let_go(away, run.first_us);
        if run.mark != Mark::Sent || at < since || at > asked.now_us {
            continue;
        }
        let part = parts.entry(place(file, &run)?).or_default();
        if at <= asked.now_us - asked.within_us {
            part.old.push(((header.client_id, header.life), run.first_seq));
        } else {
            part.fresh = true;
        }
    }
    Ok(())
}

/// Acknowledgements (in a transaction, with its commit) or deliveries, to the client itself or to another one.
fn add_answers(
    parts: &mut BTreeMap<PartitionPlace, Part>,
    file: &HistoryFile,
    asked: Asked,
    own: bool,
) -> Result<(), HistoryError> {
    let header = file.header();
    let heard = header.writer == Writer::ProducerHeard;
    let mut open: BTreeMap<u32, Vec<(PartitionPlace, WindowStream, u64)>> = BTreeMap::new();
    for run in file.iter_from(file.first_at_or_after(asked.now_us - 2 * asked.within_us)?) {
        let run = run?;
        if run.mark == Mark::Committed {
            for (place, stream, seq) in open.remove(&run.epoch).unwrap_or_default() {
                parts.entry(place).or_default().answered(stream, seq, own.then_some(run.first_us));
            }
            continue;
        }
        if !matches!(run.mark, Mark::Acked | Mark::Written | Mark::Delivered) {
            continue;
        }
        let stream = if heard { (header.client_id, header.life) } else { (run.client, run.life) };
        let (place, last) = (place(file, &run)?, run.first_seq + run.count.saturating_sub(1));
        if heard && run.epoch != 0 {
            open.entry(run.epoch).or_default().push((place, stream, last));
        } else {
            parts.entry(place).or_default().answered(stream, last, own.then_some(run.last_us));
        }
    }
    Ok(())
}

impl Part {
    fn answered(&mut self, stream: WindowStream, seq: u64, at: Option<i64>) {
        self.answered_us = self.answered_us.max(at);
        let highest = self.highest.entry(stream).or_default();
        *highest = seq.max(*highest);
    }

    fn standing(&self, asked: Asked, holding: Holding) -> Option<Standing> {
        let window = asked.now_us - asked.within_us;
        let held = match holding {
            Holding::Own { since_us } => since_us <= window,
            Holding::Left => false,
            Holding::Another => return None,
        };
        if self.answered_us.is_some_and(|at| at >= window.max(asked.begin_us)) {
            return Some(Standing::Answered);
        }
        let waits = |(stream, seq): &(WindowStream, u64)| {
            self.highest.get(stream).is_none_or(|highest| seq > highest)
        };
        let silent = self.answered_us.is_none_or(|at| at < window);
        if held && silent && self.old.iter().any(waits) {
            return Some(Standing::Stuck);
        }
        (self.fresh || self.old.iter().any(waits) || !silent).then_some(Standing::Early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::fixture::{header, history, message};

    const S: i64 = 1_000_000;

    /// A message each second until `until`, answered at once until `alive`.
    fn standing(until: i64, alive: i64, away: &[Away], asked: Asked) -> Option<Standing> {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |i: i64, mark| message(mark, 0, i.unsigned_abs(), i, i * S);
        let sent: Vec<_> = (0..until).map(|i| at(i, Mark::Sent)).collect();
        let heard: Vec<_> = (0..until.min(alive)).map(|i| at(i, Mark::Acked)).collect();
        let sent = history(dir.path(), &header(Writer::ProducerSent, "P", 1, 1), &sent);
        let heard = history(dir.path(), &header(Writer::ProducerHeard, "P", 1, 1), &heard);
        let window = Window::read(&[(vec![sent], away.to_vec())], (&[heard], &[]), asked);
        window.expect("readable").by.values().next().copied()
    }

    fn asked(now: i64) -> Asked {
        Asked { begin_us: 0, now_us: now * S, within_us: 10 * S }
    }

    #[test]
    fn each_window_is_judged_anew() {
        assert_eq!(standing(60, 60, &[], asked(50)), Some(Standing::Answered));
        // The last answer came at 29 s.
        assert_eq!(standing(60, 30, &[], asked(35)), Some(Standing::Answered));
        assert_eq!(standing(60, 30, &[], asked(45)), Some(Standing::Stuck));
        assert_eq!(standing(60, 0, &[], asked(5)), Some(Standing::Early));
        assert_eq!(standing(60, 0, &[], asked(15)), Some(Standing::Stuck));
        // Nothing was sent for two windows.
        assert_eq!(standing(20, 60, &[], asked(50)), None);
    }

    #[test]
    fn answers_from_before_what_is_watched_do_not_count() {
        let late = Asked { begin_us: 32 * S, ..asked(35) };
        assert_eq!(standing(60, 30, &[], late), Some(Standing::Early));
    }

    #[test]
    fn what_a_frozen_sender_meant_to_send_waits_from_when_it_is_back() {
        let frozen = [Away { from_us: 30 * S, to_us: 55 * S }];
        assert_eq!(standing(60, 30, &frozen, asked(58)), Some(Standing::Early));
        assert_eq!(standing(60, 30, &[], asked(58)), Some(Standing::Stuck));
    }
    #[test]
    fn a_reader_is_stuck_only_on_what_it_held_all_the_time() {
        // A message each second; C is given none, D those of the first 30 seconds.
        let standing = |own: &[i64], others: &[i64], gone: bool, now: i64| {
            let dir = tempfile::tempdir().expect("a directory");
            let at = |i: i64, mark| message(mark, 0, i.unsigned_abs(), i, i * S);
            let sent: Vec<_> = (0..60).map(|i| at(i, Mark::Sent)).collect();
            let sent = history(dir.path(), &header(Writer::ProducerSent, "P", 1, 1), &sent);
            let read = |name: &str, given: &[i64], until: i64| {
                let assigned = given.iter().map(|i| at(*i, Mark::Assigned));
                let mut all: Vec<_> =
                    assigned.chain((0..until).map(|i| at(i, Mark::Delivered))).collect();
                all.sort_by_key(|m| m.at_us);
                history(dir.path(), &header(Writer::Consumer, name, 2, 1), &all)
            };
            let mates = [Mate { files: vec![read("D", others, 30)], gone }];
            let own = [read("C", own, 0)];
            let senders = [(vec![sent], Vec::new())];
            let window = Window::read(&senders, (&own, &mates), asked(now)).expect("readable");
            window.by.values().next().copied()
        };
        assert_eq!(standing(&[0], &[], false, 45), Some(Standing::Stuck));
        assert_eq!(standing(&[0], &[1], false, 45), None, "it is D's");
        assert_eq!(standing(&[0], &[1], true, 45), Some(Standing::Early), "nobody has it");
        assert_eq!(standing(&[0, 30], &[1], false, 35), Some(Standing::Early));
        assert_eq!(standing(&[0, 30], &[1], false, 45), Some(Standing::Stuck));
    }
}
