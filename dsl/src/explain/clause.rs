//! Conditions as clauses: what stands behind "wait until" and "check that".

use crate::conditions::Condition;

/// The clause of one condition: `broker 2 leads orders/2`, `there is no lost message`.
pub(super) fn clause(condition: &Condition) -> String {
    condition.clause()
}
