//! Finds judgements about the log that have nothing to judge, or that settings of the plan make pointless.

use super::Follow;
use crate::args::arguments_of;
use crate::backend::Capability;
use crate::conditions::Condition;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::CountsOf;
use crate::ground::{ClientKind, KnownClient, Liveness};
use crate::source::Spanned;
use crate::value::ClientName;

impl<'p> Follow<'p> {
    pub(super) fn judged(&mut self, condition: &'p Spanned<Condition>) {
        self.transactions(condition);
        self.more_than_is_sent(condition);
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

    /// Reports a number of acknowledged messages that is greater than all that producers send.
    fn more_than_is_sent(&mut self, condition: &'p Spanned<Condition>) {
        let (Condition::Acked(acked), state) = (&condition.value, &self.ground.state) else {
            return;
        };
        let least = acked.count.bound.and_then(|bound| bound.least());
        let unknown = state.external || state.clients_unknown || state.produced;
        let Some(least) = least.filter(|_| !unknown && !self.ground.in_finally) else { return };
        let topic = acked.count.of_topic();
        let meant = |c: &&KnownClient| {
            c.kind.sends() && topic.is_none_or(|topic| c.topics.iter().any(|own| own == topic))
        };
        let senders: Vec<&KnownClient> = state.clients.values().filter(meant).collect();
        let most = senders.iter().map(|sender| sender.most).sum::<Option<u64>>();
        let Some(most) = most.filter(|most| *most < least && !senders.is_empty()) else { return };
        let message = format!(
            "{} acknowledged, but the producers send {most} in all (`count`)",
            crate::words::count(least, "message")
        );
        self.ground.impossible(condition.span, message);
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
