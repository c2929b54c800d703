//! What judges nothing: conditions that are the same whatever the cluster does.

use super::Follow;
use crate::conditions::{All, Any, Condition, Not};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::steps::{Consume, Until};

impl<'p> Follow<'p> {
    /// Tells a condition that is the same whatever happens, or parts of it that are.
    pub(super) fn constant(&mut self, condition: &'p Spanned<Condition>) {
        match condition.constant() {
            Some(known) if !chosen_by_a_parameter(condition) => {
                self.judges_nothing(condition.span, known, help_for(condition));
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

    fn judges_nothing(&mut self, span: Span, known: bool, help: &'static str) {
        let message = if known {
            "this is always true, whatever the cluster does: it judges nothing"
        } else {
            "this is never true, whatever the cluster does: it judges nothing"
        };
        self.ground.tell(Diagnostic::new(Code::W019, span, message).help(help));
    }

    /// Tells what of `consume` expects nothing.
    pub(super) fn expects_nothing(&mut self, it: &'p Consume) {
        if it.until.value == Until::Count(0) {
            let help =
                "write how many messages must come, or leave `until` out to read to the log's end";
            self.judges_nothing(it.until.span, true, help);
        }
        if let Some(expect) = it.expect.as_ref().filter(|e| e.is_empty()) {
            let help = "write the messages that must be read, or leave `expect` out";
            self.judges_nothing(expect.span, true, help);
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
