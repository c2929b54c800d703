//! What the plan knows about its topics, and the messages of its `produce` steps.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use crate::{history::now_us, identity::text::MOST_TOPICS, stage::Stage};

/// A message that `produce` wrote: known by topic, partition, key and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    pub topic: String,
    /// Its partition; none if no answer contained it.
    pub partition: Option<u32>,
    /// Hash of key and value.
    pub hash: u64,
}

/// What the plan knows about a topic.
#[derive(Clone, Debug, Default)]
pub struct TopicFacts {
    /// How often it was created in this suite.
    pub incarnations: u32,
    /// It was deleted and not created again.
    pub deleted: bool,
    /// When it was created again after a deletion, monotonic microseconds.
    pub made_anew_us: Option<i64>,
    /// Settings that the plan gave it.
    pub config: BTreeMap<String, String>,
    /// It was compacted at some time: compaction may have removed missing messages.
    pub compacted: bool,
    /// Its number of partitions was changed: since then keys go to other partitions.
    pub repartitioned: bool,
    /// Each time that partitions were added: how many there were, and the groups that were reading by then. For
    /// these groups the new partitions begin at 0, whatever position they found there.
    pub grown: Vec<(u32, BTreeSet<String>)>,
}

impl TopicFacts {
    /// The partitions of `all` that were added after a group had begun to read.
    pub fn later_than(&self, group: &str, all: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut grown = self.grown.iter().filter(|(_, groups)| groups.contains(group));
        let Some(first) = grown.next().map(|(before, _)| *before) else { return Vec::new() };
        all.filter(|partition| *partition >= first).collect()
    }

    fn set_config(&mut self, config: BTreeMap<String, String>) {
        self.config.extend(config);
        let policy = self.config.get("cleanup.policy");
        self.compacted |= policy.is_some_and(|p| p.contains("compact"));
    }
}

/// The topics of a plan, and what `produce` wrote.
#[derive(Default)]
pub struct PlanTopics {
    plan: Mutex<(BTreeMap<String, TopicFacts>, Vec<Given>)>,
    /// Numbers of topics, from 0 in the order in which clients first used them.
    numbers: Mutex<BTreeMap<String, u16>>,
}

impl PlanTopics {
    fn both(&self) -> MutexGuard<'_, (BTreeMap<String, TopicFacts>, Vec<Given>)> {
        self.plan.lock().expect("no holder panics")
    }

    /// A topic was created with these settings.
    pub fn created(&self, name: &str, config: BTreeMap<String, String>) {
        let mut both = self.both();
        let facts = both.0.entry(name.to_owned()).or_default();
        facts.incarnations += 1;
        facts.made_anew_us = (facts.incarnations > 1).then(now_us);
        facts.deleted = false;
        (facts.config, facts.compacted) = (BTreeMap::new(), false);
        facts.grown.clear();
        facts.set_config(config);
    }

    pub fn deleted(&self, name: &str) {
        self.both().0.entry(name.to_owned()).or_default().deleted = true;
    }

    pub fn all(&self) -> BTreeMap<String, TopicFacts> {
        self.both().0.clone()
    }

    /// The numbers by which identities as text name these topics.
    pub fn numbers<'t>(&self, topics: impl Iterator<Item = &'t str>) -> BTreeMap<String, u16> {
        let mut numbers = self.numbers.lock().expect("no holder panics");
        let mut number = |topic: &str| {
            // Topics beyond these share a number: only identities as text in each other's messages would be mistaken.
            let next = u16::try_from(numbers.len()).unwrap_or(MOST_TOPICS).min(MOST_TOPICS - 1);
            *numbers.entry(topic.to_owned()).or_insert(next)
        };
        topics.map(|topic| (topic.to_owned(), number(topic))).collect()
    }

    /// Records messages that `produce` wrote.
    pub fn given(&self, more: Vec<Given>) {
        self.both().1.extend(more);
    }

    /// All that `produce` wrote.
    pub fn all_given(&self) -> Vec<Given> {
        self.both().1.clone()
    }
}

impl Stage {
    /// A topic is about to be changed.
    pub fn topic_altered(&self, name: &str, repartitioned: bool, config: BTreeMap<String, String>) {
        let before = self.view().map_or(0, |view| view.partitions(Some(name)).count());
        let groups = self.groups_of(name);
        let mut both = self.topics.both();
        let facts = both.0.entry(name.to_owned()).or_default();
        if repartitioned {
            facts.grown.push((u32::try_from(before).unwrap_or(u32::MAX), groups));
        }
        facts.repartitioned |= repartitioned;
        facts.set_config(config);
    }

    /// Groups that were started to read a topic.
    fn groups_of(&self, topic: &str) -> BTreeSet<String> {
        let clients = self.clients.all();
        let reading = clients.iter().filter(|c| c.read_topics().iter().any(|t| t == topic));
        reading.filter_map(|client| Some(client.group()?.0.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_added_later_begin_at_their_start_for_groups_that_read_before() {
        let grown = vec![
            (2, BTreeSet::from(["early".into()])),
            (4, ["early", "late"].map(Into::into).into()),
        ];
        let facts = TopicFacts { grown, ..TopicFacts::default() };
        assert_eq!(facts.later_than("early", 0..6), [2, 3, 4, 5]);
        assert_eq!(facts.later_than("late", 0..6), [4, 5]);
        assert!(facts.later_than("last", 0..6).is_empty());
    }
}
