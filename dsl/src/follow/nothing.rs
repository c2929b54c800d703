//! Whether a plan can judge anything at all: without a judgement it ends inconclusive.

use crate::conditions::Conditions;
use crate::plan::{Action, Plan, Step};
use crate::steps::{Consume, Until, Verb, Wait};

/// What the steps of a plan can judge.
#[derive(Debug, Default)]
struct Judgements {
    /// Something that must hold is looked at.
    any: bool,
    /// A step that is there to judge counts.
    asserts: bool,
    /// A step that is there to judge never does.
    idle: bool,
}

/// Why a plan will certainly end inconclusive, if nothing in it fails.
pub(crate) fn proves_nothing(plan: &Plan) -> Option<&'static str> {
    let mut all = Judgements::default();
    let rule = plan.always.iter().any(|rule| counts(&rule.that));
    (all.any, all.asserts) = (rule, rule);
    for step in plan.steps.iter().chain(&plan.finally) {
        all.step(step, false);
    }
    if all.idle && !all.asserts {
        Some("every `assert` of the plan is optional, left out, or always true")
    } else if !all.any {
        Some("the plan judges nothing: it has no `assert`")
    } else {
        None
    }
}

impl Judgements {
    fn step(&mut self, step: &Step, around_is_idle: bool) {
        let head = &step.head;
        let left_out = head.when.as_ref().and_then(crate::value::Expression::known) == Some(false);
        // What can fail without a consequence proves nothing.
        let idle = around_is_idle || left_out || head.optional;
        let judges = matches!(head.word, "assert" | "consume");
        let judged = !idle && (head.expect_error.is_some() || looks(step));
        self.any |= judged;
        self.asserts |= judged && judges;
        self.idle |= judges && !judged;
        for children in step.children() {
            children.iter().for_each(|s| self.step(s, idle));
        }
        if matches!(step.action, Action::Late(_)) && !idle && is_flow(head.word) {
            // Its steps are known only when it runs.
            (self.any, self.asserts) = (true, true);
        }
    }
}

fn is_flow(word: &str) -> bool {
    matches!(word, "repeat" | "parallel" | "include")
}

/// True if a condition among these can be false or true.
fn counts(conditions: &Conditions) -> bool {
    conditions.iter().any(|c| c.constant() != Some(true))
}

fn looks(step: &Step) -> bool {
    let Action::Ready(verb) = &step.action else { return step.head.word != "record" };
    match verb {
        Verb::Wait(it) => matches!(&**it, Wait::Until(it) if counts(&it.until)),
        Verb::Assert(it) => counts(&it.that),
        Verb::RestartBroker(it) => it.wait.iter().any(|w| counts(&w.value)),
        Verb::UpgradeBroker(it) => it.wait.iter().any(counts),
        Verb::Consume(it) => expects(it),
        Verb::Run(_) => true,
        _ => false,
    }
}

fn expects(it: &Consume) -> bool {
    it.until.value != Until::Count(0) || it.expect.as_ref().is_some_and(|e| !e.is_empty())
}
