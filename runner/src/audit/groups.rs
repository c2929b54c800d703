//! What was delivered to each consumer group, compared with the log.

use super::book::{Book, Case, LogPart, Names, Spot};
use super::given::Given;
use super::input::{At, Facts, GroupFacts, Isolation};
use super::log::{Log, Logs};
use super::placement::{OffsetSpan, SentStream};
use super::redelivered::Seen;
use super::sends::{AllSends, File, client_facts, is_running, span_of};
use super::set::Set;
use super::{aborted_read, diverged, diverged::Sight};
use crate::history::{Mark, MessageRun, Writer};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The client number of messages without a readable identity.
const NOBODY: u16 = u16::MAX;

/// What was delivered to a group from one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    /// Time and position of the first assignment in any life.
    pub first: Option<(i64, u64)>,
    /// What was delivered, once each.
    pub seen: Seen,
    /// Offsets of aborted messages that were delivered to read_committed consumers, once each.
    pub aborted: Set,
    /// Offsets delivered with a wrong checksum that the log holds with a right one, or not at all.
    pub corrupt: Set,
    /// Offsets of messages without identity that are neither in the log nor from `produce`.
    pub strange: Set,
    /// Where lives of clients of other programs ended that were killed: behind the last message that each printed.
    pub open_ends: Set,
    /// Some delivery jumped over visible messages: [`super::skipped`] judges that.
    pub jumps: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub number: u16,
    pub facts: GroupFacts,
    pub known: bool,
    /// By client number: whether it is still running.
    pub consumers: BTreeMap<u16, bool>,
    pub topics: BTreeSet<u16>,
    pub parts: BTreeMap<LogPart, Taken>,
}

impl Group {
    /// Why it is not known to have caught up.
    pub fn behind(&self, names: &Names) -> Vec<String> {
        let mut reasons = Vec::new();
        let name = names.group(self.number);
        match (&self.facts.behind, self.known) {
            (Some(reason), _) => reasons.push(format!("group {name} has not caught up: {reason}")),
            (None, false) => {
                reasons.push(format!("it is not known whether group {name} caught up"))
            }
            (None, true) => {}
        }
        for consumer in self.consumers.iter().filter(|(_, running)| **running) {
            let consumer = names.client(*consumer.0);
            reasons.push(format!("group {name} has not caught up: {consumer} is still running"));
        }
        reasons
    }

    /// The offsets of a log that the group should receive: visible to it, from its first position to
    /// the end that it had to read to. The reason, if it never had a position.
    pub fn owed(&self, names: &Names, part: LogPart, log: &Log) -> Result<Set, String> {
        let topic = names.topic(part.0);
        let stated = |all: &[At]| {
            let at = all.iter().find(|at| at.topic == topic && at.partition == part.1);
            at.and_then(|at| u64::try_from(at.offset).ok())
        };
        let first = self.parts.get(&part).and_then(|taken| taken.first);
        let assigned = first.map(|(time, offset)| match log.made_us {
            Some(made) if time < made => 0,
            _ => offset,
        });
        let Some(start) = stated(&self.facts.starts).or(assigned) else {
            let name = names.group(self.number);
            return Err(format!("group {name} was never assigned {topic}/{}", part.1));
        };
        let end = stated(&self.facts.ends).or(log.end).unwrap_or(0);
        let mut visible = log.data.clone();
        visible.clip(start..end.max(start));
        if self.facts.isolation == Isolation::ReadCommitted {
            visible.remove(&log.hidden);
        }
        Ok(visible)
    }
}

/// All groups and what was counted while reading.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    pub by: BTreeMap<String, Group>,
    pub delivered: Book,
    pub redelivered: Book,
    pub aborted_read: Book,
    pub diverged: Book,
    /// Sequences delivered at offsets below the log's start: proof that they had expired.
    pub below: HashMap<(u16, SentStream), Set>,
    /// Delivered sequences that the log does not hold at that offset.
    pub elsewhere: BTreeMap<(u16, SentStream), Set>,
    /// Offsets at which two different messages were seen.
    pub split: diverged::Split,
}

/// One run of a consumer that is being counted.
pub(super) struct Delivery<'a> {
    pub span: OffsetSpan,
    pub mark: Mark,
    pub spot: Spot,
    pub time_us: i64,
    /// Whether it counts, or is only recorded.
    pub counts: bool,
    /// Judged by [`diverged`](super::diverged).
    pub shown: bool,
    pub committed_only: bool,
    pub log: Option<&'a Log>,
}

impl Delivery<'_> {
    fn again(&self, book: &mut Book, one: OffsetSpan) {
        if self.counts {
            book.found(self.spot, one.count);
            book.show(self.spot, || self.case(one, "delivered before"));
        }
    }

    /// One message of it as evidence.
    pub fn case(&self, one: OffsetSpan, text: &str) -> Case {
        let case = match self.mark {
            Mark::Delivered => Case::of(one.stream, one.seq, text),
            _ => Case { text: text.to_owned(), ..Case::default() },
        };
        case.at(one.offset).when(self.time_us)
    }
}

/// The positions of a consumer: the next offset of each of its partitions.
#[derive(Default)]
pub(super) struct Cursors(HashMap<LogPart, u64>);

impl Cursors {
    /// Follows a run; returns the offsets that it jumped over within one assignment and without a reset.
    pub fn follow(&mut self, part: LogPart, run: &MessageRun) -> Option<std::ops::Range<u64>> {
        let offset = u64::try_from(run.first_offset).ok();
        match (run.mark, offset) {
            (Mark::Assigned | Mark::Reset, Some(o)) => _ = self.0.insert(part, o),
            (Mark::Assigned | Mark::Reset | Mark::Revoked, _) => _ = self.0.remove(&part),
            (Mark::Delivered | Mark::Foreign | Mark::Corrupt, Some(o)) => {
                let expected = self.0.insert(part, o + run.count);
                return expected.filter(|e| *e < o).map(|e| e..o);
            }
            _ => {}
        }
        None
    }
}

impl Groups {
    /// Reads the files of all consumers, life after life.
    pub fn read(
        files: &[File<'_>],
        names: &mut Names,
        facts: &Facts,
        sends: &AllSends,
        logs: &Logs,
    ) -> Groups {
        let mut groups = Groups::default();
        let given = Given::new(names, facts);
        // Whether a delivery is repeated depends on all deliveries before the moment of `since`, of any
        // member: those are read first.
        let passes: &[Option<bool>] = match facts.window.since() {
            Some(_) => &[Some(false), Some(true)],
            None => &[None],
        };
        let all = consumers(files);
        for (pass, file) in passes.iter().flat_map(|pass| all.iter().map(move |f| (*pass, *f))) {
            let header = file.header();
            let name = header.group.clone().unwrap_or_default();
            let mut group = groups.by.remove(&name).unwrap_or_else(|| Group {
                number: names.group_number(&name),
                facts: facts.groups.get(&name).cloned().unwrap_or_default(),
                known: facts.groups.contains_key(&name),
                consumers: BTreeMap::new(),
                topics: BTreeSet::new(),
                parts: BTreeMap::new(),
            });
            *group.consumers.entry(header.client_id).or_default() |=
                is_running(facts, files, header);
            group.topics.extend(&file.topics);
            let mut cursors = Cursors::default();
            for (part, run, early) in file.published() {
                let taken = group.parts.entry(part).or_default();
                let log = logs.get(&part);
                let jump = cursors.follow(part, &run);
                if let (Some(jump), Some(log)) = (jump, log) {
                    taken.jumps |= log.data.count(jump) > 0;
                }
                if run.mark == Mark::Assigned
                    && let Ok(offset) = u64::try_from(run.first_offset)
                    && taken.first.is_none_or(|(time, _)| run.first_us < time)
                {
                    taken.first = Some((run.first_us, offset));
                }
                let consumer = Some(header.client_id);
                let spot = Spot { group: Some(group.number), consumer, ..Spot::of(part, None) };
                let committed_only = group.facts.isolation == Isolation::ReadCommitted;
                if pass.is_none_or(|since| since == facts.window.shows(&run)) {
                    let run = (&run, early);
                    groups.take(taken, facts, sends, &given, log, spot, committed_only, run);
                }
            }
            if client_facts(facts, &header.client).numbers_itself
                && !is_running(facts, files, header)
            {
                for (part, next) in cursors.0 {
                    group.parts.entry(part).or_default().open_ends.add(next..next + 1);
                }
            }
            groups.by.insert(name, group);
        }
        let parts = groups.by.values_mut().flat_map(|g| g.parts.values_mut());
        parts.for_each(|taken| taken.seen.shrink());
        groups
    }

    #[expect(clippy::too_many_arguments, reason = "one call, from the loop above")]
    fn take(
        &mut self,
        taken: &mut Taken,
        facts: &Facts,
        sends: &AllSends,
        given: &Given,
        log: Option<&Log>,
        spot: Spot,
        committed_only: bool,
        (run, early): (&MessageRun, u64),
    ) {
        let stream = match run.mark {
            Mark::Delivered => {
                SentStream { client: run.client, life: run.life, source: run.source_partition }
            }
            Mark::Foreign => SentStream { client: NOBODY, life: 0, source: 0 },
            Mark::Corrupt => SentStream { client: NOBODY, life: 1, source: 0 },
            _ => return,
        };
        let Some(mut span) = span_of(stream, run) else { return };
        if run.mark != Mark::Delivered {
            span.seq = span.offset;
        }
        let client = (run.mark == Mark::Delivered).then_some(run.client);
        let delivery = Delivery {
            span,
            mark: run.mark,
            spot: Spot { client, ..spot },
            time_us: run.last_us,
            counts: facts.window.at_rest().is_some() || facts.window.shows(run),
            shown: facts.window.shows(run),
            committed_only,
            log,
        };
        if delivery.counts {
            self.delivered.found(delivery.spot, span.count);
            self.redelivered.judged(delivery.spot, span.count);
        }
        let sent = sends.by.get(&(spot.part.0, stream));
        let holds = log.is_some_and(|log| log.made_us.is_none_or(|made| run.last_us >= made));
        match log.filter(|_| holds) {
            None => {
                aborted_read::look(&mut self.aborted_read, taken, sent, &delivery, span, false);
                self.off_log(taken, given, &delivery, span, run.first_seq);
            }
            Some(log) => parts(log, &delivery, |part, same| {
                aborted_read::look(&mut self.aborted_read, taken, sent, &delivery, part, same);
                if same {
                    if log.corrupt.count(part.offsets()) > 0 {
                        self.note(taken, given, &delivery, part, run.first_seq);
                    }
                    self.on_log(taken, &delivery, part);
                } else {
                    let known = span.offset + early;
                    let seen = Sight { run, client, counts: delivery.shown, known };
                    self.split.look(&mut self.diverged, spot.part, log, part, &seen);
                    self.off_log(taken, given, &delivery, part, run.first_seq);
                }
            }),
        }
        if delivery.counts
            && let (Mark::Corrupt, None) = (run.mark, log.filter(|l| l.corrupt.has(span.offset)))
        {
            taken.corrupt.add(span.offsets());
        }
    }

    fn on_log(&mut self, taken: &mut Taken, delivery: &Delivery<'_>, part: OffsetSpan) {
        taken.seen.on_log(&part, |one| delivery.again(&mut self.redelivered, one));
        let compared = delivery.log.is_some_and(|l| !l.compacted && l.start <= part.offset);
        if compared && delivery.shown && delivery.mark != Mark::Corrupt {
            self.diverged.judged(Spot::of(delivery.spot.part, delivery.spot.client), part.count);
        }
    }

    /// Records a message that the log does not hold there: it may never have been sent, or may have expired.
    fn note(
        &mut self,
        taken: &mut Taken,
        given: &Given,
        delivery: &Delivery<'_>,
        part: OffsetSpan,
        hash: u64,
    ) {
        let topic = delivery.spot.part.0;
        match delivery.mark {
            Mark::Delivered => {
                if delivery.counts {
                    self.elsewhere.entry((topic, part.stream)).or_default().add(part.seqs());
                }
                let start = delivery.log.map_or(0, |l| l.start);
                if let Some(below) = part.clip(&(0..start)) {
                    self.below.entry((topic, part.stream)).or_default().add(below.seqs());
                }
            }
            // A consumer does not record what a message was derived from: where a service writes, it may be its.
            Mark::Foreign
                if delivery.counts
                    && !given.is_served(topic)
                    && !given.is_external(topic)
                    && !given.has(delivery.spot.part, hash) =>
            {
                taken.strange.add(part.offsets());
            }
            _ => {}
        }
    }

    fn off_log(
        &mut self,
        taken: &mut Taken,
        given: &Given,
        delivery: &Delivery<'_>,
        part: OffsetSpan,
        hash: u64,
    ) {
        self.note(taken, given, delivery, part, hash);
        taken.seen.off_log(part, |one| delivery.again(&mut self.redelivered, one));
    }
}

/// The files of consumers, in the order of their lives.
pub(super) fn consumers<'a, 'b>(files: &'b [File<'a>]) -> Vec<&'b File<'a>> {
    let mut all: Vec<&File<'_>> =
        files.iter().filter(|f| f.header().writer == Writer::Consumer).collect();
    all.sort_by_key(|f| (f.header().client_id, f.header().life, f.header().member));
    all
}

/// Cuts a delivery into what the log holds there and what it does not. If either side has a wrong checksum,
/// only the offset is compared.
fn parts(log: &Log, delivery: &Delivery<'_>, mut each: impl FnMut(OffsetSpan, bool)) {
    let span = delivery.span;
    let by_set = |set: &Set, span: OffsetSpan, each: &mut dyn FnMut(OffsetSpan, bool)| {
        let count = set.count(span.offsets());
        if count == 0 || count == span.count {
            return each(span, count > 0);
        }
        for i in 0..span.count {
            each(span.part(i, 1), set.has(span.offset + i));
        }
    };
    match delivery.mark {
        Mark::Corrupt => by_set(&log.data, span, &mut each),
        Mark::Foreign => by_set(&log.foreign, span, &mut |part, same| match same {
            true => each(part, true),
            false => by_set(&log.corrupt, part, &mut each),
        }),
        _ => log.place.compare(&span, |part, same| match same {
            true => each(part, true),
            false => by_set(&log.corrupt, part, &mut each),
        }),
    }
}
