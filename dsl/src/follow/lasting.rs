//! Faults with `for` or `during`: the state while the steps of `during` run, and after the fault is undone.

use super::{Follow, Step};
use crate::args::arguments_of;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::LaneMark;
use crate::ground::Liveness;
use crate::source::Span;
use crate::steps::Verb;
use crate::value::Clients;

impl<'p> Follow<'p> {
    /// Follows the steps of `during`, then undoes the fault. The fault itself has been followed already.
    pub(super) fn lasting(&mut self, step: &'p Step, verb: &'p Verb) {
        let Some(lasting) = verb.lasting().filter(|l| l.passes()) else { return };
        let begun = self.ground.least;
        self.during(step);
        self.rules_hold(step);
        self.over(step, verb);
        let least = begun.saturating_add(lasting.for_time.unwrap_or_default());
        self.ground.least = self.ground.least.max(least);
    }

    /// Follows the steps of `during`; they may refer to the fault by its name.
    pub(super) fn during(&mut self, step: &'p Step) {
        if step.during().is_empty() {
            return;
        }
        self.meet(step);
        self.ground.around.push(step.at());
        self.steps(step.during());
        self.ground.around.pop();
    }

    /// Undoes a fault, and reports a step of its `during` that undid it before.
    fn over(&mut self, step: &'p Step, verb: &'p Verb) {
        let life = match step.head.facts.lane {
            Some(LaneMark::Killed | LaneMark::NoPower) => Liveness::Down,
            Some(LaneMark::Stopped) => Liveness::Stopped,
            Some(LaneMark::Paused) => Liveness::Paused,
            // The other faults are not known to stop a process.
            Some(
                LaneMark::Absent
                | LaneMark::Running
                | LaneMark::Isolated
                | LaneMark::Degraded
                | LaneMark::DiskFull
                | LaneMark::Damaged
                | LaneMark::DiskErrors
                | LaneMark::SlowDisk
                | LaneMark::WrongClock
                | LaneMark::Disturbed
                | LaneMark::Throttled
                | LaneMark::Restarting
                | LaneMark::Chaos,
            )
            | None => return,
        };
        for clients in arguments_of(verb.parts()) {
            self.clients_over(step, clients, life);
        }
        let Some(target) = verb.target() else { return };
        // Mistakes in the target were reported when the fault began.
        self.ground.muted += 1;
        let hit = self.ground.target(target);
        self.ground.muted -= 1;
        for (broker, _) in hit.certain {
            let now = self.ground.life(broker);
            if now == Some(life) {
                self.ground.set_life(broker, Liveness::Maybe);
            } else if !matches!(now, Some(Liveness::Maybe) | None) {
                self.undone_inside(step, step.head.key, &format!("broker {broker}"));
            }
        }
        if let Some(cluster) = self.ground.state.cluster.as_mut().filter(|_| hit.others)
            && cluster.others == life
        {
            cluster.others = Liveness::Maybe;
        }
        if hit.chosen {
            self.ground.maybe_all();
        }
    }

    fn clients_over(&mut self, step: &'p Step, clients: &Clients, life: Liveness) {
        for name in clients.iter() {
            let known = self.ground.state.clients.get_mut(name.client.as_str());
            let Some(client) = known else { continue };
            let whole = name.member.is_none() || client.members <= 1;
            if client.life == life {
                client.life = Liveness::Up;
            } else if client.life != Liveness::Maybe && whole {
                self.undone_inside(step, name.span, &format!("client `{}`", name.value));
            }
        }
    }

    /// Reports that a step of `during` undoes or replaces the fault that contains it.
    fn undone_inside(&mut self, step: &Step, span: Span, what: &str) {
        if step.during().is_empty() {
            return;
        }
        let message = format!(
            "a step of `during` changes {what}, which the fault `{}` controls until it is undone",
            step.head.word
        );
        let help = "remove that step: the fault is undone automatically when the steps of `during` have ended";
        self.ground.report(Diagnostic::new(Code::E068, span, message).help(help));
    }
}
