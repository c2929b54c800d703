//! Which message is at which offset of one partition, in about two bytes a message.
//!
//! For each producer life a set of offsets is kept, and sequence numbers only where they are not consecutive
//! from one of its offsets to the next: behind a message that is missing, doubled or late.

use super::set::Set;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// One producer life on one of the partitions it chose, within one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SentStream {
    pub client: u16,
    pub life: u16,
    pub source: u32,
}

/// Consecutive messages of one stream at consecutive offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OffsetSpan {
    pub stream: SentStream,
    pub offset: u64,
    pub seq: u64,
    pub count: u64,
}

impl OffsetSpan {
    pub fn offsets(&self) -> Range<u64> {
        self.offset..self.offset + self.count
    }

    pub fn seqs(&self) -> Range<u64> {
        self.seq..self.seq + self.count
    }

    /// The part of it from message `at` on, `count` messages long.
    pub fn part(&self, at: u64, count: u64) -> OffsetSpan {
        OffsetSpan { offset: self.offset + at, seq: self.seq + at, count, ..*self }
    }

    /// Its messages, each for itself.
    pub fn singles(&self) -> impl Iterator<Item = OffsetSpan> + '_ {
        (0..self.count).map(|i| self.part(i, 1))
    }

    /// The part of it that lies in a range of offsets.
    pub fn clip(&self, range: &Range<u64>) -> Option<OffsetSpan> {
        let from = self.offset.max(range.start);
        let to = (self.offset + self.count).min(range.end);
        (from < to).then(|| self.part(from - self.offset, to - from))
    }
}

/// Offsets after which a sequence is stored in any case.
const STRIDE: u64 = 1 << 16;

#[derive(Clone, Debug, Default)]
struct OffsetLane {
    offsets: Set,
    /// Offset to sequence, where the sequence does not follow from the lane's offset before it, and
    /// once a [`STRIDE`], so that few offsets must be counted.
    breaks: BTreeMap<u64, u64>,
    /// The highest offset with its sequence.
    last: Option<(u64, u64)>,
}

impl OffsetLane {
    /// The sequence that an offset has, or would have if it were the lane's next.
    fn expected(&self, offset: u64) -> Option<u64> {
        let (at, seq) = self.breaks.range(..=offset).next_back()?;
        Some(seq + self.offsets.count(*at..offset))
    }

    fn add(&mut self, span: &OffsetSpan) {
        if self.last.is_some_and(|(offset, _)| offset >= span.offset) {
            return self.add_between(span);
        }
        let follows = self.last.is_some_and(|(offset, seq)| {
            seq + 1 == span.seq && offset / STRIDE == span.offset / STRIDE
        });
        if !follows {
            self.breaks.insert(span.offset, span.seq);
        }
        let last = span.offset + span.count - 1;
        for stride in span.offset / STRIDE + 1..=last / STRIDE {
            let offset = stride * STRIDE;
            self.breaks.insert(offset, span.seq + (offset - span.offset));
        }
        self.last = Some((last, span.seq + span.count - 1));
        self.offsets.add(span.offsets());
    }

    fn add_between(&mut self, span: &OffsetSpan) {
        let end = span.offset + span.count;
        let next = self.offsets.within(end..u64::MAX).next();
        let next = next.and_then(|o| self.expected(o).map(|seq| (o, seq)));
        if self.expected(span.offset) != Some(span.seq) {
            self.breaks.insert(span.offset, span.seq);
        }
        self.offsets.add(span.offsets());
        if let Some((offset, seq)) = next
            && !self.breaks.contains_key(&offset)
            && self.expected(offset) != Some(seq)
        {
            self.breaks.insert(offset, seq);
        }
    }

    fn holds(&self, span: &OffsetSpan) -> bool {
        let mut breaks = self.breaks.range(span.offset + 1..span.offset + span.count);
        self.offsets.count(span.offsets()) == span.count
            && self.expected(span.offset) == Some(span.seq)
            && breaks.all(|(offset, seq)| offset - span.offset + span.seq == *seq)
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Placement {
    lanes: HashMap<SentStream, OffsetLane>,
}

impl Placement {
    /// Places messages at offsets that hold none yet.
    pub fn add(&mut self, span: &OffsetSpan) {
        self.lanes.entry(span.stream).or_default().add(span);
    }

    /// Cuts a span into parts that are here at exactly these offsets (`true`) and parts that are not.
    pub fn compare(&self, span: &OffsetSpan, mut each: impl FnMut(OffsetSpan, bool)) {
        let Some(lane) = self.lanes.get(&span.stream) else { return each(*span, false) };
        if lane.holds(span) {
            return each(*span, true);
        }
        if lane.offsets.count(span.offsets()) == 0 {
            return each(*span, false);
        }
        let (mut from, mut now) = (0, lane.holds(&span.part(0, 1)));
        for i in 1..span.count {
            let next = lane.holds(&span.part(i, 1));
            if next != now {
                each(span.part(from, i - from), now);
                (from, now) = (i, next);
            }
        }
        each(span.part(from, span.count - from), now);
    }

    /// The stream and sequence at an offset.
    pub fn at(&self, offset: u64) -> Option<(SentStream, u64)> {
        self.lanes
            .iter()
            .find(|(_, lane)| lane.offsets.has(offset))
            .and_then(|(stream, lane)| lane.expected(offset).map(|seq| (*stream, seq)))
    }

    /// The offsets of one stream.
    pub fn offsets(&self, stream: SentStream) -> Option<&Set> {
        self.lanes.get(&stream).map(|lane| &lane.offsets)
    }

    /// The sequence that a stream has at one of its offsets.
    pub fn sequence(&self, stream: SentStream, offset: u64) -> Option<u64> {
        self.lanes.get(&stream).and_then(|lane| lane.expected(offset))
    }

    /// The offsets of a stream's messages with these sequences: sequence and offset, one for each copy.
    pub fn find(&self, stream: SentStream, seqs: &Set) -> Vec<(u64, u64)> {
        let Some(lane) = self.lanes.get(&stream) else { return Vec::new() };
        let mut found = Vec::new();
        let mut next = None;
        for offset in lane.offsets.iter() {
            let seq = lane.breaks.get(&offset).copied().or(next);
            next = seq.map(|s| s + 1);
            found.extend(seq.filter(|s| seqs.has(*s)).map(|s| (s, offset)));
        }
        found
    }

    /// The offsets of each stream.
    pub fn streams(&self) -> impl Iterator<Item = (SentStream, &Set)> {
        self.lanes.iter().map(|(stream, lane)| (*stream, &lane.offsets))
    }

    pub fn shrink(&mut self) {
        self.lanes.values_mut().for_each(|lane| lane.offsets.shrink());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: SentStream = SentStream { client: 1, life: 1, source: 0 };
    const B: SentStream = SentStream { client: 2, life: 1, source: 0 };

    fn span(stream: SentStream, offset: u64, seq: u64, count: u64) -> OffsetSpan {
        OffsetSpan { stream, offset, seq, count }
    }

    #[test]
    fn interleaved_streams_need_no_breaks() {
        let mut p = Placement::default();
        for i in 0..1000 {
            p.add(&span(if i % 2 == 0 { A } else { B }, i, i / 2, 1));
        }
        assert_eq!(p.at(501), Some((B, 250)));
        assert!(p.lanes.values().all(|l| l.breaks.len() == 1));
        let mut parts = Vec::new();
        p.compare(&span(A, 500, 250, 2), |s, same| parts.push((s.seq, same)));
        assert_eq!(parts, [(250, true), (251, false)]);
    }

    #[test]
    fn a_span_is_cut_where_the_log_differs() {
        let mut p = Placement::default();
        p.add(&span(A, 0, 0, 5));
        p.add(&span(B, 5, 0, 2));
        p.add(&span(A, 7, 7, 3));
        let mut parts = Vec::new();
        p.compare(&span(A, 0, 0, 12), |s, same| parts.push((s.offset, s.count, same)));
        assert_eq!(parts, [(0, 5, true), (5, 2, false), (7, 3, true), (10, 2, false)]);
    }

    proptest! {
        /// Any input in any order gives the same answers as a plain map.
        #[test]
        fn agrees_with_a_plain_map(adds in prop::collection::vec(
            (any::<bool>(), STRIDE - 150..STRIDE + 150, 0u64..40, 1u64..20), 1..40)
        ) {
            let (mut p, mut plain) = (Placement::default(), BTreeMap::new());
            for (who, offset, seq, count) in adds {
                let whole = span(if who { A } else { B }, offset, seq, count);
                let free = |s: &OffsetSpan| s.offsets().all(|o| !plain.contains_key(&o));
                let singles = (0..count).map(|i| whole.part(i, 1));
                let parts: Vec<OffsetSpan> = match free(&whole) {
                    true => vec![whole],
                    false => singles.filter(free).collect(),
                };
                for part in parts {
                    p.add(&part);
                    for i in 0..part.count {
                        plain.insert(part.offset + i, (part.stream, part.seq + i));
                    }
                }
            }
            for offset in STRIDE - 160..STRIDE + 180 {
                prop_assert_eq!(p.at(offset), plain.get(&offset).copied());
            }
            for (offset, (stream, seq)) in &plain {
                let ahead = (0..9).take_while(|i| {
                    plain.get(&(offset + i)) == Some(&(*stream, seq + i))
                });
                let count = ahead.count() as u64;
                let mut parts = Vec::new();
                p.compare(&span(*stream, *offset, *seq, 9), |s, same| parts.push((s.count, same)));
                prop_assert_eq!(parts[0], (count, true));
            }
        }
    }
}
