//! Properties: a correct history has no anomaly; anomalies that are made on purpose are counted exactly; and on
//! any history, the audit and a simple second implementation agree.

use super::Measure::{self, *};
use super::input::Window;
use super::oracle;
use super::testing::{Fate, World, run};
use crate::history::{Mark, MessageRun};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Measures that clients report in any case: all others are anomalies.
const REPORTED: [Measure; 5] = [Acked, Failed, Delivered, Committed, Aborted];

/// Two producers of two lives send to three partitions in turns, some fail, some are aborted; two
/// consumers share the partitions, one dies and its second life takes over where it ended.
pub(super) fn honest(sends: &[Sending]) -> World {
    let mut w = World::new(3);
    send_all(&mut w, sends, &mut 0);
    for partition in 0..3 {
        let who = (10 + (partition % 2) as u16, 1);
        let middle = w.ends[&partition] / 2;
        w.tell(who, Mark::Assigned, partition, 0);
        w.deliver(who, partition, 0..middle);
        w.tell(who, Mark::Revoked, partition, -1);
        w.tell((10, 2), Mark::Assigned, partition, middle);
        w.deliver((10, 2), partition, middle..i64::MAX);
    }
    w
}

/// Client, life, partition, how many, and what becomes of them.
pub(super) type Sending = (u16, u16, u32, u64, u8);

fn send_all(w: &mut World, sends: &[Sending], epoch: &mut u32) {
    for (client, life, partition, count, fate) in sends {
        let (who, partition) = ((*client, *life), *partition);
        match fate {
            0 => _ = w.send(who, partition, *count, Fate::Failed),
            1 | 2 => {
                *epoch += 1;
                w.send_in(who, partition, *count, Fate::Acked, *epoch);
                let mark = if *fate == 1 { Mark::Aborted } else { Mark::Committed };
                w.end(who, *epoch, mark);
            }
            _ => _ = w.send(who, partition, *count, Fate::Acked),
        }
    }
}

pub(super) fn sends() -> impl Strategy<Value = Vec<Sending>> {
    prop::collection::vec((1u16..3, 1u16..3, 0u32..3, 1u64..30, 0u8..8), 1..25).prop_map(|mut s| {
        // A life begins when the one before it has ended.
        s.sort_by_key(|(_, life, ..)| *life);
        s
    })
}

fn counts(w: &World, limit: u64) -> BTreeMap<Measure, u64> {
    let audit = w.audit(limit);
    let sum =
        |m: &Measure| audit.measures.get(m).map_or(0, |j| j.cells.iter().map(|c| c.count).sum());
    Measure::ALL.iter().map(|m| (*m, sum(m))).collect()
}

/// What is not zero.
pub(super) fn anomalies(w: &World, limit: u64) -> BTreeMap<Measure, u64> {
    let counts = counts(w, limit).into_iter();
    counts.filter(|(m, n)| *n > 0 && !REPORTED.contains(m)).collect()
}

/// Places in the log of visible messages that were acknowledged outside transactions.
fn plain(w: &World) -> Vec<(u32, usize)> {
    let logs = w.log.iter().flat_map(|(p, log)| (0..log.len()).map(move |i| (*p, i)));
    logs.filter(|(p, i)| {
        let found = &w.log[p][*i];
        let heard = &w.heard[&(found.client, found.life)];
        let key = (Mark::Acked, 0, *p, found.first_seq);
        heard.iter().any(|r| (r.mark, r.epoch, r.partition, r.first_seq) == key)
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_honest_history_has_no_anomaly(sends in sends(), limit in 1u64..40) {
        prop_assert_eq!(anomalies(&honest(&sends), limit), BTreeMap::new());
    }

    /// Clients that run: the histories are looked at, then the log's end is asked for, then everything
    /// goes on. Their clocks are of no use: what they hear and are given may bear an older time.
    #[test]
    fn running_clients_have_no_anomaly(
        before in sends(), between in sends(), after in sends(), stale in 0i64..50_000,
        limit in 1u64..40,
    ) {
        let mut w = World::new(3);
        for name in ["P1", "P2", "C10", "C11"] {
            w.client(name).running = true;
        }
        // One life each, as a running client's.
        let one_life = |sends: &[Sending]| -> Vec<Sending> {
            sends.iter().map(|(c, _, p, n, fate)| (*c, 1, *p, *n, *fate)).collect()
        };
        let mut epoch = 0;
        send_all(&mut w, &one_life(&before), &mut epoch);
        w.read_all((10, 1));
        w.snapshot();
        send_all(&mut w, &one_life(&between), &mut epoch);
        w.ask_end();
        let known = w.ends.clone();
        send_all(&mut w, &one_life(&after), &mut epoch);
        for partition in 0..3 {
            w.tell((11, 1), Mark::Assigned, partition, 0);
            let offsets = known[&partition]..i64::MAX;
            w.tell((11, 1), Mark::Reset, partition, offsets.start);
            w.deliver((11, 1), partition, offsets);
        }
        for run in w.heard.values_mut().chain(w.taken.values_mut()).flatten() {
            run.first_us -= stale;
            run.last_us -= stale;
        }
        prop_assert_eq!(anomalies(&w, limit), BTreeMap::new());
    }

    #[test]
    fn messages_dropped_from_the_log_are_lost(
        sends in sends(), picks in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        limit in 1u64..40,
    ) {
        let mut w = honest(&sends);
        let plain = plain(&w);
        prop_assume!(!plain.is_empty());
        let mut gone: Vec<_> = picks.iter().map(|i| plain[i.index(plain.len())]).collect();
        gone.sort_unstable();
        gone.dedup();
        for (p, i) in gone.iter().rev() {
            w.log.get_mut(p).map(|log| log.remove(*i));
        }
        let n = gone.len() as u64;
        // They were acknowledged and delivered at offsets that hold nothing now.
        prop_assert_eq!(anomalies(&w, limit), BTreeMap::from([(Lost, n), (Diverged, n)]));
    }

    #[test]
    fn copies_are_duplicates_and_nobody_got_them(
        sends in sends(), picks in prop::collection::vec(any::<prop::sample::Index>(), 1..9),
        limit in 1u64..40,
    ) {
        let mut w = honest(&sends);
        let plain = plain(&w);
        prop_assume!(!plain.is_empty());
        for pick in &picks {
            let (p, i) = plain[pick.index(plain.len())];
            w.append(w.log[&p][i]);
        }
        let n = picks.len() as u64;
        prop_assert_eq!(anomalies(&w, limit), BTreeMap::from([(Duplicated, n), (Undelivered, n)]));
    }

    #[test]
    fn a_cut_tail_is_lost_and_diverged(sends in sends(), cut in 1i64..40, limit in 1u64..40) {
        let mut w = honest(&sends);
        let to = (w.ends[&0] - cut).max(0);
        let tail = plain(&w).into_iter().filter(|(p, i)| *p == 0 && w.log[p][*i].first_offset >= to);
        let (plain, tail): (u64, Vec<i64>) = {
            let tail: Vec<i64> = tail.map(|(p, i)| w.log[&p][i].first_offset).collect();
            (tail.len() as u64, tail)
        };
        // Committed ones are lost too; they were delivered, so their offsets diverged as well.
        let committed = w.log[&0].iter().filter(|r| {
            r.first_offset >= to
                && !tail.contains(&r.first_offset)
                && !w.hidden.contains(&(0, r.first_offset))
        });
        let n = plain + committed.count() as u64;
        w.truncate(0, to);
        let expected: BTreeMap<_, _> =
            [(Lost, n), (Diverged, n)].into_iter().filter(|(_, n)| *n > 0).collect();
        prop_assert_eq!(anomalies(&w, limit), expected);
    }

    #[test]
    fn any_history_is_judged_as_message_by_message(w in wild(), limit in 1u64..40) {
        let (mut fast, slow) = (counts(&w, limit), oracle::judge(&w));
        fast.retain(|m, _| slow.contains_key(m));
        prop_assert_eq!(fast, slow);
    }
}

/// Anything: messages of every fate, logs truncated and rewritten, copies, strangers, wrong checksums,
/// retention, hidden messages, deliveries from anywhere; idempotent producers; and all of it, or what
/// came since a moment.
fn wild() -> impl Strategy<Value = World> {
    let step = (0u8..16, 1u16..3, 1u16..3, 0u32..2, 0u64..12, 0i64..40);
    let steps = prop::collection::vec(step, 1..40);
    let since = prop::option::of(any::<prop::sample::Index>());
    (steps, since, any::<[bool; 2]>()).prop_map(|(steps, since, idempotent)| {
        let mut w = World::new(2);
        w.client("P1").idempotent = idempotent[0];
        w.client("P2").idempotent = idempotent[1];
        let since = since.map(|at| at.index(steps.len()));
        w.tell((10, 1), Mark::Assigned, 0, 0);
        w.tell((10, 1), Mark::Assigned, 1, 0);
        let mut epoch = 0;
        for (number, (what, client, life, partition, count, offset)) in
            steps.into_iter().enumerate()
        {
            if since == Some(number) {
                w.facts.window = Window::Since(w.pause());
            }
            wild_step(&mut w, what, (client, life), partition, count, offset, &mut epoch);
        }
        w
    })
}

fn wild_step(
    w: &mut World,
    what: u8,
    who: (u16, u16),
    partition: u32,
    count: u64,
    offset: i64,
    epoch: &mut u32,
) {
    let consumer = (9 + who.0, who.1);
    let found = run(Mark::Found, partition, who, count, -1);
    match what {
        0..=2 => _ = w.send(who, partition, count, Fate::Acked),
        3 => {
            let fates = [Fate::Dropped, Fate::Failed, Fate::FailedAndWritten, Fate::Silent];
            w.send(who, partition, count, fates[offset as usize % 4]);
        }
        4 => {
            *epoch += 1;
            w.send_in(who, partition, count + 1, Fate::Acked, *epoch);
            let ends = [Mark::Committed, Mark::Aborted, Mark::Unsettled];
            w.end(who, *epoch, ends[offset as usize % 3]);
        }
        5 => w.truncate(partition, offset.clamp(w.starts[&partition], w.ends[&partition])),
        6 => _ = w.append(found),
        7 => _ = w.append(MessageRun { source_partition: 1 - partition, ..found }),
        8 => _ = w.append(run(Mark::Foreign, partition, (0, 0), count, -1)),
        9 => _ = w.append(run(Mark::Corrupt, partition, (0, 0), 0, -1)),
        10 if count < 3 => {
            w.expire(partition, offset.clamp(w.starts[&partition], w.ends[&partition]))
        }
        10 => _ = w.hidden.insert((partition, offset)),
        11 => w.tell(consumer, Mark::Assigned, partition, offset),
        12 => {
            w.tell(consumer, if count < 6 { Mark::Reset } else { Mark::Revoked }, partition, offset)
        }
        13 => {
            let marks = [Mark::Found, Mark::Foreign, Mark::Corrupt];
            let mark = marks[offset as usize % 3];
            w.give(consumer, MessageRun { mark, first_offset: offset, ..found });
        }
        _ => w.deliver(consumer, partition, offset..offset + count as i64),
    }
}
