//! Finds judgements about the log that have nothing to judge, or that settings of the plan make pointless.

use super::Follow;
use crate::args::arguments_of;
use crate::backend::Capability;
use crate::conditions::Condition;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::CountsOf;
use crate::ground::{ClientKind, KnownClient, Liveness};
use crate::source::Spanned;
use crate::value::{Bound, ClientName};

impl<'p> Follow<'p> {
    pub(super) fn judged(&mut self, condition: &'p Spanned<Condition>) {
        self.transactions(condition);
        self.number(condition);
        let fits = !condition.facts().is_audited() || self.something_to_audit(condition);
        if fits && !self.ground.in_finally {
            condition.defeated(condition.span, &mut self.ground);
        }
    }

    /// Reports a condition about transactions in a plan whose producers use none.
    fn transactions(&mut self, condition: &'p Spanned<Condition>) {
        let facts = condition.facts();
        let state = &self.ground.state;
        let of_messages =
            facts.counts_of(CountsOf::Producers) || facts.counts_of(CountsOf::Consumers);
        let asks = of_messages && facts.needs == Some(Capability::Transactions);
        if !asks || state.external || state.clients_unknown || self.ground.in_finally {
            return;
        }
        let may = |c: &KnownClient| {
            c.transactional || c.kind == ClientKind::Service || c.program.is_some()
        };
        if state.clients.values().any(may) {
            return;
        }
        let word = condition.info().word;
        let message =
            format!("`{word}` has nothing to judge: no client of the plan sends in transactions");
        let help = "let a producer do so: `transactional: { messages: 10, abort: 20% }`";
        self.ground.report(Diagnostic::new(Code::E063, condition.span, message).help(help));
    }

    /// Reports a number of messages that cannot be reached, or that only chance reaches.
    fn number(&mut self, condition: &'p Spanned<Condition>) {
        let of_consumers = matches!(condition.value, Condition::Delivered(_));
        if !(of_consumers || matches!(condition.value, Condition::Acked(_))) {
            return;
        }
        let state = &self.ground.state;
        let unknown = state.external || state.clients_unknown || state.produced;
        let Some(count) = condition.count().filter(|_| !unknown && !self.ground.in_finally) else {
            return;
        };
        let Some(bound) = count.bound else { return };
        let of_topic = |topics: &[String]| {
            count.of_topic().is_none_or(|topic| topics.iter().any(|own| own == topic))
        };
        let all = || state.clients.values();
        let only = count.client.as_ref().map(|client| client.client.as_str());
        let meant = |(name, c): &(&String, &KnownClient)| {
            c.kind.sends() && of_topic(&c.topics) && only.is_none_or(|only| only == name.as_str())
        };
        let senders: Vec<&KnownClient> =
            state.clients.iter().filter(meant).map(|(_, c)| c).collect();
        let most = senders.iter().map(|sender| sender.most).sum::<Option<u64>>();
        // What a copier sends depends on what it reads.
        let endless = senders.iter().any(|c| c.kind == ClientKind::Producer && c.most.is_none());
        let word = condition.info().word;
        let wrong = if of_consumers && !all().any(|c| c.kind.reads() && of_topic(c.reads())) {
            let message =
                format!("`{word}` has nothing to judge: no earlier step starts a consumer");
            Diagnostic::new(Code::E063, condition.span, message)
                .help("start a consumer of the topic in an earlier step")
        } else if let Some(most) =
            most.filter(|most| bound.least() > Some(*most) && !of_consumers && !senders.is_empty())
        {
            let least = crate::words::count(bound.least().unwrap_or_default(), "message");
            let message =
                format!("{least} acknowledged, but the producers send {most} in all (`count`)");
            Diagnostic::new(Code::E063, condition.span, message)
                .help("let the producers send more, or change what the plan expects")
        } else if let Bound::Is(exact @ 1..) = bound
            && endless
        {
            let message = format!(
                "`{word}: {exact}` asks for an exact number, and nothing limits how many messages are sent"
            );
            let help = format!(
                "ask for a least number, `{word}: {{ at_least: {exact} }}`, or give the producer a `count`"
            );
            Diagnostic::new(Code::W028, condition.span, message).help(help)
        } else {
            return;
        };
        self.ground.report(wrong);
    }

    /// Reports missing clients, and clients that still run, where the log is judged. False if no further check is
    /// useful.
    fn something_to_audit(&mut self, condition: &'p Spanned<Condition>) -> bool {
        if self.ground.in_finally || self.ground.state.clients_unknown {
            return false;
        }
        let producers = self.of_kind(ClientKind::sends);
        let named = arguments_of::<Spanned<ClientName>>(condition.parts());
        let services = named.into_iter().filter_map(|name| {
            let known = self.ground.state.clients.get(name.as_str())?;
            Some((name.to_string(), known.clone()))
        });
        let word = condition.info().word;
        if producers.is_empty() && !self.ground.state.produced {
            let message = format!("`{word}` has nothing to judge: no earlier step sends messages");
            self.ground.report(
                Diagnostic::new(Code::E063, condition.span, message)
                    .help("start a producer in an earlier step"),
            );
            return false;
        }
        if self.every_topic_is_gone(&producers) {
            let message =
                format!("`{word}` has nothing to judge: every topic with messages is deleted here");
            let help = "judge before the step that deletes the topic";
            self.ground.report(Diagnostic::new(Code::E063, condition.span, message).help(help));
            return false;
        }
        let mut running = producers.iter().cloned().chain(services);
        if let Some((name, client)) = running.find(|(_, c)| c.life == Liveness::Up) {
            let kind = client.kind.word();
            let message = format!("`{word}` is judged while {kind} `{name}` still runs");
            let help = format!("stop it first: `- stop_client: {name}`");
            self.ground.report(Diagnostic::new(Code::W008, condition.span, message).help(help));
        }
        if condition.facts().counts_of(CountsOf::Consumers) {
            self.about_consumers(condition);
        }
        if condition.facts().counts_of(CountsOf::Copiers)
            && self.of_kind(|kind| kind == ClientKind::Copier).is_empty()
        {
            let message = format!("`{word}` has nothing to judge: no earlier step starts a copier");
            let help = "start one in an earlier step: `- start_copier: { name: X, from: TOPIC, to: TOPIC }`";
            self.ground.report(Diagnostic::new(Code::E063, condition.span, message).help(help));
        }
        true
    }

    /// True if each topic to which messages were sent was deleted and not created again.
    fn every_topic_is_gone(&self, producers: &[(String, KnownClient)]) -> bool {
        let state = &self.ground.state;
        let gone = |topic: &String| state.topics.get(topic).is_some_and(|topic| topic.gone);
        let mut topics = producers.iter().flat_map(|(_, producer)| &producer.topics).peekable();
        !(state.produced || state.external) && topics.peek().is_some() && topics.all(gone)
    }

    fn of_kind(&self, kind: fn(ClientKind) -> bool) -> Vec<(String, KnownClient)> {
        let all = self.ground.state.clients.iter().filter(|(_, c)| kind(c.kind));
        all.map(|(name, client)| (name.clone(), client.clone())).collect()
    }

    fn about_consumers(&mut self, condition: &'p Spanned<Condition>) {
        let word = condition.info().word;
        let consumers = self.of_kind(ClientKind::reads);
        if consumers.is_empty() {
            let message =
                format!("`{word}` has nothing to judge: no earlier step starts a consumer");
            let help = "start a consumer in an earlier step";
            self.ground.report(Diagnostic::new(Code::E063, condition.span, message).help(help));
        }
        let of_topic = condition.count().and_then(|count| count.of_topic());
        let unread = |topic: &&str| {
            !consumers.iter().any(|(_, c)| c.reads().iter().any(|read| read == topic))
        };
        if let Some(topic) = of_topic.filter(unread).filter(|_| !consumers.is_empty()) {
            let message = format!(
                "`{word}` has nothing to judge: no earlier step starts a consumer of `{topic}`"
            );
            let help = "name a topic that a consumer reads, or start a consumer of this one";
            self.ground.report(Diagnostic::new(Code::E063, condition.span, message).help(help));
        }
        let only = condition.count().and_then(|c| c.client.as_ref()).map(|c| c.client.to_string());
        let meant = consumers.iter().filter(|(name, _)| only.as_ref().is_none_or(|o| o == name));
        let unfinished: Vec<String> = meant
            .filter(|(_, c)| matches!(c.life, Liveness::Up | Liveness::Down | Liveness::Paused))
            .map(|(name, _)| name.clone())
            .collect();
        if let Some(name) = unfinished.first() {
            let message = format!("`{word}` is judged before consumer `{name}` has caught up");
            let help =
                format!("stop it first, then it reads to the log's end: `- stop_client: {name}`");
            self.ground.report(Diagnostic::new(Code::W016, condition.span, message).help(help));
        }
    }
}
