//! What a consumer of another program printed, as a history.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    Broken,
    errors::code_of,
    event::{Printed, TopicPart},
};
use crate::{
    client::{
        ClientError,
        consumer_state::identify,
        protocol::{ClientReport, Position},
        spec::VerifiableConsumerSpec,
        voice::Voice,
    },
    history::{HistoryWriter, Mark, Message, RunRecorder, Writer, now_us},
    identity::{MessageParts, RunIds, payload::Decoded},
};

/// Finds where a group begins to read partitions: in the order of the partitions, negative where it is not known.
pub(super) trait Starts {
    fn of(&self, partitions: &[u32]) -> Vec<i64>;
}

/// A partition that the consumer has.
#[derive(Clone, Copy, Debug)]
struct HeldPart {
    /// The next offset; negative while it is not known.
    position: i64,
    /// Its assignment, until it is recorded: when it was read.
    assigned_us: Option<i64>,
}

/// The deliveries of one life.
pub(super) struct TakenBook<'a> {
    spec: &'a VerifiableConsumerSpec,
    starts: &'a dyn Starts,
    voice: Rc<Voice>,
    run: RunIds,
    number: u16,
    seen: RunRecorder,
    parts: BTreeMap<u32, HeldPart>,
    /// Assignments so far.
    generation: u32,
    assigned: bool,
    started: bool,
    /// It printed its last event.
    pub(super) ended: bool,
    /// Messages that it printed since `records_consumed`.
    fresh: u64,
}

impl<'a> TakenBook<'a> {
    pub(super) fn create(
        spec: &'a VerifiableConsumerSpec,
        starts: &'a dyn Starts,
        voice: &Rc<Voice>,
    ) -> Result<Self, ClientError> {
        let common = &spec.common;
        let topics = vec![spec.topic.clone()];
        let header = common.header(Writer::Consumer, topics, Some(spec.group.clone()));
        let seen = HistoryWriter::create(&common.history_path(Writer::Consumer), &header)?;
        Ok(Self {
            spec,
            starts,
            voice: Rc::clone(voice),
            run: common.run_ids(),
            number: common.topic_number(&spec.topic),
            seen: RunRecorder::new(seen),
            parts: BTreeMap::new(),
            generation: 0,
            assigned: false,
            started: false,
            ended: false,
            fresh: 0,
        })
    }

    /// Takes in an event that was read at a moment.
    pub(super) fn take(&mut self, event: Printed, at_us: i64) -> Result<(), Broken> {
        if !self.started && event != Printed::Started {
            return Err(Broken::rule("it printed an event before `startup_complete`"));
        }
        match event {
            Printed::Started if self.started => {
                Err(Broken::rule("it printed `startup_complete` twice"))
            }
            Printed::Started => {
                self.started = true;
                self.voice.say(ClientReport::Ready { at_us, broker: -1, name: String::new() });
                Ok(())
            }
            Printed::Assigned(parts) => self.assign(&parts, at_us),
            Printed::Revoked(parts) => self.revoke(&parts, at_us),
            Printed::Record { part, offset, key, value } => {
                let place = (self.own(&part)?, offset);
                self.deliver(place, key.as_deref(), value.as_deref(), at_us)
            }
            Printed::Consumed { count } => self.consumed(count),
            Printed::Committed { places, error } => {
                self.committed(&places, error.as_deref(), at_us)
            }
            Printed::Ended => {
                self.ended = true;
                Ok(())
            }
            Printed::Sums { .. } | Printed::Acked(..) | Printed::Failed(..) => {
                Err(Broken::rule("it printed an event of a producer"))
            }
        }
    }

    fn own(&self, part: &TopicPart) -> Result<u32, Broken> {
        if part.topic == self.spec.topic {
            return Ok(part.partition);
        }
        let (topic, own) = (&part.topic, &self.spec.topic);
        Err(Broken::rule(format!("it reads topic {topic}, and not {own}")))
    }

    fn all_own(&self, parts: &[TopicPart]) -> Result<Vec<u32>, Broken> {
        parts.iter().map(|part| self.own(part)).collect()
    }

    fn assign(&mut self, parts: &[TopicPart], at_us: i64) -> Result<(), Broken> {
        let partitions = self.all_own(parts)?;
        let starts = self.starts.of(&partitions);
        self.generation += 1;
        self.assigned = true;
        for (partition, position) in partitions.iter().zip(starts.iter().copied()) {
            let held = HeldPart { position, assigned_us: Some(at_us) };
            self.parts.insert(*partition, held);
        }
        let offsets = partitions.iter().copied().zip(starts);
        let partitions = offsets.map(|(partition, offset)| self.place(partition, offset)).collect();
        let generation = self.generation;
        self.voice.say(ClientReport::Assigned { at_us, generation, partitions });
        Ok(())
    }

    fn revoke(&mut self, parts: &[TopicPart], at_us: i64) -> Result<(), Broken> {
        let mut lost = Vec::new();
        for partition in self.all_own(parts)? {
            self.begin(partition, i64::MAX)?;
            let held = self.parts.remove(&partition);
            let position = held.map_or(-1, |held| held.position);
            self.mark(Mark::Revoked, partition, position, at_us)?;
            lost.push(self.place(partition, position));
        }
        self.assigned = !self.parts.is_empty();
        let (generation, partitions, lost) = (self.generation, lost, false);
        self.voice.say(ClientReport::Revoked { at_us, generation, partitions, lost });
        Ok(())
    }

    /// Records an assignment, with the position at which reading began: the one that was found when it was printed,
    /// or the first message's, if the group had committed more by then.
    fn begin(&mut self, partition: u32, first: i64) -> Result<(), Broken> {
        let Some(held) = self.parts.get_mut(&partition) else { return Ok(()) };
        let Some(assigned_us) = held.assigned_us.take() else { return Ok(()) };
        held.position = held.position.min(first);
        let position = held.position;
        self.mark(Mark::Assigned, partition, position, assigned_us)
    }

    fn deliver(
        &mut self,
        (partition, offset): (u32, i64),
        key: Option<&str>,
        value: Option<&str>,
        at_us: i64,
    ) -> Result<(), Broken> {
        self.begin(partition, offset)?;
        let Some(held) = self.parts.get_mut(&partition) else {
            return Err(Broken::rule(format!(
                "it printed a message of partition {partition}, which is not assigned to it"
            )));
        };
        held.position = offset + 1;
        self.fresh += 1;
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        let parts = MessageParts { key, value, headers: std::iter::empty() };
        let decoded = parts.decode(&self.run);
        if decoded == Decoded::Corrupt {
            return Err(Broken::rule(
                "it reads messages of kplan's own form, which cannot be printed as text: give their producer a `value`",
            ));
        }
        let place = (0, partition, offset);
        let known = (Mark::Delivered, self.number);
        let mut record = identify(decoded, value, key, known, place, at_us);
        record.epoch = self.generation;
        Ok(self.seen.record(&record)?)
    }

    fn consumed(&mut self, count: u64) -> Result<(), Broken> {
        let printed = std::mem::take(&mut self.fresh);
        if printed == count {
            return Ok(());
        }
        Err(Broken::rule(format!(
            "it printed {printed} messages and counts {count} of them: with `--verbose` each is one line"
        )))
    }

    fn committed(
        &mut self,
        places: &[(TopicPart, i64)],
        error: Option<&str>,
        at_us: i64,
    ) -> Result<(), Broken> {
        if let Some(text) = error {
            let (name, code) = code_of("CommitFailedException");
            self.voice.complain(&name, code, text, false);
            return Ok(());
        }
        for (part, offset) in places {
            let partition = self.own(part)?;
            self.mark(Mark::OffsetCommitted, partition, *offset, at_us)?;
        }
        Ok(())
    }

    /// Records what was left open. One that ended as ordered has given its partitions back; where one was killed is
    /// not known.
    pub(super) fn close(&mut self, ordered: bool) -> Result<(), Broken> {
        self.begin_all()?;
        let now = now_us();
        let left: Vec<(u32, i64)> =
            self.parts.iter().filter(|_| ordered).map(|(p, held)| (*p, held.position)).collect();
        left.into_iter().try_for_each(|(p, position)| self.mark(Mark::Revoked, p, position, now))
    }

    /// Records the assignments of partitions from which nothing came.
    fn begin_all(&mut self) -> Result<(), Broken> {
        let all: Vec<u32> = self.parts.keys().copied().collect();
        all.into_iter().try_for_each(|partition| self.begin(partition, i64::MAX))
    }

    /// The ends that it has not reached in its partitions, and how far they are; none while it is not known which
    /// partitions it has.
    pub(super) fn unread(&self, ends: &[Position]) -> Option<Vec<(Position, u64)>> {
        let own = ends.iter().filter(|end| end.topic == self.spec.topic);
        let left = own.filter_map(|end| {
            let reached = self.parts.get(&end.partition)?.position.max(0);
            let missing = end.offset - reached;
            let place = self.place(end.partition, reached);
            (missing > 0).then(|| (place, missing.unsigned_abs()))
        });
        self.assigned.then(|| left.collect())
    }

    fn place(&self, partition: u32, offset: i64) -> Position {
        Position { topic: self.spec.topic.clone(), partition, offset: offset.max(-1) }
    }

    /// Appends a mark about a partition that stands for itself.
    fn mark(&mut self, mark: Mark, partition: u32, offset: i64, at_us: i64) -> Result<(), Broken> {
        let message = Message {
            epoch: self.generation,
            ..Message::at_offset(mark, (0, partition), offset, at_us)
        };
        let mut run = message.run();
        run.count = 0;
        Ok(self.seen.append(&run)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::verifiable::event,
        history::{HistoryFile, MessageRun},
        identity::prefixes,
    };

    /// The positions at which partitions begin.
    struct At(i64);

    impl Starts for At {
        fn of(&self, partitions: &[u32]) -> Vec<i64> {
            partitions.iter().map(|_| self.0).collect()
        }
    }

    /// What became of lines; each at the microsecond of its number.
    fn print(start: i64, lines: &[&str]) -> (Result<(), String>, Vec<MessageRun>, Vec<u64>) {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("history")).expect("a directory");
        let mut spec = VerifiableConsumerSpec::of_test("t");
        spec.common.dir = dir.path().to_owned();
        let prefix = prefixes::claim(dir.path(), &spec.common.run, 3, 2).expect("a prefix");
        let (voice, _writer) = Voice::start();
        let at = At(start);
        let mut book = TakenBook::create(&spec, &at, &voice).expect("its history");
        let took = (0..).zip(lines).try_for_each(|(at_us, line)| {
            let line = line.replace("PREFIX", &prefix.to_string());
            let event = event::read(line.as_bytes()).expect("an event").expect("an event");
            book.take(event, at_us)
        });
        book.begin_all().expect("recorded");
        let end = |partition| Position { topic: "t".into(), partition, offset: 10 };
        let unread = book.unread(&[end(0), end(1)]).unwrap_or_default();
        let file = HistoryFile::open(&spec.common.history_path(Writer::Consumer)).expect("it");
        let runs = file.iter_from(0).map(|run| run.expect("a run")).collect();
        (took.map_err(|e| e.to_string()), runs, unread.into_iter().map(|u| u.1).collect())
    }

    const START: &str = r#"{"name":"startup_complete"}"#;
    const ASSIGNED: &str = r#"{"name":"partitions_assigned","partitions":[{"topic":"t","partition":0},{"topic":"t","partition":1}]}"#;
    const REVOKED: &str =
        r#"{"name":"partitions_revoked","partitions":[{"topic":"t","partition":0}]}"#;

    fn record(partition: u32, offset: i64, value: &str) -> String {
        format!(
            r#"{{"name":"record_data","key":null,"value":"{value}","topic":"t","partition":{partition},"offset":{offset}}}"#
        )
    }

    fn marks(runs: &[MessageRun]) -> Vec<(Mark, u32, i64, u64)> {
        runs.iter().map(|r| (r.mark, r.partition, r.first_offset, r.count)).collect()
    }

    #[test]
    fn deliveries_become_a_history() {
        let (one, two, other) =
            (record(0, 5, "PREFIX.7"), record(0, 6, "PREFIX.8"), record(1, 3, "something else"));
        let consumed = r#"{"name":"records_consumed","count":3}"#;
        let committed = r#"{"name":"offsets_committed","offsets":[{"topic":"t","partition":0,"offset":7}],"success":true}"#;
        let lines = [START, ASSIGNED, &one, &two, &other, consumed, committed, REVOKED];
        let (took, runs, unread) = print(5, &lines);
        assert_eq!(took, Ok(()));
        assert_eq!(
            marks(&runs),
            [
                (Mark::Assigned, 0, 5, 0),
                (Mark::Delivered, 0, 5, 2),
                // The group had committed 5 when it was looked up, and the consumer had begun at 3.
                (Mark::Assigned, 1, 3, 0),
                (Mark::Foreign, 1, 3, 1),
                (Mark::OffsetCommitted, 0, 7, 0),
                (Mark::Revoked, 0, 7, 0),
            ]
        );
        let delivered = runs[1];
        assert_eq!((delivered.client, delivered.life, delivered.first_seq), (3, 2, 7));
        assert_eq!(delivered.source_partition, 0, "its client chose the partition that it lies in");
        assert_eq!(unread, [6], "partition 0 was taken away");
    }

    #[test]
    fn a_partition_without_messages_begins_where_its_group_stands() {
        let (took, runs, unread) = print(8, &[START, ASSIGNED]);
        assert_eq!(took, Ok(()));
        assert_eq!(marks(&runs), [(Mark::Assigned, 0, 8, 0), (Mark::Assigned, 1, 8, 0)]);
        assert_eq!(runs[0].first_us, 1, "when it was printed");
        assert_eq!(unread, [2, 2]);
        let (_, runs, _) = print(-1, &[START, ASSIGNED, &record(0, 4, "x")]);
        assert_eq!(marks(&runs)[0], (Mark::Assigned, 0, -1, 0), "its start is not known");
    }

    #[test]
    fn a_client_that_breaks_the_protocol_is_stopped() {
        let own = record(0, 0, "kpl1\u{fffd}\u{fffd}");
        let count = r#"{"name":"records_consumed","count":2}"#;
        let other = ASSIGNED.replace("\"t\"", "\"u\"");
        let sums = r#"{"name":"tool_data","sent":1,"acked":1}"#;
        for (lines, what) in [
            (vec![ASSIGNED], "before `startup_complete`"),
            (vec![START, START], "twice"),
            (vec![START, &record(0, 0, "x")], "partition 0, which is not assigned to it"),
            (vec![START, &other], "it reads topic u, and not t"),
            (vec![START, ASSIGNED, &record(0, 0, "x"), count], "printed 1 messages and counts 2"),
            (vec![START, ASSIGNED, &own], "give their producer a `value`"),
            (vec![START, sums], "an event of a producer"),
        ] {
            let error = print(0, &lines).0.expect_err(what);
            assert!(error.contains(what), "{error}");
        }
    }
}
