//! **lost**: acknowledged (for a transaction: committed), its offset not below the log's start, and
//! its identity at no offset of any partition of the same incarnation of the topic.
//!
//! Not counted as lost: `deleted` (acknowledged in an incarnation of the topic that is gone),
//! `expired` (see [`expired`](super::expired)), and a message whose acknowledged offset now holds a
//! wrong checksum (`corrupted`). A copy that read_committed readers are not shown is no copy. If the
//! log's start moved and the offset of a missing message is not known, or the log was not read to
//! its end, the message is not counted, and `lost` is inconclusive there, and so is `expired`, which it may
//! be instead.
//!
//! With `since` only messages that were sent since then.

use super::Measure;
use super::book::{Book, Books, Case, LogPart, Spot};
use super::contradicted;
use super::digest::Digest;
use super::disks::Missing;
use super::expired;
use super::input::Acks;
use super::measure::measure;
use super::placement::SentStream;
use super::sends::{client_facts, stream_of};
use super::set::Set;
use crate::history::{Mark, MessageRun, Writer};
use std::collections::BTreeMap;

measure! {
    FACTS: Together(judge), needs(Sent), { on_disk: true, elections: true },
    damage(Loss), "acknowledged message lost", "acknowledged messages lost",
    "Acknowledged to the producer, still within retention, and not in the log.", make
}

// Acknowledged in an incarnation of the topic that was deleted.
measure! {
    DELETED: Together(judge), needs(), {},
    damage(), "message deleted", "messages deleted",
    "", make_deleted
}

/// The acknowledged messages of one stream that have no copy in the log, by their explanation.
#[derive(Default)]
struct Fate {
    /// Not explained so far.
    missing: Set,
    /// Below the log's start.
    expired: Set,
    /// Of the missing, those with a believed offset within the log: lost without doubt.
    certain: Set,
    /// How many have another explanation: their offset holds a wrong checksum, or the log has a later value of their
    /// key.
    explained: u64,
}

impl Fate {
    /// How many may have been lost before something else removed them.
    fn not_judged(&self) -> u64 {
        self.expired.len() + self.explained
    }
}

type Fates = BTreeMap<(u16, SentStream), Fate>;

/// Judges `lost`, `expired` and `deleted`.
pub(super) fn judge(digest: &Digest<'_>, books: &mut Books) {
    let (mut lost, mut expired, mut deleted) = <(Book, Book, Book)>::default();
    digest.doubt_unread(&mut lost);
    digest.doubt_unread(&mut expired);
    doubt_open(digest, &mut lost);
    let mut fates = missing(digest);
    if !fates.is_empty() {
        locate(digest, &mut fates);
        infer(digest, &mut fates);
        for (key, fate) in &mut fates {
            fate.explained += contradicted::explain(digest, *key, &mut fate.missing, &mut lost);
        }
        compact(digest, &mut fates, &mut lost, &mut expired);
    }
    for ((topic, stream), sends) in &digest.sends.by {
        let (spot, owed) = (spot(*topic, *stream), sends.owed.len());
        let fate = fates.get(&(*topic, *stream));
        lost.judged(spot, owed - fate.map_or(0, Fate::not_judged));
        expired.judged(spot, owed);
        deleted.judged(spot, owed + sends.deleted.len());
        deleted.found(spot, sends.deleted.len());
    }
    for ((topic, stream), fate) in &fates {
        let spot = spot(*topic, *stream);
        expired.found(spot, fate.expired.len());
        for seq in fate.expired.iter().take(expired.room(spot)) {
            expired.show(spot, || Case::of(*stream, seq, "acknowledged below the log's start"));
        }
        let here = settle(digest, spot, *stream, fate, &mut lost, &mut expired);
        if !here.is_empty() {
            books.missing.push(Missing::new(&digest.names, *topic, *stream, &here));
        }
    }
    let judged = [(Measure::Lost, lost), (Measure::Expired, expired), (Measure::Deleted, deleted)];
    books.by.extend(judged);
}

/// Reports committed messages that are in the log in a transaction that has not ended there.
fn doubt_open(digest: &Digest<'_>, lost: &mut Book) {
    for (part, log) in digest.topic_logs() {
        for (stream, copies) in log.copies.iter().filter(|(_, c)| !c.open.is_empty()) {
            let sends = digest.sends.by.get(&(part.0, *stream));
            let count = sends.map_or(0, |s| s.owed.common(&copies.open));
            if count > 0 {
                let client = digest.names.client(stream.client);
                let place = format!("{}/{}", digest.names.topic(part.0), part.1);
                let reason = format!(
                    "{count} messages that {client} committed are in {place} in a transaction that \
                     has not ended"
                );
                lost.doubt(&digest.names, Spot::of(*part, Some(stream.client)), reason);
            }
        }
    }
}

fn spot(topic: u16, stream: SentStream) -> Spot {
    Spot::of((topic, stream.source), Some(stream.client))
}

fn missing(digest: &Digest<'_>) -> Fates {
    let mut fates = Fates::new();
    for ((topic, stream), sends) in &digest.sends.by {
        let mut missing = sends.owed.clone();
        digest.remove_found(*topic, *stream, &mut missing);
        if !missing.is_empty() {
            fates.insert((*topic, *stream), Fate { missing, ..Fate::default() });
        }
    }
    fates
}

/// Looks up the acknowledged offsets of the missing messages.
fn locate(digest: &Digest<'_>, fates: &mut Fates) {
    let heard = digest.files.iter().filter(|f| f.header().writer == Writer::ProducerHeard);
    for file in heard {
        let header = file.header();
        let client = client_facts(digest.facts, &header.client);
        for (part, run) in file.runs().filter(|(_, r)| r.mark == Mark::Acked) {
            let Ok(first) = u64::try_from(run.first_offset) else { continue };
            if client.acks == Acks::None {
                continue;
            }
            let Some(fate) = fates.get_mut(&(part.0, stream_of(header, &run))) else { continue };
            let seqs = run.first_seq..run.first_seq + run.count;
            if fate.missing.count(seqs.clone()) > 0 {
                let believed = !client.idempotent && run.epoch == 0;
                place(digest, part, fate, &run, first, believed);
            }
        }
    }
}

/// Sorts the missing messages of one run by their offsets. A wrong checksum at the very offset that
/// was reported explains a message even if the report alone would not be believed.
fn place(
    digest: &Digest<'_>,
    part: LogPart,
    fate: &mut Fate,
    run: &MessageRun,
    first: u64,
    believed: bool,
) {
    let Some(log) = digest.logs.get(&part) else { return };
    for seq in fate.missing.cut(run.first_seq..run.first_seq + run.count).iter() {
        let offset = first + (seq - run.first_seq);
        if log.corrupt.has(offset) {
            fate.missing.drop_range(seq..seq + 1);
            fate.explained += 1;
        } else if believed && offset < log.start {
            fate.missing.drop_range(seq..seq + 1);
            fate.expired.add(seq..seq + 1);
        } else if believed {
            fate.certain.add(seq..seq + 1);
        }
    }
}

/// Finds expired messages by what consumers were given below the log's start.
fn infer(digest: &Digest<'_>, fates: &mut Fates) {
    for ((topic, stream), fate) in fates {
        let Some(below) = digest.groups.below.get(&(*topic, *stream)) else { continue };
        let mut gone = fate.missing.and(below);
        let client = client_facts(digest.facts, &digest.names.client(stream.client));
        if let Some(last) = below.max().filter(|_| client.idempotent) {
            gone.unite(&fate.missing.cut(0..last));
        }
        gone.remove(&fate.certain);
        fate.missing.remove(&gone);
        fate.expired.unite(&gone);
    }
}

/// Sequences by producer life.
type ByStream = BTreeMap<SentStream, Set>;

/// Explains messages that compaction removed. Counts them, and adds doubts about those it cannot explain.
fn compact(digest: &Digest<'_>, fates: &mut Fates, lost: &mut Book, expired: &mut Book) {
    // By topic, client and partition: missing messages, and messages that are gone for known reasons.
    let mut sets: BTreeMap<(u16, u16, u32), (ByStream, ByStream)> = BTreeMap::new();
    for ((topic, stream), sends) in &digest.sends.by {
        let part = (*topic, stream.source);
        if sends.sent.is_empty() || !digest.logs.get(&part).is_some_and(|log| log.compacted) {
            continue;
        }
        let fate = fates.get(&(*topic, *stream));
        let (missing, gone) = sets.entry((*topic, stream.client, stream.source)).or_default();
        missing.insert(*stream, fate.map(|f| f.missing.clone()).unwrap_or_default());
        gone.insert(*stream, fate.map(|f| f.expired.clone()).unwrap_or_default());
    }
    for ((topic, client, source), (missing, gone)) in sets {
        let name = digest.names.client(client);
        let period = client_facts(digest.facts, &name).key_period.get(&source).copied();
        let old = match period.filter(|p| *p > 0) {
            Some(period) => expired::superseded(digest, topic, &missing, &gone, period),
            None => BTreeMap::new(),
        };
        let shared = digest
            .sends
            .by
            .keys()
            .any(|(t, s)| *t == topic && s.source == source && s.client != client);
        for (stream, old) in old {
            let Some(fate) = fates.get_mut(&(topic, stream)) else { continue };
            let spot = spot(topic, stream);
            expired.found(spot, old.len());
            for seq in old.iter().take(expired.room(spot)) {
                let text = "superseded by a later value of its key";
                expired.show(spot, || Case::of(stream, seq, text));
            }
            fate.missing.remove(&old);
            fate.certain.remove(&old);
            fate.explained += old.len();
        }
        if period.is_none() || shared {
            let whose = if shared { "another client's value" } else { "a later value" };
            doubt_keys(digest, (topic, client, source), whose, fates, [lost, expired]);
        }
    }
}

/// Adds a doubt: compaction may have removed the missing messages, but their keys are not known.
fn doubt_keys(
    digest: &Digest<'_>,
    (topic, client, source): (u16, u16, u32),
    whose: &str,
    fates: &mut Fates,
    books: [&mut Book; 2],
) {
    let own = |key: &(u16, SentStream)| {
        key.0 == topic && key.1.client == client && key.1.source == source
    };
    let mut count = 0;
    for (_, fate) in fates.iter_mut().filter(|(key, _)| own(key)) {
        count += fate.missing.len();
        fate.missing = Set::default();
    }
    if count > 0 {
        let place = format!("{}/{source}", digest.names.topic(topic));
        let reason = format!(
            "{count} messages of {} are not in {place}, and {whose} of their keys may have \
             replaced them by compaction",
            digest.names.client(client)
        );
        let spot = Spot::of((topic, source), Some(client));
        books.into_iter().for_each(|book| book.doubt(&digest.names, spot, reason.clone()));
    }
}

/// Counts the rest as lost, or adds a doubt; returns the counted messages.
fn settle(
    digest: &Digest<'_>,
    spot: Spot,
    stream: SentStream,
    fate: &Fate,
    lost: &mut Book,
    expired: &mut Book,
) -> Set {
    let Some(log) = digest.logs.get(&spot.part).filter(|_| digest.is_read(spot.part)) else {
        return Set::default();
    };
    let (gone, unsure) = match log.moved || !log.corrupt.is_empty() {
        true => (fate.missing.and(&fate.certain), fate.missing.minus(&fate.certain)),
        false => (fate.missing.clone(), Set::default()),
    };
    lost.found(spot, gone.len());
    let hidden = log.copies.get(&stream).map(|c| &c.hidden);
    for seq in gone.iter().take(lost.room(spot)) {
        let text = match hidden.is_some_and(|h| h.has(seq)) {
            true => "committed, and in the log as if it were aborted",
            false => "acknowledged, and not in the log",
        };
        lost.show(spot, || Case::of(stream, seq, text));
    }
    if !unsure.is_empty() {
        let why = match log.moved {
            true => format!("the log starts at {} now", log.start),
            false => format!("{} messages there cannot be read", log.corrupt.len()),
        };
        let place = format!("{}/{}", digest.names.topic(spot.part.0), spot.part.1);
        let reason = format!(
            "{} messages of {} are not in {place}, {why}, and their offsets are not known",
            unsure.len(),
            digest.names.client(stream.client)
        );
        // Either lost or expired: the doubt is about both.
        if log.moved {
            expired.doubt(&digest.names, spot, reason.clone());
        }
        lost.doubt(&digest.names, spot, reason);
    }
    gone
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World, run};
    use crate::audit::{Acks, CountVerdict, Measure, PartitionFacts, Scope, TopicFacts, Window};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, _| _ = w.send((1, 1), 0, 1, Fate::Dropped));
    }

    pub(in crate::audit) fn make_deleted(w: &mut World) {
        w.around(|_, _, _| {});
        w.truncate(0, 0);
        let made_anew_us = Some(w.tick());
        let topic = TopicFacts { made_anew_us, ..TopicFacts::default() };
        w.facts.topics.insert("t".into(), topic);
    }

    #[test]
    fn acknowledged_and_not_in_the_log() {
        let mut w = World::new(2);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.send((1, 1), 0, 3, Fate::Dropped);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.send((1, 1), 1, 5, Fate::Acked);
        assert_eq!(w.count(Measure::Lost), 3);
        let evidence = w.evidence(Measure::Lost);
        assert_eq!(evidence[0].sequence, Some(10));
        assert_eq!(evidence[0].offset, Some(10));
        assert!(evidence[0].time_us.is_some());
    }

    #[test]
    fn failed_or_unanswered_messages_are_never_lost() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 1, Fate::Acked);
        w.send((1, 1), 0, 5, Fate::Failed);
        w.send((1, 1), 0, 5, Fate::SilentAndGone);
        assert_eq!(w.count(Measure::Lost), 0);
    }

    #[test]
    fn a_copy_in_another_partition_is_no_loss() {
        let mut w = World::new(2);
        w.send((1, 1), 0, 1, Fate::Dropped);
        let entry = run(Mark::Found, 1, (1, 1), 0, -1);
        w.append(crate::history::MessageRun { source_partition: 0, ..entry });
        assert_eq!(w.count(Measure::Lost), 0);
        assert_eq!(w.audit(9).notes, ["1 messages in t/1 were sent to another partition"]);
    }

    #[test]
    fn with_acks_0_nothing_is_acknowledged() {
        let mut w = World::new(1);
        w.client("P1").acks = Acks::None;
        w.send((1, 1), 0, 5, Fate::Dropped);
        assert_eq!(w.doubt(Measure::Lost), ("there was no message to judge".into(), 0));
        assert_eq!(w.count(Measure::Acked), 0);
        assert_eq!(w.count(Measure::Unresolved), 5);
        assert_eq!(w.doubt(Measure::Failed), ("there was no message to judge".into(), 0));
        assert_eq!(w.doubt(Measure::Aborted), ("there was no message to judge".into(), 0));
    }

    /// It is unknown whether they were lost before retention removed them, or their topic was deleted.
    #[test]
    fn messages_that_something_else_took_are_not_judged() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.expire(0, 10);
        assert_eq!(w.doubt(Measure::Lost), ("there was no message to judge".into(), 0));
        assert_eq!(w.count(Measure::Expired), 10);
        w.send((1, 1), 0, 1, Fate::Acked);
        assert_eq!(w.count(Measure::Lost), 0);
    }

    #[test]
    fn a_transaction_owes_only_what_was_committed() {
        let mut w = World::new(1);
        w.client("P1").idempotent = true;
        w.send_in((1, 1), 0, 4, Fate::Acked, 1);
        w.end((1, 1), 1, Mark::Committed);
        w.send_in((1, 1), 0, 4, Fate::Dropped, 2);
        w.end((1, 1), 2, Mark::Aborted);
        w.send_in((1, 1), 0, 4, Fate::Dropped, 3);
        w.end((1, 1), 3, Mark::Unsettled);
        assert_eq!(w.count(Measure::Lost), 0);
        assert_eq!(w.count(Measure::Acked), 4);
        w.send_in((1, 1), 0, 4, Fate::Dropped, 4);
        w.end((1, 1), 4, Mark::Committed);
        assert_eq!(w.count(Measure::Lost), 4);
    }

    #[test]
    fn committed_but_hidden_from_readers_is_lost() {
        let mut w = World::new(1);
        w.send_in((1, 1), 0, 4, Fate::Acked, 1);
        w.end((1, 1), 1, Mark::Committed);
        w.hidden.insert((0, 2));
        assert_eq!(w.count(Measure::Lost), 1);
        assert!(w.evidence(Measure::Lost)[0].text.contains("aborted"));
    }

    #[test]
    fn committed_in_a_transaction_that_has_not_ended_in_the_log_is_inconclusive() {
        let mut w = World::new(1);
        w.send_in((1, 1), 0, 4, Fate::Acked, 1);
        w.end((1, 1), 1, Mark::Committed);
        w.open.insert((0, 2));
        let (reason, at_least) = w.doubt(Measure::Lost);
        assert!(reason.starts_with("1 messages that P1 committed are in t/0 in a transaction"));
        assert_eq!(at_least, 0);
        assert_eq!(w.count(Measure::Phantom), 0);
    }

    #[test]
    fn a_deleted_topic_takes_its_messages_with_it() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 4, Fate::Dropped);
        let made_anew_us = Some(w.tick());
        w.facts.topics.insert("t".into(), TopicFacts { made_anew_us, ..TopicFacts::default() });
        w.send((1, 1), 0, 2, Fate::Acked);
        w.send((1, 1), 0, 1, Fate::Dropped);
        assert_eq!(w.count(Measure::Deleted), 4);
        assert_eq!(w.count(Measure::Lost), 1);
    }

    #[test]
    fn a_log_that_was_not_read_is_no_proof() {
        let mut w = World::new(2);
        w.send((1, 1), 0, 4, Fate::Dropped);
        w.send((1, 1), 1, 1, Fate::Dropped);
        let reason = Some("the high watermark stands still".to_owned());
        let partition = PartitionFacts { not_ready: reason, ..PartitionFacts::default() };
        let mut topic = TopicFacts::default();
        topic.partitions.insert(0, partition);
        w.facts.topics.insert("t".into(), topic);
        let (reason, at_least) = w.doubt(Measure::Lost);
        assert!(reason.contains("t/0 could not be read") && reason.contains("watermark"));
        assert_eq!(at_least, 1);
        let scope = Scope { partition: Some(1), ..Scope::default() };
        let verdict = w.audit(9).verdict(Measure::Lost, &scope);
        assert!(matches!(verdict, CountVerdict::Counted(f) if f.count == 1));
    }

    #[test]
    fn a_producer_that_runs_is_judged_up_to_the_audit() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 4, Fate::Dropped);
        w.client("P1").running = true;
        w.snapshot();
        w.send((1, 1), 0, 9, Fate::Dropped);
        assert_eq!(w.count(Measure::Lost), 4);
        assert!(w.audit(1).notes[0].starts_with("P1 was still running"));
    }

    #[test]
    fn only_what_was_sent_since_a_time() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 4, Fate::Dropped);
        w.facts.window = Window::Since(w.tick());
        assert_eq!(w.doubt(Measure::Lost).1, 0);
        w.send((1, 1), 0, 2, Fate::Dropped);
        assert_eq!(w.count(Measure::Lost), 2);
        assert_eq!(w.count(Measure::Acked), 2);
    }

    #[test]
    fn a_wrong_checksum_at_the_acknowledged_offset_is_not_a_loss() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 4, Fate::Acked);
        if let Some(log) = w.log.get_mut(&0) {
            log[2].mark = Mark::Corrupt;
        }
        assert_eq!(w.count(Measure::Lost), 0);
        assert_eq!(w.count(Measure::Corrupted), 1);
        w.send((1, 1), 0, 1, Fate::Dropped);
        assert_eq!(w.count(Measure::Lost), 1);
    }
}
