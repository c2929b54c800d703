//! Lost messages on the brokers' disks: **gone** from every disk, or still on one and **cut off** from
//! readers.
//!
//! A lost message is lost to every reader; where it still is on a disk shows why. The disk of a broker that is dead or
//! not in sync may hold messages that the new leader never had; after the broker's return they are cut off
//! there too. A message counts once as cut off, however many disks hold it. If a disk could not be
//! read, a message that no other disk holds does not count as gone.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

use super::{
    Measure,
    book::Names,
    placement::SentStream,
    result::{AuditResult, CountPlace, Evidence},
    set::Set,
};
use crate::{
    event::{OnDisk, brokers},
    segments::{FoundRecord, Wanted},
};

/// The most ranges of lost messages that one audit searches: beyond them, only counts are reported.
const RANGES: usize = 100_000;

/// Lost messages of one life of a producer, to be looked up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Topic name.
    pub topic: String,
    /// The producer's name.
    pub client: String,
    /// Its number.
    pub number: u16,
    /// Its life.
    pub life: u16,
    /// The partition that it chose.
    pub partition: u32,
    /// The sequence numbers.
    pub sequences: Vec<Range<u64>>,
}

impl Missing {
    pub(super) fn new(names: &Names, topic: u16, stream: SentStream, lost: &Set) -> Self {
        let mut sequences: Vec<Range<u64>> = Vec::new();
        for seq in lost.iter() {
            if let Some(last) = sequences.last_mut().filter(|last| last.end == seq) {
                last.end += 1;
            } else if sequences.len() < RANGES {
                sequences.push(seq..seq + 1);
            } else {
                break;
            }
        }
        Self {
            topic: names.topic(topic),
            client: names.client(stream.client),
            number: stream.client,
            life: stream.life,
            partition: stream.source,
            sequences,
        }
    }

    /// The search for it in a log.
    pub fn wanted(&self) -> Wanted {
        Wanted {
            client: self.number,
            life: self.life,
            partition: self.partition,
            sequences: self.sequences.clone(),
        }
    }

    fn place(&self) -> CountPlace {
        CountPlace {
            topic: self.topic.clone(),
            partition: self.partition,
            client: Some(self.client.clone()),
            group: None,
            consumer: None,
            service: None,
        }
    }

    fn count(&self) -> u64 {
        length(&self.sequences)
    }
}

/// One partition on one broker's disk.
#[derive(Clone, Debug)]
pub struct Disk {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// The broker.
    pub broker: u32,
    /// Its state: `dead`, `not in sync`.
    pub state: String,
    /// What it holds, in the order of [`AuditResult::missing`] of this topic and partition; or why it
    /// could not be read.
    pub held: Result<Vec<Vec<FoundRecord>>, String>,
}

/// Adds what the disks hold to the result: counts by place, and a remark to every example.
pub fn tell(result: &mut AuditResult, disks: &[Disk]) {
    let mut places: BTreeMap<CountPlace, OnDisk> = BTreeMap::new();
    let mut reported = BTreeMap::new();
    for (at, missing) in result.missing.iter().enumerate() {
        let nth = result.missing[..at]
            .iter()
            .filter(|m| (&m.topic, m.partition) == (&missing.topic, missing.partition))
            .count();
        let own: Vec<&Disk> = disks
            .iter()
            .filter(|d| (&d.topic, d.partition) == (&missing.topic, missing.partition))
            .collect();
        places.entry(missing.place()).or_default().add(&count(missing, &own, nth));
        reported.insert((missing.place(), missing.life), (own, nth));
    }
    let evidence = result.measures.get_mut(&Measure::Lost).map(|j| &mut j.evidence);
    for one in evidence.into_iter().flatten() {
        let (Some(life), Some(seq)) = (one.life, one.sequence) else { continue };
        if let Some((own, nth)) = reported.get(&(one.place.clone(), life)) {
            say(one, own, *nth, seq);
        }
    }
    result.on_disk = places.into_iter().collect();
}

fn count(missing: &Missing, disks: &[&Disk], nth: usize) -> OnDisk {
    let mut out = OnDisk::default();
    let mut all: Vec<Range<u64>> = Vec::new();
    for disk in disks {
        let held = match &disk.held {
            Ok(held) => held.get(nth).map(Vec::as_slice).unwrap_or_default(),
            Err(why) => {
                out.unread.push(format!("broker {}: {why}", disk.broker));
                continue;
            }
        };
        out.read.push(disk.broker);
        let ranges: Vec<Range<u64>> = held.iter().map(|f| f.seq..f.seq + f.count).collect();
        let ranges = merged(ranges);
        if !ranges.is_empty() {
            out.holders.insert(holder(disk), length(&ranges));
        }
        all.extend(ranges);
    }
    out.read.sort_unstable();
    out.cut_off = length(&merged(all));
    if out.unread.is_empty() {
        out.gone = missing.count().saturating_sub(out.cut_off);
    }
    out
}

fn holder(disk: &Disk) -> String {
    format!("broker {}, {}", disk.broker, disk.state)
}

fn say(one: &mut Evidence, disks: &[&Disk], nth: usize, seq: u64) {
    let at = |disk: &Disk| {
        let held = disk.held.as_ref().ok()?.get(nth)?;
        held.iter().find_map(|f| f.offset_of(seq))
    };
    let holders: Vec<String> =
        disks.iter().filter_map(|d| Some(format!("{} (offset {})", holder(d), at(d)?))).collect();
    let mut read: Vec<u32> = disks.iter().filter(|d| d.held.is_ok()).map(|d| d.broker).collect();
    read.sort_unstable();
    let all_read = read.len() == disks.len();
    let words = match (holders.is_empty(), read.is_empty()) {
        (false, _) => format!("still on the disk of {}: cut off from readers", holders.join("; ")),
        (true, true) => return,
        (true, false) if all_read => format!("gone from the disks of {}", brokers(&read)),
        (true, false) => {
            format!("not on the disks of {}; other disks could not be read", brokers(&read))
        }
    };
    one.text = format!("{}; {words}", one.text);
}

/// Ranges that touch or overlap become one.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|r| (r.start, r.end));
    let mut out: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

fn length(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|r| r.end - r.start).sum()
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]
mod tests {
    use super::*;
    use crate::audit::{
        CountFinding, CountVerdict, Scope,
        testing::{Fate, World},
    };

    /// Ten acknowledged messages of two lives that the log does not hold, sequences 2 to 6 of each.
    fn lost() -> AuditResult {
        let mut w = World::new(1);
        for life in [1, 2] {
            w.send((1, life), 0, 2, Fate::Acked);
            w.send((1, life), 0, 5, Fate::Dropped);
            w.send((1, life), 0, 1, Fate::Acked);
        }
        w.audit(9)
    }

    fn disk(broker: u32, state: &str, held: Result<Vec<Vec<FoundRecord>>, String>) -> Disk {
        Disk { topic: "t".into(), partition: 0, broker, state: state.into(), held }
    }

    fn found(seq: u64, offset: i64, count: u64) -> FoundRecord {
        FoundRecord { seq, offset, count }
    }

    fn finding(result: &AuditResult) -> CountFinding {
        match result.verdict(Measure::Lost, &Scope::default()) {
            CountVerdict::Counted(finding) => finding,
            CountVerdict::Inconclusive { reason, .. } => panic!("{reason}"),
        }
    }

    #[test]
    fn what_is_lost_is_named_for_the_search() {
        let result = lost();
        let lives: Vec<_> = result.missing.iter().map(|m| (m.life, m.sequences.clone())).collect();
        assert_eq!(lives, [(1, vec![2..7]), (2, vec![2..7])]);
        assert_eq!(result.missing[0].wanted().client, 1);
    }

    #[test]
    fn gone_from_every_disk() {
        let mut result = lost();
        let nothing = || Ok(vec![vec![], vec![]]);
        tell(&mut result, &[disk(2, "not in sync", nothing()), disk(1, "the leader", nothing())]);
        let finding = finding(&result);
        assert_eq!(finding.on_disk.as_ref().map(|d| (d.gone, d.cut_off)), Some((10, 0)));
        let words = finding.on_disk.map(|d| d.words());
        assert_eq!(words.as_deref(), Some("10 gone from the disks of brokers 1, 2"));
        assert!(finding.evidence[0].text.ends_with("; gone from the disks of brokers 1, 2"));
    }

    #[test]
    fn still_on_a_disk_and_cut_off() {
        let mut result = lost();
        let dead = Ok(vec![vec![found(2, 40, 3)], vec![found(6, 90, 1)]]);
        let frozen = Ok(vec![vec![found(4, 42, 2)], vec![]]);
        let disks = [disk(1, "dead", dead), disk(2, "paused", frozen)];
        tell(&mut result, &disks);
        let finding = finding(&result);
        let on_disk = finding.on_disk.expect("the disks were read");
        // Sequences 2 to 5 of the first life, 6 of the second: one of them on both disks.
        assert_eq!((on_disk.gone, on_disk.cut_off), (5, 5));
        assert_eq!(on_disk.holders["broker 1, dead"], 4);
        assert_eq!(on_disk.holders["broker 2, paused"], 2);
        assert_eq!(
            finding.evidence[0].text,
            "acknowledged, and not in the log; still on the disk of broker 1, dead (offset 40): cut \
             off from readers"
        );
        assert!(finding.evidence[4].text.ends_with("gone from the disks of brokers 1, 2"));
    }

    #[test]
    fn a_disk_that_could_not_be_read_may_hold_them() {
        let mut result = lost();
        let disks = [
            disk(1, "the leader", Ok(vec![vec![], vec![]])),
            disk(2, "dead", Err("larger than 1 GiB".into())),
        ];
        tell(&mut result, &disks);
        let finding = finding(&result);
        let on_disk = finding.on_disk.expect("one disk was read");
        assert_eq!((on_disk.gone, on_disk.cut_off), (0, 0), "nobody knows");
        assert!(on_disk.words().contains("broker 2: larger than 1 GiB"));
        assert!(
            finding.evidence[0]
                .text
                .ends_with("not on the disks of broker 1; other disks could not be read")
        );
    }

    #[test]
    fn a_narrow_question_has_its_own_counts() {
        let mut result = lost();
        tell(&mut result, &[disk(1, "dead", Ok(vec![vec![found(2, 40, 5)], vec![]]))]);
        let ask = |client: &str| {
            let scope = Scope { client: Some(client.into()), ..Scope::default() };
            match result.verdict(Measure::Lost, &scope) {
                CountVerdict::Counted(f) | CountVerdict::Inconclusive { at_least: f, .. } => {
                    f.on_disk
                }
            }
        };
        assert_eq!(ask("P1").map(|d| (d.gone, d.cut_off)), Some((5, 5)));
        assert_eq!(ask("P2"), None);
    }
}
