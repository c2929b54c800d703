//! What conditions refer to.

use super::Follow;
use crate::conditions::{Condition, Conditions, Count};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::Kind;
use crate::ground::{ClientKind, KnownClient};
use crate::source::Spanned;
use crate::steps::{Step, Verb};
use crate::value::{Acks, LeaderIs, MemberRef, PartitionRef, StepName, TopicName};

/// What is done with conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// They must hold some time or now.
    Judged,
    /// They are written down.
    Recorded,
}

impl<'p> Follow<'p> {
    pub(super) fn condition_step(&mut self, step: &Step, verb: &'p Verb) {
        let kind = step.head.facts.kind;
        self.step_counts_from(verb);
        let how = if kind == Kind::Observation { Use::Recorded } else { Use::Judged };
        for conditions in verb.conditions() {
            self.conditions(conditions, how);
            if kind == Kind::Judgement {
                self.quorum_for(conditions);
            }
        }
    }

    fn conditions(&mut self, conditions: &'p Conditions, how: Use) {
        for condition in conditions.flat() {
            self.references(condition, false);
            self.counts_from(condition);
        }
        if how == Use::Judged {
            for condition in conditions.iter() {
                self.certainly(condition);
                self.constant(condition);
            }
        }
    }

    /// Judges what must hold whatever else does; inside `any` and `not` nothing must.
    fn certainly(&mut self, condition: &'p Spanned<Condition>) {
        if let Condition::All(all) = &condition.value {
            for inner in all.0.iter() {
                self.certainly(inner);
            }
        } else {
            self.possible(condition);
            self.judged(condition);
        }
    }

    /// Warns of conditions that only living controllers can make true.
    fn quorum_for(&mut self, conditions: &'p Conditions) {
        for condition in conditions.flat() {
            let needs = matches!(
                condition.value,
                Condition::Leader(_)
                    | Condition::PreferredLeaders(_)
                    | Condition::InSync(_)
                    | Condition::OfflinePartitions(_)
                    | Condition::UnderReplicatedPartitions(_)
                    | Condition::Progressing(_)
                    | Condition::Controller(_)
            );
            if needs {
                self.ground.quorum(condition.span);
            }
        }
    }

    /// Tells names in a condition that nothing has.
    pub(super) fn references(&mut self, condition: &'p Spanned<Condition>, any_time: bool) {
        if let Some(count) = condition.count() {
            self.count(condition, count, any_time);
            return;
        }
        match &condition.value {
            Condition::Controller(it) => self.leader_is(it.is.as_ref()),
            Condition::Leader(it) => {
                self.ground.partition(&it.partition, any_time);
                self.leader_is(it.is.as_ref());
            }
            Condition::PreferredLeaders(it) => self.place(it.topic.as_ref(), None, any_time),
            Condition::InSync(it) => self.place(it.topic.as_ref(), it.partition.as_ref(), any_time),
            Condition::ReplicasDiffer(it) => {
                self.place(it.topic.as_ref(), it.partition.as_ref(), any_time);
            }
            Condition::UnderReplicatedPartitions(it) => {
                self.place(it.topic.as_ref(), None, any_time)
            }
            Condition::UnderMinIsrPartitions(it) => self.place(it.topic.as_ref(), None, any_time),
            Condition::OfflinePartitions(it) => self.place(it.topic.as_ref(), None, any_time),
            Condition::Group(it) => self.ground.group(&it.name),
            Condition::Lag(it) => {
                self.ground.group(&it.group);
                self.place(it.topic.as_ref(), it.partition.as_ref(), any_time);
            }
            Condition::Offset(it) => self.ground.partition(&it.partition, any_time),
            Condition::Listener(it) => {
                self.ground.target(&it.broker);
            }
            Condition::Log(it) => {
                self.ground.target(&it.broker);
                self.since(it.since.as_ref(), any_time);
            }
            Condition::Message(it) => self.place(Some(&it.topic), None, any_time),
            Condition::Progressing(it) => {
                self.clients_of(condition, &it.client, any_time);
                self.answered(condition, &it.client);
            }
            Condition::Connected(it) => {
                self.clients_of(condition, &it.client, any_time);
                self.ground.target(&it.broker);
            }
            Condition::Unavailable(it) => {
                self.clients_of(condition, &it.client, any_time);
                self.answered(condition, &it.client);
                self.place(it.topic.as_ref(), it.partition.as_ref(), any_time);
                self.since(it.since.as_ref(), any_time);
            }
            Condition::Recovered(it) => {
                self.clients_of(condition, &it.client, any_time);
                self.answered(condition, &it.client);
                self.place(it.topic.as_ref(), it.partition.as_ref(), any_time);
                self.since(it.since.as_ref(), any_time);
            }
            Condition::Latency(it) => {
                self.clients_of(condition, &it.client, any_time);
                self.answered(condition, &it.client);
                for (_, step) in it.times() {
                    self.ground.step_name(step, any_time);
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, condition: &'p Spanned<Condition>, count: &'p Count, any_time: bool) {
        self.place(count.topic.as_ref(), count.partition.as_ref(), any_time);
        self.since(count.since.as_ref(), any_time);
        self.since(count.of.as_ref(), any_time);
        let word = condition.info().word;
        if let Some(sent) = count.sent.as_ref().filter(|_| !condition.knows_data_at_rest()) {
            let message = format!("`{word}` cannot be asked for what was sent before a step");
            let help = "`sent: before` goes with lost, expired, duplicated, reordered, diverged, \
                        corrupted and undelivered";
            self.ground.tell(Diagnostic::new(Code::E010, sent.span, message).help(help));
        }
        let Some(name) = &count.client else { return };
        let Some(client) = self.whole_client(condition, name, any_time) else { return };
        let other = match (&condition.value, client.kind) {
            (
                Condition::Acked(_)
                | Condition::Failed(_)
                | Condition::Committed(_)
                | Condition::Aborted(_)
                | Condition::UnexpectedSuccess(_)
                | Condition::Unresolved(_),
                ClientKind::Consumer,
            ) => "is a consumer, and",
            (
                Condition::Delivered(_)
                | Condition::Undelivered(_)
                | Condition::Redelivered(_)
                | Condition::Skipped(_)
                | Condition::AbortedRead(_),
                ClientKind::Producer,
            ) => "is a producer, and",
            _ => return,
        };
        let whose = if client.kind.reads() { "producers" } else { "consumers" };
        let message = format!("`{}` {other} `{word}` counts for {whose}", name.client);
        self.ground.tell(Diagnostic::new(Code::E067, name.span, message));
    }

    fn clients_of(
        &mut self,
        condition: &Spanned<Condition>,
        clients: &[Spanned<MemberRef>],
        any_time: bool,
    ) {
        for client in clients {
            self.whole_client(condition, client, any_time);
        }
    }

    /// What a client sends and receives is judged for all of its members together.
    fn whole_client(
        &mut self,
        condition: &Spanned<Condition>,
        name: &Spanned<MemberRef>,
        any_time: bool,
    ) -> Option<KnownClient> {
        let client = self.ground.client(name, any_time)?;
        if name.member.is_some_and(|member| member <= client.members) && client.kind.reads() {
            let word = condition.info().word;
            let message = format!(
                "`{word}` is judged for a whole client, and `{}` is one of its members",
                **name
            );
            let help = format!("name the client: `{}`", name.client);
            self.ground.tell(Diagnostic::new(Code::E069, name.span, message).help(help));
        }
        Some(client)
    }

    /// Acknowledgements are what the condition measures: each client must get some.
    fn answered(&mut self, condition: &Spanned<Condition>, clients: &[Spanned<MemberRef>]) {
        for client in clients {
            let known = self.ground.state.clients.get(&client.client.to_string());
            if known.is_some_and(|c| c.kind == ClientKind::Producer && c.acks == Acks::None) {
                let (word, name) = (condition.info().word, &client.client);
                let message = format!("`{word}` of `{name}`, which sends with `acks: 0`");
                let help = "no broker answers what it sends, so there is nothing to measure: \
                            `acks: 1` or `acks: all`, or ask about a consumer";
                self.ground.tell(Diagnostic::new(Code::E063, client.span, message).help(help));
            }
        }
    }

    fn place(
        &mut self,
        topic: Option<&Spanned<TopicName>>,
        partition: Option<&Spanned<PartitionRef>>,
        any_time: bool,
    ) {
        if let Some(topic) = topic {
            self.ground.topic(topic, any_time);
        }
        if let Some(partition) = partition {
            self.ground.partition(partition, any_time);
        }
    }

    fn since(&mut self, since: Option<&Spanned<StepName>>, any_time: bool) {
        if let Some(since) = since {
            self.ground.step_name(since, any_time);
        }
    }

    fn leader_is(&mut self, is: Option<&Spanned<LeaderIs>>) {
        if let Some(is) = is
            && let LeaderIs::Broker(n) = is.value
        {
            self.ground.broker_number(n, is.span);
        }
    }
}
