//! What a plan names anywhere: told apart from what it never names.

use std::collections::BTreeSet;

use crate::plan::{Plan, Step};
use crate::source::Span;
use crate::steps::Verb;

/// Everything that any step of the plan makes.
#[derive(Debug, Default)]
pub(super) struct Ever<'p> {
    pub topics: BTreeSet<&'p str>,
    pub clients: BTreeSet<&'p str>,
    pub groups: BTreeSet<String>,
    pub names: BTreeSet<&'p str>,
    pub cluster: Option<Span>,
}

impl<'p> Ever<'p> {
    pub fn of(plan: &'p Plan) -> Self {
        let mut ever = Self::default();
        let mut left: Vec<&'p Step> = plan.steps.iter().chain(&plan.finally).collect();
        while let Some(step) = left.pop() {
            ever.add(step);
            for steps in step.children() {
                left.extend(steps);
            }
        }
        ever
    }

    fn add(&mut self, step: &'p Step) {
        if let Some(name) = &step.head.name {
            self.names.insert(name.as_str());
        }
        match step.verb() {
            Some(Verb::CreateTopic(it)) => {
                self.topics.insert(it.name.as_str());
            }
            Some(Verb::StartProducer(it)) => {
                self.clients.insert(it.name.as_str());
            }
            Some(Verb::StartConsumer(it)) => {
                self.clients.insert(it.name.as_str());
                self.groups.insert(it.group_name());
            }
            Some(Verb::StartCopier(it)) => {
                self.clients.insert(it.name.as_str());
                self.groups.insert(it.group_name());
            }
            Some(Verb::StartCluster(_)) => self.cluster = Some(step.head.span),
            _ => {}
        }
    }
}
