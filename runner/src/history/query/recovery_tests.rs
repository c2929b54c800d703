#![allow(clippy::unwrap_used)]

use super::{Onset, PACE_US, Waited, waits};
use crate::history::{
    HistoryFile, Mark, Message, RUN_SPAN_US, Writer,
    fixture::{header, history, message},
    query::{Away, PartitionPlace},
};

const MS: i64 = 1_000;
const S: i64 = 1_000 * MS;

/// Messages of one life of P that were sent at these times on partition 0, from sequence number `first` on, with
/// the fate that `fate` gives them.
fn life(
    dir: &std::path::Path,
    life: u16,
    times: &[i64],
    fate: impl Fn(i64) -> Option<(Mark, i64)>,
) -> [HistoryFile; 2] {
    let dir = &tempfile::tempdir_in(dir).unwrap().keep();
    let times = times.iter().zip(0..);
    let sent = times.clone().map(|(at, seq)| message(Mark::Sent, 0, seq, -1, *at)).collect();
    let heard =
        times.filter_map(|(at, seq)| fate(*at).map(|(mark, at)| message(mark, 0, seq, -1, at)));
    let mut heard: Vec<Message> = heard.collect();
    heard.sort_by_key(|m| m.at_us);
    let with_life = |all: Vec<Message>| -> Vec<Message> {
        all.into_iter().map(|m| Message { life, ..m }).collect()
    };
    [
        history(dir, &header(Writer::ProducerSent, "P", 1, life), &with_life(sent)),
        history(dir, &header(Writer::ProducerHeard, "P", 1, life), &with_life(heard)),
    ]
}

/// What a producer waited for on partition 0.
fn wait(lives: Vec<[HistoryFile; 2]>, away: &[Away], onset: Onset) -> Option<Waited> {
    let open = |files: &[[HistoryFile; 2]]| -> Vec<HistoryFile> {
        files.iter().flatten().map(|f| HistoryFile::open(f.path()).unwrap()).collect()
    };
    let (own, sent) = (open(&lives), open(&lives));
    let waits = waits(&[(sent, away.to_vec())], &own, |_| Some(i64::MIN), onset).unwrap();
    waits.get(&PartitionPlace::new("orders", 0)).copied()
}

fn every(from: i64, to: i64, interval: i64) -> Vec<i64> {
    (0..).map(|i| from + i * interval).take_while(|at| *at < to).collect()
}

/// Answered within 5 ms, but for what would be answered from `from` to `to`: that is answered then.
fn silent(from: i64, to: i64) -> impl Fn(i64) -> Option<(Mark, i64)> {
    move |at| {
        let at = at + 5 * MS;
        Some((Mark::Acked, if (from..to).contains(&at) { to } else { at }))
    }
}

const fn at(us: i64) -> Onset {
    Onset { from_us: us, by_us: us }
}

#[test]
fn who_sends_all_the_time_waits_from_the_fault_on() {
    for interval in [MS, 5 * MS, 15 * MS, PACE_US - 10 * MS] {
        let dir = tempfile::tempdir().unwrap();
        let times = every(0, 10 * S, interval);
        // Until it acts on all that it struck, some of it still answers.
        for by_us in [3 * S, 3 * S + 300 * MS] {
            let lives = vec![life(dir.path(), 1, &times, silent(by_us, 6 * S))];
            let waited = wait(lives, &[], Onset { from_us: 3 * S, by_us }).unwrap();
            assert_eq!(waited.from_us, 3 * S, "{interval}");
            let off = waited.until_us.unwrap() - 6 * S;
            assert!((0..=RUN_SPAN_US).contains(&off), "{interval}: {off}");
        }
    }
}

#[test]
fn a_wait_begins_with_the_first_message_that_waits() {
    let dir = tempfile::tempdir().unwrap();
    // A message each three seconds, answered at once: the fault was over long before.
    let times = [0, 3 * S, 6 * S];
    let of = |onset| wait(vec![life(dir.path(), 1, &times, silent(0, 0))], &[], onset);
    let waited = |from_us| Some(Waited { from_us, until_us: Some(from_us + 5 * MS) });
    assert_eq!(of(at(S)), waited(3 * S));
    // What was answered before it acted on all did not wait.
    assert_eq!(of(Onset { from_us: 2 * S, by_us: 4 * S }), waited(6 * S));
    assert_eq!(of(at(7 * S)), None, "nothing was sent after it");
    // What waits when it begins, or is sent while it acts and waits then, is what waits first.
    let late = |onset| wait(vec![life(dir.path(), 1, &times, silent(3 * S, 7 * S))], &[], onset);
    let until_us = Some(7 * S);
    assert_eq!(late(at(4 * S)), Some(Waited { from_us: 4 * S, until_us }));
    let acting = Onset { from_us: 2 * S, by_us: 4 * S };
    assert_eq!(late(acting), Some(Waited { from_us: 3 * S, until_us }));
    // One that has no answer yet.
    let never = life(dir.path(), 1, &times, |at| (at < S).then_some((Mark::Acked, at)));
    assert_eq!(wait(vec![never], &[], at(S)), Some(Waited { from_us: 3 * S, until_us: None }));
}

#[test]
fn what_failed_before_the_fault_does_not_wait_and_what_failed_in_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let fate = |at: i64| Some(if at == 0 { (Mark::Failed, S) } else { (Mark::Acked, at + MS) });
    let lives = || vec![life(dir.path(), 1, &[0, 8 * S], fate)];
    let until_us = Some(8 * S + MS);
    assert_eq!(wait(lives(), &[], at(2 * S)), Some(Waited { from_us: 8 * S, until_us }));
    assert_eq!(wait(lives(), &[], at(500 * MS)), Some(Waited { from_us: 500 * MS, until_us }));
}

#[test]
fn a_life_that_the_plan_ended_waits_for_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // Stopped with all answered, and back four seconds later.
    let one = || life(dir.path(), 1, &every(0, 2 * S, 100 * MS), silent(0, 0));
    let two = || life(dir.path(), 2, &every(6 * S, 7 * S, 100 * MS), silent(0, 0));
    let waited = wait(vec![one(), two()], &[], at(S + 999 * MS));
    assert_eq!(waited, Some(Waited { from_us: 6 * S, until_us: Some(6 * S + 5 * MS) }));
    // Frozen from two to six seconds: what it meant to send was sent then.
    let away = [Away { from_us: 2 * S, to_us: 6 * S }];
    let frozen = life(dir.path(), 3, &every(0, 7 * S, 100 * MS), silent(2 * S, 6 * S + 5 * MS));
    let waited = wait(vec![frozen], &away, at(S + 999 * MS));
    assert_eq!(waited, Some(Waited { from_us: 6 * S, until_us: Some(6 * S + 5 * MS) }));
}

#[test]
fn recovered_is_by_partition_and_a_commit_answers() {
    let dir = tempfile::tempdir().unwrap();
    let txn = |m: Message, epoch| Message { epoch, ..m };
    // Two partitions, each with a transaction that begins at 2 s; the first is aborted.
    let sent = [0, 1].map(|p| txn(message(Mark::Sent, p, 0, -1, 2 * S), 1));
    let more = [0, 1].map(|p| txn(message(Mark::Sent, p, 1, -1, 3 * S), 2));
    let acked = [0, 1].map(|p| txn(message(Mark::Acked, p, 0, -1, 2 * S + MS), 1));
    let again = [0, 1].map(|p| txn(message(Mark::Acked, p, 1, -1, 3 * S + MS), 2));
    let ends = |mark, epoch, at| txn(message(mark, 0, 0, -1, at), epoch);
    let mut heard = [&acked[..], &[ends(Mark::Aborted, 1, 2 * S + 9 * MS)]].concat();
    heard.extend([&again[..], &[ends(Mark::Committed, 2, 4 * S)]].concat());
    let files = [
        history(dir.path(), &header(Writer::ProducerSent, "P", 1, 1), &[sent, more].concat()),
        history(dir.path(), &header(Writer::ProducerHeard, "P", 1, 1), &heard),
    ];
    let waited = wait(vec![files], &[], at(2 * S - MS));
    assert_eq!(waited, Some(Waited { from_us: 2 * S - MS, until_us: Some(4 * S) }));
}

#[test]
fn a_reader_waits_for_what_was_sent_and_did_not_fail() {
    let dir = tempfile::tempdir().unwrap();
    // The first message fails at 2 s; the second is sent at 6 s.
    let fate = |at: i64| Some(if at == 0 { (Mark::Failed, 2 * S) } else { (Mark::Acked, at + MS) });
    let sent = life(dir.path(), 1, &[0, 6 * S], fate);
    let given = [message(Mark::Delivered, 0, 1, 0, 6 * S + 4 * MS)];
    let own = history(dir.path(), &header(Writer::Consumer, "C", 2, 1), &given);
    let senders = [(sent.into_iter().collect(), Vec::new())];
    let place = PartitionPlace::new("orders", 0);
    let own = [own];
    let wait = |held| waits(&senders, &own, |_| held, at(S)).unwrap().get(&place).copied();
    let until_us = Some(6 * S + 4 * MS);
    assert_eq!(wait(Some(i64::MIN)), Some(Waited { from_us: 6 * S, until_us }));
    assert_eq!(wait(Some(5 * S)), Some(Waited { from_us: 6 * S, until_us }), "taken over before");
    assert_eq!(wait(Some(7 * S)), None, "taken over when nothing was sent any more");
    assert_eq!(wait(None), None, "another's");
}
