//! Counting by place while the histories are read, and turning it into a [`Judgement`] at the end.

use super::Measure;
use super::disks::Missing;
use super::placement::SentStream;
use super::result::{
    Cell, CountPlace, Doubt, EVIDENCE_IN_ALL, EVIDENCE_PER_CELL, Evidence, Judgement,
};
use crate::history::Header;
use std::collections::{BTreeMap, HashMap};

/// A partition: topic number and partition number.
pub(super) type LogPart = (u16, u32);

/// A [`CountPlace`] in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Spot {
    pub part: LogPart,
    pub client: Option<u16>,
    pub group: Option<u16>,
    pub consumer: Option<u16>,
    pub service: Option<u16>,
}

impl Spot {
    /// A place without a group.
    pub fn of(part: LogPart, client: Option<u16>) -> Spot {
        Spot { part, client, group: None, consumer: None, service: None }
    }
}

/// One instance, in numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Case {
    pub identity: Option<(SentStream, u64)>,
    pub offset: Option<u64>,
    pub time_us: Option<i64>,
    pub text: String,
}

impl Case {
    /// A message with identity.
    pub fn of(stream: SentStream, seq: u64, text: impl Into<String>) -> Case {
        Case { identity: Some((stream, seq)), text: text.into(), ..Case::default() }
    }

    pub fn at(mut self, offset: u64) -> Case {
        self.offset = Some(offset);
        self
    }

    pub fn when(mut self, time_us: i64) -> Case {
        self.time_us = Some(time_us);
        self
    }
}

/// The counts of one measure.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    cells: HashMap<Spot, (u64, u64)>,
    shown: HashMap<Spot, usize>,
    pub cases: Vec<(Spot, Case)>,
    doubts: Vec<Doubt>,
}

impl Book {
    /// Adds to the count of a place.
    pub fn found(&mut self, spot: Spot, count: u64) {
        if count > 0 {
            self.cells.entry(spot).or_default().0 += count;
        }
    }

    /// Adds to the number of judged messages of a place.
    pub fn judged(&mut self, spot: Spot, count: u64) {
        if count > 0 {
            self.cells.entry(spot).or_default().1 += count;
        }
    }

    /// How many more instances of this place are wanted.
    pub fn room(&self, spot: Spot) -> usize {
        let here = self.shown.get(&spot).copied().unwrap_or(0);
        EVIDENCE_PER_CELL.saturating_sub(here).min(EVIDENCE_IN_ALL - self.cases.len())
    }

    /// Keeps an instance if there is room.
    pub fn show(&mut self, spot: Spot, case: impl FnOnce() -> Case) {
        if self.room(spot) > 0 {
            *self.shown.entry(spot).or_default() += 1;
            self.cases.push((spot, case()));
        }
    }

    /// Adds a reason why something could not be judged.
    pub fn doubt(&mut self, names: &Names, spot: Spot, reason: String) {
        self.doubts.push(Doubt {
            topic: Some(names.topic(spot.part.0)),
            partition: Some(spot.part.1),
            client: spot.client.map(|c| names.client(c)),
            group: spot.group.map(|g| names.group(g)),
            service: spot.service.map(|s| names.service(s)),
            reason,
        });
    }

    pub fn close(self, names: &Names) -> Judgement {
        let cells = self.cells.into_iter().collect::<BTreeMap<_, _>>();
        let mut cells: Vec<Cell> = cells
            .into_iter()
            .map(|(spot, (count, judged))| Cell { place: names.place(spot), count, judged })
            .collect();
        cells.sort_by(|a, b| a.place.cmp(&b.place));
        let evidence = self.cases.into_iter().map(|(spot, case)| evidence(names, spot, case));
        Judgement { cells, evidence: evidence.collect(), doubts: self.doubts }
    }
}

fn evidence(names: &Names, spot: Spot, case: Case) -> Evidence {
    Evidence {
        place: names.place(spot),
        life: case.identity.map(|(s, _)| s.life),
        source_partition: case.identity.map(|(s, _)| s.source),
        sequence: case.identity.map(|(_, seq)| seq),
        offset: case.offset.and_then(|o| i64::try_from(o).ok()),
        time_us: case.time_us,
        text: case.text,
    }
}

/// All books.
#[derive(Default)]
pub(super) struct Books {
    pub by: BTreeMap<Measure, Book>,
    /// The lost messages, to be searched on the brokers' disks.
    pub missing: Vec<Missing>,
}

/// The names behind the numbers.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    topics: Vec<String>,
    clients: BTreeMap<u16, String>,
    groups: Vec<String>,
    services: Vec<String>,
}

impl Names {
    /// Adds a header's names; returns its topics' numbers, in its order.
    pub fn learn(&mut self, header: &Header) -> Vec<u16> {
        if header.client_id != 0 {
            self.clients.insert(header.client_id, header.client.clone());
        }
        if let Some(group) = &header.group {
            self.group_number(group);
        }
        header.topics.iter().map(|t| self.topic_number(t)).collect()
    }

    pub fn topic_number(&mut self, topic: &str) -> u16 {
        number(&mut self.topics, topic)
    }

    pub fn group_number(&mut self, group: &str) -> u16 {
        number(&mut self.groups, group)
    }

    /// The number of a topic that some history or fact names.
    pub fn known_topic(&self, topic: &str) -> Option<u16> {
        self.topics.iter().position(|t| t == topic).and_then(|n| u16::try_from(n).ok())
    }

    /// The number of a service.
    pub fn service_number(&mut self, service: &str) -> u16 {
        number(&mut self.services, service)
    }

    /// The services, each at its number.
    pub fn services(&self) -> &[String] {
        &self.services
    }

    pub fn topic(&self, number: u16) -> String {
        self.topics.get(usize::from(number)).cloned().unwrap_or_default()
    }

    pub fn group(&self, number: u16) -> String {
        self.groups.get(usize::from(number)).cloned().unwrap_or_default()
    }

    fn service(&self, number: u16) -> String {
        self.services.get(usize::from(number)).cloned().unwrap_or_default()
    }

    pub fn client(&self, number: u16) -> String {
        self.clients.get(&number).cloned().unwrap_or_else(|| format!("client {number}"))
    }

    fn place(&self, spot: Spot) -> CountPlace {
        CountPlace {
            topic: self.topic(spot.part.0),
            partition: spot.part.1,
            client: spot.client.map(|c| self.client(c)),
            group: spot.group.map(|g| self.group(g)),
            consumer: spot.consumer.map(|c| self.client(c)),
            service: spot.service.map(|s| self.service(s)),
        }
    }
}

/// The number of a name, given on first sight. Beyond 65,535 names the last number is shared: a
/// header cannot hold more (its table is pointed into by 16 bits).
fn number(names: &mut Vec<String>, name: &str) -> u16 {
    let at = names.iter().position(|n| n == name).unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    });
    u16::try_from(at).unwrap_or(u16::MAX)
}
