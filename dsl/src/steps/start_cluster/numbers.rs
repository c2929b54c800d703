//! The numbers of the brokers.

use std::collections::BTreeSet;

use super::StartCluster;
use crate::diagnostic::{Code, Diagnostic};
use crate::ground::Ground;
use crate::read::Reader;
use crate::value::{FIRST_BROKER, broker_numbers};
use crate::words;

/// The greatest `first_broker`: the numbers from 101 on are those of dedicated controllers.
const LAST_FIRST: u32 = 85;

impl StartCluster {
    /// Reports numbers that the cluster does not have.
    pub(super) fn validate_numbers(&self, reader: &mut Reader) {
        if let Some(first) = self.first_broker.as_ref().filter(|first| first.value > LAST_FIRST) {
            let message =
                format!("`first_broker: {first}`: between 0 and {LAST_FIRST} is possible");
            let help = "dedicated controllers are numbered from 101";
            reader.push(Diagnostic::new(Code::E015, first.span, message).help(help));
        }
        let configured = self.broker_config.0.iter().map(|(n, _)| n);
        for broker in configured.chain(self.racks.0.iter().map(|(n, _)| n)) {
            if !self.numbers().any(|number| number == broker.value) {
                let message = format!("the cluster has no broker {broker}");
                let last = self.numbers().last().unwrap_or_default();
                let help = format!("its brokers are {} to {last}", self.first());
                reader.push(Diagnostic::new(Code::E052, broker.span, message).help(help));
            }
        }
    }

    /// The number of its first broker, in a cluster that kplan starts.
    pub fn first(&self) -> u32 {
        self.first_broker.as_ref().map_or(FIRST_BROKER, |first| first.value)
    }

    /// The numbers of its brokers, in a cluster that kplan starts.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + Clone {
        broker_numbers(self.first(), self.brokers.value)
    }

    /// The numbers that its brokers certainly have. Reports a cluster that exists and certainly differs from the plan.
    pub(super) fn known_numbers(&self, ground: &mut Ground<'_>) -> BTreeSet<u32> {
        let own = self.numbers().collect::<BTreeSet<u32>>();
        if !ground.state.external {
            return own;
        }
        let file = ground.file_brokers.clone();
        let named: Vec<u32> = file.iter().copied().collect();
        let with = words::list(&named);
        let there = words::count(named.len() as u64, "broker");
        if let Some(first) = self.first_broker.as_ref().filter(|_| !file.is_subset(&own)) {
            let message =
                format!("`first_broker: {first}`, but the backend file names {there}: {with}");
            let help = "remove `first_broker`: a plan for an existing cluster names brokers by the cluster's numbers";
            ground.report(Diagnostic::new(Code::E052, first.span, message).help(help));
        } else if named.len() > self.brokers.value as usize {
            let message =
                format!("{}, but the backend file names {there}: {with}", self.brokers_in_words());
            let help = format!("write `brokers: {}`", named.len());
            ground.report(Diagnostic::new(Code::E052, self.brokers.span, message).help(help));
        }
        let known = if self.first_broker.is_some() { own } else { file };
        ground.known_brokers.extend(&known);
        known
    }

    pub(super) fn brokers_in_words(&self) -> String {
        words::count(self.brokers.value.into(), "broker")
    }
}
