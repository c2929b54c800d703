//! Conditions that cannot come true any more.

use super::Follow;
use crate::conditions::{Condition, Connected, InSync, Leader, Progressing};
use crate::diagnostic::{Code, Diagnostic};
use crate::ground::{ClientKind, Liveness};
use crate::source::{Span, Spanned};
use crate::value::{Bound, LeaderIs, TopicName, broker_numbers};

impl<'p> Follow<'p> {
    fn impossible(&mut self, span: Span, message: impl Into<String>) {
        let diagnostic = Diagnostic::new(Code::E063, span, message);
        self.ground.tell(diagnostic.help("start what it needs before, or expect something else"));
    }

    /// Tells a condition that must hold and cannot.
    pub(super) fn possible(&mut self, condition: &'p Spanned<Condition>) {
        if self.ground.state.external || self.ground.state.cluster.is_none() {
            return;
        }
        let span = condition.span;
        match &condition.value {
            Condition::BrokersAlive(it) => self.brokers_alive(it.bound, span),
            Condition::Leader(it) => self.leader(it, span),
            Condition::Controller(it) => {
                if let Some(LeaderIs::Broker(n)) = it.is.as_deref() {
                    self.must_be_up(*n, "be the controller", span);
                }
            }
            Condition::InSync(it) => self.in_sync(it, span),
            Condition::UnderReplicatedPartitions(it) => {
                self.partitions_of(it.topic.as_ref(), it.bound, span);
                self.none_under_replicated(it.topic.as_ref(), it.bound, span);
            }
            Condition::UnderMinIsrPartitions(it) => {
                self.partitions_of(it.topic.as_ref(), it.bound, span);
            }
            Condition::OfflinePartitions(it) => {
                self.partitions_of(it.topic.as_ref(), it.bound, span);
            }
            Condition::Connected(it) => self.connected(it, span),
            Condition::Progressing(it) => self.progressing(it, span),
            _ => {}
        }
    }

    fn brokers_alive(&mut self, bound: Option<Bound<u64>>, span: Span) {
        let (Some(bound), Some(cluster)) = (bound, &self.ground.state.cluster) else { return };
        let down = cluster.count(|l| matches!(l, Liveness::Down | Liveness::Stopped));
        let up = cluster.count(|l| l == Liveness::Up);
        let most = u64::from(cluster.brokers - down);
        if bound.least().is_some_and(|n| n > most) {
            let all = crate::words::count(cluster.brokers.into(), "broker");
            let message = if down == 0 {
                format!("the cluster has only {all}")
            } else {
                format!("of {all}, {down} are down here")
            };
            self.impossible(span, message);
        } else if bound.most().is_some_and(|n| n < u64::from(up)) {
            let message =
                format!("{} certainly alive here", crate::words::count(up.into(), "broker"));
            self.impossible(span, message);
        }
    }

    fn must_be_up(&mut self, broker: u32, what: &str, span: Span) {
        if self.ground.state.cluster.as_ref().is_some_and(|c| c.is_down(broker)) {
            self.impossible(span, format!("broker {broker} is down here, so it cannot {what}"));
        }
    }

    fn leader(&mut self, it: &Leader, span: Span) {
        let partition = &it.partition;
        let topic = self.ground.state.topics.get(partition.topic.as_str());
        let replicas = topic
            .and_then(|t| t.assignment.as_ref())
            .and_then(|a| a.get(partition.partition as usize).cloned());
        match it.is.as_deref() {
            Some(LeaderIs::Broker(n)) => {
                if replicas.is_some_and(|r| !r.contains(n)) {
                    self.impossible(span, format!("broker {n} holds no replica of {partition}"));
                } else {
                    self.must_be_up(*n, "lead", span);
                }
            }
            Some(LeaderIs::Any) => {
                let all: Vec<u32> = match (replicas, &self.ground.state.cluster) {
                    (Some(replicas), _) => replicas,
                    (None, Some(cluster)) => broker_numbers(cluster.brokers).collect(),
                    (None, None) => return,
                };
                let down =
                    |n: &u32| self.ground.state.cluster.as_ref().is_some_and(|c| c.is_down(*n));
                if !all.is_empty() && all.iter().all(down) {
                    self.impossible(span, format!("every replica of {partition} is down here"));
                }
            }
            _ => {}
        }
    }

    fn in_sync(&mut self, it: &InSync, span: Span) {
        let name = it.topic.as_deref().or_else(|| it.partition.as_ref().map(|p| &p.topic));
        let topic = name.and_then(|n| self.ground.state.topics.get(n.as_str())).filter(|t| !t.gone);
        let (Some(topic), Some(cluster)) = (topic, &self.ground.state.cluster) else { return };
        let Some(least) = it.replicas.and_then(|b| b.least()) else { return };
        let (replicas, all) = (u64::from(topic.replicas), u64::from(cluster.brokers));
        let down = u64::from(cluster.count(|l| matches!(l, Liveness::Down | Liveness::Stopped)));
        let wanted = crate::words::count(least, "replica");
        if least > replicas {
            let has = crate::words::count(replicas, "replica");
            self.impossible(span, format!("{wanted} in sync, but each partition has {has}"));
        } else if least > all - down {
            self.impossible(
                span,
                format!("{wanted} in sync, but only {} of {all} brokers live here", all - down),
            );
        } else if replicas == all && down > 0 && least > replicas - down {
            let message =
                format!("{wanted} in sync, but {down} of the {all} brokers are down here");
            self.impossible(span, message);
        }
    }

    fn partitions_of(
        &mut self,
        topic: Option<&Spanned<TopicName>>,
        bound: Option<Bound<u64>>,
        span: Span,
    ) {
        let Some(name) = topic else { return };
        let Some(topic) = self.ground.state.topics.get(name.as_str()) else { return };
        let partitions = u64::from(topic.partitions);
        if bound.and_then(|b| b.least()).is_some_and(|n| n > partitions) {
            let has = crate::words::count(partitions, "partition");
            self.impossible(span, format!("topic `{}` has only {has}", name.value));
        }
    }

    /// With a replica on every broker and one of them down, every partition is under-replicated.
    fn none_under_replicated(
        &mut self,
        topic: Option<&Spanned<TopicName>>,
        bound: Option<Bound<u64>>,
        span: Span,
    ) {
        let Some(topic) = topic.and_then(|n| self.ground.state.topics.get(n.as_str())) else {
            return;
        };
        let Some(cluster) = &self.ground.state.cluster else { return };
        let down = cluster.count(|l| matches!(l, Liveness::Down | Liveness::Stopped));
        let everywhere = topic.replicas == cluster.brokers;
        let all = u64::from(topic.partitions);
        if everywhere && down > 0 && bound.and_then(|b| b.most()).is_some_and(|n| n < all) {
            let message =
                format!("every partition has a replica on a broker that is down here ({down} are)");
            self.impossible(span, message);
        }
    }

    fn connected(&mut self, it: &'p Connected, span: Span) {
        for broker in it.broker.numbers().unwrap_or_default() {
            self.must_be_up(broker, "answer", span);
        }
        for name in it.client.iter() {
            self.must_run(name.client.as_str(), "talk to a broker", name.span);
        }
    }

    fn must_run(&mut self, client: &str, what: &str, span: Span) {
        let state = match self.ground.state.clients.get(client).map(|c| c.life) {
            Some(Liveness::Down) => "was killed",
            Some(Liveness::Stopped) => "was stopped",
            Some(Liveness::Paused) => "is frozen",
            _ => return,
        };
        self.impossible(span, format!("client `{client}` {state}, so it cannot {what}"));
    }

    fn progressing(&mut self, it: &'p Progressing, span: Span) {
        for name in it.client.iter() {
            self.must_run(name.client.as_str(), "make progress", name.span);
            self.must_be_fed(name.client.as_str(), name.span);
        }
        let cluster = self.ground.state.cluster.as_ref();
        let down = |l: Liveness| matches!(l, Liveness::Down | Liveness::Stopped | Liveness::Paused);
        if cluster.is_some_and(|c| c.count(down) == c.brokers) {
            self.impossible(span, "every broker is down here, so nobody makes progress");
        }
    }

    /// A consumer gets nothing new while no producer sends to its topics.
    fn must_be_fed(&mut self, client: &str, span: Span) {
        let Some(consumer) = self.ground.state.clients.get(client) else { return };
        let (what, read) = match (consumer.kind, &consumer.from) {
            (ClientKind::Consumer, _) => ("consumer", consumer.topics.as_slice()),
            (ClientKind::Copier, Some(from)) => ("copier", std::slice::from_ref(from)),
            _ => return,
        };
        if self.ground.state.clients_unknown {
            return;
        }
        let feeds = |c: &crate::ground::KnownClient| {
            c.kind.sends()
                && matches!(c.life, Liveness::Up | Liveness::Maybe)
                && c.topics.iter().any(|t| read.contains(t))
        };
        if !self.ground.state.clients.values().any(feeds) {
            let message = format!("nobody sends to the topics of {what} `{client}` here");
            self.impossible(span, message);
        }
    }
}
