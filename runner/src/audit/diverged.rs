//! **diverged**: one partition and offset that showed two different messages at two times.
//!
//! A message that was delivered at an offset, or acknowledged with a believed offset, and now the log
//! ends at or before that offset, or holds something else there: the log was truncated after it was
//! seen. Counted once for each partition and offset. Not judged: offsets below the log's start,
//! topics created again since, compacted topics, offsets at which a checksum is wrong (that is
//! `corrupted`), and whatever lies at or beyond the log's end and was not yet recorded when that was
//! requested. With `since` and `sent: before` by when the message was seen.
//!
//! An acknowledged offset is believed for `acks` 1 and all of a producer that is neither idempotent
//! nor transactional: those report made-up offsets for a batch that the broker knew already, and
//! where the log or a delivery shows the identity at the reported offset, it adds nothing.

use super::book::{Book, Case, LogPart, Spot};
use super::digest::Digest;
use super::input::{Acks, Facts};
use super::log::{Log, Logs};
use super::measure::measure;
use super::placement::OffsetSpan;
use super::sends::{File, client_facts, span_of, stream_of};
use super::set::Set;
use crate::history::{Mark, MessageRun, Writer};
use std::collections::HashMap;

measure! {
    FACTS: Alone(judge), needs(Sent),
    { elections: true, remark: Some("the log was truncated after they were seen") },
    damage(Loss), "message diverged", "messages diverged",
    "One offset showed two different messages at two times: the log was truncated after it was seen.",
    make
}

/// The offsets, by partition: all of them, and those that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    by: HashMap<LogPart, (Set, Set)>,
}

/// The sighting of a message.
pub(super) struct Sight<'r> {
    pub run: &'r MessageRun,
    /// The client that sent it, if that is known.
    pub client: Option<u16>,
    /// Whether it counts, or is only recorded.
    pub counts: bool,
    /// Sightings below this offset were recorded before the log's end was requested.
    pub known: u64,
}

impl Split {
    /// Whether any offset of a range diverged.
    pub fn touches(&self, part: LogPart, range: std::ops::Range<u64>) -> bool {
        self.by.get(&part).is_some_and(|(all, _)| all.count(range) > 0)
    }

    /// Counts a span that was seen and that the log does not hold.
    pub fn look(
        &mut self,
        book: &mut Book,
        part: LogPart,
        log: &Log,
        span: OffsetSpan,
        seen: &Sight<'_>,
    ) {
        let Some(end) = log.end.filter(|_| !log.compacted && log.not_ready.is_none()) else {
            return;
        };
        // The log may have grown since it was read: later messages may lie behind its end.
        let Some(span) = span.clip(&(log.start..end.max(seen.known))) else { return };
        let (all, set) = self.by.entry(part).or_default();
        all.add(span.offsets());
        if !seen.counts {
            return;
        }
        let spot = Spot::of(part, seen.client);
        book.judged(spot, span.count);
        if book.room(spot) > 0 {
            for i in (0..span.count).filter(|i| !set.has(span.offset + i)) {
                if book.room(spot) == 0 {
                    break;
                }
                book.show(spot, || case(log, end, span.part(i, 1), seen.client, seen.run));
            }
        }
        let fresh = set.add(span.offsets());
        book.found(spot, fresh);
    }
}

fn case(log: &Log, end: u64, one: OffsetSpan, client: Option<u16>, run: &MessageRun) -> Case {
    let seen = if run.mark == Mark::Acked { "acknowledged" } else { "delivered" };
    let now = match log.place.at(one.offset) {
        _ if one.offset >= end => format!("the log ends at {end}"),
        Some((s, seq)) => format!(
            "there is message {seq} of client {} life {} for partition {}",
            s.client, s.life, s.source
        ),
        None if log.foreign.has(one.offset) => "there is a message without identity".into(),
        None => "there is none".into(),
    };
    let text = format!("{seen} at this offset, now {now}");
    let case = match client {
        Some(_) => Case::of(one.stream, one.seq, text),
        None => Case { text, ..Case::default() },
    };
    case.at(one.offset).when(run.last_us)
}

/// The sightings that differ from the log, and those that could not be compared.
pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = digest.groups.diverged.clone();
    digest.doubt_unread(&mut book);
    digest.doubt_compacted(&mut book);
    book
}

/// Compares the believed offsets of acknowledgements with the log.
pub(super) fn acknowledged(
    files: &[File<'_>],
    facts: &Facts,
    logs: &Logs,
    split: &mut Split,
    book: &mut Book,
) {
    for file in files.iter().filter(|f| f.header().writer == Writer::ProducerHeard) {
        let header = file.header();
        let client = client_facts(facts, &header.client);
        if client.idempotent || client.acks == Acks::None {
            continue;
        }
        let acked = file.published().filter(|(_, r, _)| r.mark == Mark::Acked && r.epoch == 0);
        for (part, run, early) in acked {
            let Some(span) = span_of(stream_of(header, &run), &run) else { continue };
            let Some(log) = logs.get(&part) else { continue };
            if log.made_us.is_some_and(|made| run.last_us < made) || log.compacted {
                continue;
            }
            let (client, counts) = (Some(header.client_id), facts.window.shows(&run));
            let seen = Sight { run: &run, client, counts, known: span.offset + early };
            log.place.compare(&span, |piece, same| {
                if same {
                    let count = if counts { piece.count } else { 0 };
                    return book.judged(Spot::of(part, client), count);
                }
                let mut piece_by_piece = |one: OffsetSpan| split.look(book, part, log, one, &seen);
                if log.corrupt.count(piece.offsets()) == 0 {
                    return piece_by_piece(piece);
                }
                for i in (0..piece.count).filter(|i| !log.corrupt.has(piece.offset + i)) {
                    piece_by_piece(piece.part(i, 1));
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{Fate, World, run};
    use crate::audit::{Acks, Measure, TopicFacts};
    use crate::history::Mark;

    pub(in crate::audit) fn make(w: &mut World) {
        w.around(|w, _, _| _ = w.send((1, 1), 0, 1, Fate::Dropped));
    }

    /// 10 acknowledged, the last 6 cut off, then others written in the place of 2 of them.
    fn cut_back() -> World {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.truncate(0, 4);
        w.send((1, 1), 0, 2, Fate::Acked);
        w
    }

    #[test]
    fn acknowledged_then_cut_off() {
        let w = cut_back();
        assert_eq!((w.count(Measure::Diverged), w.count(Measure::Lost)), (6, 6));
        let texts: Vec<String> =
            w.evidence(Measure::Diverged).into_iter().map(|e| e.text).collect();
        assert!(texts[0].contains("now there is message 10 of client 1"), "{texts:?}");
        assert!(texts[2].contains("now the log ends at 6"));
    }

    #[test]
    fn made_up_offsets_are_not_believed() {
        let mut w = cut_back();
        w.client("P1").idempotent = true;
        assert_eq!(w.doubt(Measure::Diverged).1, 0);
        w.client("P1").idempotent = false;
        w.client("P1").acks = Acks::None;
        assert_eq!(w.doubt(Measure::Diverged).1, 0);
    }

    #[test]
    fn delivered_then_cut_off() {
        let mut w = World::new(1);
        w.client("P1").idempotent = true;
        w.send((1, 1), 0, 10, Fate::Acked);
        w.read_all((10, 1));
        w.read_all((11, 1));
        assert_eq!(w.count(Measure::Diverged), 0);
        w.truncate(0, 4);
        w.append(run(Mark::Foreign, 0, (0, 0), 77, -1));
        assert_eq!(w.count(Measure::Diverged), 6);
    }

    #[test]
    fn what_retention_or_deletion_took_has_not_diverged() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.read_all((10, 1));
        w.expire(0, 10);
        assert_eq!(w.doubt(Measure::Diverged).1, 0);
        w.starts.insert(0, 0);
        let made_anew_us = Some(w.tick());
        w.facts.topics.insert("t".into(), TopicFacts { made_anew_us, ..TopicFacts::default() });
        assert_eq!(w.doubt(Measure::Diverged).1, 0);
        w.facts.topics.insert("t".into(), TopicFacts { compacted: true, ..TopicFacts::default() });
        assert_eq!(w.doubt(Measure::Diverged).1, 0);
    }

    #[test]
    fn what_was_seen_after_the_end_was_asked_for_is_not_beyond_it() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 4, Fate::Acked);
        w.snapshot();
        w.send((1, 1), 0, 4, Fate::Acked);
        w.read_all((10, 1));
        w.truncate(0, 4);
        assert_eq!(w.count(Measure::Diverged), 0);
    }
}
