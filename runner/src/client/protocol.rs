//! The lines between the runner and a client process: one JSON document a line. The runner's first
//! line is a [`super::spec::ClientSpec`], the later ones [`Order`]s; a client answers with
//! [`ClientReport`]s. Single messages are not reported here but in the history files.

use serde::{Deserialize, Serialize};

use super::program::EndedBy;

/// The error code of a client that cannot write its history (a full disk): nothing that it does
/// from then on can be judged.
pub const NO_HISTORY: &str = "HISTORY";

/// The error code of a client that cannot be created with the settings of the plan.
pub const REFUSED_SETTING: &str = "SETTING";

/// The error code of a client that cannot go on for a cause that it reported before.
pub const GIVES_UP: &str = "CLIENT";

/// The error code with which the audit's reader ends when librdkafka cannot read a broker's answer, mostly because of a
/// wrong checksum. After it librdkafka's messages are not reliable.
pub const DAMAGED: &str = "DAMAGED";

/// The error code with which the audit's reader reports why it could not read a partition further.
pub const UNREAD: &str = "UNREAD";

/// The error code of a client whose program breaks the protocol that it speaks.
pub const PROTOCOL_BROKEN: &str = "PROTOCOL";

/// A place in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub topic: String,
    pub partition: u32,
    /// An offset; −1 where it is not known.
    pub offset: i64,
}

/// From the runner to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Stop gracefully. A producer flushes what it sent; a consumer reads its partitions up to `ends`,
    /// commits and leaves. Answered by [`ClientReport::Ended`] and the end of the process.
    Stop {
        /// Where each partition's reading ends (exclusive).
        ends: Vec<Position>,
        /// How long it may take, in milliseconds.
        limit_ms: u64,
    },
    /// Send a signal to the program that the client runs. Answered by [`ClientReport::Signalled`].
    Signal { number: i32 },
}

/// One broker connection in a client's statistics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerStats {
    /// librdkafka's name of the connection, e.g. `127.0.0.1:9092/1` or `GroupCoordinator`.
    pub name: String,
    /// The broker's number; −1 while it is not known (bootstrap).
    pub id: i32,
    /// librdkafka's connection state, e.g. `UP`, `DOWN`, `CONNECT`.
    pub state: String,
    /// Answers received since the client began.
    pub rx: u64,
    /// Requests sent since the client began.
    pub tx: u64,
}

/// Values and how often each came.
pub type Buckets = Vec<(u64, u64)>;

/// Latencies of what was answered within a short time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencySlice {
    /// When the first of them was answered, and the last.
    pub from_us: i64,
    pub to_us: i64,
    /// Latencies in microseconds, ascending, and their counts; if there are very many, those with the
    /// same first three digits are reported as the shortest of them, and the longest of all exactly.
    pub buckets: Buckets,
}

/// From a client to the runner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientReport {
    /// First contact with the cluster.
    Ready {
        at_us: i64,
        /// The broker that answered; −1 if unknown.
        broker: i32,
        /// Its name, `HOST:PORT/ID`.
        name: String,
    },
    /// A consumer got partitions (possibly none), and has recorded where it starts in each.
    Assigned {
        at_us: i64,
        /// The group's generation, as in the history.
        generation: u32,
        /// The partitions with their resolved start positions.
        partitions: Vec<Position>,
    },
    /// A consumer lost partitions.
    Revoked {
        at_us: i64,
        /// The generation that ends.
        generation: u32,
        /// The partitions with the positions reached.
        partitions: Vec<Position>,
        /// Revoked without notice (the group considered the member dead).
        lost: bool,
    },
    /// The position was reset because the log does not hold it.
    Reset {
        at_us: i64,
        position: Position,
        /// librdkafka's reason.
        text: String,
    },
    /// Something went wrong; the client goes on unless `fatal`.
    Error {
        at_us: i64,
        /// Kafka's or librdkafka's name of it, e.g. `NOT_ENOUGH_REPLICAS`, `_TRANSPORT`.
        code: String,
        number: i32,
        /// librdkafka's text: the broker and the cause.
        text: String,
        /// The client cannot go on.
        fatal: bool,
    },
    /// Connections, several times a second.
    Stats {
        /// When librdkafka began to count them: no count is older.
        at_us: i64,
        brokers: Vec<BrokerStats>,
    },
    /// Latencies since the last such report: intended send time to acknowledgement or delivery.
    Latency {
        /// When the interval began.
        from_us: i64,
        to_us: i64,
        /// One after the other.
        slices: Vec<LatencySlice>,
    },
    /// A producer has sent all its messages, and every message has its answer. It waits for an order.
    Finished { at_us: i64 },
    /// The audit's reader goes on.
    Progress {
        at_us: i64,
        /// Offsets passed, of all partitions and passes.
        read: u64,
        /// Offsets to pass.
        of: u64,
    },
    /// The program that the client runs got a signal.
    Signalled { at_us: i64, number: i32 },
    /// A sign of life of a client that has nothing else to report.
    Alive { at_us: i64 },
    /// The program that the client runs has ended. The client ends next.
    ProgramEnded {
        at_us: i64,
        how: EndedBy,
        /// The last lines of its output.
        last: Vec<String>,
    },
    /// The client is done; its process ends now.
    Ended {
        at_us: i64,
        /// Producer: messages without a report. Consumer and audit: offsets not read.
        left: u64,
        /// Partitions whose end was not reached, with the positions reached.
        unread: Vec<Position>,
    },
}

impl ClientReport {
    /// When it was reported, in monotonic microseconds.
    pub fn at_us(&self) -> i64 {
        match self {
            Self::Ready { at_us, .. }
            | Self::Assigned { at_us, .. }
            | Self::Revoked { at_us, .. }
            | Self::Reset { at_us, .. }
            | Self::Error { at_us, .. }
            | Self::Stats { at_us, .. }
            | Self::Finished { at_us }
            | Self::Progress { at_us, .. }
            | Self::Signalled { at_us, .. }
            | Self::Alive { at_us }
            | Self::ProgramEnded { at_us, .. }
            | Self::Ended { at_us, .. } => *at_us,
            Self::Latency { to_us, .. } => *to_us,
        }
    }
}

/// Requests without an answer that are remembered of one broker, the earliest ones.
const ASKED_KEPT: usize = 100;

/// The requests and answers in the statistics, folded: enough to judge `connected`.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    brokers: Vec<Answered>,
    /// When the first snapshot came.
    first_us: Option<i64>,
    /// The newest snapshot's time; before the first one when the process began, which counts from 0.
    looked_us: i64,
}

#[derive(Clone, Debug)]
struct Answered {
    name: String,
    id: i32,
    /// The newest snapshot's time, its answers, its requests.
    last: (i64, u64, u64),
    /// The newest two snapshots in a row between which the count of answers rose.
    rise: Option<(i64, i64)>,
    /// Snapshots after which requests were sent, since the last answer.
    asked: Vec<i64>,
}

impl Answered {
    /// Takes in the counts of the next snapshot; none before `from_us` were higher than the last ones.
    fn observe(&mut self, from_us: i64, at_us: i64, stats: &BrokerStats) {
        let (_, rx, tx) = self.last;
        if stats.rx > rx {
            self.rise = Some((from_us, at_us));
            self.asked.clear();
        } else if stats.tx > tx && self.asked.len() < ASKED_KEPT {
            self.asked.push(from_us);
        }
        self.last = (at_us, stats.rx, stats.tx);
    }
}

impl Answers {
    /// Those of a process that began at a moment: what its first snapshot counts came after that.
    pub fn of_process(began_us: i64) -> Self {
        Self { looked_us: began_us, ..Self::default() }
    }

    /// Takes in a snapshot.
    pub fn observe(&mut self, at_us: i64, brokers: &[BrokerStats]) {
        self.first_us.get_or_insert(at_us);
        let (looked_us, before) = (self.looked_us, self.brokers.len());
        self.looked_us = at_us;
        for broker in brokers.iter().filter(|b| b.id >= 0) {
            let known =
                self.brokers.iter_mut().find(|k| k.name == broker.name && k.id == broker.id);
            match known {
                Some(known) => known.observe(known.last.0, at_us, broker),
                None => {
                    // A connection that had another name or broker until now brought its counts along.
                    let moved = |k: &Answered| k.name == broker.name || k.id == broker.id;
                    let moved = self.brokers[..before].iter().any(moved);
                    let (rx, tx) = if moved { (broker.rx, broker.tx) } else { (0, 0) };
                    let mut new = Answered {
                        name: broker.name.clone(),
                        id: broker.id,
                        last: (looked_us, rx, tx),
                        rise: None,
                        asked: Vec::new(),
                    };
                    new.observe(looked_us, at_us, broker);
                    self.brokers.push(new);
                }
            }
        }
    }

    /// Whether answers of broker `id` rose between two snapshots that both lie after `since_us`
    /// (the last fault or the broker's start, whichever is later).
    pub fn connected(&self, id: i32, since_us: i64) -> bool {
        // The newest rise decides: if it begins before `since_us`, so did every earlier one.
        self.brokers
            .iter()
            .filter(|b| b.id == id)
            .any(|b| b.rise.is_some_and(|(from, _)| from >= since_us))
    }

    /// The latest time at which broker `id` had got a request, after `since_us`, without any answer until now.
    pub fn asked_us(&self, id: i32, since_us: i64) -> Option<i64> {
        let own = self.brokers.iter().filter(|b| b.id == id);
        own.filter_map(|b| b.asked.iter().copied().find(|from| *from >= since_us)).min()
    }

    /// Since when answers are looked at; none before the first snapshot.
    pub fn first_us(&self) -> Option<i64> {
        self.first_us
    }

    /// When an answer of broker `id` was last seen to have come, at the latest.
    pub fn last_answer_us(&self, id: i32) -> Option<i64> {
        self.brokers.iter().filter(|b| b.id == id).filter_map(|b| b.rise.map(|r| r.1)).max()
    }
}

#[cfg(test)]
mod tests {
    use super::{Answers, BrokerStats};

    fn snapshot(answers: &mut Answers, at_us: i64, brokers: &[(&str, i32, u64)]) {
        let brokers: Vec<_> = brokers
            .iter()
            .map(|(name, id, rx)| BrokerStats {
                name: (*name).into(),
                id: *id,
                state: "UP".into(),
                rx: *rx,
                tx: *rx,
            })
            .collect();
        answers.observe(at_us, &brokers);
    }

    #[test]
    fn a_rise_between_two_snapshots_after_the_fault_connects() {
        let mut answers = Answers::of_process(50);
        snapshot(&mut answers, 100, &[("a:1/1", 1, 5), ("b:1/2", 2, 5)]);
        snapshot(&mut answers, 300, &[("a:1/1", 1, 6), ("b:1/2", 2, 5)]);
        assert!(answers.connected(1, 100));
        assert!(!answers.connected(1, 101), "the first snapshot lies before the fault");
        assert!(!answers.connected(2, 51), "nothing was answered");
        snapshot(&mut answers, 500, &[("a:1/1", 1, 9), ("b:1/2", 2, 5)]);
        assert!(answers.connected(1, 200));
        assert_eq!(answers.last_answer_us(1), Some(500));
    }

    #[test]
    fn what_the_first_snapshot_counts_came_since_the_process_began() {
        let mut answers = Answers::of_process(50);
        snapshot(&mut answers, 100, &[("a:1/1", 1, 5), ("b:1/2", 2, 0)]);
        assert!(answers.connected(1, 50));
        assert!(!answers.connected(1, 51), "a fault between the two may have come after it");
        assert!(!answers.connected(2, 0));
        snapshot(&mut answers, 200, &[("a:1/1", 1, 5), ("c:1/3", 3, 1)]);
        assert!(answers.connected(3, 100) && !answers.connected(3, 101));
        snapshot(&mut answers, 300, &[("d:1/1", 1, 5)]);
        assert!(!answers.connected(1, 200), "the same connection under another name");
    }

    #[test]
    fn a_request_without_an_answer_was_asked_in_vain_until_there_is_one() {
        let mut answers = Answers::of_process(50);
        let mut look = |at_us, rx, tx| {
            let (name, state) = ("a:1/1".into(), "UP".into());
            answers.observe(at_us, &[BrokerStats { name, id: 1, state, rx, tx }]);
            [50, 150, 250].map(|since| answers.asked_us(1, since))
        };
        assert_eq!(look(100, 3, 3), [None; 3]);
        assert_eq!(look(200, 3, 4), [Some(100), None, None]);
        assert_eq!(look(300, 3, 4), [Some(100), None, None]);
        assert_eq!(look(400, 3, 5), [Some(100), Some(300), Some(300)]);
        assert_eq!(look(500, 4, 6), [None; 3], "it answered");
    }

    #[test]
    fn a_coordinator_that_moves_is_no_answer() {
        let mut answers = Answers::default();
        snapshot(&mut answers, 100, &[("GroupCoordinator", 1, 50)]);
        snapshot(&mut answers, 200, &[("GroupCoordinator", 2, 60)]);
        assert!(!answers.connected(2, 0));
        snapshot(&mut answers, 300, &[("GroupCoordinator", 2, 61)]);
        assert!(answers.connected(2, 0));
    }
}
