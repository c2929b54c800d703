//! A mock cluster, and clients of it.
#![allow(clippy::unwrap_used)]

use std::{path::Path, time::Duration};

use indexmap::IndexMap;
use kplan::{
    client::{
        handle::{ClientEvent, Handle, Who},
        protocol::Position,
        spec::{
            ClientSpec, Common, ConsumerSpec, CopierSpec, LogSpec, LogTopic, ProducerSpec, ReadSpan,
        },
    },
    history::{HistoryFile, Mark, MessageRun, Writer},
};
use kplan_dsl::value::{Acks, CommitMode, Isolation, OffsetReset};
use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};
use tokio::sync::mpsc;

/// Long enough for a loaded machine; nothing waits for it when all is well.
pub const LIMIT: Duration = Duration::from_secs(60);

pub struct Rig {
    pub bootstrap: String,
    /// Lives as long as its clients.
    mock: Option<MockCluster<'static, DefaultProducerContext>>,
    pub dir: tempfile::TempDir,
    events: mpsc::Sender<(Who, ClientEvent)>,
    pub heard: mpsc::Receiver<(Who, ClientEvent)>,
}

impl Rig {
    /// Three brokers, the topics `orders` with three partitions and `copies` with two.
    pub fn new() -> Self {
        let mock = MockCluster::new(3).unwrap();
        mock.create_topic("orders", 3, 3).unwrap();
        mock.create_topic("copies", 2, 3).unwrap();
        let bootstrap = mock.bootstrap_servers();
        Self { mock: Some(mock), ..Self::of(bootstrap) }
    }

    /// Every answer of the brokers takes so long.
    pub fn slow(&self, rtt: Duration) {
        let mock = self.mock.as_ref().unwrap();
        (1..=3).for_each(|broker| mock.broker_round_trip_time(broker, rtt).unwrap());
    }

    /// Clients of a cluster that exists.
    pub fn of(bootstrap: String) -> Self {
        let (events, heard) = mpsc::channel(100_000);
        Self { bootstrap, mock: None, dir: tempfile::tempdir().unwrap(), events, heard }
    }

    pub fn common(&self, name: &str, client_id: u16, life: u16) -> Common {
        Common {
            run: "r1".into(),
            name: name.into(),
            client_id,
            member: 1,
            life,
            bootstrap: self.bootstrap.clone(),
            dir: self.dir.path().to_owned(),
            config: IndexMap::new(),
            routes: None,
            topic_numbers: [("orders".to_owned(), 0), ("copies".to_owned(), 1)].into(),
        }
    }

    pub fn producer(&self, life: u16) -> ProducerSpec {
        ProducerSpec {
            common: self.common("P", 1, life),
            topic: "orders".into(),
            partitions: 3,
            rate: Some(500.0),
            acks: Acks::All,
            idempotent: false,
            transactional: None,
            payload_bytes: 100,
            payload_most: None,
            timestamp: None,
            value: None,
            tombstones: 0.0,
            key: None,
            headers: IndexMap::new(),
            keys: None,
            count: None,
            compression: None,
            seed: 1,
        }
    }

    pub fn consumer(&self, member: u16, life: u16) -> ConsumerSpec {
        ConsumerSpec {
            common: Common { member, ..self.common("C", 2, life) },
            topics: vec!["orders".into()],
            group: "readers".into(),
            from: OffsetReset::Earliest,
            commit: CommitMode::Auto,
            isolation: Isolation::ReadCommitted,
            instances: Vec::new(),
            protocol: kplan_dsl::value::GroupProtocol::Classic,
        }
    }

    /// Copies `orders` to `copies`.
    pub fn copier(&self, life: u16) -> CopierSpec {
        CopierSpec {
            common: self.common("X", 3, life),
            from: "orders".into(),
            to: "copies".into(),
            partitions: 2,
            group: "copying".into(),
            messages: 50,
            isolation: Isolation::ReadCommitted,
        }
    }

    pub fn log(&self, ends: &[i64]) -> LogSpec {
        let spans = ends
            .iter()
            .zip(0..)
            .map(|(end, partition)| ReadSpan { partition, start: 0, end: *end })
            .collect();
        LogSpec {
            common: self.common("audit", 0, 1),
            topics: vec![LogTopic { name: "orders".into(), spans, transactional: false }],
            stall_ms: 10_000,
            careful: false,
        }
    }

    pub async fn spawn(&self, spec: ClientSpec) -> Handle {
        let binary = Path::new(env!("CARGO_BIN_EXE_kplan"));
        Handle::spawn(binary, spec, self.events.clone()).await.unwrap()
    }

    /// Starts a client and waits until it is ready.
    pub async fn start(&self, spec: ClientSpec) -> Handle {
        let handle = self.spawn(spec).await;
        handle.ready(LIMIT).await.unwrap();
        handle
    }

    /// Reads the log up to `ends`; answers with what was found.
    pub async fn audit(&self, ends: &[i64]) -> Vec<MessageRun> {
        self.read(self.log(ends)).await
    }

    /// Reads the log twice: what is there, and what the committed view shows of it.
    pub async fn audit_transactions(&self, ends: &[i64]) -> Vec<MessageRun> {
        let mut spec = self.log(ends);
        spec.topics[0].transactional = true;
        self.read(spec).await
    }

    pub async fn read(&self, spec: LogSpec) -> Vec<MessageRun> {
        let spec = ClientSpec::Log(spec);
        let reader = self.spawn(spec.clone()).await;
        reader.reach("done", LIMIT, |s| s.ended.is_some()).await.unwrap();
        let ended = reader.state().borrow().ended.clone().unwrap();
        assert_eq!((ended.left, ended.unread), (0, vec![]));
        runs(&spec, Writer::Audit)
    }
}

/// What a client recorded so far.
pub fn runs(spec: &ClientSpec, writer: Writer) -> Vec<MessageRun> {
    let file = HistoryFile::open(&spec.common().history_path(writer)).unwrap();
    file.iter_from(0).map(Result::unwrap).collect()
}

/// The messages of these runs: partition, life, sequence number, offset; sorted.
pub fn messages(runs: &[MessageRun], mark: Mark) -> Vec<(u32, u16, u64, i64)> {
    let mut all: Vec<_> = runs
        .iter()
        .filter(|r| r.mark == mark)
        .flat_map(|r| {
            (0..r.count).map(|i| {
                let offset = if r.first_offset < 0 { -1 } else { r.first_offset + i.cast_signed() };
                (r.partition, r.life, r.first_seq + i, offset)
            })
        })
        .collect();
    all.sort_unstable();
    all
}

/// Where each partition ends, by what was acknowledged.
pub fn ends(acked: &[(u32, u16, u64, i64)]) -> Vec<i64> {
    let end = |p| acked.iter().filter(|m| m.0 == p).map(|m| m.3 + 1).max().unwrap_or(0);
    (0..3).map(end).collect()
}

pub fn positions(ends: &[i64]) -> Vec<Position> {
    let topic = || "orders".to_owned();
    ends.iter()
        .zip(0..)
        .map(|(offset, partition)| Position { topic: topic(), partition, offset: *offset })
        .collect()
}

/// Waits until `goal` holds of what `spec`'s client recorded.
pub async fn until(spec: &ClientSpec, writer: Writer, goal: impl Fn(&[MessageRun]) -> bool) {
    let end = tokio::time::Instant::now() + LIMIT;
    while !goal(&runs(spec, writer)) {
        assert!(tokio::time::Instant::now() < end, "not within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn count(runs: &[MessageRun], mark: Mark) -> u64 {
    runs.iter().filter(|r| r.mark == mark).map(|r| r.count).sum()
}
