//! Steps about producers and consumers.

use super::state::{ClientKind, KnownClient};
use super::{Follow, Liveness};
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::Step;
use crate::source::{Span, Spanned};
use crate::steps::{StartConsumer, StartCopier, StartProducer, Verb};
use crate::value::{Acks, ClientName, Clients, Compression, UserName};

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
    /// Also where the step can work on others.
    alone: bool,
}

impl<'p> Follow<'p> {
    pub(super) fn client_step(&mut self, _: &'p Step, verb: &'p Verb) {
        match verb {
            Verb::StartProducer(it) => self.start_producer(it),
            Verb::StartConsumer(it) => self.start_consumer(it),
            Verb::StartCopier(it) => self.start_copier(it),
            Verb::KillClient(it) => self.end_clients(&it.client, Liveness::Down),
            Verb::StopClient(it) => self.end_clients(&it.client, Liveness::Stopped),
            Verb::PauseClient(it) => self.end_clients(&it.client, Liveness::Paused),
            Verb::ResumeClient(it) => self.begin_clients(&it.client, Liveness::Paused),
            Verb::StartClient(it) => self.begin_clients(&it.client, Liveness::Down),
            Verb::StopCluster(_) => {}
            _ => {}
        }
    }

    fn new_client(&mut self, name: &Spanned<ClientName>) {
        let Some(old) = self.state.clients.get(name.as_str()) else { return };
        if self.in_finally {
            return;
        }
        let message = format!("client `{}` was started before", name.value);
        let help =
            format!("`- start_client: {}` starts it again with the same settings", name.value);
        let diagnostic = Diagnostic::new(Code::E055, name.span, message).help(help);
        let told = diagnostic.related(old.span, "here");
        self.tell(told);
    }

    fn start_producer(&mut self, it: &StartProducer) {
        self.new_client(&it.name);
        let topic = self.topic(&it.topic, false);
        self.user(it.user.as_ref());
        self.producer_version(it);
        let min = topic.and_then(|t| t.min_in_sync).filter(|n| *n > 1);
        if let Some(min) =
            min.filter(|_| it.acks.value != Acks::All && self.is_literal(it.acks.span))
        {
            let message =
                format!("min.insync.replicas={min} does not count for acks={}", it.acks.value);
            let help = "with `acks: all` the topic's setting counts";
            self.tell(Diagnostic::new(Code::W007, it.acks.span, message).help(help));
        }
        let client = KnownClient {
            kind: ClientKind::Producer,
            life: if it.count.is_some() { Liveness::Maybe } else { Liveness::Up },
            members: 1,
            topics: vec![it.topic.to_string()],
            from: None,
            acks: it.acks.value,
            ends: it.count.is_some(),
            span: it.name.span,
        };
        self.state.clients.insert(it.name.to_string(), client);
    }

    /// True if a value stands in the plan as it is, not made by a template.
    fn is_literal(&self, span: Span) -> bool {
        self.library.with(span.file, |s| !s.slice(span).contains("{{")).unwrap_or(true)
    }

    fn producer_version(&mut self, it: &StartProducer) {
        let Some(version) = self.version().cloned() else { return };
        let mut lacks = Vec::new();
        if !version.has_transactions() {
            if let Some(transactional) = &it.transactional {
                lacks.push((transactional.span, "transactions", "0.11"));
            } else if it.idempotent.value {
                lacks.push((it.idempotent.span, "idempotent producers", "0.11"));
            }
            if let Some((name, _)) = it.headers.0.first() {
                lacks.push((name.span, "headers", "0.11"));
            }
        }
        let zstd = it.compression.as_ref().filter(|c| c.value == Compression::Zstd);
        if let Some(compression) = zstd.filter(|_| version.before(&[2, 1])) {
            lacks.push((compression.span, "zstd", "2.1"));
        }
        for (span, what, since) in lacks {
            let message = format!("Kafka {version} has no {what}");
            let help = format!("from version {since} on");
            self.tell(Diagnostic::new(Code::E071, span, message).help(help));
        }
    }

    pub(super) fn user(&mut self, user: Option<&Spanned<UserName>>) {
        let (Some(user), Some(cluster)) = (user, &self.state.cluster) else { return };
        if self.state.external {
            return;
        }
        let users = cluster.users.clone().unwrap_or_default();
        if !users.iter().any(|u| u == user.as_str()) {
            let message = format!("the cluster has no user `{}`", user.value);
            let help = crate::diagnostic::did_you_mean(user, users.iter().map(String::as_str));
            let help = help.or_else(|| Some("name it in `security: { users: ... }`".to_owned()));
            self.tell(Diagnostic::new(Code::E066, user.span, message).maybe_help(help));
        }
    }

    fn start_consumer(&mut self, it: &StartConsumer) {
        self.new_client(&it.name);
        for topic in it.topics.iter() {
            self.topic(topic, false);
        }
        self.user(it.user.as_ref());
        if let Some(version) = self.version().filter(|v| it.fixed.value && v.before(&[2, 3])) {
            let message = format!("Kafka {version} has no static members");
            let help = "from version 2.3 on";
            self.tell(Diagnostic::new(Code::E071, it.fixed.span, message).help(help));
        }
        let client = KnownClient {
            kind: ClientKind::Consumer,
            life: Liveness::Up,
            members: it.members.value,
            topics: it.topics.iter().map(ToString::to_string).collect(),
            from: None,
            acks: Acks::All,
            ends: false,
            span: it.name.span,
        };
        self.state.clients.insert(it.name.to_string(), client);
    }

    fn start_copier(&mut self, it: &StartCopier) {
        self.new_client(&it.name);
        for topic in [&it.from, &it.to] {
            self.topic(topic, false);
        }
        self.user(it.user.as_ref());
        if let Some(version) = self.version().filter(|v| !v.has_transactions()) {
            let message = format!("Kafka {version} has no transactions");
            let help = "from version 0.11 on";
            self.tell(Diagnostic::new(Code::E071, it.name.span, message).help(help));
        }
        let client = KnownClient {
            kind: ClientKind::Copier,
            life: Liveness::Up,
            members: 1,
            topics: vec![it.to.to_string()],
            from: Some(it.from.to_string()),
            acks: Acks::All,
            ends: false,
            span: it.name.span,
        };
        self.state.clients.insert(it.name.to_string(), client);
    }

    /// Kills, stops or freezes clients that run.
    fn end_clients(&mut self, clients: &Clients, to: Liveness) {
        self.clients_in(clients, to, |client| {
            let start = format!("start it first: `- start_client: {}`", client.name);
            let (wrong, help) = match client.life {
                Liveness::Down => ("was killed before", start),
                Liveness::Stopped => ("was stopped before", start),
                Liveness::Paused if to != Liveness::Down => {
                    ("is frozen", format!("let it go on first: `- resume_client: {}`", client.name))
                }
                _ => return None,
            };
            // A frozen client has yet to be stopped, and cannot.
            let alone = client.life == Liveness::Paused && to == Liveness::Stopped;
            Some(Unfit { wrong, help: Some(help), alone })
        });
    }

    /// Starts or resumes clients; `from` is the state that they must be in.
    fn begin_clients(&mut self, clients: &Clients, from: Liveness) {
        self.clients_in(clients, Liveness::Up, |client| {
            let wrong = match (client.life, from) {
                (Liveness::Up, Liveness::Paused) => "is not frozen",
                (Liveness::Up, _) => "is running already",
                (Liveness::Down | Liveness::Stopped, Liveness::Paused) => "does not run",
                (Liveness::Paused, Liveness::Down) => "is frozen, not ended",
                _ => return None,
            };
            (!client.ends).then_some(Unfit { wrong, help: None, alone: false })
        });
    }

    /// A step works on those clients that are in the state that it needs: it is wrong where none can be.
    fn clients_in(
        &mut self,
        clients: &Clients,
        to: Liveness,
        unfit: impl Fn(&Named<'_>) -> Option<Unfit>,
    ) {
        let (mut told, mut left_out, mut fits) = (Vec::new(), Vec::new(), false);
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
                told.push(wrong)
            } else {
                left_out.push((name.client.as_str(), wrong))
            }
        }
        if !fits && told.is_empty() {
            for (name, wrong) in left_out {
                self.set_client(name, false, to);
                told.push(wrong);
            }
        }
        told.into_iter().for_each(|wrong| self.tell(wrong));
    }

    fn set_client(&mut self, name: &str, one_member: bool, life: Liveness) {
        if let Some(client) = self.state.clients.get_mut(name) {
            client.life = if one_member && client.members > 1 { Liveness::Maybe } else { life };
        }
    }

    /// Warns of a fault at a time when nobody sends, in a plan whose producers sent before.
    pub(super) fn fault_without_traffic(&mut self, step: &Step, verb: &Verb) {
        let at_rest =
            step.head.name.as_ref().is_some_and(|n| self.ever.at_rest.contains(n.as_str()));
        if matches!(verb, Verb::KillClient(_) | Verb::PauseClient(_)) || self.in_finally || at_rest
        {
            return;
        }
        let producers = self.state.clients.values().filter(|c| c.kind.sends());
        let (mut any, mut silent) = (false, true);
        for producer in producers {
            any = true;
            silent &=
                matches!(producer.life, Liveness::Down | Liveness::Stopped | Liveness::Paused);
        }
        if any && silent {
            let message = "no producer runs during this fault, so it proves nothing about them";
            let span = step.head.key;
            let help = "break something while messages flow, then stop the clients";
            self.tell(Diagnostic::new(Code::W009, span, message).help(help));
        }
    }
}
