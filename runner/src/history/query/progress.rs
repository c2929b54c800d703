//! Progress: what was sent after a time, and when it was first answered.

use std::collections::{BTreeMap, BTreeSet};

use super::{PartitionPlace, place};
use crate::history::{HistoryError, HistoryFile, Mark, Writer};

/// A producing client and its life.
type ProgressStream = (u16, u16);

/// What producers sent after a time: for each partition that they use at all, the first sequence of
/// each life whose intended send time is not before it.
#[derive(Clone, Debug, Default)]
pub struct SentSince {
    since_us: i64,
    used: BTreeSet<PartitionPlace>,
    first: BTreeMap<PartitionPlace, BTreeMap<ProgressStream, u64>>,
}

/// For each partition in use, when a message sent after the time was first answered (acknowledged,
/// or delivered); none where that has not happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub by: BTreeMap<PartitionPlace, Option<i64>>,
    /// Partitions in use to which nothing was sent after the time: no message waits there.
    pub idle: BTreeSet<PartitionPlace>,
}

impl Answered {
    /// `progressing`: on every partition, or with `any` on at least one. Nothing in use: false.
    pub fn progressing(&self, any: bool) -> bool {
        let mut answers = self.by.values();
        if any {
            answers.any(Option::is_some)
        } else {
            !self.by.is_empty() && answers.all(Option::is_some)
        }
    }

    /// Partitions to which something was sent, without an answer.
    pub fn waiting(&self) -> impl Iterator<Item = &PartitionPlace> {
        let open = self.by.iter().filter(|(_, at)| at.is_none()).map(|(place, _)| place);
        open.filter(|place| !self.idle.contains(place))
    }
}

impl SentSince {
    /// Reads the producers' histories from `since_us` on. `waits` returns since when the client
    /// waits for messages of a partition, none if it does not; histories other than
    /// [`Writer::ProducerSent`] are skipped.
    pub fn new(
        files: &[&HistoryFile],
        since_us: i64,
        waits: impl Fn(&PartitionPlace) -> Option<i64>,
    ) -> Result<Self, HistoryError> {
        let mut this = Self { since_us, ..Self::default() };
        for file in files.iter().filter(|f| f.header().writer == Writer::ProducerSent) {
            this.used(file)?;
            let stream = (file.header().client_id, file.header().life);
            for run in file.iter_from(file.first_at_or_after(since_us)?) {
                let run = run?;
                let place = place(file, &run)?;
                this.used.insert(place.clone());
                // A run that begins before the time is passed over: the next one does not.
                let begins = waits(&place).map(|waits_us| since_us.max(waits_us));
                if run.mark == Mark::Sent && begins.is_some_and(|begins| run.first_us >= begins) {
                    let first = this.first.entry(place).or_default();
                    let seq = first.entry(stream).or_insert(run.first_seq);
                    *seq = run.first_seq.min(*seq);
                }
            }
        }
        this.used.retain(|place| waits(place).is_some());
        Ok(this)
    }

    /// The partitions that a producer has used so far. It takes them in turn, or in the turn of its
    /// keys, so its first runs show them.
    fn used(&mut self, file: &HistoryFile) -> Result<(), HistoryError> {
        for run in file.iter_from(0).take(FIRST_RUNS) {
            self.used.insert(place(file, &run?)?);
        }
        Ok(())
    }

    pub fn partitions(&self) -> impl Iterator<Item = &PartitionPlace> {
        self.used.iter()
    }

    /// When these messages were first answered: acknowledged, from histories of
    /// [`Writer::ProducerHeard`], or delivered, from those of [`Writer::Consumer`].
    pub fn answered(&self, files: &[&HistoryFile]) -> Result<Answered, HistoryError> {
        let mut by: BTreeMap<PartitionPlace, Option<i64>> =
            self.used.iter().map(|place| (place.clone(), None)).collect();
        for file in files {
            let header = file.header();
            let heard = header.writer == Writer::ProducerHeard;
            // In a transaction: acknowledged with its commit.
            let mut open: BTreeMap<u32, BTreeSet<PartitionPlace>> = BTreeMap::new();
            for run in file.iter_from(file.first_at_or_after(self.since_us)?) {
                let run = run?;
                if run.mark == Mark::Committed {
                    for place in open.remove(&run.epoch).unwrap_or_default() {
                        answer(&mut by, &place, run.first_us);
                    }
                    continue;
                }
                if !matches!(run.mark, Mark::Acked | Mark::Delivered) {
                    continue;
                }
                let stream =
                    if heard { (header.client_id, header.life) } else { (run.client, run.life) };
                let place = place(file, &run)?;
                let first = self.first.get(&place).and_then(|f| f.get(&stream));
                if first.is_none_or(|first| run.first_seq + run.count <= *first) {
                    continue;
                }
                // Where the run begins with earlier messages, its last one is surely meant.
                let begins = first.is_some_and(|first| run.first_seq >= *first);
                let at = if begins { run.first_us } else { run.last_us };
                if heard && run.epoch != 0 {
                    open.entry(run.epoch).or_default().insert(place);
                } else {
                    answer(&mut by, &place, at);
                }
            }
        }
        let idle = self.used.iter().filter(|place| !self.first.contains_key(place)).cloned();
        Ok(Answered { idle: idle.collect(), by })
    }
}

/// Runs at a history's start that show every partition in use: more than a topic has partitions.
const FIRST_RUNS: usize = 4096;

fn answer(by: &mut BTreeMap<PartitionPlace, Option<i64>>, place: &PartitionPlace, at: i64) {
    if let Some(answer) = by.get_mut(place) {
        *answer = Some(answer.map_or(at, |known| known.min(at)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Answered, SentSince};
    use crate::history::{
        HistoryFile, Mark, Message, Writer,
        fixture::{header, history, message},
        query::PartitionPlace,
    };

    const MS: i64 = 1_000;

    /// A message every 100 ms in turn on two partitions, and their fate.
    fn histories(
        dir: &std::path::Path,
        life: u16,
        fate: impl Fn(u32, u64, i64) -> Option<Message>,
    ) -> [HistoryFile; 2] {
        let (mut sent, mut heard) = (Vec::new(), Vec::new());
        for i in 0..40_u64 {
            let (partition, seq) = ((i % 2) as u32, i / 2);
            let at = i as i64 * 100 * MS;
            sent.push(message(Mark::Sent, partition, seq, -1, at));
            heard.extend(fate(partition, seq, at));
        }
        heard.sort_by_key(|m| m.at_us);
        [
            history(dir, &header(Writer::ProducerSent, "P", 1, life), &sent),
            history(dir, &header(Writer::ProducerHeard, "P", 1, life), &heard),
        ]
    }

    /// The client waits for all partitions.
    fn always(_: &PartitionPlace) -> Option<i64> {
        Some(i64::MIN)
    }

    fn answered(files: &[HistoryFile], since_us: i64) -> Answered {
        let files: Vec<_> = files.iter().collect();
        SentSince::new(&files, since_us, always).unwrap().answered(&files).unwrap()
    }

    #[test]
    fn an_answer_to_an_earlier_message_proves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        // Everything sent before 2 s is acknowledged at 2.5 s, nothing later ever.
        let files = histories(dir.path(), 1, |p, seq, at| {
            (at < 2_000 * MS).then(|| message(Mark::Acked, p, seq, seq as i64, 2_500 * MS))
        });
        let since = answered(&files, 2_000 * MS);
        assert!(!since.progressing(false) && !since.progressing(true));
        assert_eq!(since.waiting().count(), 2);
        assert!(answered(&files, 1_500 * MS).progressing(false));
    }

    #[test]
    fn one_partition_of_two_is_progress_only_for_any() {
        let dir = tempfile::tempdir().unwrap();
        let files = histories(dir.path(), 1, |p, seq, at| {
            (p == 0).then(|| message(Mark::Acked, p, seq, seq as i64, at + MS))
        });
        let since = answered(&files, 1_000 * MS);
        assert!(since.progressing(true) && !since.progressing(false));
        assert_eq!(
            since.waiting().cloned().collect::<Vec<_>>(),
            [PartitionPlace::new("orders", 1)]
        );
    }

    #[test]
    fn failures_are_no_answers_and_nothing_in_use_is_no_progress() {
        let dir = tempfile::tempdir().unwrap();
        let files =
            histories(dir.path(), 1, |p, seq, at| Some(message(Mark::Failed, p, seq, -1, at + MS)));
        assert!(!answered(&files, 0).progressing(true));
        assert!(!answered(&[], 0).progressing(false));
    }

    #[test]
    fn a_transactions_messages_are_answered_by_its_commit() {
        let dir = tempfile::tempdir().unwrap();
        let txn = |m: Message| Message { epoch: 1, ..m };
        let files = |ends: &[Message], life| {
            let mut heard = vec![txn(message(Mark::Acked, 0, 0, 0, 20 * MS))];
            heard.extend_from_slice(ends);
            let sent = [txn(message(Mark::Sent, 0, 0, -1, 10 * MS))];
            [
                history(dir.path(), &header(Writer::ProducerSent, "P", 1, life), &sent),
                history(dir.path(), &header(Writer::ProducerHeard, "P", 1, life), &heard),
            ]
        };
        assert!(!answered(&files(&[], 1), 5 * MS).progressing(true));
        let aborted = [txn(message(Mark::Aborted, 0, 0, -1, 50 * MS))];
        assert!(!answered(&files(&aborted, 2), 5 * MS).progressing(true));
        let committed = [txn(message(Mark::Committed, 0, 0, -1, 50 * MS))];
        let at = answered(&files(&committed, 3), 5 * MS).by[&PartitionPlace::new("orders", 0)];
        assert_eq!(at, Some(50 * MS));
    }

    #[test]
    fn a_consumer_answers_with_deliveries_of_what_was_sent_since() {
        let dir = tempfile::tempdir().unwrap();
        let [sent, _] = histories(dir.path(), 1, |_, _, _| None);
        let deliveries = |until: u64, name: &str| {
            let all: Vec<_> = (0..until)
                .map(|i| {
                    let (p, seq) = ((i % 2) as u32, i / 2);
                    message(Mark::Delivered, p, seq, seq as i64, 5_000 * MS + i as i64)
                })
                .collect();
            history(dir.path(), &header(Writer::Consumer, name, 2, 1), &all)
        };
        let since = SentSince::new(&[&sent], 2_000 * MS, always).unwrap();
        // Messages 0 to 19 were sent before 2 s.
        assert!(!since.answered(&[&deliveries(20, "C")]).unwrap().progressing(true));
        assert!(since.answered(&[&deliveries(21, "D")]).unwrap().progressing(true));
        assert!(!since.answered(&[&deliveries(21, "E")]).unwrap().progressing(false));
        assert!(since.answered(&[&deliveries(22, "F")]).unwrap().progressing(false));
        let nobodys = SentSince::new(&[&sent], 0, |_| None).unwrap();
        assert_eq!(nobodys.partitions().count(), 0);
    }
    #[test]
    fn a_reader_waits_only_for_what_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let [sent, _] = histories(dir.path(), 1, |_, _, _| None);
        let given: Vec<_> =
            (0..20).map(|seq| message(Mark::Delivered, 0, seq, 0, 4_000 * MS)).collect();
        let given = history(dir.path(), &header(Writer::Consumer, "C", 2, 1), &given);
        let progressing = |waits: &dyn Fn(u32) -> Option<i64>| {
            let since = SentSince::new(&[&sent], 0, |place| waits(place.partition)).unwrap();
            let answered = since.answered(&[&given]).unwrap();
            (answered.progressing(false), answered.waiting().count())
        };
        assert_eq!(progressing(&|_| Some(i64::MIN)), (false, 1), "both are its own");
        assert_eq!(progressing(&|p| (p == 0).then_some(i64::MIN)), (true, 0), "another has one");
        // It took the other one over when nothing more was sent to it, or just before.
        let taken = |at| move |p| Some(if p == 0 { i64::MIN } else { at });
        assert_eq!(progressing(&taken(3_950 * MS)).1, 0);
        assert_eq!(progressing(&taken(3_850 * MS)).1, 1);
    }
}
