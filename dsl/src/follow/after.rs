//! Finds waits and asserts that follow a fault with `for` and look as if they were meant to run during the fault.

use super::Follow;
use crate::conditions::{Condition, Conditions, Shows};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, Strikes};
use crate::ground::Liveness;
use crate::plan::Step;
use crate::source::{Span, Spanned};
use crate::steps::Verb;
use crate::value::{Expression, duration_text};

impl<'p> Follow<'p> {
    /// Follows steps in order.
    pub(super) fn steps(&mut self, steps: &'p [Step]) {
        for (at, step) in steps.iter().enumerate() {
            let alone = self.nothing_is_broken();
            self.step(step);
            if alone {
                self.behind(step, steps.get(at + 1..).unwrap_or_default());
            }
        }
    }

    /// True if no fault is in force here, so that the next fault is the only cause of what is broken after it.
    fn nothing_is_broken(&self) -> bool {
        let broken =
            |l: &Liveness| matches!(l, Liveness::Down | Liveness::Stopped | Liveness::Paused);
        let down = self
            .ground
            .state
            .cluster
            .iter()
            .flat_map(|c| c.lives.values().chain([&c.others]))
            .any(broken);
        !(down || self.beside || self.ground.in_finally)
            && self.ground.around.is_empty()
            && self.standing.is_empty()
    }

    /// Records faults of network and disks that other steps must undo.
    pub(super) fn stands(&mut self, step: &Step) {
        let facts = step.head.facts;
        let Some(what) = StillBroken::of(facts.strikes) else { return };
        let passes = step.verb().and_then(Verb::lasting).is_some_and(|l| l.passes());
        if facts.kind == Kind::Repair {
            self.mends_nothing(step, what);
            self.standing.retain(|broken| *broken != what);
        } else if facts.is_fault() && !passes {
            self.standing.push(what);
        }
    }

    /// Warns of a step that undoes a fault which no earlier step made.
    fn mends_nothing(&mut self, step: &Step, what: StillBroken) {
        let certain = self.ground.around.is_empty() && !self.ground.in_finally && !self.beside;
        if !certain || is_left_out(step) || self.standing.contains(&what) {
            return;
        }
        let why = match what {
            StillBroken::Network => "the network has no fault here",
            StillBroken::Disk => "no disk is full here",
        };
        let message = format!("{why}, so `{}` changes nothing", step.head.word);
        let help = "a fault with `for` or `during` is undone by itself; remove this step";
        self.ground.report(Diagnostic::new(Code::W018, step.head.key, message).help(help));
    }

    /// Reports the first wait or assert after a fault with `for` that can only be meant to run during the fault.
    fn behind(&mut self, fault: &'p Step, rest: &'p [Step]) {
        // A fault that is left out or expected to fail has no effect.
        if is_left_out(fault) || fault.head.expect_error.is_some() {
            return;
        }
        let Some(verb) = fault.verb().filter(|v| v.during().is_empty()) else { return };
        let Some(time) = verb.for_time() else { return };
        let waits = rest.iter().filter(|s| !is_silent(s)).map_while(looks);
        let looks: Vec<(&Step, Look<'_>)> = waits.collect();
        let late = looks.iter().enumerate().find_map(|(at, (step, look))| match look {
            Look::Pause(pause) => (*pause >= time).then_some(step.head.key),
            Look::For(conditions) => self.effect(verb, conditions).or_else(|| {
                let next = looks.get(at + 1);
                (at == 0 && next.is_some_and(|(_, n)| self.tests_then_returns(verb, conditions, n)))
                    .then_some(step.head.key)
            }),
        });
        if let Some(span) = late {
            self.report_behind(fault, span, &duration_text(time));
        }
    }

    fn report_behind(&mut self, fault: &Step, span: Span, time: &str) {
        let word = fault.head.word;
        let message = format!(
            "this step begins after `{word}` has been undone: with `for`, its step lasts {time}"
        );
        let help = format!(
            "to run it while the fault is in force, write it into `during` beside `for`: \
             `{word}: {{ ..., for: {time}, during: [{{ wait: ... }}] }}`"
        );
        let diagnostic = Diagnostic::new(Code::W021, span, message).help(help);
        self.ground.report(
            diagnostic.related(fault.head.key, "this fault is undone before the next step begins"),
        );
    }

    /// The place of a condition that only the fault itself can make true.
    fn effect(&self, fault: &Verb, conditions: &Conditions) -> Option<Span> {
        let is_effect = |condition: &&Spanned<Condition>| match condition.shows(&self.ground) {
            Shows::Standstill => true,
            Shows::Damage => of_brokers(fault),
            Shows::Nothing | Shows::Work | Shows::Contact | Shows::Lead | Shows::Return => false,
        };
        conditions.certain().into_iter().find(is_effect).map(|condition| condition.span)
    }

    /// True if the first wait checks that work goes on, and the next one waits for the recovery: then the first was
    /// meant for the time before the recovery.
    fn tests_then_returns(&self, fault: &Verb, first: &Conditions, next: &Look<'_>) -> bool {
        let Look::For(next) = next else { return false };
        of_brokers(fault)
            && first.iter().all(|c| matches!(c.shows(&self.ground), Shows::Work | Shows::Lead))
            && next.iter().all(|c| c.shows(&self.ground) == Shows::Return)
    }
}

/// What can stay broken although every process is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StillBroken {
    Network,
    Disk,
}

impl StillBroken {
    const fn of(strikes: Strikes) -> Option<Self> {
        match strikes {
            Strikes::Routes | Strikes::Lines => Some(Self::Network),
            Strikes::Disks => Some(Self::Disk),
            Strikes::Nothing
            | Strikes::Processes
            | Strikes::Files
            | Strikes::DiskCalls
            | Strikes::Clocks
            | Strikes::Requests
            | Strikes::Clients
            | Strikes::Everything => None,
        }
    }
}

/// What a step after a fault waits for or judges.
enum Look<'s> {
    Pause(std::time::Duration),
    For(&'s Conditions),
}

/// A step that only waits or judges. After any other step nothing is certain.
fn looks(step: &Step) -> Option<(&Step, Look<'_>)> {
    let verb = step.verb().filter(|_| step.head.facts.kind == Kind::Judgement)?;
    let look = match verb.pause() {
        Some(time) => Look::Pause(time),
        None => Look::For(verb.conditions().into_iter().next()?),
    };
    Some((step, look))
}

/// True if a step takes no time and changes nothing.
fn is_silent(step: &Step) -> bool {
    is_left_out(step) || matches!(step.head.facts.kind, Kind::Note | Kind::Observation)
}

fn is_left_out(step: &Step) -> bool {
    step.head.when.as_ref().and_then(Expression::known) == Some(false)
}

/// True for a fault of brokers, not of clients.
fn of_brokers(fault: &Verb) -> bool {
    !matches!(fault.facts().strikes, Strikes::Clients | Strikes::Requests)
}
