//! Checks the names that conditions refer to.

use super::Follow;
use crate::args::arguments_of;
use crate::conditions::{Condition, Conditions, Count};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{CountFacts, CountsOf, Kind};
use crate::ground::{ClientKind, KnownClient};
use crate::source::Spanned;
use crate::steps::{Step, Verb};
use crate::value::{
    Acks, ClientName, Clients, GroupName, LeaderIs, MemberRef, PartitionRef, Target, TopicName,
};

/// What is done with conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// They must hold, now or at some time.
    Judged,
    /// They are only recorded.
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
            for condition in conditions.certain() {
                self.possible(condition);
                self.judged(condition);
            }
            conditions.iter().for_each(|condition| self.constant(condition));
        }
    }

    /// Warns of conditions that become true only with a running quorum of controllers.
    fn quorum_for(&mut self, conditions: &'p Conditions) {
        for condition in conditions.flat().iter().filter(|c| c.facts().needs_quorum) {
            self.ground.quorum(condition.span);
        }
    }

    /// Reports a condition that must hold but cannot.
    fn possible(&mut self, condition: &Spanned<Condition>) {
        if !self.ground.state.external && self.ground.state.cluster.is_some() {
            condition.follow(condition.span, &mut self.ground);
        }
        if self.ground.come_back {
            self.comes_back(condition);
        }
    }

    /// Reports a condition that is true only while a broker is down, where brokers come back by themselves.
    fn comes_back(&mut self, condition: &Spanned<Condition>) {
        let (Condition::BrokersAlive(alive), Some(cluster)) =
            (&condition.value, &self.ground.state.cluster)
        else {
            return;
        };
        let all = u64::from(cluster.brokers);
        let Some(most) = alive.bound.and_then(|bound| bound.most()).filter(|most| *most < all)
        else {
            return;
        };
        let message = format!(
            "a killed or stopped broker of this cluster comes back by itself, so that at most {most} of {all} are \
             alive holds only for a moment, or is never seen"
        );
        let help = "judge what must hold after the kill, such as `progressing`, or use a cluster whose brokers stay \
                    down";
        let diagnostic = Diagnostic::new(Code::E063, condition.span, message);
        self.ground.report(diagnostic.help(help));
    }

    /// Reports unknown names in a condition. The types of its arguments decide where they are looked up.
    pub(super) fn references(&mut self, condition: &'p Spanned<Condition>, any_time: bool) {
        let arguments = condition.parts();
        for client in arguments_of::<Clients>(arguments).into_iter().flat_map(|all| all.iter()) {
            self.whole_client(condition, client, any_time);
        }
        for service in arguments_of::<Spanned<ClientName>>(arguments) {
            self.service(condition, service, any_time);
        }
        let ground = &mut self.ground;
        for service in arguments_of::<Spanned<MemberRef>>(arguments) {
            let known = ground.client(service, any_time);
            let word = condition.info().word;
            if word != "log" && known.is_some_and(|client| client.kind != ClientKind::Service) {
                let message =
                    format!("`{word}` is judged for services, but `{}` is none", **service);
                ground.report(Diagnostic::new(Code::E067, service.span, message));
            }
        }
        for group in arguments_of::<Spanned<GroupName>>(arguments) {
            ground.group(group);
        }
        for topic in arguments_of::<Spanned<TopicName>>(arguments) {
            ground.topic(topic, any_time);
        }
        for partition in arguments_of::<Spanned<PartitionRef>>(arguments) {
            ground.partition(partition, any_time);
        }
        for broker in arguments_of::<Spanned<Target>>(arguments) {
            ground.target(broker);
        }
        for is in arguments_of::<Spanned<LeaderIs>>(arguments) {
            if let LeaderIs::Broker(n) = is.value {
                ground.broker_number(n, is.span);
            }
        }
        for step in condition.steps() {
            ground.step_name(step, any_time);
        }
        if let (Some(count), Some(facts)) = (condition.count(), condition.facts().counts) {
            self.count(condition, count, facts, any_time);
        }
    }

    /// Conditions about what a client sends and receives are judged for all of its members together. Conditions
    /// that measure answers need a client that gets answers.
    fn whole_client(
        &mut self,
        condition: &Condition,
        name: &Spanned<MemberRef>,
        any_time: bool,
    ) -> Option<KnownClient> {
        let client = self.ground.client(name, any_time)?;
        let word = condition.info().word;
        let service = client.kind == ClientKind::Service;
        if service && !self.shows_traffic(condition, name, &client) {
            return None;
        }
        let several = service || client.kind.reads();
        if name.member.is_some_and(|member| member <= client.members) && several {
            let message = format!(
                "`{word}` is judged for a whole client, but `{}` is a member of a client",
                **name
            );
            let help = format!("name the client: `{}`", name.client);
            self.ground.report(Diagnostic::new(Code::E069, name.span, message).help(help));
        }
        let unanswered = client.kind == ClientKind::Producer && client.acks == Acks::None;
        if unanswered && condition.facts().needs_answers {
            let message = format!(
                "`{word}` cannot be judged for `{}`, which sends with `acks: 0`",
                name.client
            );
            let help = "brokers do not answer its requests, so there is nothing to measure: use `acks: 1` \
                        or `acks: all`, or name a consumer instead";
            self.ground.report(Diagnostic::new(Code::E063, name.span, message).help(help));
        }
        Some(client)
    }

    /// Reports a condition that cannot be judged for a service: the traffic of a service is known by what it makes of
    /// the messages of one topic in another one.
    fn shows_traffic(
        &mut self,
        condition: &Condition,
        name: &Spanned<MemberRef>,
        service: &KnownClient,
    ) -> bool {
        let by_answers = condition.facts().needs_answers;
        if by_answers && service.from.is_some() && !service.topics.is_empty() {
            return true;
        }
        let word = condition.info().word;
        let message =
            format!("`{word}` cannot be judged for `{}`, which is a service", name.client);
        let wrong = Diagnostic::new(Code::E067, name.span, message);
        self.ground.report(if by_answers {
            let help = "write the topic that it reads and the one that it writes: `from: TOPIC` and `to: TOPIC` of \
                        its `start_service`";
            wrong.help(help).related(service.span, "started here")
        } else {
            let words = Condition::FACTS.iter().filter(|(_, facts)| facts.needs_answers);
            let words: Vec<String> = words.map(|(word, _)| format!("`{word}`")).collect();
            wrong.help(format!(
                "the conditions about services are `running`, `log`, `http`, `unprocessed` and `overprocessed`, and \
                 with `from` and `to` also {}",
                crate::words::list(&words)
            ))
        });
        false
    }

    /// Reports a client that is no service where the work of a service is judged.
    fn service(&mut self, condition: &Condition, name: &Spanned<ClientName>, any_time: bool) {
        let member = MemberRef { client: name.value.clone(), member: None };
        let Some(client) = self.ground.client(&Spanned::new(member, name.span), any_time) else {
            return;
        };
        let word = condition.info().word;
        if !client.kind.serves() {
            let kind = client.kind.word();
            let message =
                format!("`{}` is a {kind}, and `{word}` counts for services and copiers", **name);
            self.ground.report(Diagnostic::new(Code::E067, name.span, message));
        } else if client.kind == ClientKind::Service
            && (client.from.is_none()
                || client.topics.is_empty() && !self.ground.state.collected.contains(name.as_str()))
        {
            let message = format!("`{word}` needs what service `{}` reads and writes", **name);
            let help = "write `from: TOPIC` and `to: TOPIC` of its `start_service`, or `from` and an earlier step \
                        `collect` if it writes elsewhere";
            let wrong = Diagnostic::new(Code::E063, name.span, message).help(help);
            self.ground.report(wrong.related(client.span, "started here"));
        }
    }

    fn count(
        &mut self,
        condition: &Condition,
        count: &'p Count,
        facts: CountFacts,
        any_time: bool,
    ) {
        let word = condition.info().word;
        if let Some(topic) = &count.topic {
            self.ground.topic(topic, any_time);
        }
        if let Some(partition) = &count.partition {
            self.ground.partition(partition, any_time);
        }
        if let Some(sent) = count.sent.as_ref().filter(|_| !facts.at_rest) {
            let message = format!("`{word}` does not take `sent: before`");
            let at_rest =
                Condition::FACTS.iter().filter(|(_, f)| f.counts.is_some_and(|c| c.at_rest));
            let words: Vec<&str> = at_rest.map(|(word, _)| *word).collect();
            let help = format!("the conditions that take it are {}", crate::words::list(&words));
            self.ground.report(Diagnostic::new(Code::E010, sent.span, message).help(help));
        }
        let Some(name) = &count.client else { return };
        let Some(client) = self.whole_client(condition, name, any_time) else { return };
        let other = match (facts.of, client.kind) {
            (CountsOf::Producers, ClientKind::Consumer) => "is a consumer, and",
            (CountsOf::Consumers, ClientKind::Producer) => "is a producer, and",
            _ => return,
        };
        let whose = if client.kind.reads() { "producers" } else { "consumers" };
        let message = format!("`{}` {other} `{word}` counts for {whose}", name.client);
        self.ground.report(Diagnostic::new(Code::E067, name.span, message));
    }
}
