//! Steps about topics.

use super::{Follow, state::KnownTopic};
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::Step;
use crate::source::Spanned;
use crate::steps::{AlterTopic, CreateTopic, Verb};
use crate::value::Assignment;

impl<'p> Follow<'p> {
    pub(super) fn topic_step(&mut self, step: &'p Step, verb: &'p Verb) {
        match verb {
            Verb::CreateTopic(it) => {
                self.quorum(step.head.key);
                self.create_topic(it);
            }
            Verb::DeleteTopic(it) => {
                self.topic(&it.name, false);
                if let Some(topic) = self.state.topics.get_mut(it.name.as_str()) {
                    topic.gone = true;
                }
            }
            Verb::AlterTopic(it) => self.alter_topic(it),
            Verb::Describe(it) => {
                if let Some(topic) = &it.topic {
                    self.topic(topic, false);
                }
            }
            Verb::ElectLeaders(it) => {
                self.topic(&it.topic, false);
            }
            Verb::ReassignPartitions(it) => {
                let topic = self.topic(&it.topic, false);
                self.assigned_brokers(&it.assignment);
                let more = topic.filter(|t| it.assignment.0.len() > t.partitions as usize);
                if let Some(topic) = more {
                    let message = format!(
                        "topic `{}` has only {} partitions",
                        it.topic.value, topic.partitions
                    );
                    self.tell(Diagnostic::new(Code::E054, it.assignment.span, message));
                }
                if let Some(topic) = self.state.topics.get_mut(it.topic.as_str()) {
                    topic.assignment = None;
                }
            }
            Verb::Produce(it) => {
                self.user(it.user.as_ref());
                let topic = self.topic(&it.topic, false);
                self.state.produced = true;
                for partition in it.messages.iter().filter_map(|m| m.partition.as_ref()) {
                    let beyond = topic.as_ref().filter(|t| partition.value >= t.partitions);
                    if beyond.is_some() {
                        let message =
                            format!("topic `{}` has no partition {partition}", it.topic.value);
                        self.tell(Diagnostic::new(Code::E054, partition.span, message));
                    }
                }
            }
            Verb::Consume(it) => {
                self.topic(&it.topic, false);
            }
            _ => {}
        }
    }

    fn create_topic(&mut self, it: &CreateTopic) {
        let name = it.name.as_str();
        if self.state.topics.get(name).is_some_and(|t| !t.gone) && !self.in_finally {
            let message = format!("topic `{name}` exists already");
            self.tell(Diagnostic::new(Code::E055, it.name.span, message));
        }
        let brokers = self.state.cluster.as_ref().map(|c| c.brokers);
        if let Some(assignment) = &it.assignment {
            self.assigned_brokers(assignment);
        }
        self.replicas_fit(it);
        let replicas = it.replica_count(brokers.unwrap_or(3));
        let min_in_sync = it.config.get("min.insync.replicas").and_then(|n| n.parse().ok());
        let assignment = it.assignment.as_ref().map(|a| {
            a.0.iter().map(|replicas| replicas.iter().map(|r| r.value).collect()).collect()
        });
        self.topic_settings(&it.config, replicas);
        let unclean = it.config.get("unclean.leader.election.enable") == Some("true");
        let partitions = it.partition_count();
        let topic =
            KnownTopic { partitions, replicas, assignment, min_in_sync, unclean, gone: false };
        self.state.topics.insert(name.to_owned(), topic);
    }

    /// Tells more replicas than brokers that live.
    fn replicas_fit(&mut self, it: &CreateTopic) {
        let (Some(cluster), Some(replicas)) = (&self.state.cluster, &it.replicas) else { return };
        let down =
            cluster.count(|life| matches!(life, super::Liveness::Down | super::Liveness::Stopped));
        let alive = cluster.brokers.saturating_sub(down);
        if self.state.external || replicas.value <= alive {
            return;
        }
        let message = if replicas.value > cluster.brokers {
            format!(
                "{replicas} replicas on a cluster of {}",
                crate::words::count(cluster.brokers.into(), "broker")
            )
        } else {
            format!(
                "{replicas} replicas while only {} alive",
                crate::words::count(alive.into(), "broker")
            )
        };
        let diagnostic = Diagnostic::new(Code::E062, replicas.span, message);
        let told = diagnostic.related(cluster.span, "the cluster is started here");
        self.tell(told);
    }

    fn assigned_brokers(&mut self, assignment: &Spanned<Assignment>) {
        for broker in assignment.0.iter().flatten() {
            self.broker_number(broker.value, broker.span);
        }
    }

    fn alter_topic(&mut self, it: &AlterTopic) {
        let Some(topic) = self.topic(&it.name, false) else { return };
        if let Some(partitions) = it.partitions.as_ref().filter(|n| n.value <= topic.partitions) {
            let message = format!("the topic has {} partitions already", topic.partitions);
            let help = "partitions can only be added";
            self.tell(Diagnostic::new(Code::E015, partitions.span, message).help(help));
        }
        self.topic_settings(&it.config, topic.replicas);
        if let Some(kept) = self.state.topics.get_mut(it.name.as_str()) {
            if let Some(partitions) = &it.partitions {
                kept.partitions = partitions.value.max(kept.partitions);
                kept.assignment = None;
            }
            if let Some(unclean) = it.config.get("unclean.leader.election.enable") {
                kept.unclean = unclean == "true";
            }
        }
    }

    /// Warns of something that needs the controllers while too few of them live.
    pub(super) fn quorum(&mut self, span: crate::Span) {
        let lost =
            self.state.cluster.as_ref().is_some_and(super::state::KnownCluster::quorum_is_lost);
        if lost && !self.state.external {
            let message = "too few controllers live to decide this";
            let help = "with KRaft more than half of the controllers must live; combined, they are the \
                        brokers";
            self.tell(Diagnostic::new(Code::W003, span, message).help(help));
        }
    }
}
