//! What is known of the cluster between two steps.

use std::collections::{BTreeMap, BTreeSet};

use super::Liveness;
use crate::source::Span;
use crate::value::{KafkaVersion, MetadataMode, is_controller};

#[derive(Debug, Clone, PartialEq)]
pub struct KnownCluster {
    /// How many brokers it has.
    pub brokers: u32,
    /// Numbers of brokers that it certainly has. The numbers of a cluster that exists may not be known.
    pub numbers: BTreeSet<u32>,
    /// True if it exists before the plan: its numbers are all brokers'.
    pub borrowed: bool,
    /// Dedicated controllers.
    pub controllers: u32,
    pub mode: MetadataMode,
    pub version: KafkaVersion,
    /// Whether the image is one of Kafka's own releases.
    pub stock: bool,
    pub unclean: bool,
    /// Whether its clients' connections are encrypted.
    pub encrypted: bool,
    pub users: Option<Vec<String>>,
    /// The states of brokers and dedicated controllers whose numbers are known or in the plan.
    pub lives: BTreeMap<u32, Liveness>,
    /// The state of brokers whose numbers are not known.
    pub others: Liveness,
    pub span: Span,
}

impl KnownCluster {
    /// True if the numbers of all its brokers are known.
    pub fn knows_all(&self) -> bool {
        self.numbers.len() >= self.brokers as usize
    }

    /// True for the number of a dedicated controller.
    pub fn is_dedicated(&self, number: u32) -> bool {
        !self.borrowed && is_controller(number)
    }

    /// The brokers whose numbers are known or in the plan.
    pub fn named(&self) -> impl Iterator<Item = u32> {
        self.lives.keys().copied().filter(|n| !self.is_dedicated(*n))
    }

    /// The state of a broker or dedicated controller; none if it certainly does not exist.
    pub fn life(&self, number: u32) -> Option<Liveness> {
        let other = (!self.knows_all()).then_some(self.others);
        self.lives.get(&number).copied().or(other)
    }

    /// All states, those of the brokers whose numbers are not known as one.
    pub fn every_life(&mut self) -> impl Iterator<Item = &mut Liveness> {
        self.lives.values_mut().chain([&mut self.others])
    }

    /// True if certainly too few controllers are running for a quorum. The controllers of a cluster that exists are
    /// not known.
    pub fn quorum_is_lost(&self) -> bool {
        if self.mode == MetadataMode::Zookeeper || self.borrowed {
            return false;
        }
        let is_voter = |n: u32| self.is_dedicated(n) == (self.controllers > 0);
        let voters = self.lives.iter().filter(|(n, _)| is_voter(**n));
        let (mut all, mut dead) = (0, 0);
        for (_, life) in voters {
            all += 1;
            dead +=
                usize::from(matches!(life, Liveness::Down | Liveness::Stopped | Liveness::Paused));
        }
        (all - dead) * 2 <= all
    }

    /// How many brokers are certainly in this state.
    pub fn count(&self, wanted: impl Fn(Liveness) -> bool) -> u32 {
        let named: Vec<u32> = self.named().collect();
        let unnamed = (self.brokers as usize).saturating_sub(named.len());
        let found = named.iter().filter(|n| self.lives.get(n).is_some_and(|life| wanted(*life)));
        let all = found.count() + if wanted(self.others) { unnamed } else { 0 };
        u32::try_from(all).unwrap_or(u32::MAX).min(self.brokers)
    }

    pub fn is_down(&self, broker: u32) -> bool {
        matches!(self.life(broker), Some(Liveness::Down | Liveness::Stopped))
    }
}
