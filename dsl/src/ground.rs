//! The state that steps and conditions are checked against: what is known of cluster, topics and clients between
//! two steps, which names exist, and the diagnostics about unknown names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::backend::{Abilities, Capability, is_release};
use crate::diagnostic::{Code, Diagnostic, Help, did_you_mean, nearest};
use crate::facts::StepFacts;
use crate::library::Library;
use crate::source::{Span, Spanned};
use crate::value::{Assignment, GroupName, KafkaVersion, MemberRef, PartitionRef, TopicName};

mod around;
mod brokers;
mod clients;
mod cluster;
mod names;
mod programs;
mod settings;
mod state;
mod users;

pub use cluster::KnownCluster;
pub use names::{Ever, Met, Runs};
pub use settings::UNCLEAN;
pub use state::{ClientKind, KnownClient, KnownState, KnownTopic, Liveness};

/// The step that a verb belongs to.
#[derive(Debug, Clone, Copy)]
pub struct StepAt<'p> {
    pub word: &'static str,
    pub facts: &'static StepFacts,
    pub name: Option<&'p str>,
    /// The place of the step.
    pub span: Span,
    /// The place of its verb.
    pub key: Span,
}

/// What is known at the start of a step.
pub struct Ground<'p> {
    pub state: KnownState,
    /// Whether clusters without an `image` run Kafka's own releases.
    pub releases: bool,
    pub ever: Ever<'p>,
    /// The steps followed so far, by name.
    pub names: BTreeMap<&'p str, Met>,
    pub diagnostics: Vec<Diagnostic>,
    /// Above 0: diagnostics are dropped, because the step is meant to fail.
    pub muted: usize,
    pub in_finally: bool,
    /// Whether the backend can number the first broker otherwise than 1.
    pub numbers_brokers: bool,
    /// True if brokers that were killed or stopped come back by themselves.
    pub come_back: bool,
    /// Numbers that brokers of a cluster that exists certainly have.
    pub file_brokers: BTreeSet<u32>,
    /// Numbers that brokers of the plan's clusters certainly have, if they exist before the plan.
    pub known_brokers: BTreeSet<u32>,
    /// The numbers of brokers in the plan, each with its first place, if the cluster exists before the plan.
    pub named_brokers: BTreeMap<u32, Span>,
    /// The least time that the steps take.
    pub least: Duration,
    /// The faults whose `during` contains this step, the outermost first. They are in force here.
    pub around: Vec<StepAt<'p>>,
    pub(crate) library: &'p Library,
}

impl<'p> Ground<'p> {
    /// The state before the first step: only the names that the plan's steps make are known.
    pub(crate) fn new(backend: &Abilities, ever: Ever<'p>, library: &'p Library) -> Self {
        Self {
            state: KnownState::new(backend.borrowed),
            releases: backend.image.as_deref().is_none_or(is_release),
            ever,
            names: BTreeMap::new(),
            diagnostics: Vec::new(),
            muted: 0,
            in_finally: false,
            numbers_brokers: backend.can.contains(&Capability::BrokerNumbers),
            come_back: !backend.can.contains(&Capability::KeepDown),
            file_brokers: backend.brokers.clone(),
            known_brokers: BTreeSet::new(),
            named_brokers: BTreeMap::new(),
            least: Duration::ZERO,
            around: Vec::new(),
            library,
        }
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        if self.muted == 0 {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports a condition that must hold but cannot.
    pub fn impossible(&mut self, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::new(Code::E063, span, message);
        self.report(
            diagnostic
                .help("start what it needs in an earlier step, or change what the plan expects"),
        );
    }

    /// Adds the least time of a step.
    pub fn takes(&mut self, time: Duration) {
        self.least = self.least.saturating_add(time);
    }

    /// Reports a topic that does not exist here. Returns the topic, if it is known.
    pub fn topic(&mut self, name: &Spanned<TopicName>, any_time: bool) -> Option<KnownTopic> {
        let text = name.as_str();
        if let Some(topic) = self.state.topics.get(text).filter(|t| !t.gone) {
            return Some(topic.clone());
        }
        if self.state.topics_unknown
            || text.starts_with("__")
            || self.ever.external.contains(text)
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
            let message = format!("topic `{text}` does not exist yet: a later step creates it");
            Diagnostic::new(Code::E050, name.span, message)
        } else {
            let message = format!("topic `{text}` is not created by this plan");
            let help = near_or_external("topics", text, self.ever.topics.iter().copied());
            Diagnostic::new(Code::W012, name.span, message).help(help)
        };
        self.report(diagnostic);
        None
    }

    /// Reports a partition that does not exist.
    pub fn partition(&mut self, partition: &Spanned<PartitionRef>, any_time: bool) {
        let name = Spanned::new(partition.topic.clone(), partition.span);
        let Some(topic) = self.topic(&name, any_time) else { return };
        if partition.partition >= topic.partitions {
            let last = topic.partitions.saturating_sub(1);
            let message =
                format!("topic `{}` has no partition {}", name.value, partition.partition);
            let help = format!("its partitions are 0 to {last}");
            self.report(Diagnostic::new(Code::E054, partition.span, message).help(help));
        }
    }

    /// Reports a client or member that does not exist here. Returns the client, if it is known.
    pub fn client(&mut self, name: &Spanned<MemberRef>, any_time: bool) -> Option<KnownClient> {
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
                ClientKind::Service if member > client.members => {
                    format!("service `{text}` has no instance {member}")
                }
                ClientKind::Consumer | ClientKind::Service => return Some(client),
            };
            let help = match client.members {
                0 | 1 => format!("write `{text}`"),
                n => format!("its members are {text}/1 to {text}/{n}"),
            };
            self.report(Diagnostic::new(Code::E058, name.span, message).help(help));
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
            let message = format!("client `{text}` does not exist yet: a later step starts it");
            Diagnostic::new(Code::E051, name.span, message)
        } else {
            let message = format!("no client has the name `{text}`");
            let help = did_you_mean(text, self.ever.clients.iter().copied());
            Diagnostic::new(Code::E051, name.span, message).maybe_help(help)
        };
        self.report(diagnostic);
    }

    pub fn group(&mut self, name: &Spanned<GroupName>) {
        let known = self.ever.groups.iter().any(|g| g == name.as_str());
        if known || self.state.external || self.state.clients_unknown {
            return;
        }
        let message = format!("no consumer of this plan is in group `{}`", name.value);
        let known = self.ever.groups.iter().map(String::as_str);
        let help = near_or_external("groups", name, known);
        self.report(Diagnostic::new(Code::E057, name.span, message).help(help));
    }

    /// Reports a condition whose result does not depend on the cluster.
    pub fn judges_nothing(&mut self, span: Span, known: bool, help: &'static str) {
        let message = if known {
            "this condition is always true, whatever the cluster does, so it judges nothing"
        } else {
            "this condition is never true, whatever the cluster does, so it judges nothing"
        };
        self.report(Diagnostic::new(Code::W019, span, message).help(help));
    }

    /// True if the value is written literally, not made by a template.
    pub fn is_literal(&self, span: Span) -> bool {
        self.library.with(span.file, |s| !s.slice(span).contains("{{")).unwrap_or(true)
    }

    /// The version of the cluster, if it is known.
    pub fn version(&self) -> Option<&KafkaVersion> {
        self.state.cluster.as_ref().map(|c| &c.version)
    }

    /// Reports what Kafka does not have before a version (`since`: `2.6`).
    pub fn needs_kafka(&mut self, span: Span, what: &str, since: &str) {
        let first: Vec<u32> = since.split('.').filter_map(|number| number.parse().ok()).collect();
        let old = self.version().filter(|version| version.before(&first)).map(ToString::to_string);
        let Some(version) = old.filter(|_| !self.state.external) else { return };
        let message = format!("Kafka {version} cannot {what}");
        let help = format!("use version {since} or newer");
        self.report(Diagnostic::new(Code::E071, span, message).help(help));
    }

    pub fn assigned_brokers(&mut self, assignment: &Spanned<Assignment>) {
        for broker in assignment.0.iter().flatten() {
            self.broker_number(broker.value, broker.span);
        }
    }

    /// Warns of something that needs the controllers while too few of them are running.
    pub fn quorum(&mut self, span: Span) {
        let lost = self.state.cluster.as_ref().is_some_and(KnownCluster::quorum_is_lost);
        if lost && !self.state.external {
            let message = "too few controllers are running for this";
            let help = "with KRaft, more than half of the controllers must be running; with `controllers: combined` \
                        they run in the brokers' processes";
            self.report(Diagnostic::new(Code::W003, span, message).help(help));
        }
    }
}

/// The nearest name, or how a plan declares a name that it does not make itself.
fn near_or_external<'n>(
    key: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Help {
    match nearest(name, known) {
        Some(near) => Help::did_you_mean(name, near),
        None => format!(
            "if another program makes it, declare it in the plan: `external: {{ {key}: [{name}] }}`"
        )
        .into(),
    }
}
