//! Follows the state of cluster, topics and clients through the steps of a plan, and reports what cannot work.
//!
//! Only certain mistakes are errors. A step that may not run (`when`, `optional`), a target that is chosen when the
//! step runs, and every step in `finally` make the state of what they change uncertain.

use std::time::Duration;

use crate::backend::Abilities;
use crate::conditions::{Condition, ConditionWord};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::Kind;
use crate::ground::{Ever, Ground, KnownState, Met, Runs};
use crate::library::Library;
use crate::plan::{Action, Always, ExistingBrokers, Plan, Step};
use crate::source::{Span, Spanned};
use crate::steps::Verb;
use crate::value::StepName;

mod after;
mod conditions;
mod constant;
mod ever;
mod fed;
mod flow;
mod judged;
mod lasting;
mod limits;
mod measured;
mod needs;
mod nothing;
mod since;

pub(crate) use measured::check as check_measured;
pub(crate) use needs::check as check_needs;
pub(crate) use nothing::proves_nothing;

use after::StillBroken;

/// Follows a plan and reports what cannot or will not work. Also returns what the plan says of the brokers of a
/// cluster that exists.
pub(crate) fn check(
    plan: &Plan,
    backend: &Abilities,
    library: &Library,
) -> (Vec<Diagnostic>, Option<ExistingBrokers>) {
    let ground = Follow::new(plan, backend, library).plan(plan).ground;
    let mut named: Vec<Spanned<u32>> =
        ground.named_brokers.iter().map(|(n, span)| Spanned::new(*n, *span)).collect();
    named.sort_by_key(|n| (n.span.file, n.span.start));
    let known = ground.known_brokers.iter().chain(ground.named_brokers.keys());
    let existing = ExistingBrokers { numbers: known.copied().collect(), named };
    (ground.diagnostics, backend.borrowed.then_some(existing))
}

/// What is known before and after one step.
#[derive(Debug, Clone)]
pub(crate) struct StepStates {
    /// The place of the step.
    pub span: Span,
    pub before: KnownState,
    pub after: KnownState,
}

/// What is known before and after each step of a plan, in the order in which they are followed.
pub(crate) fn states(plan: &Plan, backend: &Abilities, library: &Library) -> Vec<StepStates> {
    let mut follow = Follow::new(plan, backend, library);
    follow.states = Some(Vec::new());
    follow.plan(plan).states.unwrap_or_default()
}

struct Follow<'p> {
    ground: Ground<'p>,
    /// Faults of network and disks that last until another step undoes them.
    standing: Vec<StillBroken>,
    /// True in a branch of a `parallel`: other steps run at the same time.
    beside: bool,
    /// Above 0: whether this step runs is known only while the plan runs.
    doubtful: usize,
    /// True for the rules of `always`, which have no `when`.
    in_rule: bool,
    /// The states around each step, if they are asked for.
    states: Option<Vec<StepStates>>,
    /// The rules that no step has broken for certain so far.
    rules: Vec<&'p Always>,
    /// The plan's own time limit.
    timeout: Duration,
}

impl<'p> Follow<'p> {
    fn new(plan: &'p Plan, backend: &Abilities, library: &'p Library) -> Self {
        Follow {
            ground: Ground::new(backend, Ever::of(plan), library),
            standing: Vec::new(),
            beside: false,
            doubtful: 0,
            in_rule: false,
            states: None,
            rules: plan.always.iter().collect(),
            timeout: plan.timeout.value,
        }
    }

    fn plan(mut self, plan: &'p Plan) -> Self {
        self.steps(&plan.steps);
        self.timeout(plan);
        self.always(&plan.always);
        self.gets_nothing(plan);
        self.ground.in_finally = true;
        self.ground.state.blur();
        self.steps(&plan.finally);
        self
    }

    fn step(&mut self, step: &'p Step) {
        let before = self.states.is_some().then(|| self.ground.state.clone());
        self.follow(step);
        if let (Some(before), Some(states)) = (before, &mut self.states) {
            let after = self.ground.state.clone();
            states.push(StepStates { span: step.head.span, before, after });
        }
    }

    fn follow(&mut self, step: &'p Step) {
        let head = &step.head;
        let when = head.when.as_ref().map(crate::value::Expression::known);
        self.doubtful += usize::from(when == Some(None));
        self.constant_when(step);
        let sends = self.may_send();
        if when != Some(Some(false)) {
            let unsure = when == Some(None) || head.optional || head.expect_error.is_some();
            let before = unsure.then(|| self.ground.state.clone());
            self.ground.muted += usize::from(head.expect_error.is_some());
            match &step.action {
                Action::Ready(verb) => self.verb(step, verb),
                Action::Late(_) => {
                    self.ground.state.something_happened(head.facts);
                    // A fault certainly breaks something, whatever its arguments are.
                    self.ground.state.broken |= head.facts.is_fault();
                    self.during(step);
                }
            }
            self.ground.muted -= usize::from(head.expect_error.is_some());
            if let Some(before) = before {
                self.ground.state.join(&before);
            }
            self.stands(step);
            self.something_came(step);
        }
        self.meet(step);
        self.rules_hold(step);
        if sends {
            self.sent_since(step);
        }
        self.doubtful -= usize::from(when == Some(None));
    }

    /// Records the name of a step.
    fn meet(&mut self, step: &'p Step) {
        if let Some(name) = &step.head.name {
            let has_target = step.verb().is_none_or(|v| v.target().is_some());
            let when = step.head.when.as_ref().map(crate::value::Expression::known);
            let runs = match when {
                Some(Some(false)) => Runs::No,
                _ if self.doubtful > 0 => Runs::Perhaps,
                _ => Runs::Yes,
            };
            let is_note = step.head.facts.kind == Kind::Note;
            let may_break = !matches!(
                step.head.facts.kind,
                Kind::Note | Kind::Topic | Kind::Traffic | Kind::Judgement | Kind::Observation
            );
            let before = self.ground.names.get(name.as_str()).copied();
            let followed = before.is_some_and(|met| met.followed) || self.may_send();
            // In the rounds of a loop the latest run counts. A round that leaves the step out does not remove an
            // earlier run.
            let runs = before.map_or(runs, |met| met.runs.or(runs));
            let first = before.map_or(self.ground.names.len(), |met| met.first);
            let certain = |met: &Met| met.runs == Runs::Yes && met.span != step.head.span;
            let twice = before.filter(certain).filter(|_| runs == Runs::Yes).map(|met| met.span);
            let twice = twice.or(before.and_then(|met| met.twice));
            let span = step.head.span;
            self.ground.names.insert(
                name.as_str(),
                Met { has_target, runs, is_note, may_break, first, followed, span, twice },
            );
        }
    }

    fn verb(&mut self, step: &'p Step, verb: &'p Verb) {
        let before = self.ground.least;
        if verb.needs_cluster() && !self.cluster_is_there(step) {
            return;
        }
        verb.follow(step.at(), &mut self.ground);
        if step.head.facts.is_fault() {
            self.ground.fault_without_traffic(step.at());
            self.ground.state.broken = true;
        }
        self.lasting(step, verb);
        self.flow(verb.children());
        self.condition_step(step, verb);
        let took = self.ground.least.saturating_sub(before);
        self.limits(step, verb, took);
    }

    /// Reports a step that needs a cluster where none is running.
    fn cluster_is_there(&mut self, step: &Step) -> bool {
        if self.ground.state.cluster.is_some() || self.ground.in_finally {
            return true;
        }
        if self.ground.state.cluster_unknown {
            return true;
        }
        let message =
            format!("`{}` needs a cluster, and no cluster is running here", step.head.word);
        let first = self.ground.ever.cluster;
        let diagnostic = Diagnostic::new(Code::E056, step.head.key, message);
        self.ground.report(match first {
            Some(_) => diagnostic
                .help("move this step after `start_cluster` and before the cluster is stopped"),
            None => {
                diagnostic.help("add a step such as `- start_cluster: { brokers: 3 }` before it")
            }
        });
        // Reported once: the following steps would repeat it.
        self.ground.state.cluster_unknown = true;
        false
    }

    /// Reports rules about the number of brokers that certainly do not hold after the step just followed.
    fn rules_hold(&mut self, step: &Step) {
        if self.ground.in_finally || self.beside {
            return;
        }
        let ground = &mut self.ground;
        self.rules.retain(|rule| {
            let met = |name: &Spanned<StepName>| ground.names.contains_key(name.as_str());
            let begun = rule.from.as_ref().is_none_or(met);
            if !begun || rule.to.as_ref().is_some_and(met) {
                return true;
            }
            let before = ground.diagnostics.len();
            for condition in rule.that.iter() {
                if let Condition::BrokersAlive(alive) = &condition.value {
                    alive.follow(condition.span, ground);
                }
            }
            let found = ground.diagnostics.split_off(before);
            let holds = found.is_empty();
            let because = |found: Diagnostic| found.related(step.head.key, "after this step");
            ground.diagnostics.extend(found.into_iter().map(because));
            holds
        });
    }

    fn always(&mut self, always: &'p [Always]) {
        self.in_rule = true;
        for one in always {
            for name in one.from.iter().chain(&one.to) {
                self.ground.step_name(name, true);
                self.bounds(name);
            }
            self.ends_before_it_begins(one);
            for condition in one.that.flat() {
                self.references(condition, true);
                self.counts_from(condition);
            }
            one.that.iter().for_each(|condition| self.constant(condition));
        }
        self.in_rule = false;
    }
}
