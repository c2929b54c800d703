//! Settings of brokers and topics, as far as the checker knows them.

use super::Ground;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Spanned;
use crate::value::Settings;

/// Whether a replica that is not in sync may lead.
pub const UNCLEAN: &str = "unclean.leader.election.enable";

/// Settings of topics (Kafka's documentation, "Topic Configs", 0.10 to 4.1).
const TOPIC: [&str; 36] = [
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.message.bytes",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    "min.insync.replicas",
    "preallocate",
    "remote.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    UNCLEAN,
];

/// Settings of brokers that resilience plans use: near misses of them are told.
const BROKER: [&str; 40] = [
    "auto.create.topics.enable",
    "auto.leader.rebalance.enable",
    "broker.heartbeat.interval.ms",
    "broker.session.timeout.ms",
    "controlled.shutdown.enable",
    "controlled.shutdown.max.retries",
    "controlled.shutdown.retry.backoff.ms",
    "controller.quorum.election.timeout.ms",
    "controller.quorum.fetch.timeout.ms",
    "default.replication.factor",
    "delete.topic.enable",
    "group.initial.rebalance.delay.ms",
    "group.max.session.timeout.ms",
    "group.min.session.timeout.ms",
    "leader.imbalance.check.interval.seconds",
    "leader.imbalance.per.broker.percentage",
    "log.cleaner.enable",
    "log.cleanup.policy",
    "log.flush.interval.messages",
    "log.flush.interval.ms",
    "log.message.timestamp.type",
    "log.retention.bytes",
    "log.retention.check.interval.ms",
    "log.retention.hours",
    "log.retention.minutes",
    "log.retention.ms",
    "log.segment.bytes",
    "message.max.bytes",
    "min.insync.replicas",
    "num.partitions",
    "num.replica.fetchers",
    "offsets.topic.num.partitions",
    "offsets.topic.replication.factor",
    "replica.fetch.max.bytes",
    "replica.lag.time.max.ms",
    "transaction.state.log.min.isr",
    "transaction.state.log.replication.factor",
    UNCLEAN,
    "zookeeper.connection.timeout.ms",
    "zookeeper.session.timeout.ms",
];

impl Ground<'_> {
    /// Tells settings of a topic that Kafka does not have, and more in-sync replicas than replicas.
    pub fn topic_settings(&mut self, config: &Settings, replicas: u32) {
        for (key, value) in &config.0 {
            if !TOPIC.contains(&key.as_str()) {
                let message = format!("topics have no setting `{key}`");
                let help = crate::diagnostic::did_you_mean(key, TOPIC);
                self.tell(Diagnostic::new(Code::W014, key.span, message).maybe_help(help));
            }
            let wanted: Option<u32> = value.parse().ok();
            if key.value == "min.insync.replicas" && wanted.is_some_and(|n| n > replicas) {
                let message =
                    format!("min.insync.replicas is {value}, but there are {replicas} replicas");
                let help = "no write with `acks: all` can succeed";
                self.tell(Diagnostic::new(Code::W006, value.span, message).help(help));
            }
        }
    }

    /// Tells settings of brokers that are nearly one that is known.
    pub fn broker_settings<'s>(&mut self, keys: impl Iterator<Item = &'s Spanned<String>>) {
        for key in keys {
            let known = BROKER.contains(&key.as_str()) || TOPIC.contains(&key.as_str());
            if let Some(near) = nearest(key, BROKER).filter(|near| !known && is_slip(key, near)) {
                let message = format!("brokers have no setting `{key}` that kplan knows");
                let help = format!("did you mean `{near}`?");
                self.tell(Diagnostic::new(Code::W014, key.span, message).help(help));
            }
        }
    }
}

/// True if a word differs from a known one by no more than two slips of the pen.
fn is_slip(word: &str, known: &str) -> bool {
    strsim::damerau_levenshtein(word, known) <= 2
}
