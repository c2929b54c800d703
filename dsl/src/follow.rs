//! What the plan means: the state of cluster, topics and clients, followed through the steps.
//!
//! Only what is certain is an error. A step that may not run (`when`, `optional`), a target chosen when
//! the step runs, and everything in `finally` make what they touch uncertain.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::backend::Backend;
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::library::Library;
use crate::plan::{Action, Always, Plan, Step};
use crate::source::Spanned;
use crate::steps::Verb;
use crate::value::{GroupName, KafkaVersion, MemberRef, PartitionRef, StepName, TopicName};

mod after;
mod brokers;
mod chaos;
mod clients;
mod conditions;
mod constant;
mod ever;
mod flow;
mod judged;
mod lasting;
mod needs;
mod nothing;
mod possible;
mod settings;
mod since;
mod state;
mod topics;

use ever::Ever;
pub(crate) use needs::check as check_needs;
pub(crate) use nothing::proves_nothing;
use since::Runs;
use state::{ClientKind, KnownState, Liveness};

/// Follows a plan and tells what cannot or will not work.
pub(crate) fn check(plan: &Plan, backend: Backend, library: &Library) -> Vec<Diagnostic> {
    let mut follow = Follow {
        state: KnownState::new(backend == Backend::External),
        ever: Ever::of(plan),
        names: BTreeMap::new(),
        told: Vec::new(),
        muted: 0,
        in_finally: false,
        library,
        least: Duration::ZERO,
        around: Vec::new(),
        standing: Vec::new(),
        beside: false,
        doubtful: 0,
    };
    follow.steps(&plan.steps);
    follow.timeout(plan);
    follow.always(&plan.always);
    follow.in_finally = true;
    follow.state.blur();
    follow.steps(&plan.finally);
    follow.told
}

/// A step that was met, by its name.
#[derive(Debug, Clone, Copy)]
struct Met {
    /// True if it chose brokers, so that `same_as` can mean them.
    has_target: bool,
    runs: Runs,
    is_note: bool,
    /// A message may have been sent after it began.
    followed: bool,
}

struct Follow<'p> {
    state: KnownState,
    ever: Ever<'p>,
    names: BTreeMap<&'p str, Met>,
    told: Vec<Diagnostic>,
    /// Above 0 nothing is told: the step is meant to fail.
    muted: usize,
    in_finally: bool,
    library: &'p Library,
    /// The time that the steps take at least.
    least: Duration,
    /// The faults that are in force here, from the outside in: this step stands in their `during`.
    around: Vec<&'p Step>,
    /// What is broken until another step mends it: `network`, `disk`.
    standing: Vec<&'static str>,
    /// True in a branch of a `parallel`: other steps run beside these.
    beside: bool,
    /// Above 0 it is known only while the plan runs whether this step runs.
    doubtful: usize,
}

impl<'p> Follow<'p> {
    fn tell(&mut self, diagnostic: Diagnostic) {
        if self.muted == 0 {
            self.told.push(diagnostic);
        }
    }

    fn step(&mut self, step: &'p Step) {
        let head = &step.head;
        let when = head.when.as_ref().map(crate::value::Expression::known);
        self.doubtful += usize::from(when == Some(None));
        let sends = self.somebody_sends();
        if when != Some(Some(false)) {
            let unsure = when == Some(None) || head.optional || head.expect_error.is_some();
            let before = unsure.then(|| self.state.clone());
            self.muted += usize::from(head.expect_error.is_some());
            match &step.action {
                Action::Ready(verb) => self.verb(step, verb),
                Action::Late(_) => {
                    self.state.something_happened(head.word);
                    self.during(step);
                }
            }
            self.muted -= usize::from(head.expect_error.is_some());
            if let Some(before) = before {
                self.state.join(&before);
            }
            self.stands(step);
            self.something_came(step);
        }
        self.meet(step);
        if sends {
            self.sent_since(step);
        }
        self.doubtful -= usize::from(when == Some(None));
    }

    /// Remembers the name of a step.
    fn meet(&mut self, step: &'p Step) {
        if let Some(name) = &step.head.name {
            let has_target = step.verb().is_none_or(|v| v.target().is_some());
            let when = step.head.when.as_ref().map(crate::value::Expression::known);
            let runs = match when {
                Some(Some(false)) => Runs::No,
                _ if self.doubtful > 0 => Runs::Perhaps,
                _ => Runs::Yes,
            };
            let is_note = step.head.word == "note";
            let before = self.names.get(name.as_str()).is_some_and(|met| met.followed);
            let followed = before || self.somebody_sends();
            self.names.insert(name.as_str(), Met { has_target, runs, is_note, followed });
        }
    }

    fn verb(&mut self, step: &'p Step, verb: &'p Verb) {
        let before = self.least;
        if !matches!(verb, Verb::StartCluster(_) | Verb::Note(_) | Verb::Run(_)) && !verb.is_flow()
        {
            if matches!(verb, Verb::Wait(w) if matches!(**w, crate::steps::Wait::Pause(_))) {
                // A pause needs nothing.
            } else if !self.cluster_is_there(step) {
                return;
            }
        }
        self.broker_step(step, verb);
        self.topic_step(step, verb);
        self.client_step(step, verb);
        self.flow_step(step, verb);
        self.condition_step(verb);
        let took = self.least.saturating_sub(before);
        if let Some(timeout) = step.head.timeout.as_ref().filter(|t| t.value < took) {
            let message = format!("the step takes at least {}", crate::value::duration_text(took));
            let help = "give it a longer `timeout`";
            self.tell(Diagnostic::new(Code::W010, timeout.span, message).help(help));
        }
    }

    /// Tells a step that needs a cluster before there is one.
    fn cluster_is_there(&mut self, step: &Step) -> bool {
        if self.state.cluster.is_some() || self.in_finally {
            return true;
        }
        if self.state.cluster_unknown {
            return true;
        }
        let message = format!("`{}` needs a cluster, and none is running here", step.head.word);
        let first = self.ever.cluster;
        let diagnostic = Diagnostic::new(Code::E056, step.head.key, message);
        self.tell(match first {
            Some(_) => diagnostic.help("the cluster is started later, or stopped before"),
            None => diagnostic.help("begin with `start_cluster: { brokers: 3 }`"),
        });
        // Said once: what follows would say the same.
        self.state.cluster_unknown = true;
        false
    }

    fn timeout(&mut self, plan: &Plan) {
        if self.least > plan.timeout.value {
            let (least, timeout) = (
                crate::value::duration_text(self.least),
                crate::value::duration_text(plan.timeout.value),
            );
            let message =
                format!("the steps take at least {least}, the plan's timeout is {timeout}");
            let span = if plan.timeout.span.end > 0 { plan.timeout.span } else { plan.name.span };
            self.tell(
                Diagnostic::new(Code::W010, span, message).help("give the plan a longer `timeout`"),
            );
        }
    }

    fn always(&mut self, always: &'p [Always]) {
        for one in always {
            for name in one.from.iter().chain(&one.to) {
                self.step_name(name, true);
            }
            for condition in one.that.flat() {
                self.references(condition, true);
            }
            one.that.iter().for_each(|condition| self.constant(condition));
        }
    }

    /// Tells a name that no step has, or, unless `any_time`, none before this one.
    fn step_name(&mut self, name: &Spanned<StepName>, any_time: bool) {
        let text = name.as_str();
        if self.names.contains_key(text) || (any_time && self.ever.names.contains(text)) {
            return;
        }
        let diagnostic = if self.ever.names.contains(text) {
            Diagnostic::new(Code::E053, name.span, format!("step \"{text}\" comes later"))
        } else {
            let message = format!("no step has the name \"{text}\"");
            let help = did_you_mean(text, self.ever.names.iter().copied());
            Diagnostic::new(Code::E053, name.span, message)
                .maybe_help(help.or_else(|| Some("give the step a `name`".to_owned())))
        };
        self.tell(diagnostic);
    }

    /// Tells a topic that is not there. What is left is the topic, if it is known.
    fn topic(&mut self, name: &Spanned<TopicName>, any_time: bool) -> Option<state::KnownTopic> {
        let text = name.as_str();
        if let Some(topic) = self.state.topics.get(text).filter(|t| !t.gone) {
            return Some(topic.clone());
        }
        if self.state.topics_unknown
            || text.starts_with("__")
            || (any_time && self.ever.topics.contains(text))
        {
            return None;
        }
        let diagnostic = if self.state.topics.contains_key(text) {
            let message = format!("topic `{text}` is deleted by an earlier step");
            Diagnostic::new(Code::E050, name.span, message)
        } else if self.ever.topics.contains(text) {
            if self.in_finally {
                return None;
            }
            let message = format!("topic `{text}` is created only by a later step");
            Diagnostic::new(Code::E050, name.span, message)
        } else {
            let message = format!("topic `{text}` is not created by this plan");
            let help = did_you_mean(text, self.ever.topics.iter().copied());
            Diagnostic::new(Code::W012, name.span, message).maybe_help(help)
        };
        self.tell(diagnostic);
        None
    }

    /// Tells a partition that is not there.
    fn partition(&mut self, partition: &Spanned<PartitionRef>, any_time: bool) {
        let name = Spanned::new(partition.topic.clone(), partition.span);
        let Some(topic) = self.topic(&name, any_time) else { return };
        if partition.partition >= topic.partitions {
            let last = topic.partitions.saturating_sub(1);
            let message =
                format!("topic `{}` has no partition {}", name.value, partition.partition);
            let help = format!("its partitions are 0 to {last}");
            self.tell(Diagnostic::new(Code::E054, partition.span, message).help(help));
        }
    }

    /// Tells a client or member that is not there. What is left is its state, if it is known.
    fn client(&mut self, name: &Spanned<MemberRef>, any_time: bool) -> Option<state::KnownClient> {
        let text = name.client.as_str();
        let Some(client) = self.state.clients.get(text).cloned() else {
            self.unknown_client(name, any_time);
            return None;
        };
        if let Some(member) = name.member {
            let message = match client.kind {
                ClientKind::Producer => format!("producer `{text}` has no members"),
                ClientKind::Copier => format!("copier `{text}` has no members"),
                ClientKind::Consumer if member > client.members => {
                    format!("consumer `{text}` has no member {member}")
                }
                ClientKind::Consumer => return Some(client),
            };
            let help = match client.members {
                0 | 1 => format!("write `{text}`"),
                n => format!("its members are {text}/1 to {text}/{n}"),
            };
            self.tell(Diagnostic::new(Code::E058, name.span, message).help(help));
        }
        Some(client)
    }

    fn unknown_client(&mut self, name: &Spanned<MemberRef>, any_time: bool) {
        let text = name.client.as_str();
        let later = self.ever.clients.contains(text);
        if self.state.clients_unknown || (later && (any_time || self.in_finally)) {
            return;
        }
        let diagnostic = if later {
            let message = format!("client `{text}` is started only by a later step");
            Diagnostic::new(Code::E051, name.span, message)
        } else {
            let message = format!("no client has the name `{text}`");
            let help = did_you_mean(text, self.ever.clients.iter().copied());
            Diagnostic::new(Code::E051, name.span, message).maybe_help(help)
        };
        self.tell(diagnostic);
    }

    fn group(&mut self, name: &Spanned<GroupName>) {
        let known = self.ever.groups.iter().any(|g| g == name.as_str());
        if known || self.state.external || self.state.clients_unknown {
            return;
        }
        let message = format!("no consumer of this plan is in group `{}`", name.value);
        let help = did_you_mean(name, self.ever.groups.iter().map(String::as_str));
        self.tell(Diagnostic::new(Code::E057, name.span, message).maybe_help(help));
    }

    /// The version of the cluster, if it is known.
    fn version(&self) -> Option<&KafkaVersion> {
        self.state.cluster.as_ref().map(|c| &c.version)
    }
}
