//! `running`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Bound, MemberRef};
use crate::words;

args! {
    /// The instances of a service that run. Without a bound, every instance runs.
    ///
    /// A paused instance does not run. `restarts` counts how often an instance had ended by itself and was started
    /// again by a step.
    #[example("running: invoicing")]
    #[example("running: { service: invoicing, instances: { at_least: 1 }, restarts: 0 }")]
    pub struct InstancesRun("running") short "service" {
        /// The service.
        service: Spanned<MemberRef>,
        /// The number of instances that run, as a number or a bound.
        instances: Option<Bound<u64>>,
        /// How often an instance ended by itself and was started again, as a number or a bound.
        restarts: Option<Bound<u64>>,
    }
}

impl ConditionWord for InstancesRun {
    const FACTS: ConditionFacts = ConditionFacts {
        weighs: Weighs::Arguments(&[
            ("instances", ArgumentWeighs::Presence),
            ("restarts", ArgumentWeighs::Presence),
        ]),
        ..ConditionFacts::NONE
    };

    fn explain(&self) -> String {
        let instances = self.instances.map(|bound| format!("{} of service", bound.of("instance")));
        let verb = if self.instances.is_some_and(|b| b.is_of_one()) { "runs" } else { "run" };
        let restarts = self.restarts.map(|bound| bound.of("restart"));
        let running = match &instances {
            Some(text) => format!("{text} {} {verb}", self.service),
            None => format!("every instance of service {} runs", self.service),
        };
        match (restarts, &instances) {
            (None, _) => running,
            (Some(restarts), None) => format!("service {} had {restarts}", self.service),
            (Some(restarts), Some(_)) => words::list(&[running, format!("had {restarts}")]),
        }
    }

    fn judged(&self) -> Judgeable {
        match (self.instances, self.restarts) {
            (None, None) => Judgeable::Plain,
            (instances, restarts) => Judgeable::by(instances.into_iter().chain(restarts)),
        }
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        let wants = self.instances.map_or(self.restarts.is_none(), |b| b.least() > Some(0));
        if wants {
            ground.must_run(self.service.client.as_str(), "run", span);
        }
    }
}
