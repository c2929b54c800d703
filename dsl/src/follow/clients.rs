//! Steps about producers and consumers.

use super::Follow;
use crate::diagnostic::{Code, Diagnostic};
use crate::ground::{ClientKind, KnownClient, Liveness};
use crate::plan::Step;
use crate::source::Span;
use crate::steps::{StartConsumer, StartCopier, StartProducer, Verb};
use crate::value::{Acks, Compression};

impl<'p> Follow<'p> {
    pub(super) fn client_step(&mut self, _: &'p Step, verb: &'p Verb) {
        match verb {
            Verb::StartProducer(it) => self.start_producer(it),
            Verb::StartConsumer(it) => self.start_consumer(it),
            Verb::StartCopier(it) => self.start_copier(it),
            Verb::KillClient(it) => self.ground.end_clients(&it.client, Liveness::Down),
            Verb::StopClient(it) => self.ground.end_clients(&it.client, Liveness::Stopped),
            Verb::PauseClient(it) => self.ground.end_clients(&it.client, Liveness::Paused),
            Verb::ResumeClient(it) => self.ground.begin_clients(&it.client, Liveness::Paused),
            Verb::StartClient(it) => self.ground.begin_clients(&it.client, Liveness::Down),
            Verb::StopCluster(_) => {}
            _ => {}
        }
    }

    fn start_producer(&mut self, it: &StartProducer) {
        self.ground.new_client(&it.name);
        let topic = self.ground.topic(&it.topic, false);
        self.ground.user(it.user.as_ref());
        self.producer_version(it);
        let min = topic.and_then(|t| t.min_in_sync).filter(|n| *n > 1);
        if let Some(min) =
            min.filter(|_| it.acks.value != Acks::All && self.is_literal(it.acks.span))
        {
            let message =
                format!("min.insync.replicas={min} does not count for acks={}", it.acks.value);
            let help = "with `acks: all` the topic's setting counts";
            self.ground.tell(Diagnostic::new(Code::W007, it.acks.span, message).help(help));
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
        self.ground.state.clients.insert(it.name.to_string(), client);
    }

    /// True if a value stands in the plan as it is, not made by a template.
    fn is_literal(&self, span: Span) -> bool {
        self.ground.library.with(span.file, |s| !s.slice(span).contains("{{")).unwrap_or(true)
    }

    fn producer_version(&mut self, it: &StartProducer) {
        let Some(version) = self.ground.version().cloned() else { return };
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
            self.ground.tell(Diagnostic::new(Code::E071, span, message).help(help));
        }
    }

    fn start_consumer(&mut self, it: &StartConsumer) {
        self.ground.new_client(&it.name);
        for topic in it.topics.iter() {
            self.ground.topic(topic, false);
        }
        self.ground.user(it.user.as_ref());
        if let Some(version) = self.ground.version().filter(|v| it.fixed.value && v.before(&[2, 3]))
        {
            let message = format!("Kafka {version} has no static members");
            let help = "from version 2.3 on";
            self.ground.tell(Diagnostic::new(Code::E071, it.fixed.span, message).help(help));
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
        self.ground.state.clients.insert(it.name.to_string(), client);
    }

    fn start_copier(&mut self, it: &StartCopier) {
        self.ground.new_client(&it.name);
        for topic in [&it.from, &it.to] {
            self.ground.topic(topic, false);
        }
        self.ground.user(it.user.as_ref());
        if let Some(version) = self.ground.version().filter(|v| !v.has_transactions()) {
            let message = format!("Kafka {version} has no transactions");
            let help = "from version 0.11 on";
            self.ground.tell(Diagnostic::new(Code::E071, it.name.span, message).help(help));
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
        self.ground.state.clients.insert(it.name.to_string(), client);
    }

    /// Warns of a fault at a time when nobody sends, in a plan whose producers sent before.
    pub(super) fn fault_without_traffic(&mut self, step: &Step, verb: &Verb) {
        let at_rest =
            step.head.name.as_ref().is_some_and(|n| self.ground.ever.at_rest.contains(n.as_str()));
        if matches!(verb, Verb::KillClient(_) | Verb::PauseClient(_))
            || self.ground.in_finally
            || at_rest
        {
            return;
        }
        let producers = self.ground.state.clients.values().filter(|c| c.kind.sends());
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
            self.ground.tell(Diagnostic::new(Code::W009, span, message).help(help));
        }
    }
}
