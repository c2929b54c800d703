mod any;
mod services;

use crate::audit::testing::{Fate, World, run};
use crate::audit::{Measure, Naming, PartitionFacts, ServiceWork, TopicFacts, Window};
use crate::history::{Mark, MessageRun};

/// The other two of three messages have no copy.
pub(in crate::audit) fn make_uncopied(w: &mut World) {
    w.client("C10").work = Some(copying());
    w.around(|w, first, _| w.copy((1, 1), first));
}

pub(in crate::audit) fn make_overcopied(w: &mut World) {
    w.client("C10").work = Some(copying());
    w.around(|w, first, _| (0..2).for_each(|_| w.copy((1, 1), first)));
}

/// Of the other two of three messages nothing is made.
pub(in crate::audit) fn make_unprocessed(w: &mut World) {
    w.client("S").work = Some(serving());
    w.around(|w, first, _| _ = w.derive((1, 1), &[first]));
}

pub(in crate::audit) fn make_overprocessed(w: &mut World) {
    w.client("S").work = Some(serving());
    w.around(|w, first, _| (0..2).for_each(|_| _ = w.derive((1, 1), &[first])));
}

/// Copiers of group g.
fn copying() -> ServiceWork {
    ServiceWork { group: Some("g".into()), naming: Naming::Copied, ..serving() }
}

/// A service of no known group.
fn serving() -> ServiceWork {
    let (from, to) = ("t".into(), "u".into());
    ServiceWork { group: None, from, to, outputs: 1, naming: Naming::Derived }
}

/// Ten messages, copied by C10 of group g.
fn copied() -> World {
    let mut w = World::new(1);
    w.send((1, 1), 0, 10, Fate::Acked);
    copied_by_c10(&mut w);
    w
}

fn copied_by_c10(w: &mut World) {
    w.client("C10").work = Some(copying());
    w.read_all((10, 1));
}

/// Copies of consecutive messages at the end of the output.
fn copy(w: &mut World, seqs: std::ops::Range<u64>) {
    let count = seqs.end - seqs.start;
    let copies =
        MessageRun { count, epoch: 10, ..run(Mark::Copied, 0, (1, 1), seqs.start, w.u_end) };
    w.u_end += count.cast_signed();
    w.second.push(copies);
}

/// The counts of copiers' work, which are the same under both names.
fn copies(w: &World) -> (u64, u64) {
    let counts = (w.count(Measure::Uncopied), w.count(Measure::Overcopied));
    assert_eq!(counts, served(w));
    counts
}

fn served(w: &World) -> (u64, u64) {
    (w.count(Measure::Unprocessed), w.count(Measure::Overprocessed))
}

/// Ten messages for the service S.
fn for_s() -> World {
    let mut w = World::new(1);
    w.send((1, 1), 0, 10, Fate::Acked);
    w.client("S").work = Some(serving());
    w
}

#[test]
fn each_exactly_once() {
    let mut w = copied();
    copy(&mut w, 5..10);
    copy(&mut w, 0..5);
    assert_eq!(copies(&w), (0, 0));
    let mut w = for_s();
    (0..10).rev().for_each(|seq| _ = w.derive((1, 1), &[seq]));
    assert_eq!(served(&w), (0, 0));
}

#[test]
fn missing_and_surplus_copies_are_counted_and_shown() {
    let mut w = copied();
    copy(&mut w, 0..7);
    copy(&mut w, 2..4);
    copy(&mut w, 3..4);
    assert_eq!(copies(&w), (3, 3));
    assert_eq!(w.evidence(Measure::Uncopied)[0].sequence, Some(7));
    let twice = &w.evidence(Measure::Overcopied)[1];
    assert_eq!((twice.sequence, twice.offset), (Some(3), Some(9)));
    assert!(twice.text.contains("copied 3 times"), "{}", twice.text);
}

#[test]
fn copies_that_are_not_committed_do_not_count() {
    let mut w = copied();
    copy(&mut w, 0..10);
    let aborted = MessageRun { count: 4, ..run(Mark::FoundAborted, 0, (0, 0), 0, 6) };
    w.second.push(aborted);
    assert_eq!(copies(&w), (4, 0));
    copy(&mut w, 6..10);
    assert_eq!(copies(&w), (0, 0), "sent again after the abort");
}

#[test]
fn a_message_that_lies_twice_in_the_input_is_copied_twice() {
    let mut w = World::new(1);
    w.send((1, 1), 0, 3, Fate::Acked);
    w.append(run(Mark::Found, 0, (1, 1), 1, -1));
    copied_by_c10(&mut w);
    copy(&mut w, 0..3);
    assert_eq!(copies(&w), (1, 0));
    copy(&mut w, 1..2);
    assert_eq!(copies(&w), (0, 0));
    copy(&mut w, 1..2);
    assert_eq!(copies(&w), (0, 1));
}

#[test]
fn an_aborted_message_is_not_to_be_copied() {
    let mut w = World::new(1);
    w.send_in((1, 1), 0, 4, Fate::Acked, 1);
    w.end((1, 1), 1, Mark::Aborted);
    w.send_in((1, 1), 0, 4, Fate::Acked, 2);
    w.end((1, 1), 2, Mark::Committed);
    let mut other = w.clone();
    copied_by_c10(&mut w);
    copy(&mut w, 4..8);
    assert_eq!(copies(&w), (0, 0));
    copy(&mut w, 1..3);
    assert_eq!(copies(&w), (0, 2));
    let w = &mut other;
    w.client("S").work = Some(serving());
    [4, 5, 6, 7, 1, 2, 2].iter().for_each(|seq| _ = w.derive((1, 1), &[*seq]));
    assert_eq!(served(w), (0, 3));
    let text = &w.evidence(Measure::Overprocessed)[0].text;
    assert!(text.starts_with("it was aborted, and a message"), "{text}");
}

#[test]
fn messages_without_identity_are_told_by_their_bytes() {
    let mut w = World::new(1);
    let hash = u64::MAX - 7;
    w.append(run(Mark::Foreign, 0, (0, 0), hash, -1));
    w.append(run(Mark::Foreign, 0, (0, 0), 5, -1));
    copied_by_c10(&mut w);
    let copy = |at| MessageRun { epoch: 10, ..run(Mark::Copied, 0, (0, 0), hash, at) };
    w.second.extend([copy(0), copy(1)]);
    w.u_end = 2;
    assert_eq!(copies(&w), (1, 1));
}

#[test]
fn copies_of_others_and_of_messages_before_the_start_do_not_count() {
    let mut w = World::new(1);
    w.send((1, 1), 0, 10, Fate::Acked);
    w.client("C10").work = Some(copying());
    w.tell((10, 1), Mark::Assigned, 0, 6);
    w.deliver((10, 1), 0, 6..10);
    copy(&mut w, 5..10);
    assert_eq!(copies(&w), (0, 0));
    w.second.push(MessageRun { count: 4, epoch: 11, ..run(Mark::Copied, 0, (1, 1), 6, 5) });
    assert_eq!(copies(&w), (0, 0));
}

#[test]
fn what_is_not_known_is_doubted() {
    let mut w = copied();
    copy(&mut w, 0..8);
    w.client("C10").running = true;
    let (reason, found) = w.doubt(Measure::Uncopied);
    assert!(reason.ends_with("C10 is still running") && found == 0, "{found}: {reason}");
    assert_eq!(w.count(Measure::Overcopied), 0);
    w.client("C10").running = false;
    doubts_of_the_output(w, [Measure::Uncopied, Measure::Overcopied], "copies");
    let mut w = for_s();
    (0..8).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    doubts_of_the_output(w, [Measure::Unprocessed, Measure::Overprocessed], "messages");
}

/// The output has 8 messages.
fn doubts_of_the_output(mut w: World, measures: [Measure; 2], what: &str) {
    let mut topic = TopicFacts { compacted: true, ..TopicFacts::default() };
    w.facts.topics.insert("u".into(), topic.clone());
    let reason = w.doubt(measures[0]).0;
    assert!(reason.contains(&format!("may have removed {what} from u/0")), "{reason}");
    topic.compacted = false;
    let partition = PartitionFacts { end: Some(99), ..PartitionFacts::default() };
    topic.partitions.insert(0, partition);
    w.facts.topics.insert("u".into(), topic);
    for measure in measures {
        assert!(w.doubt(measure).0.contains("offset 8 of 99 was reached"));
    }
}

#[test]
fn copies_of_copiers_count_by_when_they_were_written() {
    let mut w = World::new(1);
    w.client("C10").work = Some(copying());
    w.tell((10, 1), Mark::Assigned, 0, 0);
    w.send((1, 1), 0, 4, Fate::Acked);
    w.facts.window = Window::Since(w.tick());
    w.send((1, 1), 0, 4, Fate::Acked);
    let copy = MessageRun { count: 2, epoch: 10, ..run(Mark::Copied, 0, (1, 1), 4, 0) };
    w.second.push(copy);
    w.u_end = 2;
    assert_eq!(w.count(Measure::Uncopied), 2, "of those sent since, without the older four");
    w.facts.window = Window::All;
    assert_eq!(w.count(Measure::Uncopied), 6);
}
