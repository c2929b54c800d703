//! What steps inside the `during` of a fault may not do.

use super::{Ground, StepAt};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::Strikes;
use crate::source::Spanned;
use crate::value::StepName;

impl Ground<'_> {
    /// Reports a step that ends the cluster inside the `during` of a fault.
    pub fn ends_cluster(&mut self, at: StepAt<'_>) {
        self.ends_fault(at, |_| true);
    }

    /// Reports a step that heals the network inside the `during` of a network fault.
    pub fn heals_network(&mut self, at: StepAt<'_>) {
        self.ends_fault(at, |strikes| matches!(strikes, Strikes::Routes | Strikes::Lines));
    }

    fn ends_fault(&mut self, at: StepAt<'_>, ends: fn(Strikes) -> bool) {
        let Some(fault) = self.around.iter().rev().find(|f| ends(f.facts.strikes)) else { return };
        let message = format!("`{}` is not allowed in the `during` of `{}`", at.word, fault.word);
        let help = "move it after the fault; the fault is undone automatically when the steps of `during` have ended";
        let diagnostic = Diagnostic::new(Code::E068, at.key, message).help(help);
        self.report(diagnostic.related(fault.key, "this fault is in force here"));
    }

    /// Reports a time that counts from the end of a step that has not ended.
    pub fn must_have_ended(&mut self, since: &Spanned<StepName>) {
        let named = |s: &&StepAt<'_>| s.name == Some(since.as_str());
        let Some(fault) = self.around.iter().find(named) else { return };
        let message = format!(
            "`since` counts from the end of step \"{}\", but this step runs in its `during`, before that end",
            since.value
        );
        let help = "remove `since`: the time then counts from the start of this step";
        let diagnostic = Diagnostic::new(Code::E063, since.span, message).help(help);
        self.report(
            diagnostic.related(fault.key, "this step ends after the steps of its `during`"),
        );
    }
}
