//! Checks what steps need of the backend.

use crate::backend::{Abilities, Capability};
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{Plan, Step};

/// Reports every step that needs something that the backend cannot do.
pub(crate) fn check(plan: &Plan, backend: &Abilities) -> Vec<Diagnostic> {
    let mut refusals = Vec::new();
    let mut left: Vec<&Step> = plan.steps.iter().chain(&plan.finally).collect();
    while let Some(step) = left.pop() {
        if step.head.when.as_ref().and_then(crate::value::Expression::known) == Some(false) {
            continue;
        }
        for steps in step.children() {
            left.extend(steps);
        }
        let needs = step.verb().map(crate::steps::Verb::needs).unwrap_or_default();
        for need in needs.into_iter().filter(|n| !backend.can.contains(&n.capability)) {
            let span = need.span.unwrap_or(step.head.key);
            refusals.push(refusal(need.capability, span, backend));
        }
    }
    for always in &plan.always {
        for condition in always.that.flat() {
            let needs = condition.needs().into_iter();
            for need in needs.filter(|n| !backend.can.contains(&n.capability)) {
                refusals.push(refusal(need.capability, condition.span, backend));
            }
        }
    }
    refusals
}

fn refusal(capability: Capability, span: crate::Span, backend: &Abilities) -> Diagnostic {
    let message = format!("the {} backend cannot {}", backend.backend, capability.text());
    let diagnostic = Diagnostic::new(Code::E070, span, message);
    let advice = (backend.advice)(capability);
    if advice.is_empty() { diagnostic } else { diagnostic.help(advice) }
}
