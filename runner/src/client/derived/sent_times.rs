//! When the messages of a service's input were to be sent: an identity as text does not contain it, but the histories
//! of their producers do.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    history::{HistoryError, HistoryFile, Mark, MessageRun, Writer},
    identity::text::TextId,
};

/// For each partition a place is remembered once in this many records: the records from there on are searched.
const STRIDE: u64 = 32;

/// The histories of all producers, by their numbers and lives.
pub(super) struct SentTimes {
    dir: PathBuf,
    lives: BTreeMap<(u16, u16), Option<SentLife>>,
}

/// What a producer sent in one of its lives.
struct SentLife {
    file: HistoryFile,
    /// The first record whose place is not known yet.
    next: u64,
    /// By partition: sequence numbers, ascending, and the records that begin with them.
    places: BTreeMap<u32, Vec<(u64, u64)>>,
}

impl SentTimes {
    /// `dir` is the suite's directory.
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.join("history"), lives: BTreeMap::new() }
    }

    /// When a message was to be sent; none if no history contains it. Between the first and the last message of a
    /// run of a history, it is interpolated.
    pub(super) fn of(&mut self, id: &TextId) -> Result<Option<i64>, HistoryError> {
        let whose = (id.client, id.life);
        let life = self.lives.entry(whose).or_insert_with(|| SentLife::find(&self.dir, whose));
        let Some(life) = life else { return Ok(None) };
        let found = life.search(id.partition, id.seq)?;
        if found.is_some() {
            return Ok(found);
        }
        life.learn()?;
        life.search(id.partition, id.seq)
    }
}

impl SentLife {
    fn find(dir: &Path, (client, life): (u16, u16)) -> Option<Self> {
        let files = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
        let mut sent = files.filter(|path| path.extension().is_some_and(|kind| kind == "sent"));
        let file = sent.find_map(|path| {
            let file = HistoryFile::open(&path).ok()?;
            let header = file.header();
            let is_meant = header.writer == Writer::ProducerSent
                && (header.client_id, header.life) == (client, life);
            is_meant.then_some(file)
        })?;
        Some(Self { file, next: 0, places: BTreeMap::new() })
    }

    /// Takes in the records that were written since the last call.
    fn learn(&mut self) -> Result<(), HistoryError> {
        let end = self.file.refresh()?;
        for record in self.next..end {
            let run = self.file.get(record)?;
            if run.mark == Mark::Sent {
                let places = self.places.entry(run.partition).or_default();
                if places.last().is_none_or(|(_, last)| record - last >= STRIDE) {
                    places.push((run.first_seq, record));
                }
            }
        }
        self.next = end;
        Ok(())
    }

    fn search(&self, partition: u32, seq: u64) -> Result<Option<i64>, HistoryError> {
        let Some(places) = self.places.get(&partition) else { return Ok(None) };
        let before = places.partition_point(|(first, _)| *first <= seq).checked_sub(1);
        let Some((_, begin)) = before.and_then(|at| places.get(at)) else { return Ok(None) };
        for record in *begin..self.next {
            let run = self.file.get(record)?;
            if run.mark != Mark::Sent || run.partition != partition {
                continue;
            }
            if seq < run.first_seq {
                return Ok(None);
            }
            if seq - run.first_seq < run.count {
                return Ok(Some(between(&run, seq - run.first_seq)));
            }
        }
        Ok(None)
    }
}

/// When the message at this place of a run was to be sent: messages are due at a steady pace.
fn between(run: &MessageRun, at: u64) -> i64 {
    let last = run.count.saturating_sub(1);
    if at == 0 || last == 0 {
        return run.first_us;
    }
    let part = i128::from(run.last_us - run.first_us) * i128::from(at) / i128::from(last);
    run.first_us + i64::try_from(part).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{
        HistoryWriter, RunRecorder,
        fixture::{header, message},
    };

    const ID: TextId = TextId { topic: 0, client: 3, life: 2, partition: 1, seq: 0 };

    /// Sequence `seq` of partition `p` is due at `seq` times 3 ms, partition 1 a millisecond later than partition 0.
    fn due(p: u32, seq: u64) -> i64 {
        i64::try_from(seq).expect("small") * 3_000 + i64::from(p) * 1_000
    }

    fn recorder(dir: &Path, client: u16, life: u16) -> RunRecorder {
        fs::create_dir_all(dir.join("history")).expect("a directory");
        let path = dir.join("history").join(format!("P{client}-{life}.sent"));
        let header = header(Writer::ProducerSent, "P", client, life);
        RunRecorder::new(HistoryWriter::create(&path, &header).expect("a file"))
    }

    fn send(recorder: &mut RunRecorder, seqs: std::ops::Range<u64>) {
        for seq in seqs {
            for p in [0, 1] {
                let sent = message(Mark::Sent, p, seq, -1, due(p, seq));
                recorder.record(&sent).expect("recorded");
            }
        }
    }

    #[test]
    fn every_message_is_found_when_it_was_due_also_while_its_history_grows() {
        let dir = tempfile::tempdir().expect("a directory");
        let (mut other, mut own) = (recorder(dir.path(), 3, 1), recorder(dir.path(), 3, 2));
        send(&mut other, 500..600);
        send(&mut own, 0..1_000);
        let mut times = SentTimes::new(dir.path());
        let mut of = |partition, seq| times.of(&TextId { partition, seq, ..ID }).expect("readable");
        // Also backwards: a service may answer in any order.
        for seq in [0, 999, 500, 501, 7, 0] {
            assert_eq!((of(0, seq), of(1, seq)), (Some(due(0, seq)), Some(due(1, seq))), "{seq}");
        }
        assert_eq!(of(1, 1_000), None, "not sent yet");
        send(&mut own, 1_000..1_100);
        assert_eq!(of(1, 1_000), Some(due(1, 1_000)));
        assert_eq!(of(1, 1_099), Some(due(1, 1_099)));
        assert_eq!(of(2, 0), None, "no such partition");
        let mut in_life = |life| times.of(&TextId { life, seq: 3, ..ID }).expect("readable");
        assert_eq!((in_life(1), in_life(9)), (None, None), "it began with 500; no such life");
    }
}
