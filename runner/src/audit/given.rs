//! The messages without kplan's identity that a topic may hold.

use std::collections::{HashMap, HashSet};

use super::book::{LogPart, Names};
use super::input::{ClientFacts, Facts};

/// The messages without identity that are expected: those of `produce`, and on some topics those of services.
pub(super) struct Given {
    hashes: HashMap<(u16, Option<u32>), HashSet<u64>>,
    /// The topics that services write to.
    served: HashSet<u16>,
    /// The topics that programs outside the plan write to.
    external: HashSet<u16>,
}

impl Given {
    pub fn new(names: &mut Names, facts: &Facts) -> Given {
        let mut hashes: HashMap<_, HashSet<u64>> = HashMap::new();
        for given in &facts.given {
            let topic = names.topic_number(&given.topic);
            hashes.entry((topic, given.partition)).or_default().insert(given.hash);
        }
        let works = facts.clients.values().filter_map(ClientFacts::derives);
        let served = works.map(|work| names.topic_number(&work.to)).collect();
        let external = facts.topics.iter().filter(|(_, topic)| topic.external);
        let external = external.map(|(topic, _)| names.topic_number(topic)).collect();
        Given { hashes, served, external }
    }

    /// Whether programs outside the plan write to a topic.
    pub fn is_external(&self, topic: u16) -> bool {
        self.external.contains(&topic)
    }

    /// Whether a service writes to a topic.
    pub fn is_served(&self, topic: u16) -> bool {
        self.served.contains(&topic)
    }

    /// Whether `produce` sent a message of this hash to this partition, or let one be chosen.
    pub fn has(&self, part: LogPart, hash: u64) -> bool {
        [Some(part.1), None]
            .into_iter()
            .any(|p| self.hashes.get(&(part.0, p)).is_some_and(|known| known.contains(&hash)))
    }
}
