//! Steps about topics.

use super::Follow;
use crate::diagnostic::{Code, Diagnostic};
use crate::ground::KnownTopic;
use crate::plan::Step;
use crate::steps::{AlterTopic, CreateTopic, Verb};

impl<'p> Follow<'p> {
    pub(super) fn topic_step(&mut self, step: &'p Step, verb: &'p Verb) {
        match verb {
            Verb::CreateTopic(it) => {
                self.ground.quorum(step.head.key);
                self.create_topic(it);
            }
            Verb::DeleteTopic(it) => {
                self.ground.topic(&it.name, false);
                if let Some(topic) = self.ground.state.topics.get_mut(it.name.as_str()) {
                    topic.gone = true;
                }
            }
            Verb::AlterTopic(it) => self.alter_topic(it),
            Verb::Describe(it) => {
                if let Some(topic) = &it.topic {
                    self.ground.topic(topic, false);
                }
            }
            Verb::ElectLeaders(it) => {
                self.ground.topic(&it.topic, false);
            }
            Verb::ReassignPartitions(it) => {
                let topic = self.ground.topic(&it.topic, false);
                self.ground.assigned_brokers(&it.assignment);
                let more = topic.filter(|t| it.assignment.0.len() > t.partitions as usize);
                if let Some(topic) = more {
                    let message = format!(
                        "topic `{}` has only {} partitions",
                        it.topic.value, topic.partitions
                    );
                    self.ground.tell(Diagnostic::new(Code::E054, it.assignment.span, message));
                }
                if let Some(topic) = self.ground.state.topics.get_mut(it.topic.as_str()) {
                    topic.assignment = None;
                }
            }
            Verb::Produce(it) => {
                self.ground.user(it.user.as_ref());
                let topic = self.ground.topic(&it.topic, false);
                self.ground.state.produced = true;
                for partition in it.messages.iter().filter_map(|m| m.partition.as_ref()) {
                    let beyond = topic.as_ref().filter(|t| partition.value >= t.partitions);
                    if beyond.is_some() {
                        let message =
                            format!("topic `{}` has no partition {partition}", it.topic.value);
                        self.ground.tell(Diagnostic::new(Code::E054, partition.span, message));
                    }
                }
            }
            Verb::Consume(it) => {
                self.ground.topic(&it.topic, false);
            }
            _ => {}
        }
    }

    fn create_topic(&mut self, it: &CreateTopic) {
        let name = it.name.as_str();
        if self.ground.state.topics.get(name).is_some_and(|t| !t.gone) && !self.ground.in_finally {
            let message = format!("topic `{name}` exists already");
            self.ground.tell(Diagnostic::new(Code::E055, it.name.span, message));
        }
        let brokers = self.ground.state.cluster.as_ref().map(|c| c.brokers);
        if let Some(assignment) = &it.assignment {
            self.ground.assigned_brokers(assignment);
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
        self.ground.state.topics.insert(name.to_owned(), topic);
    }

    /// Tells more replicas than brokers that live.
    fn replicas_fit(&mut self, it: &CreateTopic) {
        let (Some(cluster), Some(replicas)) = (&self.ground.state.cluster, &it.replicas) else {
            return;
        };
        let down = cluster.count(|life| {
            matches!(life, crate::ground::Liveness::Down | crate::ground::Liveness::Stopped)
        });
        let alive = cluster.brokers.saturating_sub(down);
        if self.ground.state.external || replicas.value <= alive {
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
        self.ground.tell(told);
    }

    fn alter_topic(&mut self, it: &AlterTopic) {
        let Some(topic) = self.ground.topic(&it.name, false) else { return };
        if let Some(partitions) = it.partitions.as_ref().filter(|n| n.value <= topic.partitions) {
            let message = format!("the topic has {} partitions already", topic.partitions);
            let help = "partitions can only be added";
            self.ground.tell(Diagnostic::new(Code::E015, partitions.span, message).help(help));
        }
        self.topic_settings(&it.config, topic.replicas);
        if let Some(kept) = self.ground.state.topics.get_mut(it.name.as_str()) {
            if let Some(partitions) = &it.partitions {
                kept.partitions = partitions.value.max(kept.partitions);
                kept.assignment = None;
            }
            if let Some(unclean) = it.config.get("unclean.leader.election.enable") {
                kept.unclean = unclean == "true";
            }
        }
    }
}
