#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{
    HistoryFile, HistoryWriter, Mark, Message, MessageRun, OPEN_WINDOW, RUN_SPAN_US, RunRecorder,
    Writer,
    fixture::{header, message},
};

fn in_dir(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("P-1.sent")
}

fn writer(path: &Path) -> HistoryWriter {
    HistoryWriter::create(path, &header(Writer::ProducerSent, "P", 1, 1)).unwrap()
}

fn all(file: &HistoryFile) -> Vec<MessageRun> {
    file.iter_from(0).map(Result::unwrap).collect()
}

#[test]
fn every_field_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(&in_dir(&dir));
    let runs: Vec<MessageRun> = Mark::ALL
        .iter()
        .map(|mark| MessageRun {
            mark: *mark,
            topic: u16::MAX,
            partition: u32::MAX - 1,
            client: u16::MAX - 2,
            life: 7,
            source_partition: u32::MAX - 3,
            first_seq: u64::MAX - 4,
            first_offset: -1,
            count: u64::MAX - 5,
            first_us: -6,
            last_us: i64::MAX,
            error: -185,
            epoch: u32::MAX - 7,
        })
        .collect();
    for run in &runs {
        writer.append(run).unwrap();
    }
    let file = HistoryFile::open(&in_dir(&dir)).unwrap();
    assert_eq!(file.header(), &header(Writer::ProducerSent, "P", 1, 1));
    assert_eq!(all(&file), runs);
    assert_eq!(file.get(3).unwrap(), runs[3]);
    assert!(file.get(runs.len() as u64).is_err());
}

#[test]
fn a_reader_sees_what_is_published_while_it_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(&in_dir(&dir));
    let mut file = HistoryFile::open(&in_dir(&dir)).unwrap();
    assert!(file.is_empty());
    let run = message(Mark::Sent, 0, 0, 5, 100).run();
    let handle = writer.append(&run).unwrap();
    assert_eq!(file.len(), 0, "only a refresh sees more");
    assert_eq!(file.refresh().unwrap(), 1);
    assert!(writer.extend(handle, 2, 107));
    assert_eq!(file.get(0).unwrap(), MessageRun { count: 3, last_us: 107, ..run });
}

#[test]
fn chunks_come_and_go_and_only_the_open_window_can_be_extended() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(&in_dir(&dir));
    let total = 40_000_u64;
    let mut handles = Vec::new();
    for seq in 0..total {
        let run = message(Mark::Sent, 0, seq, -1, seq as i64).run();
        handles.push(writer.append(&run).unwrap());
    }
    let oldest_open = (total - OPEN_WINDOW) as usize;
    assert!(writer.extend(handles[oldest_open], 1, 0));
    assert!(!writer.extend(handles[oldest_open - 1], 1, 0));
    assert_eq!(writer.chunks_mapped(), 2, "the client stays small");
    let file = HistoryFile::open(&in_dir(&dir)).unwrap();
    assert_eq!(file.settled(), total - OPEN_WINDOW);
    assert!(all(&file).iter().enumerate().all(|(i, run)| run.first_seq == i as u64));
    drop(writer);
    let bytes = std::fs::metadata(in_dir(&dir)).unwrap().len();
    assert_eq!(bytes, 4096 + total * 64, "what was not used is given back");
    assert_eq!(HistoryFile::open(&in_dir(&dir)).unwrap().len(), total);
}

#[test]
fn a_file_is_never_written_twice() {
    let dir = tempfile::tempdir().unwrap();
    let _first = writer(&in_dir(&dir));
    let again = HistoryWriter::create(&in_dir(&dir), &header(Writer::Consumer, "C", 2, 1));
    assert!(again.is_err());
}

#[test]
fn a_missing_directory_is_an_error() {
    let path = Path::new("/nonexistent/P-1.sent");
    assert!(HistoryWriter::create(path, &header(Writer::Consumer, "C", 2, 1)).is_err());
    assert!(HistoryFile::open(path).is_err());
}

#[test]
fn a_truncated_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(&in_dir(&dir));
    for seq in 0..10 {
        writer.append(&message(Mark::Sent, 0, seq, -1, 0).run()).unwrap();
    }
    drop(writer);
    let whole = std::fs::read(in_dir(&dir)).unwrap();
    for keep in [0, 8, 64, 4095, 4096, 4100, whole.len() - 1] {
        let cut = dir.path().join(format!("cut-{keep}"));
        std::fs::write(&cut, &whole[..keep]).unwrap();
        assert!(HistoryFile::open(&cut).is_err(), "{keep} bytes");
    }
}

#[test]
fn a_file_cut_while_open_is_an_error_at_the_next_refresh() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(&in_dir(&dir));
    writer.append(&message(Mark::Sent, 0, 0, -1, 0).run()).unwrap();
    drop(writer);
    let mut file = HistoryFile::open(&in_dir(&dir)).unwrap();
    std::fs::File::options().write(true).open(in_dir(&dir)).unwrap().set_len(4096).unwrap();
    assert!(file.refresh().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_never_panics(
        spoiled in proptest::collection::vec((0_usize..4096 + 640, any::<u8>()), 1..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(&in_dir(&dir));
        for seq in 0..10 {
            writer.append(&message(Mark::Sent, 0, seq, -1, 0).run()).unwrap();
        }
        drop(writer);
        let mut bytes = std::fs::read(in_dir(&dir)).unwrap();
        for (at, byte) in spoiled {
            bytes[at] = byte;
        }
        let path = dir.path().join("spoiled");
        std::fs::write(&path, bytes).unwrap();
        if let Ok(file) = HistoryFile::open(&path) {
            let _ = file.iter_from(0).count();
            let _ = file.first_at_or_after(5);
        }
    }

    #[test]
    fn recorded_messages_come_back_one_by_one(
        steps in proptest::collection::vec((0_u32..3, 0_i64..4_000, 0_u64..20, 0_u8..3), 1..300),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut recorder = RunRecorder::new(writer(&in_dir(&dir)));
        let (mut now, mut reported) = (0, Vec::new());
        let mut next = [0_u64; 3];
        for (partition, pause, jump, kind) in steps {
            now += pause;
            let seq = &mut next[partition as usize];
            *seq += if jump == 0 { 2 } else { 1 };
            let mark = if kind == 0 { Mark::Failed } else { Mark::Acked };
            let m = message(mark, partition, *seq, (*seq + jump / 18) as i64, now);
            recorder.record(&m).unwrap();
            reported.push(m);
        }
        drop(recorder);
        let file = HistoryFile::open(&in_dir(&dir)).unwrap();
        let runs = all(&file);
        let mut expanded: Vec<_> = runs
            .iter()
            .flat_map(|r| (0..r.count).map(|i| {
                (r.mark, r.partition, r.first_seq + i, r.first_offset + i as i64)
            }))
            .collect();
        let mut expected: Vec<_> =
            reported.iter().map(|m| (m.mark, m.partition, m.seq, m.offset)).collect();
        expanded.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(expanded, expected);
        for run in &runs {
            prop_assert!(run.last_us - run.first_us <= RUN_SPAN_US);
        }
        for time in [0, now / 2, now, now + 1] {
            let first = file.first_at_or_after(time).unwrap();
            prop_assert!(runs[..first as usize].iter().all(|r| r.last_us < time));
        }
    }
}

#[test]
fn dense_messages_share_a_run_and_gaps_end_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = RunRecorder::new(writer(&in_dir(&dir)));
    let mut tell = |m: Message| recorder.record(&m).unwrap();
    for seq in 0..100 {
        tell(message(Mark::Acked, 0, seq, 500 + seq as i64, seq as i64));
        tell(message(Mark::Acked, 1, seq, -1, seq as i64));
    }
    tell(message(Mark::Acked, 0, 101, 600, 100)); // a sequence missing
    tell(message(Mark::Acked, 0, 102, 602, 100)); // an offset missing
    tell(message(Mark::Acked, 0, 103, 603, 100 + RUN_SPAN_US + 1)); // later than a run may last
    tell(message(Mark::Acked, 1, 100, 0, 100)); // −1 then 0 is not a sequence of offsets
    drop(recorder);
    let runs = all(&HistoryFile::open(&in_dir(&dir)).unwrap());
    let counts: Vec<_> = runs.iter().map(|r| (r.partition, r.first_offset, r.count)).collect();
    assert_eq!(
        counts,
        [(0, 500, 100), (1, -1, 100), (0, 600, 1), (0, 602, 1), (0, 603, 1), (1, 0, 1)]
    );
}
