//! Collects all names that a plan makes anywhere, to distinguish a name that comes later from an unknown one.

use crate::ground::Ever;
use crate::plan::{Plan, Step};
use crate::steps::Verb;

impl<'p> Ever<'p> {
    pub fn of(plan: &'p Plan) -> Self {
        let mut ever = Self::default();
        if let Some(external) = &plan.external {
            ever.external.extend(external.topics());
            ever.topics.extend(external.topics());
            ever.groups.extend(external.groups().map(str::to_owned));
            ever.external_groups.extend(external.groups());
        }
        plan.all_steps().into_iter().for_each(|step| ever.add(step));
        ever
    }

    fn add(&mut self, step: &'p Step) {
        let asked = step.verb().map(Verb::conditions).unwrap_or_default();
        let counts = asked.into_iter().flat_map(|all| all.flat()).filter_map(|c| c.count());
        self.at_rest.extend(counts.filter_map(|c| c.of.as_ref()).map(|of| of.as_str()));
        if let Some(name) = &step.head.name {
            self.names.insert(name.as_str());
        }
        if let Some(verb) = step.verb() {
            verb.makes(step.at(), self);
        }
    }
}
