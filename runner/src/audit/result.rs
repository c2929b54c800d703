//! What the audit found: counts by topic, partition, client and group, their evidence, their doubts.

use super::Measure;
use super::disks::Missing;
use super::measure::Damage;
use crate::event::OnDisk;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much evidence is kept for one measure in one cell, and for one measure in all.
pub const EVIDENCE_PER_CELL: usize = 2_000;
/// See [`EVIDENCE_PER_CELL`].
pub const EVIDENCE_IN_ALL: usize = 10_000;

/// Where something was counted. Lives and members are added up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CountPlace {
    pub topic: String,
    /// Partition number: of the log, or the one chosen by the producer for counts outside of a log.
    pub partition: u32,
    /// The producer of the messages; none if they carry no (readable) identity.
    pub client: Option<String>,
    /// The group, for counts by group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The consumer that is affected, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consumer: Option<String>,
    /// The service whose work is counted, unless it is a copier: that is in a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A count in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    #[serde(flatten)]
    pub place: CountPlace,
    /// How many were found.
    pub count: u64,
    /// How many could have been found: 0 of 0 proves nothing.
    pub judged: u64,
}

/// One instance, for the reader of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    #[serde(flatten)]
    pub place: CountPlace,
    /// The producer's life, with the partition it chose and the sequence: the message's identity.
    pub life: Option<u16>,
    /// The partition that the producer chose.
    pub source_partition: Option<u32>,
    /// Sequence number in that (client, life, partition).
    pub sequence: Option<u64>,
    /// Offset in the log, as acknowledged, delivered or found; the text states which.
    pub offset: Option<i64>,
    /// When (monotonic microseconds): of the delivery, else the answer, else the sending.
    pub time_us: Option<i64>,
    /// What is wrong with it.
    pub text: String,
}

/// Why a count may be incomplete. A field that is `None` does not narrow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Topic that it concerns.
    pub topic: Option<String>,
    /// Partition that it concerns.
    pub partition: Option<u32>,
    /// Client that it concerns.
    pub client: Option<String>,
    /// Group that it concerns.
    pub group: Option<String>,
    /// Service that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The reason, a sentence without full stop.
    pub reason: String,
}

/// One measure, everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// Counts by place, sorted.
    pub cells: Vec<Cell>,
    /// The first instances, at most [`EVIDENCE_PER_CELL`] a cell.
    pub evidence: Vec<Evidence>,
    /// What could not be judged.
    pub doubts: Vec<Doubt>,
}

/// Failures by code, for `failed: {client, error}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorCount {
    pub topic: String,
    /// Partition that the producer chose.
    pub partition: u32,
    pub client: String,
    /// librdkafka's error code.
    pub error: i32,
    pub count: u64,
}

/// Everything that the audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditResult {
    pub measures: BTreeMap<Measure, Judgement>,
    /// Failed messages by error code.
    pub errors: Vec<ErrorCount>,
    /// The consumers of each group.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Notes for a reader of the counts: clients that were still running, messages in a wrong partition.
    pub notes: Vec<String>,
    /// The lost messages, to be searched on the brokers' disks.
    pub missing: Vec<Missing>,
    /// Where they are, by place, after the disks were read.
    pub on_disk: Vec<(CountPlace, OnDisk)>,
}

/// Narrows a count. `client` is a producer, or a consumer and with it its group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    pub topic: Option<String>,
    pub partition: Option<u32>,
    /// Producer or consumer.
    pub client: Option<String>,
    pub group: Option<String>,
    /// A service, or a copier and with it its group.
    pub service: Option<String>,
}

/// A counted answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountFinding {
    pub count: u64,
    /// How many were judged.
    pub judged: u64,
    /// By place; only places with a count.
    pub by: Vec<Cell>,
    /// The first instances.
    pub evidence: Vec<Evidence>,
    /// For lost messages: where they are on the brokers' disks, if those were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_disk: Option<OnDisk>,
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountVerdict {
    /// Everything was judged.
    Counted(CountFinding),
    /// Not everything, or nothing at all, could be judged.
    Inconclusive {
        reason: String,
        /// The certain part: the true count is at least this.
        at_least: CountFinding,
    },
}

impl AuditResult {
    /// How many messages are missing or damaged by all measures, which a reader that passes over messages would claim.
    pub fn losses(&self) -> u64 {
        let of_loss = |measure: Measure| measure.facts().headline.damage == Some(Damage::Loss);
        let losses = self.measures.iter().filter(|(measure, _)| of_loss(**measure));
        losses.flat_map(|(_, judgement)| &judgement.cells).map(|cell| cell.count).sum()
    }

    /// This result of kplan's own reader, with a note if it differs from the `first`, which read with librdkafka.
    pub(crate) fn after(mut self, first: &Self) -> Self {
        let (second, first) = (self.losses(), first.losses());
        if second != first {
            self.notes.push(format!(
                "two readings of the log differ: {first} missing or damaged messages with librdkafka, {second} with \
                 kplan's own reader, which counts"
            ));
        }
        self
    }

    /// Answers for one measure within a scope.
    pub fn verdict(&self, measure: Measure, scope: &Scope) -> CountVerdict {
        static NOTHING: Judgement =
            Judgement { cells: Vec::new(), evidence: Vec::new(), doubts: Vec::new() };
        let judgement = self.measures.get(&measure).unwrap_or(&NOTHING);
        let mut finding = CountFinding::default();
        for cell in judgement.cells.iter().filter(|c| self.covers(scope, &c.place)) {
            finding.count += cell.count;
            finding.judged += cell.judged;
            if cell.count > 0 {
                finding.by.push(cell.clone());
            }
        }
        finding.evidence =
            judgement.evidence.iter().filter(|e| self.covers(scope, &e.place)).cloned().collect();
        if measure.facts().on_disk {
            for (_, here) in self.on_disk.iter().filter(|(place, _)| self.covers(scope, place)) {
                finding.on_disk.get_or_insert_default().add(here);
            }
        }
        let mut reasons: Vec<&str> = Vec::new();
        for doubt in judgement.doubts.iter().filter(|d| self.concerns(scope, d)) {
            if !reasons.contains(&doubt.reason.as_str()) {
                reasons.push(&doubt.reason);
            }
        }
        if finding.judged == 0 && reasons.is_empty() && !measure.facts().none_to_judge {
            reasons.push("there was no message to judge");
        }
        match reasons.is_empty() {
            true => CountVerdict::Counted(finding),
            false => CountVerdict::Inconclusive { reason: reasons.join("; "), at_least: finding },
        }
    }

    fn covers(&self, scope: &Scope, place: &CountPlace) -> bool {
        scope.topic.as_ref().is_none_or(|t| *t == place.topic)
            && scope.partition.is_none_or(|p| p == place.partition)
            && scope.group.as_ref().is_none_or(|g| place.group.as_ref() == Some(g))
            && scope.service.as_ref().is_none_or(|s| match &place.service {
                Some(service) => service == s,
                None => place.group.as_ref().is_some_and(|g| self.consumes(s, g)),
            })
            && scope.client.as_ref().is_none_or(|c| {
                place.client.as_ref() == Some(c)
                    || place.service.as_ref() == Some(c)
                    || match &place.consumer {
                        Some(consumer) => consumer == c,
                        None => place.group.as_ref().is_some_and(|g| self.consumes(c, g)),
                    }
            })
    }

    fn concerns(&self, scope: &Scope, doubt: &Doubt) -> bool {
        fn open<T: PartialEq>(asked: Option<&T>, doubted: Option<&T>) -> bool {
            asked.is_none() || doubted.is_none() || asked == doubted
        }
        let group_of_client = match (&scope.client, &doubt.group) {
            (Some(c), Some(g)) if self.groups.values().flatten().any(|n| n == c) => {
                self.consumes(c, g)
            }
            _ => true,
        };
        let of_service = match (&scope.service, &doubt.service, &doubt.group) {
            (Some(asked), Some(doubted), _) => asked == doubted,
            (Some(asked), None, Some(group)) => self.consumes(asked, group),
            _ => true,
        };
        of_service
            && open(scope.topic.as_ref(), doubt.topic.as_ref())
            && open(scope.partition.as_ref(), doubt.partition.as_ref())
            && open(scope.client.as_ref(), doubt.client.as_ref())
            && open(scope.group.as_ref(), doubt.group.as_ref())
            && group_of_client
    }

    fn consumes(&self, client: &str, group: &str) -> bool {
        self.groups.get(group).is_some_and(|clients| clients.iter().any(|c| c == client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::testing::{Fate, World, run};
    use crate::audit::{PartitionFacts, TopicFacts};
    use crate::history::{Mark, MessageRun};

    /// P1 sends to both partitions, P2 to one; C10 misses two messages of P2.
    fn world() -> World {
        let mut w = World::new(2);
        w.send((1, 1), 0, 5, Fate::Acked);
        w.send((1, 1), 1, 5, Fate::Dropped);
        w.send((2, 1), 1, 5, Fate::Acked);
        w.read_all((10, 1));
        w.taken.values_mut().for_each(|t| t.retain(|r| r.client != 2 || r.first_seq > 1));
        w
    }

    fn count(w: &World, measure: Measure, narrow: impl FnOnce(&mut Scope)) -> Option<u64> {
        let mut scope = Scope::default();
        narrow(&mut scope);
        match w.audit(9).verdict(measure, &scope) {
            CountVerdict::Counted(finding) => Some(finding.count),
            CountVerdict::Inconclusive { .. } => None,
        }
    }

    #[test]
    fn a_scope_narrows_counts_and_evidence() {
        let w = world();
        assert_eq!(count(&w, Measure::Lost, |_| ()), Some(5));
        assert_eq!(count(&w, Measure::Lost, |s| s.partition = Some(0)), Some(0));
        assert_eq!(count(&w, Measure::Lost, |s| s.client = Some("P2".into())), Some(0));
        assert_eq!(count(&w, Measure::Lost, |s| s.client = Some("P9".into())), None);
        assert_eq!(count(&w, Measure::Undelivered, |s| s.client = Some("C10".into())), Some(2));
        assert_eq!(count(&w, Measure::Undelivered, |s| s.client = Some("P1".into())), Some(0));
        assert_eq!(count(&w, Measure::Delivered, |s| s.client = Some("C10".into())), Some(8));
        assert_eq!(count(&w, Measure::Delivered, |s| s.client = Some("P1".into())), Some(5));
        let scope = Scope { partition: Some(0), ..Scope::default() };
        let verdict = w.audit(9).verdict(Measure::Undelivered, &scope);
        assert!(
            matches!(verdict, CountVerdict::Counted(f) if f.evidence.is_empty() && f.judged == 5)
        );
    }

    #[test]
    fn a_doubt_elsewhere_does_not_matter() {
        let mut w = world();
        let mut topic = TopicFacts::default();
        let partition = PartitionFacts { end: Some(99), ..PartitionFacts::default() };
        topic.partitions.insert(1, partition);
        w.facts.topics.insert("t".into(), topic);
        assert!(w.doubt(Measure::Lost).0.contains("offset 5 of 99 was reached"));
        assert_eq!(count(&w, Measure::Lost, |s| s.partition = Some(0)), Some(0));
    }

    #[test]
    fn a_damaged_history_proves_nothing() {
        let mut w = world();
        let broken =
            MessageRun { count: u64::MAX, ..run(Mark::Sent, 0, (1, 1), u64::MAX, i64::MAX) };
        w.sent.entry((1, 1)).or_default().push(broken);
        assert!(w.doubt(Measure::Lost).0.starts_with("the history of P1 (life 1) is damaged"));
    }

    #[test]
    fn it_survives_the_event_file() {
        let result = world().audit(3);
        let json = serde_json::to_string(&result).expect("plain data");
        assert_eq!(serde_json::from_str::<AuditResult>(&json).expect("its own words"), result);
    }

    #[test]
    fn evidence_is_bounded() {
        let mut w = World::new(9);
        (0..9).for_each(|p| _ = w.send((1, 1), p, 2_500, Fate::Dropped));
        let evidence = w.evidence(Measure::Lost);
        assert_eq!(evidence.len(), EVIDENCE_IN_ALL);
        assert_eq!(evidence.iter().filter(|e| e.place.partition == 3).count(), EVIDENCE_PER_CELL);
    }
}
