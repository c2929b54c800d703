//! Whether a plan judges anything at all. A plan without a judgement ends inconclusive.

use crate::facts::Kind;
use crate::plan::{Action, Plan, Step};

/// What the steps of a plan can judge.
#[derive(Debug, Default)]
struct Judgements {
    /// A step judges something.
    any: bool,
    /// A step whose purpose is to judge does so.
    asserts: bool,
    /// A step whose purpose is to judge judges nothing.
    idle: bool,
}

/// Why a plan will certainly end inconclusive, if nothing in it fails.
pub(crate) fn proves_nothing(plan: &Plan) -> Option<&'static str> {
    let mut all = Judgements::default();
    let rule = plan.always.iter().any(|rule| rule.that.may_be_false());
    (all.any, all.asserts) = (rule, rule);
    for step in plan.steps.iter().chain(&plan.finally) {
        all.step(step, false);
    }
    if all.idle && !all.asserts {
        Some("every `assert` of the plan is optional, left out or always true")
    } else if !all.any {
        Some("the plan has no `assert`")
    } else {
        None
    }
}

impl Judgements {
    fn step(&mut self, step: &Step, around_is_idle: bool) {
        let head = &step.head;
        let left_out = head.when.as_ref().and_then(crate::value::Expression::known) == Some(false);
        // A step whose failure has no consequence proves nothing.
        let idle = around_is_idle || left_out || head.optional;
        let judges = head.facts.goes_on;
        let judged = !idle && (head.expect_error.is_some() || looks(step));
        self.any |= judged;
        self.asserts |= judged && judges;
        self.idle |= judges && !judged;
        for children in step.children() {
            children.iter().for_each(|s| self.step(s, idle));
        }
        if matches!(step.action, Action::Late(_)) && !idle && head.facts.kind == Kind::Flow {
            // Its steps are known only when it runs.
            (self.any, self.asserts) = (true, true);
        }
    }
}

/// True if the step's judgement can fail. If its arguments are known only when it runs, it is assumed to.
fn looks(step: &Step) -> bool {
    match &step.action {
        Action::Ready(verb) => verb.judges(),
        Action::Late(_) => step.head.facts.kind != Kind::Observation,
    }
}
