//! What the audit needs to know of services, which write no history: how far their groups had committed, and where
//! they write.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    audit::{At, GroupCommits},
    stage::{Running, Stage},
};

impl Stage {
    /// The services that live: they may write what no history shows.
    pub(super) fn serving(&self) -> BTreeSet<String> {
        let mut all = self.clients.all();
        all.retain(|client| client.lives() && client.serves().is_some());
        all.iter().map(|client| client.name.clone()).collect()
    }

    /// The topics that services read and write.
    pub(super) fn served_topics(&self) -> Vec<String> {
        let clients = self.clients.all();
        let works = clients.iter().filter_map(|client| client.derives());
        let inputs = clients.iter().filter_map(|client| client.elsewhere()).map(|work| work.from);
        works.flat_map(|work| [work.from, work.to]).chain(inputs).collect()
    }

    /// The topics of which the committed view is not known beforehand: where transactions may have been used.
    pub(super) fn read_twice(&self, topics: &[String]) -> BTreeSet<String> {
        let clients = self.clients.all();
        if clients.iter().any(|client| client.sending().is_some_and(|s| s.transactional)) {
            return topics.iter().cloned().collect();
        }
        clients.iter().filter_map(|client| client.derives()).map(|work| work.to).collect()
    }

    /// What the groups of services have committed by now.
    pub(super) async fn committed(&self, running: &Running) -> BTreeMap<String, GroupCommits> {
        let mut all: BTreeMap<String, GroupCommits> = BTreeMap::new();
        let clients = self.clients.all();
        let works = clients.iter().filter_map(|client| client.serves());
        for (group, topic) in works.filter_map(|work| Some((work.group?, work.from))) {
            let answer = match running.observer.ask().committed(&group, &topic).await {
                Err(error) => GroupCommits::Unknown(error.to_string()),
                Ok(answer) => GroupCommits::Known(
                    answer
                        .into_iter()
                        .filter_map(|(partition, offset)| {
                            Some(At { topic: topic.clone(), partition, offset: offset? })
                        })
                        .collect(),
                ),
            };
            match (all.remove(&group), answer) {
                // A group that reads several topics.
                (Some(GroupCommits::Known(mut one)), GroupCommits::Known(other)) => {
                    one.extend(other);
                    all.insert(group, GroupCommits::Known(one));
                }
                (Some(unknown @ GroupCommits::Unknown(_)), _) => _ = all.insert(group, unknown),
                (_, answer) => _ = all.insert(group, answer),
            }
        }
        all
    }
}
