//! `collect`

use super::StepWord;
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, StepFacts};
use crate::ground::{ClientKind, Ground, KnownClient, Liveness, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{ClientName, MemberRef, Settings};

args! {
    /// Collects what a service wrote elsewhere than into a topic, such as into a database: a command prints it. It is
    /// refused without `--allow-run`.
    ///
    /// Each line that the command prints and that contains texts of `{{ message.id }}` counts as one output of the
    /// messages with these texts, for `unprocessed` and `overprocessed`. The lines of the last `collect` of a service
    /// count. Stop the service before: what it wrote later is not known.
    ///
    /// The command runs without a shell and must end with exit status 0. Its time limit is the step's `timeout` (60s if
    /// it is not set). Its environment contains `KPLAN_BOOTSTRAP`, the brokers' addresses, and `KPLAN_RUN`, the run's id.
    #[example("collect: { service: invoicing, command: [sqlite3, invoices.db, select id from invoices] }")]
    pub struct Collect("collect") {
        /// The service; it has a `from` and no `to`.
        service: Spanned<ClientName>,
        /// The program and its arguments.
        command: Spanned<Vec<Spanned<String>>>,
        /// Additional environment variables.
        env: Settings,
    }
}

impl Collect {
    /// Reports a client whose output cannot be collected, or not yet.
    fn check(&self, client: &KnownClient, ground: &mut Ground<'_>) {
        let name = &self.service;
        let wrong = match client.kind {
            ClientKind::Service if client.from.is_none() => {
                let message = format!("it is not known what service `{name}` reads");
                let help = "write the topic that it reads: `from: TOPIC` of its `start_service`";
                Diagnostic::new(Code::E063, name.span, message).help(help)
            }
            ClientKind::Service if !client.topics.is_empty() => {
                let message = format!("service `{name}` writes to topic `{}`", client.topics[0]);
                let help = "a `collect` is for a service without `to`: kplan reads topics itself";
                Diagnostic::new(Code::E016, name.span, message).help(help)
            }
            ClientKind::Service if client.life == Liveness::Up => {
                let message = format!("`collect` while service `{name}` still runs");
                let help = format!("stop it first: `- stop_client: {name}`");
                Diagnostic::new(Code::W008, name.span, message).help(help)
            }
            ClientKind::Service => return,
            other => {
                let message = format!("`{name}` is a {}, and no service", other.word());
                Diagnostic::new(Code::E067, name.span, message)
            }
        };
        ground.report(wrong.related(client.span, "started here"));
    }
}

impl StepWord for Collect {
    const FACTS: StepFacts = StepFacts::of(Kind::Program);

    fn explain(&self) -> String {
        let command: Vec<&str> = self.command.iter().map(|c| c.as_str()).collect();
        format!("Collect what {} wrote: {}", self.service, command.join(" "))
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.command.is_empty() {
            let message = "the command is empty";
            reader.push(Diagnostic::new(Code::E015, self.command.span, message));
        }
        reader.needs_allow_run("`collect`", span);
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        let member = MemberRef { client: self.service.value.clone(), member: None };
        let Some(client) = ground.client(&Spanned::new(member, self.service.span), false) else {
            return;
        };
        self.check(&client, ground);
        ground.state.collected.insert(self.service.to_string());
    }
}
