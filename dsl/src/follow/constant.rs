//! What judges nothing: conditions that are the same whatever the cluster does.

use super::Follow;
use crate::conditions::Condition;
use crate::source::Spanned;

impl<'p> Follow<'p> {
    /// Tells a condition that is the same whatever happens, or parts of it that are.
    pub(super) fn constant(&mut self, condition: &'p Spanned<Condition>) {
        match condition.constant() {
            Some(known) if !chosen_by_a_parameter(condition) => {
                self.ground.judges_nothing(condition.span, known, condition.constant_help());
            }
            Some(_) => {}
            // Beside other conditions an `expr` over parameters chooses which of them counts: that is no mistake.
            None => {
                let parts = condition.inner().iter().filter(|part| !part.is_chosen());
                parts.for_each(|part| self.constant(part));
            }
        }
    }
}

/// True if an `expr` over parameters decides here whether the conditions beside it count: with other
/// values they do.
fn chosen_by_a_parameter(condition: &Condition) -> bool {
    let all = condition.inner();
    let decides = |c: &Spanned<Condition>| c.is_chosen() || chosen_by_a_parameter(c);
    let open = |c: &Spanned<Condition>| c.constant().is_none() || chosen_by_a_parameter(c);
    all.iter().any(decides) && all.iter().any(open)
}
