//! A second implementation for tests: the definitions again, message by message, with plain maps.

use super::Measure;
use super::testing::{Who, World};
use crate::history::{Mark, MessageRun};
use std::collections::{BTreeMap, BTreeSet};

type Id = (u32, Who, u64);

fn id(run: &MessageRun) -> Id {
    (run.source_partition, (run.client, run.life), run.first_seq)
}

/// What a message shows: its identity, or how it lacks one.
fn face(run: &MessageRun) -> (u8, Option<Id>) {
    match run.mark {
        Mark::Foreign => (1, None),
        Mark::Corrupt => (2, None),
        _ => (0, Some(id(run))),
    }
}

struct Known {
    sent: BTreeSet<Id>,
    /// Acknowledged, with the offset, and whether that is believed.
    acked: BTreeMap<Id, (i64, bool)>,
    failed: BTreeSet<Id>,
    aborted: BTreeSet<Id>,
    log: BTreeMap<(u32, i64), MessageRun>,
    when: When,
}

/// What `since` leaves to judge.
struct When {
    since_us: Option<i64>,
    /// By producer life and partition: the first message that was sent since.
    from: BTreeMap<(u32, Who), u64>,
    /// By partition: the first offset that holds such a message.
    offset: BTreeMap<u32, i64>,
}

impl When {
    fn of(w: &World) -> When {
        let since_us = w.facts.window.since();
        let mut when = When { since_us, from: BTreeMap::new(), offset: BTreeMap::new() };
        for (who, run) in w.sent.iter().flat_map(|(who, runs)| runs.iter().map(move |r| (*who, r)))
        {
            if when.shows(run) {
                let first = when.from.entry((run.partition, who)).or_insert(run.first_seq);
                *first = run.first_seq.min(*first);
            }
        }
        for run in w.log.values().flatten().filter(|r| r.mark == Mark::Found) {
            if when.sent(&id(run)) {
                let first = when.offset.entry(run.partition).or_insert(run.first_offset);
                *first = run.first_offset.min(*first);
            }
        }
        when
    }

    fn shows(&self, run: &MessageRun) -> bool {
        self.since_us.is_none_or(|us| run.last_us >= us)
    }

    fn sent(&self, id: &Id) -> bool {
        self.since_us.is_none() || self.from.get(&(id.0, id.1)).is_some_and(|seq| id.2 >= *seq)
    }

    /// Certainly written since.
    fn written(&self, run: &MessageRun) -> bool {
        self.since_us.is_none()
            || self.offset.get(&run.partition).is_some_and(|offset| run.first_offset >= *offset)
    }
}

fn is_idempotent(w: &World, who: Who) -> bool {
    w.facts.clients.get(&format!("P{}", who.0)).is_some_and(|client| client.idempotent)
}

fn known(w: &World) -> Known {
    let mut known = Known {
        when: When::of(w),
        sent: w.sent.values().flatten().map(id).collect(),
        acked: BTreeMap::new(),
        failed: BTreeSet::new(),
        aborted: BTreeSet::new(),
        log: w.log.values().flatten().map(|r| ((r.partition, r.first_offset), *r)).collect(),
    };
    for (who, heard) in &w.heard {
        let ended = |mark| heard.iter().filter(move |r| r.mark == mark).map(|r| r.epoch);
        let committed: BTreeSet<u32> = ended(Mark::Committed).collect();
        let aborted: BTreeSet<u32> = ended(Mark::Aborted).collect();
        for run in heard {
            match run.mark {
                Mark::Failed => _ = known.failed.insert(id(run)),
                Mark::Acked if run.epoch == 0 || committed.contains(&run.epoch) => {
                    let believed = run.epoch == 0 && !is_idempotent(w, *who);
                    known.acked.insert(id(run), (run.first_offset, believed));
                }
                _ => {}
            }
        }
        let sent = w.sent.get(who).into_iter().flatten();
        known.aborted.extend(sent.filter(|r| aborted.contains(&r.epoch)).map(id));
    }
    known.aborted.retain(|id| !known.failed.contains(id));
    known
}

/// The count of every measure of one topic and one group, read_committed, that has caught up, with
/// producers of `acks` 1 or all; of all of it, or of what came to be since a moment.
pub(super) fn judge(w: &World) -> BTreeMap<Measure, u64> {
    let known = known(w);
    let visible: Vec<&MessageRun> =
        known.log.iter().filter(|(at, _)| !w.hidden.contains(at)).map(|(_, r)| r).collect();
    let mut counts = of_log(w, &known, &visible);
    counts.extend(of_group(w, &known, &visible));
    counts
}

fn of_log(w: &World, known: &Known, visible: &[&MessageRun]) -> BTreeMap<Measure, u64> {
    let when = &known.when;
    // How many of each, and how many of these were written since.
    let mut copies: BTreeMap<Id, (u64, u64)> = BTreeMap::new();
    let mut first: BTreeSet<(u32, Id)> = BTreeSet::new();
    let mut highest: BTreeMap<(u32, u32, Who), u64> = BTreeMap::new();
    let mut reordered = 0;
    for run in visible.iter().filter(|r| r.mark == Mark::Found) {
        let (all, new) = copies.entry(id(run)).or_default();
        (*all, *new) = (*all + 1, *new + u64::from(when.written(run)));
        let life = (run.partition, run.source_partition, (run.client, run.life));
        let max = highest.entry(life).or_insert(run.first_seq);
        let late = first.insert((run.partition, id(run))) && run.first_seq < *max;
        reordered += u64::from(late && when.written(run));
        *max = run.first_seq.max(*max);
    }
    let missing = known.acked.iter().filter(|(id, _)| !copies.contains_key(id) && when.sent(id));
    let (mut lost, mut expired) = (0, 0);
    let below: BTreeSet<Id> = w
        .taken
        .values()
        .flatten()
        .filter(|r| r.mark == Mark::Delivered && r.first_offset < w.starts[&r.partition])
        .map(id)
        .collect();
    for (id, (offset, believed)) in missing {
        let partition = id.0;
        let start = w.starts[&partition];
        let spoiled = w.log[&partition].iter().any(|r| r.mark == Mark::Corrupt);
        match known.log.get(&(partition, *offset)) {
            Some(run) if run.mark == Mark::Corrupt => {}
            _ if *believed && *offset < start => expired += 1,
            _ if *believed => lost += 1,
            _ if below.contains(id) => expired += 1,
            // Retention takes what is older, and an idempotent producer's messages lie in their order.
            _ if is_idempotent(w, id.1)
                && below.iter().any(|b| (b.0, b.1) == (id.0, id.1) && b.2 > id.2) =>
            {
                expired += 1;
            }
            // Unknown.
            _ if start > 0 || spoiled => {}
            _ => lost += 1,
        }
    }
    let found = |ids: &BTreeSet<Id>| {
        ids.iter().filter(|id| copies.contains_key(id) && when.sent(id)).count() as u64
    };
    let unknown = known.sent.iter().filter(|id| when.sent(id)).filter(|id| {
        !known.acked.contains_key(id) && !known.failed.contains(id) && !known.aborted.contains(id)
    });
    BTreeMap::from([
        (Measure::Acked, known.acked.keys().filter(|id| when.sent(id)).count() as u64),
        (Measure::Failed, known.failed.iter().filter(|id| when.sent(id)).count() as u64),
        (Measure::Aborted, known.aborted.iter().filter(|id| when.sent(id)).count() as u64),
        (Measure::Lost, lost),
        (Measure::Expired, expired),
        (Measure::Duplicated, copies.values().map(|(all, new)| (*new).min(all - 1)).sum()),
        (Measure::Reordered, reordered),
        (Measure::UnexpectedSuccess, found(&known.failed) + found(&known.aborted)),
        (Measure::Unresolved, unknown.count() as u64),
    ])
}

fn of_group(w: &World, known: &Known, visible: &[&MessageRun]) -> BTreeMap<Measure, u64> {
    let reported: Vec<&MessageRun> = w.taken.values().flatten().collect();
    let is_delivery =
        |r: &MessageRun| matches!(r.mark, Mark::Delivered | Mark::Foreign | Mark::Corrupt);
    let given: Vec<&MessageRun> = reported.iter().copied().filter(|r| is_delivery(r)).collect();
    let at = |r: &MessageRun| (r.partition, r.first_offset);
    // A wrong checksum on either side leaves the offset alone to compare.
    let same = |r: &MessageRun| {
        known.log.get(&at(r)).is_some_and(|there| {
            r.mark == Mark::Corrupt || there.mark == Mark::Corrupt || face(there) == face(r)
        })
    };
    let when = &known.when;
    let late: Vec<&MessageRun> = given.iter().copied().filter(|r| when.shows(r)).collect();
    let key = |r: &MessageRun| (at(r), if same(r) { (9, None) } else { face(r) });
    let old: BTreeSet<_> = given.iter().filter(|r| !when.shows(r)).map(|r| key(r)).collect();
    let keys: BTreeSet<_> = late.iter().map(|r| key(r)).filter(|key| !old.contains(key)).collect();
    let covered: BTreeSet<(u32, i64)> = given.iter().filter(|r| same(r)).map(|r| at(r)).collect();
    let start = |partition: u32| {
        let reported =
            reported.iter().filter(|r| r.mark == Mark::Assigned && r.partition == partition);
        reported.min_by_key(|r| r.first_us).map_or(0, |r| r.first_offset)
    };
    let undelivered = visible
        .iter()
        .filter(|r| r.first_offset >= start(r.partition) && !covered.contains(&at(r)))
        .filter(|r| when.written(r));
    let diverged = |shown: &dyn Fn(&MessageRun) -> bool| diverged(w, known, &given, same, shown);
    let split = diverged(&|_| true);
    // What was delivered and lies in the log just so is one of the log.
    let there = |r: &MessageRun| known.log.get(&at(r)).is_some_and(|there| face(there) == face(r));
    let astray: Vec<&MessageRun> = late.iter().copied().filter(|r| !there(r)).collect();
    let written = known.log.values().filter(|r| when.written(r));
    let phantom: BTreeSet<Id> = written
        .clone()
        .filter(|r| r.mark == Mark::Found)
        .chain(astray.iter().copied().filter(|r| r.mark == Mark::Delivered))
        .map(id)
        .filter(|id| !known.sent.contains(id))
        .collect();
    let unlike = |mark: Mark| -> BTreeSet<(u32, i64)> {
        let all = written.clone().chain(astray.iter().copied());
        all.filter(|r| r.mark == mark).map(at).collect()
    };
    let (strange, corrupt) = (unlike(Mark::Foreign), unlike(Mark::Corrupt));
    let aborted: BTreeSet<(u32, i64)> = late
        .iter()
        .filter(|r| {
            same(r) && w.hidden.contains(&at(r))
                || r.mark == Mark::Delivered && known.aborted.contains(&id(r))
        })
        .map(|r| at(r))
        .collect();
    BTreeMap::from([
        (Measure::Delivered, late.len() as u64),
        (Measure::Redelivered, (late.len() - keys.len()) as u64),
        (Measure::Undelivered, undelivered.count() as u64),
        (Measure::Skipped, skipped(w, when, visible, &given, &split)),
        (Measure::Diverged, diverged(&|r| when.shows(r)).len() as u64),
        (Measure::Phantom, (phantom.len() + strange.len()) as u64),
        (Measure::Corrupted, corrupt.len() as u64),
        (Measure::AbortedRead, aborted.len() as u64),
    ])
}

fn diverged(
    w: &World,
    known: &Known,
    given: &[&MessageRun],
    same: impl Fn(&MessageRun) -> bool,
    shown: &dyn Fn(&MessageRun) -> bool,
) -> BTreeSet<(u32, i64)> {
    let believed = w.heard.iter().filter(|(who, _)| !is_idempotent(w, **who));
    let acked = believed.flat_map(|(_, heard)| heard);
    let acked = acked.filter(|r| r.mark == Mark::Acked && r.epoch == 0);
    let seen = acked.chain(given.iter().copied()).filter(|r| shown(r));
    seen.filter(|r| r.first_offset >= w.starts[&r.partition])
        .filter(|r| {
            !same(&MessageRun {
                mark: if r.mark == Mark::Acked { Mark::Found } else { r.mark },
                ..**r
            })
        })
        .map(|r| (r.partition, r.first_offset))
        .filter(|at| known.log.get(at).is_none_or(|r| r.mark != Mark::Corrupt))
        .collect()
}

fn skipped(
    w: &World,
    when: &When,
    visible: &[&MessageRun],
    given: &[&MessageRun],
    diverged: &BTreeSet<(u32, i64)>,
) -> u64 {
    let mut skipped = 0;
    for reported in w.taken.values() {
        let mut next: BTreeMap<u32, i64> = BTreeMap::new();
        for run in reported {
            match run.mark {
                Mark::Revoked => _ = next.remove(&run.partition),
                Mark::Assigned | Mark::Reset => _ = next.insert(run.partition, run.first_offset),
                Mark::Delivered | Mark::Foreign | Mark::Corrupt => {
                    let from = next.insert(run.partition, run.first_offset + 1);
                    let jump = from.unwrap_or(run.first_offset)..run.first_offset;
                    if !when.shows(run) {
                        continue;
                    }
                    if (jump.start - 1..=jump.end).any(|o| diverged.contains(&(run.partition, o))) {
                        continue;
                    }
                    let before = |r: &MessageRun| {
                        given.iter().any(|g| {
                            (g.partition, g.first_offset) == (r.partition, r.first_offset)
                                && g.first_us <= run.first_us
                        })
                    };
                    skipped += visible
                        .iter()
                        .filter(|r| r.partition == run.partition && jump.contains(&r.first_offset))
                        .filter(|r| !before(r))
                        .count() as u64;
                }
                _ => {}
            }
        }
    }
    skipped
}
