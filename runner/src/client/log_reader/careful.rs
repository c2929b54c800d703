//! Reads without librdkafka, past batches whose checksum is wrong each time that they are fetched.
//!
//! Behind a wrong checksum librdkafka (2.12.1, `rd_kafka_msgset_reader_v2`) goes on at a wrong place of the answer:
//! its messages from there on are not reliable, and its process may crash. So as soon as it
//! meets one, a process of its own reads the whole log again without librdkafka.

use std::{collections::BTreeSet, time::Duration};

use kplan_dsl::value::Isolation;

use super::{
    super::{
        ClientError,
        protocol::{ClientReport, UNREAD},
        raw::Code,
    },
    Pass, ReadPart,
    batches::{self, Damaged, Good, Next},
    brokers::{Brokers, Fetched, Trouble},
    mark,
};
use crate::history::{Mark, MessageRun, now_us};

/// A single wrong checksum may be an error of the transport; after this many tries it is in the broker's log.
const TRIES: u32 = 3;
/// Time between attempts without data.
const PAUSE: Duration = Duration::from_millis(100);

/// The state of a partition's reading.
#[derive(Default)]
struct State {
    /// Why it cannot go on: permanently, or for now.
    over: Option<String>,
    trouble: String,
    /// How often the data at the partition's position was damaged.
    tries: u32,
    /// Larger requests are sent: the data behind a damaged batch was not in the answer.
    more: bool,
    /// Producers in whose aborted transaction the reading is.
    aborting: BTreeSet<i64>,
    /// Aborted transactions that begin further on.
    aborted: BTreeSet<(i64, i64)>,
}

impl State {
    fn is_open(&self, part: &ReadPart) -> bool {
        self.over.is_none() && !part.done()
    }

    /// Whether readers of committed messages are shown what this producer wrote up to `next`.
    fn shows(&mut self, producer: Option<i64>, next: i64) -> bool {
        let begun: Vec<_> =
            self.aborted.iter().copied().take_while(|(first, _)| *first < next).collect();
        for transaction in begun {
            self.aborted.remove(&transaction);
            self.aborting.insert(transaction.1);
        }
        producer.is_none_or(|producer| !self.aborting.contains(&producer))
    }
}

impl Pass<'_> {
    /// Reads the partitions to their ends, or as far as can be known, or until nothing has come for the
    /// spec's time.
    pub(super) fn read_carefully(
        &mut self,
        mut parts: Vec<ReadPart>,
        brokers: &mut Brokers,
    ) -> Result<Vec<ReadPart>, ClientError> {
        let mut states: Vec<State> = parts.iter().map(|_| State::default()).collect();
        let stall_us = i64::try_from(self.spec.stall_ms).unwrap_or(i64::MAX / 1000) * 1000;
        let mut moved = now_us();
        while now_us() - moved < stall_us
            && parts.iter().zip(&states).any(|(part, state)| state.is_open(part))
        {
            let mut further = false;
            for i in 0..parts.len() {
                let (part, state) = (&mut parts[i], &mut states[i]);
                if !state.is_open(part) {
                    continue;
                }
                let before = (part.position, state.tries, state.more);
                self.read_on(part, state, brokers)?;
                further |= (part.position, state.tries, state.more) != before;
                self.progress.report(super::passed(&parts), now_us());
            }
            match further {
                true => moved = now_us(),
                false => std::thread::sleep(PAUSE),
            }
        }
        for (part, state) in parts.iter().zip(states) {
            if !part.done() {
                self.explain(part, state.over.unwrap_or(state.trouble));
            }
        }
        self.progress.before += super::passed(&parts);
        Ok(parts)
    }

    /// Why a partition was not read to its end.
    fn explain(&self, part: &ReadPart, why: String) {
        let topic = &self.spec.topics[usize::from(part.topic)].name;
        let place = format!("{topic}/{} ended at offset {}", part.partition, part.position);
        self.voice.say(ClientReport::Error {
            at_us: now_us(),
            code: UNREAD.to_owned(),
            number: 0,
            text: if why.is_empty() { place } else { format!("{place}: {why}") },
            fatal: false,
        });
    }

    /// Fetches once, and takes in what came.
    fn read_on(
        &mut self,
        part: &mut ReadPart,
        state: &mut State,
        brokers: &mut Brokers,
    ) -> Result<(), ClientError> {
        let topic = &self.spec.topics[usize::from(part.topic)].name;
        let place = (topic.as_str(), i32::try_from(part.partition).unwrap_or(i32::MAX));
        match brokers.fetch(place, part.position, self.isolation, state.more) {
            Ok(fetched) => {
                "no more data comes from there on".clone_into(&mut state.trouble);
                self.take_answer(part, state, fetched)
            }
            Err(Trouble { why, stays: true }) => {
                state.over = Some(why);
                Ok(())
            }
            Err(Trouble { why, .. }) => {
                state.trouble = why;
                Ok(())
            }
        }
    }

    fn take_answer(
        &mut self,
        part: &mut ReadPart,
        state: &mut State,
        fetched: Fetched,
    ) -> Result<(), ClientError> {
        let Fetched { mut records, aborted } = fetched;
        state.aborted.extend(aborted.into_iter().map(|(producer, first)| (first, producer)));
        let came = !records.is_empty();
        let mut whole = false;
        while state.is_open(part) {
            match batches::next(&mut records) {
                // A broker's answer may begin before the requested offset.
                Next::Good(good) if good.head.next <= part.position => whole = true,
                Next::Good(good) => {
                    whole = true;
                    self.take_good(part, state, good)?;
                }
                Next::Damaged(damaged) => {
                    state.tries += 1;
                    // At the beginning of an answer, the batch is returned with the data behind it.
                    if state.tries < TRIES {
                        return Ok(());
                    }
                    return self.pass_by(part, state, &damaged, &records);
                }
                Next::Unreadable(why) => {
                    state.tries += 1;
                    if state.tries >= TRIES {
                        state.over = Some(why);
                    }
                    return Ok(());
                }
                Next::End => break,
            }
        }
        if came && !whole {
            state.tries += 1;
            let why = "the batch there claims to be longer than what a broker returns of it";
            if state.tries >= TRIES {
                state.over = Some(why.to_owned());
            }
        }
        Ok(())
    }

    /// Goes past a batch that is damaged each time, if what is `behind` it agrees with its header.
    fn pass_by(
        &mut self,
        part: &mut ReadPart,
        state: &mut State,
        damaged: &Damaged,
        behind: &[u8],
    ) -> Result<(), ClientError> {
        let at_end = damaged.head.next == part.end;
        let Some(behind) = batches::offset(behind).or_else(|| at_end.then_some(part.end)) else {
            if state.more {
                state.over = Some(not_known(part.position, "the data behind it is not returned"));
            }
            state.more = true;
            return Ok(());
        };
        let offsets = match (damaged.doubt(part.position, behind), &damaged.offsets) {
            (None, Ok(offsets)) => offsets,
            (why, reported) => {
                let reported = reported.as_ref().err().cloned();
                let why = why.or(reported).unwrap_or_default();
                state.over = Some(not_known(part.position, &why));
                return Ok(());
            }
        };
        let everything = self.isolation == Isolation::ReadUncommitted;
        let shown = everything || state.shows(damaged.head.producer, damaged.head.next);
        let wanted = part.position..part.end;
        for offset in offsets.iter().copied().filter(|offset| wanted.contains(offset)) {
            if shown {
                part.show(offset);
            }
            if everything {
                let run = mark(Mark::Corrupt, part, offset, 1);
                self.found.append(&MessageRun { error: Code::BAD_MSG.0, ..run })?;
            }
        }
        part.position = damaged.head.next;
        (state.tries, state.more) = (0, false);
        Ok(())
    }

    fn take_good(
        &mut self,
        part: &mut ReadPart,
        state: &mut State,
        good: Good,
    ) -> Result<(), ClientError> {
        (state.tries, state.more) = (0, false);
        let Good { head, records } = good;
        let shown = state.shows(head.producer, head.next);
        let now = now_us();
        for record in records {
            if record.control {
                if let Some(producer) = head.producer.filter(|_| is_abort(record.key.as_deref())) {
                    state.aborting.remove(&producer);
                }
                continue;
            }
            let wanted = (part.position..part.end).contains(&record.offset);
            if wanted && (shown || self.isolation == Isolation::ReadUncommitted) {
                self.record(part, record.offset, record.parts(), now)?;
            }
        }
        part.position = head.next;
        Ok(())
    }
}

/// Whether the key of a transaction's end says that it was aborted: version, then type.
fn is_abort(key: Option<&[u8]>) -> bool {
    key.is_some_and(|key| matches!(key, [_, _, 0, 0, ..]))
}

fn not_known(position: i64, why: &str) -> String {
    format!(
        "a batch at offset {position} or behind it has a wrong checksum each time, and which messages it holds is \
         not known: {why}"
    )
}
