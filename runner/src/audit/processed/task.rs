//! The work that is judged: whose, from where to where, and how far it is certain.

use super::super::book::{Book, LogPart, Spot};
use super::super::digest::Digest;
use super::super::groups::Group;
use super::super::input::{At, GroupCommits, Naming, ServiceWork};
use super::super::placement::SentStream;
use super::gather::Counted;
use std::collections::BTreeSet;

/// The work of one service, or of the copiers of one group.
pub(super) struct Task<'a> {
    pub work: &'a ServiceWork,
    pub from: u16,
    pub to: u16,
    /// How many messages are made of each.
    pub outputs: u64,
    /// The copiers' group.
    pub group: Option<&'a Group>,
    /// The service's number.
    pub service: Option<u16>,
    /// The service, or one of the copiers, still runs.
    pub running: bool,
}

impl<'a> Task<'a> {
    /// None if no history and no fact names its topics.
    pub fn of(digest: &Digest<'_>, work: &'a ServiceWork, running: bool) -> Option<Self> {
        let (from, to) = (&work.from, &work.to);
        let (from, to) = (digest.names.known_topic(from)?, digest.names.known_topic(to)?);
        let outputs = work.outputs.max(1);
        Some(Self { work, from, to, outputs, group: None, service: None, running })
    }

    /// The work of copiers, by group.
    pub fn of_copiers(digest: &'a Digest<'_>) -> Vec<Self> {
        let works = digest.facts.clients.values().filter_map(|client| client.work.as_ref());
        let works: BTreeSet<_> = works.filter(|work| work.naming == Naming::Copied).collect();
        let tasks = works.into_iter().filter_map(|work| {
            let group = digest.groups.by.get(work.group.as_ref()?)?;
            let running = group.consumers.values().any(|running| *running);
            Some(Self { group: Some(group), ..Self::of(digest, work, running)? })
        });
        tasks.collect()
    }

    /// The work of the other services.
    pub fn of_services(digest: &'a Digest<'_>) -> Vec<Self> {
        let tasks = digest.names.services().iter().zip(0..).filter_map(|(name, number)| {
            let client = digest.facts.clients.get(name)?;
            let task = Self::of(digest, client.derives()?, client.running)?;
            Some(Self { service: Some(number), ..task })
        });
        tasks.collect()
    }

    pub fn name(&self, digest: &Digest<'_>) -> String {
        match (self.service, self.group) {
            (Some(number), _) => digest.names.services()[usize::from(number)].clone(),
            (None, Some(group)) => format!("group {}", digest.names.group(group.number)),
            (None, None) => String::new(),
        }
    }

    /// The place of a message: with its client if it carries an identity, else only its partition.
    pub fn spot(&self, part: LogPart, stream: SentStream) -> Spot {
        let client = (stream.client != 0).then_some(stream.client);
        let group = self.group.map(|group| group.number);
        Spot { group, service: self.service, ..Spot::of(part, client) }
    }

    pub fn doubt(&self, digest: &Digest<'_>, book: &mut Book, part: LogPart, reason: &str) {
        let group = self.group.map(|group| group.number);
        let spot = Spot { group, service: self.service, ..Spot::of(part, None) };
        book.doubt(&digest.names, spot, reason.to_owned());
    }

    /// A doubt about either topic is one about the whole answer.
    pub fn doubt_all(&self, digest: &Digest<'_>, book: &mut Book, partition: u32, reason: &str) {
        self.doubt(digest, book, (self.from, partition), reason);
        self.doubt(digest, book, (self.to, partition), reason);
    }

    /// Whether the messages of a client of the input can be followed.
    pub fn follows(&self, digest: &Digest<'_>, client: u16) -> bool {
        let facts = || digest.facts.clients.get(&digest.names.client(client));
        self.work.naming == Naming::Copied || !facts().is_some_and(|facts| facts.own_form)
    }

    /// The offset of a partition of the input before which it has done what it will do.
    pub fn done_before(&self, digest: &Digest<'_>, partition: u32) -> u64 {
        match &self.work.group {
            _ if self.work.naming == Naming::Copied => u64::MAX,
            _ if self.running => 0,
            None => u64::MAX,
            Some(group) => match committed(digest, group) {
                GroupCommits::Unknown(_) => 0,
                GroupCommits::Known(all) => self.committed_in(all, partition).unwrap_or(0),
            },
        }
    }

    pub fn committed_in(&self, all: &[At], partition: u32) -> Option<u64> {
        let at = all.iter().find(|at| (&at.topic, at.partition) == (&self.work.from, partition))?;
        u64::try_from(at.offset).ok()
    }

    /// Why it may still process messages of a partition.
    pub fn may_go_on(&self, digest: &Digest<'_>, partition: u32, left: u64) -> String {
        let place = format!("{}/{partition}", self.work.from);
        let (name, group) = (self.name(digest), self.work.group.as_deref().unwrap_or_default());
        if self.running {
            return format!(
                "{name} is still running and may still process what is missing in {place} ({left})"
            );
        }
        let end = digest.logs.get(&(self.from, partition)).and_then(|log| log.end).unwrap_or(0);
        let why = match committed(digest, group) {
            GroupCommits::Unknown(why) => format!("its committed offsets are not known: {why}"),
            GroupCommits::Known(all) => match self.committed_in(all, partition) {
                Some(at) => format!("its committed offset in {place} is {at} of {end}"),
                None => format!("it has committed nothing in {place}"),
            },
        };
        format!("group {group} of {name} has not caught up: {why}")
    }

    /// What is wrong with a message that lacks outputs.
    pub fn lacks(&self, made: Option<&Counted>, seq: u64) -> String {
        let count = made.map_or(0, |made| made.count(seq));
        match (self.work.naming, self.outputs) {
            (Naming::Copied, _) => "it has no visible copy in the output".to_owned(),
            (Naming::Derived, 1) => {
                "no visible message of the output is derived from it".to_owned()
            }
            (Naming::Derived, all) => {
                format!("{count} visible messages of the output are derived from it, not {all}")
            }
        }
    }

    /// What the output has of a message.
    pub fn has(&self, count: u64) -> String {
        match (self.work.naming, count) {
            (Naming::Copied, 1) => "copied".to_owned(),
            (Naming::Copied, _) => format!("copied {count} times"),
            (Naming::Derived, 1) => "a message of the output is derived from it".to_owned(),
            (Naming::Derived, _) => format!("{count} messages of the output are derived from it"),
        }
    }
}

/// What a service's group had committed.
fn committed<'d>(digest: &Digest<'d>, group: &str) -> &'d GroupCommits {
    static NOT_ASKED: std::sync::LazyLock<GroupCommits> =
        std::sync::LazyLock::new(GroupCommits::default);
    digest.facts.groups.get(group).map_or(&NOT_ASKED, |group| &group.committed)
}
