//! Compares what steps take, or may take, with the time limits of steps and of the plan.

use std::time::Duration;

use super::Follow;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::{Plan, Step};
use crate::source::Spanned;
use crate::steps::{Verb, Wait};
use crate::value::duration_text;

impl Follow<'_> {
    /// Reports a step whose least time, or whose `within`, is longer than a time limit. `took` is its least time.
    pub(super) fn limits(&mut self, step: &Step, verb: &Verb, took: Duration) {
        let timeout = step.head.timeout.as_ref();
        if let Some(timeout) = timeout.filter(|timeout| timeout.value < took) {
            let took = duration_text(took);
            let message = format!("the step takes at least {took}, longer than its `timeout`");
            let help = "give it a longer `timeout`";
            self.ground.report(Diagnostic::new(Code::W010, timeout.span, message).help(help));
        }
        let Some(within) = within(verb) else { return };
        let (limit, whose) = match timeout {
            Some(timeout) if timeout.value < self.timeout => {
                (timeout.value, "the step's `timeout`")
            }
            _ => (self.timeout, "the plan's `timeout`"),
        };
        if limit < within.value && !self.ground.in_finally {
            let limit = duration_text(limit);
            let message =
                format!("{whose} of {limit} ends the step before its `within` has passed");
            let help = format!("give a longer `timeout`, or a `within` of less than {limit}");
            self.ground.report(Diagnostic::new(Code::W010, within.span, message).help(help));
        }
    }

    /// Reports steps that take longer than the plan may.
    pub(super) fn timeout(&mut self, plan: &Plan) {
        if self.ground.least > plan.timeout.value {
            let (least, timeout) =
                (duration_text(self.ground.least), duration_text(plan.timeout.value));
            let message = format!(
                "the steps take at least {least}, longer than the plan's timeout of {timeout}"
            );
            let span = if plan.timeout.span.end > 0 { plan.timeout.span } else { plan.name.span };
            self.ground.report(
                Diagnostic::new(Code::W010, span, message).help("give the plan a longer `timeout`"),
            );
        }
    }
}

/// How long a step waits for its conditions at most.
fn within(verb: &Verb) -> Option<&Spanned<Duration>> {
    match verb {
        Verb::Wait(wait) => match &**wait {
            Wait::Until(wait) => Some(&wait.within),
            Wait::Pause(_) => None,
        },
        Verb::Assert(assert) => assert.within.as_ref(),
        _ => None,
    }
}
