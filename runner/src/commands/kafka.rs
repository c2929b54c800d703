//! Which versions of Kafka a run needs: a backend makes them available before the first plan begins.

use std::collections::BTreeSet;

use kplan_dsl::{Verb, plan::Step};

use crate::conductor::schedule::Job;

/// Every version that the plans start.
pub fn versions(jobs: &[Job]) -> BTreeSet<String> {
    let mut versions = BTreeSet::new();
    for job in jobs {
        job.plan.steps.iter().for_each(|step| collect(step, &mut versions));
    }
    versions
}

/// The versions that a step and the steps inside it start; a version known only at run time is fetched then.
fn collect(step: &Step, versions: &mut BTreeSet<String>) {
    let started = step.verb().map(Verb::versions).unwrap_or_default();
    versions.extend(started.into_iter().map(|version| version.text().to_owned()));
    step.inside().into_iter().for_each(|inner| collect(inner, versions));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_version_of_a_plan_is_known_before_it_begins() {
        let text = "plan: v1\nname: x\nsteps:\n  - start_cluster: { version: 3.9.1 }\n  \
            - repeat:\n      for_each: [4.0.1, 4.1.1]\n      as: v\n      steps:\n        \
            - upgrade_broker: { broker: 1, version: '{{ v }}' }\n";
        let checked = kplan_dsl::check_text(Path::new("x.yaml"), text, &Default::default());
        let mut versions = BTreeSet::new();
        checked.suites[0].steps.iter().for_each(|step| collect(step, &mut versions));
        assert_eq!(versions.into_iter().collect::<Vec<_>>(), ["3.9.1", "4.0.1", "4.1.1"]);
    }
}
