//! `recovered`: how long a client waited after a fault, by partition.
//!
//! A wait begins with the fault if a message was under way then, else with the first message that was to be
//! answered after it: before that there was nothing that could have recovered. It ends with the first answer to a
//! message that was sent after the fault had taken effect on all its targets.

use std::collections::BTreeMap;

use super::{Away, PartitionPlace, SenderFiles, gaps::let_go, place};
use crate::history::{HistoryError, HistoryFile, Mark, MessageRun, Writer};

/// A producing client.
type SenderId = u16;

/// Shorter times than this without a message under way also occur with continuous traffic; they end no wait.
const PACE_US: i64 = 100_000;

/// When a fault began to take effect, and when it had taken effect on all its targets, in monotonic microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Onset {
    pub from_us: i64,
    pub by_us: i64,
}

impl Onset {
    /// The onset for a client that waits since a moment.
    fn of(self, waits_us: i64) -> Self {
        Self { from_us: self.from_us.max(waits_us), by_us: self.by_us.max(waits_us) }
    }
}

/// What a client waited for after a fault, on one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waited {
    pub from_us: i64,
    /// The first answer; none if there is none yet.
    pub until_us: Option<i64>,
}

/// How far messages of one sender's newest life were sent and answered.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    life: u16,
    sent: u64,
    answered: u64,
}

impl Reached {
    /// Messages that an earlier life waited for no longer count.
    fn take(&mut self, step: &WaitStep) {
        if step.life > self.life {
            *self = Self { life: step.life, ..Self::default() };
        }
        if step.life == self.life {
            let reached =
                if step.act == WaitAct::Sent { &mut self.sent } else { &mut self.answered };
            *reached = step.next.max(*reached);
        }
    }
}

/// Sent comes before answered at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum WaitAct {
    Sent,
    Answered,
}

/// What happened to messages of a sender's life up to a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct WaitStep {
    at_us: i64,
    act: WaitAct,
    sender: SenderId,
    life: u16,
    next: u64,
}

#[derive(Debug)]
struct WaitPart {
    onset: Onset,
    /// When the fault began.
    before: BTreeMap<SenderId, Reached>,
    /// From then on, until the first message was sent under its full effect.
    steps: Vec<WaitStep>,
    /// The messages that were sent under the full effect of the fault: the first of each life, and when the first
    /// of all was sent.
    first: BTreeMap<(SenderId, u16), u64>,
    begun_us: Option<i64>,
    until_us: Option<i64>,
}

/// Reads what `senders`, each with its absences, sent, and the client's own histories. A message that was
/// due while a sender was away counts as sent when it was back. `held` returns since when the client waits for
/// messages of a partition, none if it does not. Partitions to which nothing was sent under the full effect of the
/// fault are not in the result.
pub fn waits(
    senders: &[SenderFiles],
    own: &[HistoryFile],
    held: impl Fn(&PartitionPlace) -> Option<i64>,
    onset: Onset,
) -> Result<BTreeMap<PartitionPlace, Waited>, HistoryError> {
    let mut parts: BTreeMap<PartitionPlace, WaitPart> = BTreeMap::new();
    let of = |file: &&HistoryFile, writer: Writer| file.header().writer == writer;
    for (files, away) in senders {
        for file in files.iter().filter(|file| of(file, Writer::ProducerSent)) {
            add_sent(&mut parts, file, away, |place| Some(onset.of(held(place)?)))?;
        }
    }
    parts.retain(|_, part| part.begun_us.is_some());
    // A message that could not be sent cannot be delivered. For its sender it still waits: it was to be answered.
    let reads = own.iter().any(|file| of(&file, Writer::Consumer));
    let heard = senders.iter().flat_map(|(files, _)| files);
    for file in heard.filter(|file| of(file, Writer::ProducerHeard)) {
        add_answers(&mut parts, file, |mark, at_us| {
            (mark != Mark::Acked && (reads || at_us < onset.from_us)).then_some(false)
        })?;
    }
    for file in own {
        add_answers(&mut parts, file, |mark, _| {
            matches!(mark, Mark::Acked | Mark::Delivered).then_some(true)
        })?;
    }
    let waits = parts.into_iter().filter_map(|(place, part)| Some((place, part.wait()?)));
    Ok(waits.collect())
}

fn add_sent(
    parts: &mut BTreeMap<PartitionPlace, WaitPart>,
    file: &HistoryFile,
    away: &[Away],
    onset: impl Fn(&PartitionPlace) -> Option<Onset>,
) -> Result<(), HistoryError> {
    let (sender, life) = (file.header().client_id, file.header().life);
    for run in file.iter_from(0) {
        let run = run?;
        if run.mark != Mark::Sent {
            continue;
        }
        let place = place(file, &run)?;
        let Some(onset) = onset(&place) else { continue };
        let part = parts.entry(place).or_insert_with(|| WaitPart::new(onset));
        let at_us = let_go(away, run.first_us);
        if at_us < onset.by_us {
            let next = run.first_seq + run.count;
            part.add(WaitStep { at_us, act: WaitAct::Sent, sender, life, next });
        } else if at_us < i64::MAX {
            let first = part.first.entry((sender, life)).or_insert(run.first_seq);
            *first = run.first_seq.min(*first);
            part.begun_us = Some(part.begun_us.map_or(at_us, |known| known.min(at_us)));
        }
    }
    Ok(())
}

/// Adds the ends of messages: answered, or only no longer waited for. In a transaction they end with
/// it.
fn add_answers(
    parts: &mut BTreeMap<PartitionPlace, WaitPart>,
    file: &HistoryFile,
    ends: impl Fn(Mark, i64) -> Option<bool>,
) -> Result<(), HistoryError> {
    let heard = file.header().writer == Writer::ProducerHeard;
    let mut open: BTreeMap<u32, Vec<(PartitionPlace, MessageRun)>> = BTreeMap::new();
    let mut add = |place: &PartitionPlace, mark: Mark, run: MessageRun| {
        let Some(part) = parts.get_mut(place) else { return };
        let Some(answered) = ends(mark, run.first_us) else { return };
        let ids = (file.header().client_id, file.header().life);
        part.ended(if heard { ids } else { (run.client, run.life) }, &run, answered);
    };
    for run in file.iter_from(0) {
        let run = run?;
        match run.mark {
            Mark::Committed | Mark::Aborted | Mark::Unsettled => {
                let mark = if run.mark == Mark::Committed { Mark::Acked } else { run.mark };
                for (place, acked) in open.remove(&run.epoch).unwrap_or_default() {
                    let ended =
                        MessageRun { first_us: run.first_us, last_us: run.first_us, ..acked };
                    add(&place, mark, ended);
                }
            }
            Mark::Acked if run.epoch != 0 => {
                open.entry(run.epoch).or_default().push((place(file, &run)?, run));
            }
            Mark::Acked | Mark::Failed | Mark::Delivered => add(&place(file, &run)?, run.mark, run),
            _ => {}
        }
    }
    Ok(())
}

impl WaitPart {
    fn new(onset: Onset) -> Self {
        let (before, first, steps) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { onset, before, steps, first, begun_us: None, until_us: None }
    }

    fn add(&mut self, step: WaitStep) {
        if step.at_us < self.onset.from_us {
            self.before.entry(step.sender).or_default().take(&step);
        } else if self.begun_us.is_none_or(|begun| step.at_us <= begun) {
            self.steps.push(step);
        }
    }

    fn ended(&mut self, (sender, life): (SenderId, u16), run: &MessageRun, answered: bool) {
        let next = run.first_seq + run.count;
        self.add(WaitStep { at_us: run.first_us, act: WaitAct::Answered, sender, life, next });
        let first = self.first.get(&(sender, life)).copied();
        if let Some(first) = first.filter(|first| answered && next > *first) {
            // Where the run begins with earlier messages, its last one is surely meant.
            let at_us = if run.first_seq >= first { run.first_us } else { run.last_us };
            self.until_us = Some(self.until_us.map_or(at_us, |known| known.min(at_us)));
        }
    }

    /// None if no message was sent under the full effect of the fault.
    fn wait(mut self) -> Option<Waited> {
        let begun_us = self.begun_us?;
        let mut reached = self.before;
        let waiting = |all: &BTreeMap<SenderId, Reached>| all.values().any(|r| r.sent > r.answered);
        let (mut from_us, mut idle_since) = (self.onset.from_us, self.onset.from_us);
        let mut begins = |all: &BTreeMap<SenderId, Reached>, idle_since: i64, at_us: i64| {
            if !waiting(all) && at_us - idle_since > PACE_US {
                from_us = at_us;
            }
        };
        self.steps.sort_unstable();
        for step in self.steps {
            if step.act == WaitAct::Sent {
                begins(&reached, idle_since, step.at_us);
            }
            let busy = waiting(&reached);
            reached.entry(step.sender).or_default().take(&step);
            if busy && !waiting(&reached) {
                idle_since = step.at_us;
            }
        }
        begins(&reached, idle_since, begun_us);
        Some(Waited { from_us, until_us: self.until_us })
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
