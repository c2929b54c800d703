//! What judges nothing: conditions that are the same whatever the cluster does.

use super::Follow;
use crate::conditions::{All, Any, Condition, Not};
use crate::source::Spanned;

impl<'p> Follow<'p> {
    /// Tells a condition that is the same whatever happens, or parts of it that are.
    pub(super) fn constant(&mut self, condition: &'p Spanned<Condition>) {
        match condition.constant() {
            Some(known) if !chosen_by_a_parameter(condition) => {
                self.ground.judges_nothing(condition.span, known, help_for(condition));
            }
            Some(_) => {}
            None => self.constant_parts(condition),
        }
    }

    /// Beside other conditions an `expr` over parameters chooses which of them counts: that is no mistake.
    fn constant_parts(&mut self, condition: &'p Spanned<Condition>) {
        for part in parts(condition) {
            let chooses = matches!(&part.value, Condition::Expr(it) if !it.0.is_literal());
            if !chooses {
                self.constant(part);
            }
        }
    }
}

fn parts(condition: &Condition) -> &[Spanned<Condition>] {
    match condition {
        Condition::All(All(inner)) | Condition::Any(Any(inner)) | Condition::Not(Not(inner)) => {
            inner
        }
        _ => &[],
    }
}

/// True if an `expr` over parameters decides here whether the conditions beside it count: with other
/// values they do.
fn chosen_by_a_parameter(condition: &Condition) -> bool {
    let all = parts(condition);
    let decides = |c: &Spanned<Condition>| match &c.value {
        Condition::Expr(it) => !it.0.is_literal(),
        other => chosen_by_a_parameter(other),
    };
    let open = |c: &Spanned<Condition>| c.constant().is_none() || chosen_by_a_parameter(c);
    all.iter().any(decides) && all.iter().any(open)
}

fn help_for(condition: &Condition) -> &'static str {
    match condition {
        Condition::Expr(_) => {
            "what is known before the run says nothing of the cluster: compare what a `record` with \
             `capture` found, or move it to the `when` of the step"
        }
        Condition::All(_) | Condition::Any(_) | Condition::Not(_) => {
            "write conditions that the run can make true or false, such as `lost: 0`"
        }
        _ => {
            "every value is within this bound: write one that a value can break, such as `is: 0` or \
             `at_least: 1`, or `record` it"
        }
    }
}
