//! Faults that undo themselves: what is in force while the steps of `during` run, and what is left after.

use super::{Follow, Step};
use crate::diagnostic::{Code, Diagnostic};
use crate::ground::Liveness;
use crate::source::{Span, Spanned};
use crate::steps::{Lasting, Verb};
use crate::value::{Clients, StepName};

impl<'p> Follow<'p> {
    /// Follows the steps of `during`, then undoes the fault. The fault itself was followed before.
    pub(super) fn lasting(&mut self, step: &'p Step, verb: &'p Verb, lasting: &'p Lasting) {
        let begun = self.least;
        self.during(step);
        self.over(step, verb);
        let least = begun.saturating_add(lasting.for_time.unwrap_or_default());
        self.least = self.least.max(least);
    }

    /// Follows the steps of `during`; they may refer to the fault by its name.
    pub(super) fn during(&mut self, step: &'p Step) {
        if step.during().is_empty() {
            return;
        }
        self.meet(step);
        self.around.push(step);
        self.steps(step.during());
        self.around.pop();
    }

    /// Undoes a fault; what a step of its own `during` undid before is told.
    fn over(&mut self, step: &'p Step, verb: &'p Verb) {
        let life = match verb {
            Verb::KillBroker(_) => Liveness::Down,
            Verb::StopBroker(_) => Liveness::Stopped,
            Verb::PauseBroker(_) => Liveness::Paused,
            Verb::KillClient(it) => return self.clients_over(step, &it.client, Liveness::Down),
            Verb::PauseClient(it) => return self.clients_over(step, &it.client, Liveness::Paused),
            _ => return,
        };
        let Some(target) = verb.target() else { return };
        // What is wrong with the target was told when the fault began.
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
        if hit.chosen {
            self.ground.maybe_all();
        }
    }

    fn clients_over(&mut self, step: &'p Step, clients: &'p Clients, life: Liveness) {
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

    /// Tells that a step of `during` undid or replaced the fault around it.
    fn undone_inside(&mut self, step: &Step, span: Span, who: &str) {
        if step.during().is_empty() {
            return;
        }
        let message = format!(
            "a step of `during` changes {who}, which `{}` holds until its end",
            step.head.word
        );
        let help = "leave that step out: the fault is undone by itself when the steps of `during` are done";
        self.ground.tell(Diagnostic::new(Code::E068, span, message).help(help));
    }

    /// Tells a step that ends the cluster, or heals its network, while a fault around it is in force.
    pub(super) fn stopped_in_fault(&mut self, step: &Step) {
        let heals = step.head.word == "heal_network";
        let network = |f: &&&Step| matches!(f.head.word, "partition_network" | "degrade_network");
        let fault = self.around.iter().rev().find(|f| !heals || network(f)).copied();
        if let Some(fault) = fault {
            let word = step.head.word;
            let message = format!("`{word}` inside the `during` of `{}`", fault.head.word);
            let help = "put it behind the fault, which is undone by itself when the steps of `during` are done";
            let told = Diagnostic::new(Code::E068, step.head.key, message).help(help);
            self.ground.tell(told.related(fault.head.key, "this fault is in force here"));
        }
    }

    /// Tells a time that counts from the end of a step that is still under way.
    pub(super) fn must_have_ended(&mut self, since: &Spanned<StepName>) {
        let named = |s: &&&Step| s.head.name.as_ref().is_some_and(|n| n.as_str() == since.as_str());
        if let Some(fault) = self.around.iter().find(named).copied() {
            let message = format!(
                "the time counts from the end of \"{}\", which has not ended inside its `during`",
                since.value
            );
            let help = "leave `since` out: the time then counts from the beginning of this step";
            let told = Diagnostic::new(Code::E063, since.span, message).help(help);
            self.ground.tell(
                told.related(fault.head.key, "this step ends after the steps of its `during`"),
            );
        }
    }
}
