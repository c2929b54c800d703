//! Clients: which of them a step can work on, and their state after it.

use super::{ClientKind, Ground, KnownClient, Liveness, StepAt};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::Strikes;
use crate::source::{Span, Spanned};
use crate::value::{ClientName, Clients, MemberRef};

/// What is known of a client that a step names.
struct Named<'n> {
    name: &'n str,
    life: Liveness,
    ends: bool,
}

/// Why a step cannot work on a client.
struct Unfit {
    wrong: &'static str,
    help: Option<String>,
    /// True if this is a mistake even when the step can work on other clients.
    alone: bool,
}

impl Ground<'_> {
    pub fn new_client(&mut self, name: &Spanned<ClientName>) {
        let Some(old) = self.state.clients.get(name.as_str()) else { return };
        if self.in_finally {
            return;
        }
        let message = format!("client `{}` is already started by an earlier step", name.value);
        let help =
            format!("to start the same client again, write `- start_client: {}`", name.value);
        let diagnostic = Diagnostic::new(Code::E055, name.span, message).help(help);
        self.report(diagnostic.related(old.span, "it is started here"));
    }

    /// Reports a client that uses no transactions, where those of a client are meant.
    pub fn transactional(&mut self, name: &Spanned<ClientName>) {
        let member = MemberRef { client: name.value.clone(), member: None };
        let Some(client) = self.client(&Spanned::new(member, name.span), false) else { return };
        if !client.transactional {
            let message = format!("`{}` is a {} without transactions", **name, client.kind.word());
            let help = "name a copier, or a producer with `transactional`";
            let wrong = Diagnostic::new(Code::E067, name.span, message).help(help);
            self.report(wrong.related(client.span, "started here"));
        }
    }

    /// Reports a client that is not running where it must be.
    pub fn must_run(&mut self, client: &str, what: &str, span: Span) {
        let state = match self.state.clients.get(client).map(|c| c.life) {
            Some(Liveness::Down) => "was killed",
            Some(Liveness::Stopped) => "was stopped",
            Some(Liveness::Paused) => "is paused",
            Some(Liveness::Up | Liveness::Maybe) | None => return,
        };
        self.impossible(span, format!("client `{client}` {state}, so it cannot {what}"));
    }

    /// Warns of a fault while no producer runs, in a plan with producers that ran before.
    pub fn fault_without_traffic(&mut self, at: StepAt<'_>) {
        let at_rest = at.name.is_some_and(|name| self.ever.at_rest.contains(name));
        // Damaged files concern what was written before.
        let other = matches!(at.facts.strikes, Strikes::Clients | Strikes::Files);
        if other || self.in_finally || at_rest {
            return;
        }
        let lives = || self.state.clients.values().filter(|c| c.kind.sends()).map(|c| c.life);
        let silent = |life| matches!(life, Liveness::Down | Liveness::Stopped | Liveness::Paused);
        if lives().next().is_some() && lives().all(silent) {
            let message =
                "no producer runs during this fault, so the fault proves nothing about producers";
            let help = "put the fault before the step that ends or pauses the producers, or start them again first";
            self.report(Diagnostic::new(Code::W009, at.key, message).help(help));
        }
    }

    /// Reports what has no network of its own: only services that run as containers have one.
    pub fn own_networks(&mut self, clients: &Clients) {
        for name in clients.iter() {
            let Some(client) = self.client(name, false) else { continue };
            let wrong = if client.kind != ClientKind::Service {
                let message =
                    format!("`{}` is a {}, and no service", name.client, client.kind.word());
                Diagnostic::new(Code::E067, name.span, message)
            } else if client.published.is_none() {
                let message = format!("service `{}` has no network of its own", name.client);
                let help = "it runs as a process of this machine: run it as a container, with `image` in its `start_service`";
                Diagnostic::new(Code::E016, name.span, message).help(help)
            } else {
                continue;
            };
            self.report(wrong.related(client.span, "started here"));
        }
    }

    /// Kills, stops or pauses running clients.
    pub fn end_clients(&mut self, clients: &Clients, to: Liveness) {
        self.clients_in(clients, to, |client| {
            let start = format!("start it first: `- start_client: {}`", client.name);
            let (wrong, help) = match client.life {
                Liveness::Down => ("is already killed", start),
                Liveness::Stopped => ("is already stopped", start),
                Liveness::Paused if to != Liveness::Down => {
                    ("is paused", format!("resume it first: `- resume_client: {}`", client.name))
                }
                _ => return None,
            };
            // A paused client has not ended, but cannot be stopped.
            let alone = client.life == Liveness::Paused && to == Liveness::Stopped;
            Some(Unfit { wrong, help: Some(help), alone })
        });
    }

    /// Starts or resumes clients. `from` is the state that they must be in.
    pub fn begin_clients(&mut self, clients: &Clients, from: Liveness) {
        self.clients_in(clients, Liveness::Up, |client| {
            let wrong = match (client.life, from) {
                (Liveness::Up, Liveness::Paused) => "is not paused",
                (Liveness::Up, _) => "is already running",
                (Liveness::Down | Liveness::Stopped, Liveness::Paused) => "is not running",
                (Liveness::Paused, Liveness::Down) => "is paused, not ended",
                _ => return None,
            };
            (!client.ends).then_some(Unfit { wrong, help: None, alone: false })
        });
    }

    /// A step works on those clients that are in the state that it needs. It is a mistake if no client can be in
    /// it.
    fn clients_in(
        &mut self,
        clients: &Clients,
        to: Liveness,
        unfit: impl Fn(&Named<'_>) -> Option<Unfit>,
    ) {
        let (mut wrongs, mut left_out, mut fits) = (Vec::new(), Vec::new(), false);
        for name in clients.iter() {
            let Some(client) = self.client(name, false) else {
                fits = true;
                continue;
            };
            let client = Named { name: name.client.as_str(), life: client.life, ends: client.ends };
            let Some(unfit) = unfit(&client).filter(|_| name.member.is_none()) else {
                fits = true;
                self.set_client(name.client.as_str(), name.member.is_some(), to);
                continue;
            };
            let message = format!("client `{}` {}", name.client, unfit.wrong);
            let wrong = Diagnostic::new(Code::E064, name.span, message).maybe_help(unfit.help);
            if unfit.alone {
                wrongs.push(wrong)
            } else {
                left_out.push((name.client.as_str(), wrong))
            }
        }
        if !fits && wrongs.is_empty() {
            for (name, wrong) in left_out {
                self.set_client(name, false, to);
                wrongs.push(wrong);
            }
        }
        wrongs.into_iter().for_each(|wrong| self.report(wrong));
    }

    fn set_client(&mut self, name: &str, one_member: bool, life: Liveness) {
        if let Some(client) = self.state.clients.get_mut(name) {
            client.life = if one_member && client.members > 1 { Liveness::Maybe } else { life };
            if life == Liveness::Up {
                // It may send its `count` once more.
                client.most = None;
                self.sends_again(name);
            }
        }
    }

    /// True if a client may send to one of these topics now, or when it is resumed.
    pub fn is_sent_to(&self, topic: impl Fn(&str) -> bool) -> bool {
        let sends = |c: &KnownClient| {
            (c.kind.sends() || c.kind.serves())
                && !matches!(c.life, Liveness::Down | Liveness::Stopped)
                && (c.topics.is_empty() || c.topics.iter().any(|own| topic(own)))
        };
        self.state.clients.values().any(sends)
    }

    /// Consumers that waited for messages on the topics to which this client sends get them from now on.
    pub fn sends_again(&mut self, name: &str) {
        let Some(sender) = self.state.clients.get(name) else { return };
        if !(sender.kind.sends() || sender.kind.serves()) {
            return;
        }
        let topics = sender.topics.clone();
        for client in self.state.clients.values_mut().filter(|client| client.waits) {
            client.waits = !topics.is_empty() && !client.topics.iter().any(|t| topics.contains(t));
        }
    }
}
