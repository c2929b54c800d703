//! Finds consumers of topics to which nothing in the plan sends.

use super::Follow;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::Kind;
use crate::ground::{ClientKind, KnownClient};
use crate::plan::{Action, Plan};

impl Follow<'_> {
    /// Warns of such consumers in a plan with producers. What a program sends is not known.
    pub(super) fn gets_nothing(&mut self, plan: &Plan) {
        let state = &self.ground.state;
        let unknown = |step: &crate::plan::Step| {
            matches!(step.action, Action::Late(_)) || step.head.facts.kind == Kind::Program
        };
        let is_open = |c: &KnownClient| c.kind == ClientKind::Service && c.topics.is_empty();
        if state.external
            || state.clients_unknown
            || state.produced
            || plan.all_steps().into_iter().any(unknown)
            || state.clients.values().any(is_open)
        {
            return;
        }
        let sends = |c: &&KnownClient| c.kind.sends() || c.kind == ClientKind::Service;
        let sent: Vec<&String> =
            state.clients.values().filter(sends).flat_map(|c| &c.topics).collect();
        let others =
            |topic: &str| self.ground.ever.external.contains(topic) || topic.starts_with("__");
        let idle = |c: &KnownClient| {
            c.kind == ClientKind::Consumer
                && !c.topics.iter().any(|topic| sent.contains(&topic) || others(topic))
        };
        let idle = state.clients.iter().filter(|(_, client)| idle(client) && !sent.is_empty());
        let nothing = idle.map(|(name, c)| {
            let topics = c.topics.join(", ");
            let message =
                format!("consumer `{name}` reads {topics}, and nothing in the plan sends there");
            let help =
                "name the topic that a producer of the plan sends to; or declare it as `external`";
            Diagnostic::new(Code::W025, c.span, message).help(help)
        });
        let late = |c: &&KnownClient| c.waits && !c.topics.iter().any(|topic| others(topic));
        let late = state.clients.iter().filter(|(_, c)| late(c)).map(|(name, c)| {
            let message = format!(
                "consumer `{name}` begins at the log's end, and nothing is sent to {} after its start",
                c.topics.join(", ")
            );
            let help = "start it before the producers, or let it read all: `from: earliest`";
            Diagnostic::new(Code::W025, c.span, message).help(help)
        });
        let found: Vec<Diagnostic> = nothing.chain(late).collect();
        found.into_iter().for_each(|found| self.ground.report(found));
    }
}
