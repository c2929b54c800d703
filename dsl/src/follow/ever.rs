//! What a plan names anywhere: told apart from what it never names.

use crate::ground::Ever;
use crate::plan::{Plan, Step};
use crate::steps::Verb;

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
        let asked = step.verb().map(Verb::conditions).unwrap_or_default();
        let counts = asked.into_iter().flat_map(|all| all.flat()).filter_map(|c| c.count());
        self.at_rest.extend(counts.filter_map(|c| c.of.as_ref()).map(|of| of.as_str()));
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
