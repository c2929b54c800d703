#![allow(clippy::unwrap_used)]

use super::{Away, Gap, GapTime, Mate, PartitionPlace, consumer_gaps, producer_gaps};
use crate::history::{
    HistoryFile, Mark, Message, Writer,
    fixture::{header, history, message},
};

const MS: i64 = 1_000;
const S: i64 = 1_000 * MS;

/// A message every 50 ms for ten seconds on partition 0, with the fate that `fate` gives it.
fn produced(dir: &std::path::Path, fate: impl Fn(u64, i64) -> Option<Message>) -> [HistoryFile; 2] {
    let sent: Vec<_> =
        (0..200).map(|i| message(Mark::Sent, 0, i, -1, i as i64 * 50 * MS)).collect();
    let mut heard: Vec<_> = sent.iter().filter_map(|m| fate(m.seq, m.at_us)).collect();
    heard.sort_by_key(|m| m.at_us);
    [
        history(dir, &header(Writer::ProducerSent, "P", 1, 1), &sent),
        history(dir, &header(Writer::ProducerHeard, "P", 1, 1), &heard),
    ]
}

fn acked(seq: u64, at: i64) -> Message {
    message(Mark::Acked, 0, seq, seq as i64, at)
}

fn ever(away: &[Away], until_us: i64) -> GapTime<'_> {
    GapTime { since_us: i64::MIN, until_us, away }
}

fn gap(files: &[HistoryFile], away: &[Away], until: i64) -> Gap {
    let files: Vec<_> = files.iter().collect();
    producer_gaps(&files, &ever(away, until)).unwrap()[&PartitionPlace::new("orders", 0)]
}

#[test]
fn steady_answers_leave_no_gap_beyond_a_latency() {
    let dir = tempfile::tempdir().unwrap();
    let files = produced(dir.path(), |seq, at| Some(acked(seq, at + 5 * MS)));
    // Nothing was owed after the last answer: the time until 20 s does not count.
    let gap = gap(&files, &[], 20 * S);
    assert_eq!((gap.length_us, gap.open), (5 * MS, false));
}

#[test]
fn the_longest_gap_is_found_wherever_it_is() {
    for (from, to) in [(0, 3 * S), (4 * S, 7 * S)] {
        let dir = tempfile::tempdir().unwrap();
        let files = produced(dir.path(), |seq, at| {
            let at = at + 5 * MS;
            Some(acked(seq, if (from..to).contains(&at) { to } else { at }))
        });
        let gap = gap(&files, &[], 10 * S);
        let expected = to - from;
        assert!((expected - 60 * MS..=expected).contains(&gap.length_us), "{gap:?}");
        assert_eq!((gap.to_us, gap.open), (to, false));
    }
}

#[test]
fn a_gap_still_open_counts_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let files = produced(dir.path(), |seq, at| (at < 8 * S).then(|| acked(seq, at + 5 * MS)));
    let gap = gap(&files, &[], 15 * S);
    assert!(gap.open && (7 * S - 60 * MS..=7 * S + 60 * MS).contains(&gap.length_us), "{gap:?}");
}

#[test]
fn never_answered_is_a_gap_from_the_first_send() {
    let dir = tempfile::tempdir().unwrap();
    let files = produced(dir.path(), |_, _| None);
    assert_eq!(
        gap(&files, &[], 15 * S),
        Gap { from_us: 0, to_us: 15 * S, length_us: 15 * S, open: true }
    );
}

#[test]
fn failures_do_not_end_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let files = produced(dir.path(), |seq, at| {
        let failed = (2 * S..6 * S).contains(&at);
        let at = at + 5 * MS;
        Some(if failed { message(Mark::Failed, 0, seq, -1, at) } else { acked(seq, at) })
    });
    let gap = gap(&files, &[], 10 * S);
    assert!((4 * S..=4 * S + 10 * MS).contains(&gap.length_us), "{gap:?}");
}

#[test]
fn the_clients_own_absence_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    // Frozen from 3 s to 5 s, answered again from 6 s on.
    let files = produced(dir.path(), |seq, at| {
        Some(acked(seq, if (3 * S..6 * S).contains(&at) { 6 * S } else { at + 5 * MS }))
    });
    let away = [Away { from_us: 3 * S, to_us: 5 * S }];
    let with = gap(&files, &away, 10 * S);
    assert!((S..=S + 60 * MS).contains(&with.length_us), "{with:?}");
    let without = gap(&files, &[], 10 * S);
    assert!(without.length_us >= 3 * S, "{without:?}");
    // Stopped at 8 s with answers missing: the time after counts for nothing.
    let dir = tempfile::tempdir().unwrap();
    let files = produced(dir.path(), |seq, at| (at < 7 * S).then(|| acked(seq, at + 5 * MS)));
    let stopped = [Away { from_us: 8 * S, to_us: i64::MAX }];
    let gap = gap(&files, &stopped, 60 * S);
    assert!((S - 60 * MS..=S + 60 * MS).contains(&gap.length_us), "{gap:?}");
}

#[test]
fn a_dead_lifes_messages_are_owed_by_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let life = |life, sent: &[Message], heard: &[Message]| {
        [
            history(dir.path(), &header(Writer::ProducerSent, "P", 1, life), sent),
            history(dir.path(), &header(Writer::ProducerHeard, "P", 1, life), heard),
        ]
    };
    let sent = |seq, at| message(Mark::Sent, 0, seq, -1, at);
    let one = life(1, &[sent(0, 0), sent(1, 100 * MS)], &[acked(0, 5 * MS)]);
    let two = life(2, &[sent(0, 2 * S)], &[acked(0, 2 * S + 5 * MS)]);
    let files: Vec<_> = one.iter().chain(&two).collect();
    let away = [Away { from_us: 200 * MS, to_us: 1_900 * MS }];
    let gaps = producer_gaps(&files, &ever(&away, 60 * S)).unwrap();
    let gap = gaps[&PartitionPlace::new("orders", 0)];
    // Before the kill 100 ms, after the start 105 ms, and nothing after the last answer.
    assert_eq!((gap.length_us, gap.open), (205 * MS, false));
}

#[test]
fn a_transaction_answers_when_it_commits() {
    let dir = tempfile::tempdir().unwrap();
    let txn = |m: Message| Message { epoch: 1, ..m };
    let sent = [txn(message(Mark::Sent, 0, 0, -1, 0))];
    let heard = [txn(acked(0, 10 * MS)), txn(message(Mark::Committed, 0, 0, -1, 900 * MS))];
    let files = [
        history(dir.path(), &header(Writer::ProducerSent, "P", 1, 1), &sent),
        history(dir.path(), &header(Writer::ProducerHeard, "P", 1, 1), &heard),
    ];
    assert_eq!(gap(&files, &[], 10 * S).length_us, 900 * MS);
}

/// A consumer that starts at `start_us` from offset `position`, and delivers as `delivery` says.
fn consumed(
    dir: &std::path::Path,
    (start_us, position): (i64, i64),
    delivery: impl Fn(u64, i64) -> Option<i64>,
) -> HistoryFile {
    let mut all = vec![message(Mark::Assigned, 0, 0, position, start_us)];
    all.extend((0..200).filter_map(|i| {
        let at = delivery(i, i as i64 * 50 * MS)?;
        Some(message(Mark::Delivered, 0, i, i as i64, at))
    }));
    all.sort_by_key(|m| m.at_us);
    history(dir, &header(Writer::Consumer, "C", 2, 1), &all)
}

fn delivery_gap(consumer: &HistoryFile, heard: &HistoryFile, until: i64) -> Option<Gap> {
    let gaps = consumer_gaps(&[consumer], &[], (&[heard], false), &ever(&[], until)).unwrap();
    gaps.get(&PartitionPlace::new("orders", 0)).copied()
}

#[test]
fn a_consumer_owes_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let [_, heard] = produced(dir.path(), |seq, at| Some(acked(seq, at + 5 * MS)));
    let steady = consumed(dir.path(), (0, 0), |_, at| Some(at + 8 * MS));
    let gap = delivery_gap(&steady, &heard, 30 * S).unwrap();
    assert_eq!((gap.length_us, gap.open), (3 * MS, false), "nothing is owed after the last");

    let dir = tempfile::tempdir().unwrap();
    let stuck = consumed(dir.path(), (0, 0), |_, at| (at < 4 * S).then_some(at + 8 * MS));
    let gap = delivery_gap(&stuck, &heard, 30 * S).unwrap();
    assert!(gap.open && gap.length_us > 25 * S, "{gap:?}");

    let dir = tempfile::tempdir().unwrap();
    let late = consumed(dir.path(), (0, 0), |_, at| {
        Some(if (4 * S..6 * S).contains(&at) { 6 * S } else { at + 8 * MS })
    });
    let gap = delivery_gap(&late, &heard, 30 * S).unwrap();
    assert!((2 * S - 60 * MS..=2 * S).contains(&gap.length_us), "{gap:?}");
}

#[test]
fn a_consumer_owes_nothing_that_it_did_not_begin_with() {
    let dir = tempfile::tempdir().unwrap();
    let [_, heard] = produced(dir.path(), |seq, at| Some(acked(seq, at + 5 * MS)));
    // It starts at 5 s behind offset 100, which is where the log ends then.
    let latest = consumed(dir.path(), (5 * S, 100), |_, at| (at >= 5 * S).then_some(at + 8 * MS));
    assert!(delivery_gap(&latest, &heard, 30 * S).unwrap().length_us < 60 * MS);
    // From the start on, the backlog is owed from the assignment on.
    let dir = tempfile::tempdir().unwrap();
    let earliest = consumed(dir.path(), (5 * S, 0), |_, at| Some(at.max(6 * S) + 8 * MS));
    let gap = delivery_gap(&earliest, &heard, 30 * S).unwrap();
    assert!((S..=S + 60 * MS).contains(&gap.length_us), "{gap:?}");
}

#[test]
fn an_end_of_partition_owes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let [_, heard] = produced(dir.path(), |seq, at| Some(acked(seq, at + 5 * MS)));
    // The last ten acknowledged messages were lost: the log ends before them.
    let mut all: Vec<_> = (0..190)
        .map(|i| message(Mark::Delivered, 0, i, i as i64, i as i64 * 50 * MS + 8 * MS))
        .collect();
    all.insert(0, message(Mark::Assigned, 0, 0, 0, 0));
    all.push(message(Mark::Eof, 0, 0, 190, 11 * S));
    let consumer = history(dir.path(), &header(Writer::Consumer, "C", 2, 1), &all);
    let gap = delivery_gap(&consumer, &heard, 60 * S);
    assert!(gap.is_some_and(|g| g.length_us < 60 * MS), "{gap:?}");
}

#[test]
fn a_partition_nobody_reads_is_not_the_consumers() {
    let dir = tempfile::tempdir().unwrap();
    let [_, heard] = produced(dir.path(), |seq, at| Some(acked(seq, at + 5 * MS)));
    let consumer = history(dir.path(), &header(Writer::Consumer, "C", 2, 1), &[]);
    assert_eq!(delivery_gap(&consumer, &heard, 30 * S), None);
}

/// Answered at once but for two silences, from 1 to 5 s and from 7 to 9 s.
fn silent_twice(dir: &std::path::Path) -> [HistoryFile; 2] {
    produced(dir, |seq, at| {
        let at = at + 5 * MS;
        let to =
            [(S, 5 * S), (7 * S, 9 * S)].into_iter().find(|(from, to)| (*from..*to).contains(&at));
        Some(acked(seq, to.map_or(at, |(_, to)| to)))
    })
}

#[test]
fn a_longer_gap_before_the_moment_hides_none_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let files = silent_twice(dir.path());
    let files: Vec<_> = files.iter().collect();
    let place = PartitionPlace::new("orders", 0);
    let since = |since_us, away: &[Away]| {
        let time = GapTime { since_us, until_us: 10 * S, away };
        producer_gaps(&files, &time).unwrap()[&place]
    };
    for (since_us, from_us, to_us) in [
        (0, S, 5 * S),
        // The first is cut to what lies after the moment, while that is the longer one.
        (2 * S, 2 * S, 5 * S),
        (4 * S, 7 * S, 9 * S),
        (6 * S, 7 * S, 9 * S),
        (8 * S, 8 * S, 9 * S),
    ] {
        let gap = since(since_us, &[]);
        assert!((gap.from_us - from_us).abs() <= 60 * MS, "since {since_us}: {gap:?}");
        assert_eq!((gap.to_us, gap.length_us), (to_us, to_us - gap.from_us), "since {since_us}");
    }
    // The client's own absence is none of it, whichever part of a gap is asked about.
    let away = [Away { from_us: 2 * S, to_us: 4 * S }];
    assert_eq!(since(S + 500 * MS, &away).length_us, 2 * S, "the second: the first is 1.5 s then");
    assert_eq!(since(3 * S, &away).length_us, 2 * S);
    let away = [Away { from_us: 7 * S + 500 * MS, to_us: 8 * S + 500 * MS }];
    assert_eq!(since(7 * S + 400 * MS, &away).length_us, 600 * MS);
}

#[test]
fn what_another_client_of_the_group_holds_is_owed_by_that_one() {
    let dir = tempfile::tempdir().unwrap();
    let [_, heard] = produced(dir.path(), |seq, at| Some(acked(seq, at + 5 * MS)));
    // C reads until 3 s, D from 4 s to 6 s, and C again from 7 s on.
    let own = |name: &str, assigned: &[i64], given: &dyn Fn(i64) -> Option<i64>| {
        let assigned = assigned.iter().map(|at| message(Mark::Assigned, 0, 0, 0, *at));
        let times = (0..200_u64).map(|i| (i, i.cast_signed() * 50 * MS));
        let delivered = times.filter_map(|(i, at)| {
            Some(message(Mark::Delivered, 0, i, i.cast_signed(), given(at)? + 8 * MS))
        });
        let mut all: Vec<Message> = assigned.chain(delivered).collect();
        all.sort_by_key(|m| m.at_us);
        history(dir.path(), &header(Writer::Consumer, name, 2, 1), &all)
    };
    let c = own("C", &[0, 7 * S], &|at| {
        (!(3 * S..6 * S).contains(&at)).then_some(if at < 3 * S { at } else { at.max(7 * S) })
    });
    let d = own("D", &[4 * S], &|at| (3 * S..6 * S).contains(&at).then_some(at.max(4 * S)));
    let place = PartitionPlace::new("orders", 0);
    let gap = |mine: &HistoryFile, other: Option<&HistoryFile>| {
        let files = other.map(|file| HistoryFile::open(file.path()).unwrap());
        let mates: Vec<_> =
            files.into_iter().map(|file| Mate { files: vec![file], gone: false }).collect();
        consumer_gaps(&[mine], &mates, (&[&heard], false), &ever(&[], 20 * S)).unwrap()[&place]
    };
    assert!(gap(&c, None).length_us > 3 * S, "alone, it is all its own");
    // It waits until D is given the partition, which takes a second.
    let own_gap = gap(&c, Some(&d));
    assert!((S - 60 * MS..=S).contains(&own_gap.length_us), "{own_gap:?}");
    assert_eq!((own_gap.to_us, own_gap.open), (4 * S, false));
    // D waits from what it has read on until C is given it again.
    let others_gap = gap(&d, Some(&c));
    assert!((S - 60 * MS..=S + 60 * MS).contains(&others_gap.length_us), "{others_gap:?}");
    assert_eq!((others_gap.to_us, others_gap.open), (7 * S, false));
}

#[test]
fn what_nobody_answers_was_perhaps_to_be_delivered() {
    let dir = tempfile::tempdir().unwrap();
    let [_, heard] =
        produced(dir.path(), |seq, at| Some(message(Mark::Written, 0, seq, -1, at + 5 * MS)));
    // Given at once but for two silences; what was written from 4 s to 6 s is lost, all else is late.
    let consumer = consumed(dir.path(), (0, 0), |_, at| match at {
        _ if (4 * S..6 * S).contains(&at) => None,
        _ if (7 * S..8 * S).contains(&at) => Some(8 * S),
        _ => Some(at + 8 * MS),
    });
    let gap = |unanswered| {
        let time = ever(&[], 30 * S);
        let gaps = consumer_gaps(&[&consumer], &[], (&[&heard], unanswered), &time).unwrap();
        gaps.get(&PartitionPlace::new("orders", 0)).copied()
    };
    let longest = gap(true).unwrap();
    assert!((2 * S - 60 * MS..=2 * S + 60 * MS).contains(&longest.length_us), "{longest:?}");
    assert_eq!(gap(false).unwrap().length_us, 0, "for certain nothing waited");
    // It begins in the middle: it is unknown whether earlier messages are to be delivered to it.
    let dir = tempfile::tempdir().unwrap();
    let late = consumed(dir.path(), (5 * S, 90), |_, at| (at >= 6 * S).then_some(at + 8 * MS));
    let time = ever(&[], 30 * S);
    let gaps = consumer_gaps(&[&late], &[], (&[&heard], true), &time).unwrap();
    assert_eq!(gaps[&PartitionPlace::new("orders", 0)].length_us, S + 8 * MS);
}
