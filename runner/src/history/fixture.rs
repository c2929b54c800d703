//! Synthetic histories for tests.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::{Header, HistoryFile, HistoryWriter, Mark, Message, RunRecorder, Writer};

/// A header with the topics `orders` and `other`.
pub(crate) fn header(writer: Writer, client: &str, client_id: u16, life: u16) -> Header {
    Header {
        run: "r1".into(),
        writer,
        client: client.into(),
        client_id,
        member: 1,
        life,
        topics: vec!["orders".into(), "other".into()],
        group: None,
        pid: 1,
    }
}

/// A message of client 1, life 1, in topic 0.
pub(crate) fn message(mark: Mark, partition: u32, seq: u64, offset: i64, at_us: i64) -> Message {
    Message {
        mark,
        topic: 0,
        partition,
        client: 1,
        life: 1,
        source_partition: partition,
        seq,
        offset,
        at_us,
        error: 0,
        epoch: 0,
    }
}

/// A history file in `dir` that holds these messages.
pub(crate) fn history(dir: &Path, header: &Header, messages: &[Message]) -> HistoryFile {
    let name = format!("{}-{}-{:?}", header.client, header.life, header.writer);
    let path = dir.join(name);
    let mut recorder = RunRecorder::new(HistoryWriter::create(&path, header).unwrap());
    for message in messages {
        recorder.record(message).unwrap();
    }
    drop(recorder);
    HistoryFile::open(&path).unwrap()
}
