//! What the audit's reader does.

use std::{rc::Rc, sync::mpsc::Receiver};

use serde::{Deserialize, Serialize};

use super::{ClientBody, Common};
use crate::{
    client::{
        ClientError, log_reader,
        protocol::{ClientReport, Order},
        voice::Voice,
    },
    history::Writer,
};

/// A partition of which `[start, end)` is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadSpan {
    pub partition: u32,
    /// The log's start.
    pub start: i64,
    /// The end to which the log is read, exclusive: the high watermark.
    pub end: i64,
}

/// A topic that the audit reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogTopic {
    pub name: String,
    /// What to read of it.
    pub spans: Vec<ReadSpan>,
    /// Whether transactions were used: the log is then read a second time, read_committed.
    pub transactional: bool,
}

/// What the audit's reader does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogSpec {
    /// The common part; the name is `audit`, `client_id` 0, and `life` counts the audits.
    pub common: Common,
    pub topics: Vec<LogTopic>,
    /// Give up after this long without any progress, in milliseconds.
    pub stall_ms: u64,
    /// Read without librdkafka, past damaged batches.
    #[serde(default)]
    pub careful: bool,
}

impl ClientBody for LogSpec {
    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn writers(&self) -> &'static [Writer] {
        &[Writer::Audit]
    }

    fn run(&self, voice: &Rc<Voice>, _: &Receiver<Order>) -> Result<ClientReport, ClientError> {
        log_reader::run(self, voice)
    }
}
