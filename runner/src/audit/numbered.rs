//! Messages that a client of another program numbered itself: it counts them over all partitions of its topic, chooses
//! the partition of each, and says so only with the outcome. So it is not known what such a client sent until it
//! printed the outcome or the message is found:
//! - A message that is found, and whose outcome the client did not print, was sent: its outcome is unknown.
//! - So was every number below the highest one that is known of a life that has ended. One that is found nowhere counts
//!   with the lowest partition that the life is known to have sent to: its own is not known.
//! - A message whose partition the client did not report (a failed one), or reported wrongly, counts where it is found.
//! - A message that is found in two partitions was sent to both: the second copy is `duplicated`.

use super::book::Names;
use super::groups::Groups;
use super::input::Facts;
use super::log::Logs;
use super::placement::SentStream;
use super::sends::{AllSends, File, Sends, client_facts, is_running};
use super::set::Set;
use crate::history::Writer;
use std::collections::BTreeMap;

/// A life of such a client, and the topic that it sends to.
struct Numbering {
    topic: u16,
    client: u16,
    life: u16,
    name: String,
    running: bool,
}

impl Numbering {
    fn stream(&self, source: u32) -> SentStream {
        SentStream { client: self.client, life: self.life, source }
    }

    /// The partitions that it is known to have sent to.
    fn partitions(&self, sends: &AllSends) -> Vec<u32> {
        let own = |(topic, stream): &&(u16, SentStream)| {
            (*topic, stream.client, stream.life) == (self.topic, self.client, self.life)
        };
        sends.by.keys().filter(own).map(|(_, stream)| stream.source).collect()
    }
}

fn lives(files: &[File<'_>], facts: &Facts) -> Vec<Numbering> {
    let sent = files.iter().filter(|f| f.header().writer == Writer::ProducerSent);
    let own = sent.filter(|f| client_facts(facts, &f.header().client).numbers_itself);
    own.filter_map(|file| {
        let header = file.header();
        Some(Numbering {
            topic: *file.topics.first()?,
            client: header.client_id,
            life: header.life,
            name: header.client.clone(),
            running: is_running(facts, files, header),
        })
    })
    .collect()
}

/// The numbers of a life grow with the time, over all partitions: the first that counts is one for all of them.
pub(super) fn narrow(sends: &mut AllSends, files: &[File<'_>], facts: &Facts) {
    for life in lives(files, facts) {
        let partitions = life.partitions(sends);
        let first = partitions.iter().map(|p| sends.by[&(life.topic, life.stream(*p))].from).min();
        for partition in partitions {
            let own = sends.by.get_mut(&(life.topic, life.stream(partition)));
            own.into_iter().for_each(|own| own.from = first.unwrap_or(u64::MAX));
        }
    }
}

/// Completes what is known of these messages; returns notes for the reader of the counts.
pub(super) fn settle(
    sends: &mut AllSends,
    files: &[File<'_>],
    (facts, names): (&Facts, &Names),
    logs: &Logs,
    groups: &Groups,
) -> Vec<String> {
    let mut notes = Vec::new();
    for life in lives(files, facts) {
        let found = found(&life, logs, groups);
        let astray = place(&life, sends, facts, &found);
        if astray > 0 {
            let (name, topic) = (&life.name, names.topic(life.topic));
            notes.push(format!(
                "{name} reported a wrong partition of {astray} acknowledged messages of {topic}: they count where they \
                 are found"
            ));
        }
        if !life.running {
            gaps(&life, sends, facts);
        }
    }
    notes
}

/// The numbers of a life's messages that were found in the log or delivered, by partition.
fn found(life: &Numbering, logs: &Logs, groups: &Groups) -> BTreeMap<u32, Set> {
    let mut found: BTreeMap<u32, Set> = BTreeMap::new();
    for ((_, partition), log) in logs.range((life.topic, 0)..=(life.topic, u32::MAX)) {
        if let Some(copies) = log.copies.get(&life.stream(*partition)) {
            let all = found.entry(*partition).or_default();
            [&copies.found, &copies.hidden, &copies.open]
                .into_iter()
                .for_each(|set| all.unite(set));
        }
    }
    for ((topic, stream), seqs) in &groups.elsewhere {
        if *topic == life.topic && *stream == life.stream(stream.source) {
            found.entry(stream.source).or_default().unite(seqs);
        }
    }
    found
}

/// Moves messages to the partition in which they were found, and adds those of which nothing was printed. Returns how
/// many acknowledged ones were moved.
fn place(life: &Numbering, sends: &mut AllSends, facts: &Facts, found: &BTreeMap<u32, Set>) -> u64 {
    let mut astray = 0;
    let known = life.partitions(sends);
    let from = known.iter().map(|p| sends.by[&(life.topic, life.stream(*p))].from).min();
    let from = from.unwrap_or(if facts.window.since().is_some() { u64::MAX } else { 0 });
    for (partition, numbers) in found {
        let mut own = sends.by.remove(&(life.topic, life.stream(*partition))).unwrap_or_default();
        (own.from, own.running) = (from, life.running);
        let mut fresh = numbers.minus(&own.sent);
        for other in known.iter().filter(|other| *other != partition) {
            let Some(others) = sends.by.get_mut(&(life.topic, life.stream(*other))) else {
                continue;
            };
            let mut here = others.sent.and(&fresh);
            // A copy in each of two partitions: the reported one holds the message.
            if let Some(there) = found.get(other) {
                fresh.remove(&here.and(there));
                here.remove(there);
            }
            fresh.remove(&here);
            astray += others.acked.common(&here);
            move_to(&mut own, others, &here);
        }
        own.sent.unite(&fresh);
        sends.by.insert((life.topic, life.stream(*partition)), own);
    }
    astray
}

/// Moves numbers with their outcomes.
fn move_to(own: &mut Sends, others: &mut Sends, numbers: &Set) {
    if numbers.is_empty() {
        return;
    }
    let sets: [fn(&mut Sends) -> &mut Set; 5] =
        [|s| &mut s.sent, |s| &mut s.acked, |s| &mut s.owed, |s| &mut s.deleted, |s| &mut s.failed];
    for set in sets {
        set(own).unite(&set(others).and(numbers));
        set(others).remove(numbers);
    }
}

/// Adds the numbers below the highest known one that are not known.
fn gaps(life: &Numbering, sends: &mut AllSends, facts: &Facts) {
    let partitions = life.partitions(sends);
    let mut all = Set::default();
    partitions.iter().for_each(|p| all.unite(&sends.by[&(life.topic, life.stream(*p))].sent));
    let (Some(highest), Some(lowest)) = (all.max(), partitions.first()) else { return };
    // Far more numbers than were printed are no gap but a wrong number.
    let mut missing = Set::default();
    missing.add(0..highest.min(all.len().saturating_mul(MOST_UNPRINTED)));
    missing.remove(&all);
    if missing.is_empty() {
        return;
    }
    let own = sends.by.entry((life.topic, life.stream(*lowest))).or_default();
    own.sent.unite(&missing);
    debug_assert!(facts.window.at_rest().is_none() || !own.running, "its life has ended");
}

/// For each number that is known, the most that are counted as sent without a printed outcome.
const MOST_UNPRINTED: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World, run};
    use crate::audit::{Measure, Window};
    use crate::history::{Mark, MessageRun};

    const WHO: (u16, u16) = (1, 1);

    fn world(partitions: u32) -> World {
        let mut w = World::new(partitions);
        w.client("P1").numbers_itself = true;
        w
    }

    /// The client printed the outcome of a message that is at the end of a partition's log.
    fn acked(w: &mut World, partition: u32, seq: u64) {
        let offset = w.append(run(Mark::Found, partition, WHO, seq, -1));
        printed(w, Mark::Acked, partition, seq, offset);
    }

    /// The client printed an outcome.
    fn printed(w: &mut World, mark: Mark, partition: u32, seq: u64, offset: i64) {
        let sent = w.stamp(run(Mark::Sent, partition, WHO, seq, -1));
        w.sent.entry(WHO).or_default().push(sent);
        let error = if mark == Mark::Failed { 7 } else { 0 };
        let heard = w.stamp(MessageRun { error, ..run(mark, partition, WHO, seq, offset) });
        w.heard.entry(WHO).or_default().push(heard);
    }

    #[test]
    fn numbers_are_counted_over_all_partitions() {
        let mut w = world(3);
        for seq in 0..9 {
            acked(&mut w, (seq % 3) as u32, seq);
        }
        for (measure, count) in [
            (Measure::Acked, 9),
            (Measure::Lost, 0),
            (Measure::Unresolved, 0),
            (Measure::Phantom, 0),
            (Measure::Reordered, 0),
            (Measure::Duplicated, 0),
        ] {
            assert_eq!(w.count(measure), count, "{measure:?}");
        }
        w.truncate(1, 1);
        assert_eq!(w.count(Measure::Lost), 2);
    }

    #[test]
    fn what_was_written_and_not_printed_is_unresolved() {
        let mut w = world(2);
        (0..4).for_each(|seq| acked(&mut w, 0, seq));
        w.append(run(Mark::Found, 0, WHO, 4, -1));
        w.append(run(Mark::Found, 1, WHO, 6, -1));
        assert_eq!(w.count(Measure::Phantom), 0);
        assert_eq!(w.count(Measure::Lost), 0);
        // 4 and 6 are in the log, and 5 was sent before 6.
        assert_eq!(w.count(Measure::Unresolved), 3);
        w.client("P1").running = true;
        assert_eq!(w.count(Measure::Unresolved), 0, "it may still print them");
        assert_eq!(w.count(Measure::Phantom), 0);
    }

    #[test]
    fn one_that_printed_nothing_sent_what_is_found() {
        let mut w = world(1);
        w.sent.insert(WHO, Vec::new());
        w.append(run(Mark::Found, 0, WHO, 0, -1));
        w.append(run(Mark::Found, 0, WHO, 1, -1));
        assert_eq!(w.count(Measure::Phantom), 0);
        assert_eq!(w.count(Measure::Unresolved), 2);
    }

    #[test]
    fn a_number_of_a_life_that_never_was_is_a_phantom() {
        let mut w = world(1);
        acked(&mut w, 0, 0);
        w.append(run(Mark::Found, 0, (1, 2), 0, -1));
        w.append(run(Mark::Found, 0, (2, 1), 0, -1));
        assert_eq!(w.count(Measure::Phantom), 2);
    }

    #[test]
    fn a_failed_message_counts_where_it_is_found() {
        let mut w = world(2);
        acked(&mut w, 1, 0);
        // Its partition was not reported.
        printed(&mut w, Mark::Failed, 0, 1, -1);
        printed(&mut w, Mark::Failed, 0, 2, -1);
        w.append(run(Mark::Found, 1, WHO, 1, -1));
        assert_eq!(w.count(Measure::Failed), 2);
        assert_eq!(w.count(Measure::UnexpectedSuccess), 1);
        assert_eq!(w.count(Measure::Unresolved), 0);
        assert_eq!(w.count(Measure::Phantom), 0);
    }

    #[test]
    fn a_message_in_another_partition_than_reported_is_not_lost_and_the_client_is_named() {
        let mut w = world(2);
        acked(&mut w, 0, 0);
        w.append(run(Mark::Found, 1, WHO, 1, -1));
        printed(&mut w, Mark::Acked, 0, 1, 1);
        assert_eq!(w.count(Measure::Lost), 0);
        assert_eq!(w.count(Measure::Acked), 2);
        assert_eq!(w.count(Measure::Phantom), 0);
        assert!(w.audit(9).notes[0].starts_with("P1 reported a wrong partition of 1 acknowledged"));
    }

    #[test]
    fn a_copy_in_a_second_partition_is_a_duplicate_and_no_move() {
        let mut w = world(2);
        acked(&mut w, 0, 0);
        w.append(run(Mark::Found, 1, WHO, 0, -1));
        assert_eq!(w.count(Measure::Duplicated), 1);
        assert_eq!(w.count(Measure::Phantom), 0, "it was sent");
        assert_eq!(w.count(Measure::Lost), 0);
        assert_eq!(w.count(Measure::Acked), 1);
        assert!(w.audit(9).notes.is_empty());
    }

    #[test]
    fn only_what_was_sent_since_a_time() {
        let mut w = world(2);
        (0..3).for_each(|seq| acked(&mut w, 0, seq));
        w.append(run(Mark::Found, 1, WHO, 3, -1));
        w.facts.window = Window::Since(w.pause());
        acked(&mut w, 0, 4);
        w.append(run(Mark::Found, 1, WHO, 5, -1));
        assert_eq!(w.count(Measure::Acked), 1);
        assert_eq!(w.count(Measure::Unresolved), 1, "3 was sent before");
    }

    #[test]
    fn a_number_that_is_far_too_high_makes_no_endless_gap() {
        let mut w = world(1);
        acked(&mut w, 0, 0);
        acked(&mut w, 0, 1 << 40);
        assert_eq!(w.count(Measure::Unresolved), 2 * super::MOST_UNPRINTED - 1);
    }

    /// Another client of the plan is judged as before.
    #[test]
    fn other_clients_announce_what_they_send() {
        let mut w = world(1);
        acked(&mut w, 0, 0);
        w.send((2, 1), 0, 3, Fate::Acked);
        w.append(run(Mark::Found, 0, (2, 1), 3, -1));
        assert_eq!(w.count(Measure::Phantom), 1);
    }
}
