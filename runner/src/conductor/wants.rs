//! What a plan will ask of its cluster, known before it is started.

use kplan_dsl::{
    plan::{Plan, Step},
    steps::Verb,
};

use crate::conductor::step;

/// True when some step, or a fault of some `chaos`, has this word; also where chaos is only known
/// when it runs.
pub fn uses(plan: &Plan, word: &str) -> bool {
    plan.steps.iter().chain(&plan.finally).any(|step| step_uses(step, word))
}

/// True when some step disturbs the network.
pub fn disturbs_network(plan: &Plan) -> bool {
    ["partition_network", "degrade_network"].iter().any(|word| uses(plan, word))
}

/// True when a cluster of the plan is secured by what not every build has. What is only known when the
/// plan runs is refused then.
pub fn needs_tls(plan: &Plan) -> bool {
    plan.steps.iter().chain(&plan.finally).any(step_needs_tls)
}

fn step_needs_tls(step: &Step) -> bool {
    let own = match step.verb() {
        Some(Verb::StartCluster(it)) => it.security.as_ref().is_some_and(|s| s.needs_tls()),
        _ => false,
    };
    own || step::inside(step).into_iter().any(step_needs_tls)
}

fn step_uses(step: &Step, word: &str) -> bool {
    let in_chaos = match step.verb() {
        Some(Verb::Chaos(chaos)) => chaos.faults.iter().any(|f| f.verb.info().word == word),
        Some(_) => false,
        None => step.head.word == "chaos",
    };
    in_chaos
        || step.head.word == word
        || step::inside(step).into_iter().any(|inner| step_uses(inner, word))
}
