//! Kafka of this machine for the backend `local`: there before the first plan begins, so that no plan's
//! time goes into fetching it.

use std::collections::BTreeSet;

use kplan_dsl::{Verb, plan::Step};

use crate::{
    cluster::{
        RigError, Version,
        local::{self, Local},
    },
    conductor::{schedule::Job, step::inside},
    out::tell,
};

/// Finds Java and every version of Kafka that the plans start, and fetches what is not there.
pub async fn prepare(local: &Local, jobs: &[Job], run: &str) -> Result<(), RigError> {
    local::find_java().await?;
    let mut versions = BTreeSet::new();
    for job in jobs {
        job.plan.steps.iter().for_each(|step| collect(step, &mut versions));
    }
    for text in versions {
        // What is no version is told by the step.
        let Ok(version) = text.parse::<Version>() else { continue };
        if local.kafka_dir.is_none() && local::cached(&version).is_none() {
            tell!("fetching Kafka {version} into kplan's cache (once)");
        }
        local::find_software(&version, local.kafka_dir.as_deref(), run).await?;
    }
    Ok(())
}

/// The versions that a step and those inside it start; those that are known late are fetched then.
fn collect(step: &Step, versions: &mut BTreeSet<String>) {
    match step.verb() {
        Some(Verb::StartCluster(args)) => versions.insert(args.version.text().to_owned()),
        Some(Verb::UpgradeBroker(args)) => versions.insert(args.version.text().to_owned()),
        _ => false,
    };
    inside(step).into_iter().for_each(|inner| collect(inner, versions));
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
