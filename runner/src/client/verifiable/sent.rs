//! What a producer of another program printed, as histories: each message is recorded when its outcome is known.

use std::{collections::BTreeSet, rc::Rc};

use kplan_dsl::value::Acks;
use roaring::RoaringTreemap;

use super::{
    Broken,
    errors::code_of,
    event::{LogPlace, Printed, SentLine},
};
use crate::{
    client::{
        ClientError, latency::Latencies, ledger::history, protocol::ClientReport,
        spec::VerifiableProducerSpec, voice::Voice,
    },
    history::{Mark, Message, RunClock, RunRecorder, Writer},
    identity::prefixes,
};

/// The partition under which a message is recorded whose partition its client does not report. The audit counts it
/// where it finds it.
const UNKNOWN: u32 = 0;

/// The messages of one life.
pub(super) struct SentBook {
    topic: String,
    prefix: u32,
    acks: Acks,
    count: Option<u64>,
    client: u16,
    life: u16,
    voice: Rc<Voice>,
    clock: RunClock,
    latencies: Latencies,
    sent: RunRecorder,
    heard: RunRecorder,
    acked: RoaringTreemap,
    failed: RoaringTreemap,
    started: bool,
    /// Whether it prints when messages were sent; none before the first.
    timed: Option<bool>,
    /// It printed its last event.
    pub(super) ended: bool,
    /// What it says that it sent, and that was acknowledged.
    sums: Option<(u64, u64)>,
    /// Exceptions that were reported once: the text of each failure is in its log.
    reported: BTreeSet<String>,
}

impl SentBook {
    pub(super) fn create(
        spec: &VerifiableProducerSpec,
        prefix: u32,
        voice: &Rc<Voice>,
    ) -> Result<Self, ClientError> {
        let common = &spec.common;
        Ok(Self {
            topic: spec.topic.clone(),
            prefix,
            acks: spec.acks,
            count: spec.count,
            client: common.client_id,
            life: common.life,
            voice: Rc::clone(voice),
            clock: RunClock::now(),
            latencies: Latencies::create(&common.latency_path())?,
            sent: history(common, &spec.topic, Writer::ProducerSent)?,
            heard: history(common, &spec.topic, Writer::ProducerHeard)?,
            acked: RoaringTreemap::new(),
            failed: RoaringTreemap::new(),
            started: false,
            timed: None,
            ended: false,
            sums: None,
            reported: BTreeSet::new(),
        })
    }

    /// Takes in an event that was read at a moment.
    pub(super) fn take(&mut self, event: Printed, at_us: i64) -> Result<(), Broken> {
        if !self.started && event != Printed::Started {
            return Err(Broken::rule("it printed an event before `startup_complete`"));
        }
        match event {
            Printed::Started if self.started => {
                return Err(Broken::rule("it printed `startup_complete` twice"));
            }
            Printed::Started => {
                self.started = true;
                self.voice.say(ClientReport::Ready { at_us, broker: -1, name: String::new() });
            }
            Printed::Acked(line, place) => self.acked(&line, place, at_us)?,
            Printed::Failed(line, exception, text) => {
                self.failed(&line, at_us, &exception, &text)?;
            }
            Printed::Sums { sent, acked } => self.sums = Some((sent, acked)),
            Printed::Ended => self.ended = true,
            // Events of consumers.
            _ => return Err(Broken::rule("it printed an event of a consumer")),
        }
        Ok(())
    }

    fn acked(&mut self, line: &SentLine, place: LogPlace, at_us: i64) -> Result<(), Broken> {
        let seq = self.number(line)?;
        if self.failed.contains(seq) {
            return Err(Broken::rule(format!("message {seq} failed, and was acknowledged")));
        }
        if !self.acked.insert(seq) {
            return Err(Broken::rule(format!("message {seq} was acknowledged twice")));
        }
        let sent_us = self.sent(line, place.partition, seq, at_us)?;
        // With acks=0 no broker answered.
        let (mark, offset) = match self.acks {
            Acks::None => (Mark::Written, -1),
            _ => (Mark::Acked, place.offset.max(-1)),
        };
        let message = self.message(mark, place.partition, seq, at_us);
        self.heard.record(&Message { offset, ..message })?;
        if let Some(sent_us) = sent_us.filter(|_| mark == Mark::Acked) {
            self.latencies.add(&self.voice, at_us, sent_us);
        }
        Ok(())
    }

    fn failed(
        &mut self,
        line: &SentLine,
        at_us: i64,
        exception: &str,
        text: &str,
    ) -> Result<(), Broken> {
        let seq = self.number(line)?;
        if self.acked.contains(seq) {
            return Err(Broken::rule(format!("message {seq} was acknowledged, and failed")));
        }
        // One failure may be printed by the call and by its answer.
        if !self.failed.insert(seq) {
            return Ok(());
        }
        self.sent(line, UNKNOWN, seq, at_us)?;
        let (name, code) = code_of(exception);
        let message = self.message(Mark::Failed, UNKNOWN, seq, at_us);
        self.heard.record(&Message { error: code, ..message })?;
        if self.reported.insert(name.clone()) {
            self.voice.complain(&name, code, text, false);
        }
        Ok(())
    }

    /// Records that a message was sent; returns when, if its client says so.
    fn sent(
        &mut self,
        line: &SentLine,
        partition: u32,
        seq: u64,
        at_us: i64,
    ) -> Result<Option<i64>, Broken> {
        let timed = line.sent_ms.is_some();
        if *self.timed.get_or_insert(timed) != timed {
            return Err(Broken::rule("only some of its messages have `sent_ms`"));
        }
        let wall_us = line.sent_ms.map(|ms| (ms * 1_000.0) as i64);
        // No message is sent after its answer.
        let sent_us = wall_us.map(|wall_us| self.clock.mono_us(wall_us).min(at_us));
        let message = self.message(Mark::Sent, partition, seq, sent_us.unwrap_or(at_us));
        self.sent.record(&message)?;
        Ok(sent_us)
    }

    fn message(&self, mark: Mark, partition: u32, seq: u64, at_us: i64) -> Message {
        Message::of_sequence(mark, (self.client, self.life, partition), seq, at_us)
    }

    fn number(&self, line: &SentLine) -> Result<u64, Broken> {
        if line.topic != self.topic {
            let (topic, own) = (&line.topic, &self.topic);
            return Err(Broken::rule(format!("it sends to topic {topic}, and not to {own}")));
        }
        prefixes::number(line.value.as_bytes(), self.prefix).ok_or_else(|| {
            let (value, prefix) = (&line.value, self.prefix);
            Broken::rule(format!("it sent the value `{value}`, which is not `{prefix}.N`"))
        })
    }

    /// Reports latencies that are due.
    pub(super) fn report(&self, now_us: i64, last: bool) {
        self.latencies.report(&self.voice, now_us, last);
    }

    /// Whether it sent all that it had to send, and printed the outcome of each.
    pub(super) fn finished(&self) -> bool {
        self.ended && self.count.is_some_and(|count| self.answered() >= count)
    }

    /// The messages that it sent, as far as that is known, without a printed outcome.
    pub(super) fn unanswered(&self) -> u64 {
        let highest = self.acked.max().max(self.failed.max());
        let counted = highest.map_or(0, |highest| highest + 1);
        let sent = self.sums.map_or(counted, |(sent, _)| sent.max(counted));
        sent - self.answered()
    }

    /// What its own sums contradict.
    pub(super) fn wrong_sums(&self) -> Option<String> {
        let (sent, acked) = self.sums?;
        let printed = self.acked.len();
        (acked != printed || sent < self.answered()).then(|| {
            let answered = self.answered();
            format!(
                "it counts {sent} messages sent and {acked} acknowledged, but printed {answered} outcomes, \
                 {printed} of them acknowledgements"
            )
        })
    }

    fn answered(&self) -> u64 {
        self.acked.len() + self.failed.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        client::verifiable::event,
        history::{HistoryFile, MessageRun},
    };

    const PREFIX: u32 = 2_000_000_005;

    struct Ran {
        book: SentBook,
        spec: VerifiableProducerSpec,
        _dir: tempfile::TempDir,
    }

    fn begun(acks: Acks) -> Ran {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("history")).expect("a directory");
        let mut spec = VerifiableProducerSpec::of_test("t", acks);
        spec.common.dir = dir.path().to_owned();
        let (voice, _writer) = Voice::start();
        let book = SentBook::create(&spec, PREFIX, &voice).expect("its histories");
        Ran { book, spec, _dir: dir }
    }

    impl Ran {
        fn print(&mut self, at_us: i64, line: &str) -> Result<(), Broken> {
            let event = event::read(line.as_bytes()).expect("an event").expect("an event");
            self.book.take(event, at_us)
        }

        fn start(mut self) -> Self {
            self.print(0, r#"{"name":"startup_complete"}"#).expect("it begins");
            self
        }

        fn runs(&self, writer: Writer) -> Vec<MessageRun> {
            let file = HistoryFile::open(&self.spec.common.history_path(writer)).expect("it");
            file.iter_from(0).map(|run| run.expect("a run")).collect()
        }
    }

    fn acked(seq: u64, partition: u32, offset: i64) -> String {
        format!(
            r#"{{"name":"producer_send_success","key":null,"value":"{PREFIX}.{seq}","topic":"t","partition":{partition},"offset":{offset}}}"#
        )
    }

    fn failed(seq: u64, exception: &str) -> String {
        format!(
            r#"{{"name":"producer_send_error","key":null,"value":"{PREFIX}.{seq}","topic":"t","exception":"class org.apache.kafka.common.errors.{exception}","message":"no"}}"#
        )
    }

    #[test]
    fn outcomes_become_histories() {
        let mut ran = begun(Acks::All).start();
        for (at, seq, partition, offset) in [(10, 0, 2, 40), (11, 1, 2, 41), (12, 3, 0, 7)] {
            ran.print(at, &acked(seq, partition, offset)).expect("acknowledged");
        }
        ran.print(20, &failed(2, "NotEnoughReplicasException")).expect("failed");
        ran.print(21, &failed(2, "NotEnoughReplicasException")).expect("printed twice");
        let heard = ran.runs(Writer::ProducerHeard);
        let of = |run: &MessageRun| {
            (run.mark, run.partition, run.first_seq, run.first_offset, run.count)
        };
        let expected = [
            (Mark::Acked, 2, 0, 40, 2),
            (Mark::Acked, 0, 3, 7, 1),
            (Mark::Failed, UNKNOWN, 2, -1, 1),
        ];
        assert_eq!(heard.iter().map(of).collect::<Vec<_>>(), expected);
        assert_eq!(heard[2].error, 19, "NOT_ENOUGH_REPLICAS");
        let sent = ran.runs(Writer::ProducerSent);
        assert_eq!(sent.iter().map(|run| run.count).sum::<u64>(), 4);
        assert_eq!((ran.book.unanswered(), ran.book.finished()), (0, false));
        ran.print(30, &acked(9, 1, 0)).expect("acknowledged");
        assert_eq!(ran.book.unanswered(), 5, "4 to 8 were sent before 9");
    }

    #[test]
    fn with_acks_0_nothing_is_acknowledged() {
        let mut ran = begun(Acks::None).start();
        ran.print(10, &acked(0, 2, -1)).expect("written");
        assert_eq!(ran.runs(Writer::ProducerHeard)[0].mark, Mark::Written);
    }

    #[test]
    fn a_send_time_is_believed_up_to_the_answer() {
        let mut ran = begun(Acks::All).start();
        let clock = ran.book.clock;
        let at = |us: i64, seq| {
            let ms = clock.wall_us(us) as f64 / 1_000.0;
            acked(seq, 0, 0).replace("\"key\":null", &format!("\"sent_ms\":{ms}"))
        };
        let now = clock.mono_us;
        ran.print(now, &at(now - 50_000, 0)).expect("acknowledged");
        ran.print(now, &at(now + 50_000, 1)).expect("acknowledged");
        let times: Vec<i64> = ran.runs(Writer::ProducerSent).iter().map(|r| r.first_us).collect();
        assert!((times[0] - (now - 50_000)).abs() < 10, "{times:?} {now}");
        assert_eq!(times[1..], [now]);
        let measured = crate::client::latency::unreported(&ran.spec.common.latency_path(), 0);
        let counted: u64 = measured.iter().flat_map(|s| &s.buckets).map(|b| b.1).sum();
        assert_eq!(counted, 2);
        let error = ran.print(now, &acked(2, 0, 2)).expect_err("without a send time").to_string();
        assert!(error.contains("only some of its messages have `sent_ms`"), "{error}");
    }

    #[test]
    fn a_client_that_contradicts_itself_is_stopped() {
        let cases = [
            (vec![acked(0, 0, 0), acked(0, 0, 1)], "message 0 was acknowledged twice"),
            (vec![acked(0, 0, 0), failed(0, "X")], "message 0 was acknowledged, and failed"),
            (vec![failed(0, "X"), acked(0, 0, 0)], "message 0 failed, and was acknowledged"),
            (vec![acked(0, 0, 0).replace("\"t\"", "\"u\"")], "it sends to topic u, and not to t"),
            (vec![acked(0, 0, 0).replace("2000000005.", "")], "`0`, which is not `2000000005.N`"),
            (vec![r#"{"name":"startup_complete"}"#.to_owned()], "twice"),
            (
                vec![r#"{"name":"records_consumed","count":1}"#.to_owned()],
                "it printed an event of a consumer",
            ),
        ];
        for (lines, what) in cases {
            let mut ran = begun(Acks::All).start();
            let (last, first) = lines.split_last().expect("some");
            first.iter().for_each(|line| ran.print(1, line).expect("well"));
            let error = ran.print(2, last).expect_err(what).to_string();
            assert!(error.contains(what), "{error}");
        }
        let error = begun(Acks::All).print(1, &acked(0, 0, 0)).expect_err("too early");
        assert!(error.to_string().contains("before `startup_complete`"));
    }

    #[test]
    fn its_sums_are_compared_with_its_lines() {
        let sums = |sent, acked| format!(r#"{{"name":"tool_data","sent":{sent},"acked":{acked}}}"#);
        let end = r#"{"name":"shutdown_complete"}"#;
        let mut ran = begun(Acks::All).start();
        ran.book.count = Some(3);
        ran.print(1, &acked(0, 0, 0)).expect("acknowledged");
        ran.print(1, &failed(1, "TimeoutException")).expect("failed");
        ran.print(2, end).expect("ended");
        assert!(!ran.book.finished(), "one of three is open");
        ran.print(2, &sums(3, 1)).expect("sums");
        assert_eq!((ran.book.wrong_sums(), ran.book.unanswered()), (None, 1));
        ran.print(2, &sums(3, 2)).expect("sums");
        assert!(ran.book.wrong_sums().expect("wrong").contains("2 acknowledged"));
        ran.print(2, &sums(1, 1)).expect("sums");
        assert!(ran.book.wrong_sums().is_some(), "it sent at least two");
        ran.print(3, &acked(2, 0, 1)).expect("acknowledged");
        assert!(ran.book.finished());
    }
}
