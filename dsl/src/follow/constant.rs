//! Finds conditions that judge nothing, because their result does not depend on the cluster.

use super::Follow;
use crate::conditions::Condition;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::Step;
use crate::source::Spanned;

impl<'p> Follow<'p> {
    /// Reports a `when` that is written as true or false.
    pub(super) fn constant_when(&mut self, step: &Step) {
        let Some(when) = step.head.when.as_ref().filter(|when| when.is_literal()) else { return };
        let message = match when.known() {
            Some(true) => "this `when` is always true, so the step always runs",
            Some(false) => "this `when` is always false, so the step never runs",
            None => return,
        };
        let help = "use a parameter or a name of the matrix in it, or remove it";
        self.ground.report(Diagnostic::new(Code::W019, when.span(), message).help(help));
    }

    /// Reports a condition with a constant result, or parts of it with one.
    pub(super) fn constant(&mut self, condition: &'p Spanned<Condition>) {
        match condition.constant() {
            Some(known) if !chosen_by_a_parameter(condition) => {
                self.ground.judges_nothing(condition.span, known, condition.constant_help());
            }
            Some(_) => {}
            // Beside other conditions, an `expr` of parameters chooses which of them counts, which is not a
            // mistake.
            None => {
                let parts = condition.inner().iter().filter(|part| !part.is_chosen());
                parts.for_each(|part| self.constant(part));
            }
        }
    }
}

/// True if an `expr` of parameters decides here whether the other conditions count: with other values of the
/// parameters they do.
fn chosen_by_a_parameter(condition: &Condition) -> bool {
    let all = condition.inner();
    let decides = |c: &Spanned<Condition>| c.is_chosen() || chosen_by_a_parameter(c);
    let open = |c: &Spanned<Condition>| c.constant().is_none() || chosen_by_a_parameter(c);
    all.iter().any(decides) && all.iter().any(open)
}
