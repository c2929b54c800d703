//! Checks the steps that conditions count from: they must run, and something must happen after they began.

use super::Follow;
use crate::args::arguments_of;
use crate::conditions::Condition;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind};
use crate::ground::{ClientKind, Liveness, Runs};
use crate::plan::{Action, Always, Step};
use crate::source::Spanned;
use crate::steps::Verb;
use crate::value::StepName;

impl<'p> Follow<'p> {
    /// True if a client may send messages here.
    pub(super) fn may_send(&self) -> bool {
        let sends = |c: &crate::ground::KnownClient| {
            ClientKind::sends(c.kind) && matches!(c.life, Liveness::Up | Liveness::Maybe)
        };
        self.ground.state.clients_unknown || self.ground.state.clients.values().any(sends)
    }

    /// Records that messages may have been sent while a step ran, so conditions can count from it.
    pub(super) fn sent_since(&mut self, step: &Step) {
        let name = step.head.name.as_ref().map(|n| n.as_str());
        if let Some(met) = name.and_then(|n| self.ground.names.get_mut(n)) {
            met.followed = true;
        }
    }

    /// Records that messages may have been sent after all steps so far.
    pub(super) fn something_came(&mut self, step: &Step) {
        let facts = step.head.facts;
        let by_itself = facts.blurs == Blurs::Produced
            || facts.kind == Kind::Program
            || matches!(step.action, Action::Late(_));
        if by_itself || self.may_send() {
            self.ground.names.values_mut().for_each(|met| met.followed = true);
        }
    }

    /// Reports a condition that names a step from which it cannot count.
    pub(super) fn counts_from(&mut self, condition: &'p Spanned<Condition>) {
        let sent_after = condition.sent_after();
        for name in condition.steps() {
            let need = if sent_after == Some(name) { Serves::Traffic } else { Serves::Deed };
            self.serves(name, need);
        }
    }

    /// Reports an `assert` or a `record` that names a step from which it cannot count.
    pub(super) fn step_counts_from(&mut self, verb: &'p Verb) {
        let mut conditions = verb.conditions().into_iter().flat_map(|all| all.iter());
        let narrows = conditions.any(|c| c.facts().takes_since && c.steps().is_empty());
        for since in arguments_of::<Spanned<StepName>>(verb.parts()) {
            if verb.facts().kind == Kind::Judgement {
                self.bounds(since);
            } else if narrows {
                self.serves(since, Serves::Deed);
            }
        }
    }

    /// Reports the name of a step that cannot begin or end a time.
    pub(super) fn bounds(&mut self, name: &Spanned<StepName>) {
        self.serves(name, Serves::Run);
    }

    /// Reports a rule whose `to` runs before its `from`: it is never judged.
    pub(super) fn ends_before_it_begins(&mut self, rule: &Always) {
        let (Some(from), Some(to)) = (&rule.from, &rule.to) else { return };
        let first =
            |name: &Spanned<StepName>| self.ground.names.get(name.as_str()).map(|met| met.first);
        let (Some(begins), Some(ends)) = (first(from), first(to)) else { return };
        if ends <= begins {
            let message = format!(
                "step \"{}\" (`to`) runs before step \"{}\" (`from`)",
                to.value, from.value
            );
            let help = "the rule is never judged: exchange `from` and `to`, or name a later step";
            self.ground.report(Diagnostic::new(Code::W022, to.span, message).help(help));
        }
    }

    fn serves(&mut self, name: &Spanned<StepName>, need: Serves) {
        let step = &name.value;
        let met = self.ground.names.get(name.as_str()).copied();
        let Some(met) = met.filter(|_| !self.ground.in_finally) else { return };
        let (message, help) = if met.runs == Runs::No {
            let message = format!("step \"{step}\" is left out (its `when` is false)");
            (message, "the result will be inconclusive: name a step that runs")
        } else if met.is_note && need != Serves::Run {
            let message = format!("step \"{step}\" is a note, which does nothing");
            (
                message,
                "the result will be inconclusive: name the step that broke or changed something",
            )
        } else if met.runs == Runs::Perhaps && self.doubtful == 0 {
            let message = format!("step \"{step}\" may be left out, depending on its `when`");
            let help = match self.in_rule {
                true => {
                    "if it is left out, the result is inconclusive: name a step that always runs"
                }
                false => {
                    "if it is left out, the result is inconclusive: give this step the same `when`"
                }
            };
            (message, help)
        } else if !met.followed && need == Serves::Traffic {
            let message = format!("nothing is sent after step \"{step}\"");
            (message, "the result will be inconclusive: keep a producer running after that step")
        } else {
            return;
        };
        self.ground.report(Diagnostic::new(Code::W022, name.span, message).help(help));
    }
}

/// What a step must do so that a condition, step or rule can refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Serves {
    /// It runs. A note suffices: a time can begin or end with it.
    Run,
    /// It runs and does something.
    Deed,
    /// It runs, does something, and something is sent after it.
    Traffic,
}
