//! What a plan will need of its cluster, known before the cluster is started.

use kplan_dsl::{
    facts::{StepFacts, Strikes},
    plan::{Plan, Step},
    steps::{
        Allow, AlterBroker, CorruptDisk, Deny, DisturbRequests, PowerLoss, SkewClock,
        UpgradeBroker, Verb,
    },
};

/// True if a fault of the plan affects one of these.
pub fn strikes(plan: &Plan, what: &[Strikes]) -> bool {
    let strikes = |facts: &StepFacts| facts.is_fault() && what.contains(&facts.strikes);
    uses(plan, &|word| Verb::facts_of(word).is_some_and(strikes))
}

/// True when some step takes the power from nodes.
pub fn takes_power(plan: &Plan) -> bool {
    uses(plan, &|word| word == PowerLoss::INFO.word)
}

/// True when some step skews clocks.
pub fn skews_clocks(plan: &Plan) -> bool {
    uses(plan, &|word| word == SkewClock::INFO.word)
}

/// True when some step disturbs requests.
pub fn disturbs_requests(plan: &Plan) -> bool {
    uses(plan, &|word| word == DisturbRequests::INFO.word)
}

/// True when some step makes calls on disks fail or take longer.
pub fn meets_calls(plan: &Plan) -> bool {
    strikes(plan, &[Strikes::DiskCalls])
}

/// True when some step damages files.
pub fn damages_files(plan: &Plan) -> bool {
    has(plan, &[CorruptDisk::INFO.word])
}

/// True when some step starts brokers with another version.
pub fn upgrades(plan: &Plan) -> bool {
    uses(plan, &|word| word == UpgradeBroker::INFO.word)
}

/// True when some step gives or takes permissions.
pub fn authorizes(plan: &Plan) -> bool {
    has(plan, &[Allow::INFO.word, Deny::INFO.word])
}

/// True when some step changes settings of running brokers.
pub fn alters_brokers(plan: &Plan) -> bool {
    has(plan, &[AlterBroker::INFO.word])
}

/// True if a step has one of these words, which no `chaos` chooses.
fn has(plan: &Plan, words: &[&str]) -> bool {
    plan.steps.iter().chain(&plan.finally).any(|step| step_has(step, words))
}

fn step_has(step: &Step, words: &[&str]) -> bool {
    words.contains(&step.head.word) || step.inside().into_iter().any(|inner| step_has(inner, words))
}

/// True if a step, or a fault of a `chaos`, has such a word; also if the chaos is only known at run time.
fn uses(plan: &Plan, such: &dyn Fn(&str) -> bool) -> bool {
    plan.steps.iter().chain(&plan.finally).any(|step| step_uses(step, such))
}

/// True if the security of a cluster of the plan needs the feature `tls`. If that is only known at run time, the step
/// is refused then.
pub fn needs_tls(plan: &Plan) -> bool {
    plan.steps.iter().chain(&plan.finally).any(step_needs_tls)
}

fn step_needs_tls(step: &Step) -> bool {
    let own = matches!(step.verb(), Some(Verb::StartCluster(it))
        if it.security.as_ref().is_some_and(|s| s.needs_tls()));
    own || step.inside().into_iter().any(step_needs_tls)
}

fn step_uses(step: &Step, such: &dyn Fn(&str) -> bool) -> bool {
    let in_chaos = if let Some(Verb::Chaos(chaos)) = step.verb() {
        chaos.faults.iter().any(|f| such(f.verb.info().word))
    } else {
        step.verb().is_none() && step.head.facts.strikes == Strikes::Everything
    };
    in_chaos
        || such(step.head.word)
        || step.inside().into_iter().any(|inner| step_uses(inner, such))
}
