//! The meaning of `since: STEP` and `sent: before` for all measures; the definition of each anomaly states which part
//! of it must lie after the moment.
//!
//! `since` counts anomalies at or after a moment, `sent: before` anomalies of messages that
//! were acknowledged before it. The histories contain when a message was sent and acknowledged, and when it was
//! delivered. They do not contain when a copy was written to the log, but the order of the log shows
//! it: a copy that lies at or behind a message that was sent after the moment was written after it, a copy
//! that lies at or before a message that was acknowledged or delivered before the moment was written
//! before it. A copy between the two may be either: an anomaly there is not counted, and makes the
//! answer inconclusive.

use super::book::{Book, Names, Spot};
use super::input::{Facts, Window};
use super::log::{Log, Logs};
use super::placement::SentStream;
use super::sends::{File, span_of, stream_of};
use super::set::Set;
use crate::history::{Mark, Writer};
use std::ops::Range;

/// The part of one log that is judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Offsets of messages that count; none: all.
    pub counts: Option<Set>,
    /// Offsets that may or may not count.
    pub unsure: Range<u64>,
    /// The lowest offset of a message that was sent at or after the moment.
    pub first_after: Option<u64>,
}

impl Scope {
    /// A scope that is still to be filled.
    pub fn new(window: Window) -> Scope {
        let counts = (window != Window::All).then(Set::default);
        Scope { counts, ..Scope::default() }
    }

    /// Splits a set of offsets into those that count and those for which that is not known.
    pub fn split(&self, offsets: &Set) -> (Set, Set) {
        match &self.counts {
            None => (offsets.clone(), Set::default()),
            Some(counts) => (offsets.and(counts), offsets.cut(self.unsure.clone())),
        }
    }
}

/// Determines which offsets of each log are judged. Called after the logs were read.
pub(super) fn settle(logs: &mut Logs, files: &[File<'_>], facts: &Facts) {
    let (Window::Since(us) | Window::AtRest(us)) = facts.window else { return };
    let mut before: std::collections::BTreeMap<_, u64> = std::collections::BTreeMap::new();
    for file in files {
        let heard = file.header().writer == Writer::ProducerHeard;
        for (part, run) in file.runs().filter(|(_, r)| r.last_us < us) {
            let stream = match run.mark {
                Mark::Acked if heard => stream_of(file.header(), &run),
                Mark::Delivered => {
                    SentStream { client: run.client, life: run.life, source: run.source_partition }
                }
                _ => continue,
            };
            let (Some(span), Some(log)) = (span_of(stream, &run), logs.get_mut(&part)) else {
                continue;
            };
            if log.made_us.is_some_and(|made| run.last_us < made) {
                continue;
            }
            let end = before.entry(part).or_default();
            log.place.compare(&span, |piece, same| {
                if same {
                    *end = (*end).max(piece.offset + piece.count);
                }
            });
            // A message from before the moment whose offset holds a wrong checksum now.
            if let (Window::AtRest(_), Some(counts)) = (facts.window, &mut log.scope.counts) {
                counts.unite(&log.corrupt.cut(span.offsets()));
            }
        }
    }
    if facts.window.since().is_none() {
        return;
    }
    for (part, log) in logs {
        let after = log.scope.first_after.unwrap_or(u64::MAX);
        let before = before.get(part).copied().unwrap_or(0).min(after);
        let mut counts = log.data.clone();
        counts.clip(after..u64::MAX);
        log.scope.counts = Some(counts);
        log.scope.unsure = before..after;
    }
}

/// Adds a doubt: this many anomalies may be from before or after the moment.
pub(super) fn doubt(book: &mut Book, names: &Names, spot: Spot, count: u64, what: &str) {
    if count > 0 {
        let place = format!("{}/{}", names.topic(spot.part.0), spot.part.1);
        let reason = format!(
            "{count} {what} in {place} may have been written before the moment of `since` or after it: \
             no message around them shows which"
        );
        book.doubt(names, spot, reason);
    }
}

impl Log {
    /// How many messages of a stream are judged here.
    pub fn judged(&self, stream: SentStream) -> u64 {
        match &self.scope.counts {
            None => self.copies.get(&stream).map_or(0, |c| c.found.len()),
            Some(counts) => self.place.offsets(stream).map_or(0, |own| own.common(counts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::measure::Counting;
    use crate::audit::testing::{Fate, World, run};
    use crate::audit::{CountVerdict, Measure, Scope as Asked};

    fn answer(w: &World, measure: Measure) -> (u64, u64, Option<String>) {
        match w.audit(1).verdict(measure, &Asked::default()) {
            CountVerdict::Counted(f) => (f.count, f.judged, None),
            CountVerdict::Inconclusive { reason, at_least } => {
                (at_least.count, at_least.judged, Some(reason))
            }
        }
    }

    #[test]
    fn every_measure_counts_what_came_since_and_nothing_else() {
        let counted = |m: &&Measure| !matches!(m.facts().counting, Counting::Elsewhere);
        for measure in Measure::ALL.iter().filter(counted).copied() {
            let make = measure.facts().make;
            let mut w = World::new(1);
            w.tell((10, 1), Mark::Assigned, 0, 0);
            make(&mut w);
            assert!(answer(&w, measure).0 > 0, "{measure:?}: the test makes one before");
            let (before, judged, _) = answer(&w, measure);
            let since = w.tick();
            w.facts.window = Window::Since(since);
            let (none, _, why) = answer(&w, measure);
            assert_eq!(none, 0, "{measure:?}: nothing came since");
            // Either nothing was judged, or it is unknown when the damage happened.
            assert!(why.is_some() || judged == 0 || measure == Measure::Delivered, "{measure:?}");
            make(&mut w);
            let (after, judged, _) = answer(&w, measure);
            w.facts.window = Window::All;
            let (all, all_judged, _) = answer(&w, measure);
            assert_eq!(after, all - before, "{measure:?}: of {all}, {before} came before");
            assert!(judged <= all_judged, "{measure:?}");
            assert!(after > 0, "{measure:?}: the test makes one");
        }
    }

    #[test]
    fn a_later_copy_of_an_earlier_message_counts() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 4, Fate::Acked);
        w.facts.window = Window::Since(w.tick());
        w.append(run(Mark::Found, 0, (1, 1), 2, -1));
        let (reason, certain) = w.doubt(Measure::Duplicated);
        assert!(reason.contains("before the moment of `since` or after it"), "{reason}");
        assert_eq!(certain, 0);
        w.send((1, 1), 0, 1, Fate::Acked);
        w.append(run(Mark::Found, 0, (1, 1), 3, -1));
        let (_, certain) = w.doubt(Measure::Duplicated);
        assert_eq!(certain, 1, "one lies behind a message that was sent since");
    }

    #[test]
    fn what_was_damaged_before_or_after_is_inconclusive() {
        let mut w = World::new(1);
        w.append(run(Mark::Corrupt, 0, (0, 0), 0, -1));
        w.send((1, 1), 0, 2, Fate::Acked);
        w.facts.window = Window::Since(w.tick());
        w.send((1, 1), 0, 2, Fate::Acked);
        let (reason, certain) = w.doubt(Measure::Corrupted);
        assert!(reason.contains("when they were damaged is not known"), "{reason}");
        assert_eq!(certain, 0);
    }

    #[test]
    fn only_what_was_at_rest_is_judged() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 4, Fate::Acked);
        w.send((1, 1), 0, 2, Fate::Dropped);
        let fault = w.tick();
        w.send((1, 1), 0, 3, Fate::Dropped);
        w.send((1, 1), 0, 3, Fate::Acked);
        w.append(run(Mark::Found, 0, (1, 1), 1, -1));
        w.append(run(Mark::Found, 0, (1, 1), 10, -1));
        w.facts.window = Window::AtRest(fault);
        assert_eq!(w.count(Measure::Lost), 2);
        assert_eq!(w.count(Measure::Duplicated), 1);
        assert_eq!(w.count(Measure::Corrupted), 0);
        w.facts.window = Window::AtRest(0);
        assert_eq!(w.doubt(Measure::Lost), ("there was no message to judge".into(), 0));
    }
}
