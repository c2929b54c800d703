//! Judgements about the log that will rest on nothing, or that the plan's own settings defeat.

use super::Follow;
use crate::conditions::{Condition, Recovered};
use crate::diagnostic::{Code, Diagnostic};
use crate::ground::{ClientKind, KnownClient, Liveness};
use crate::source::Spanned;
use crate::value::Acks;

impl Condition {
    /// True if the audit of the log judges it.
    pub const fn is_about_the_log(&self) -> bool {
        matches!(
            self,
            Self::Lost(_)
                | Self::Expired(_)
                | Self::Duplicated(_)
                | Self::Reordered(_)
                | Self::Diverged(_)
                | Self::Corrupted(_)
                | Self::Undelivered(_)
                | Self::Redelivered(_)
                | Self::Skipped(_)
                | Self::Phantom(_)
                | Self::UnexpectedSuccess(_)
                | Self::AbortedRead(_)
                | Self::Uncopied(_)
                | Self::Overcopied(_)
                | Self::Unresolved(_)
        )
    }

    /// True if it is about what consumers got.
    pub(super) const fn is_about_consumers(&self) -> bool {
        matches!(
            self,
            Self::Undelivered(_) | Self::Redelivered(_) | Self::Skipped(_) | Self::AbortedRead(_)
        )
    }
}

impl<'p> Follow<'p> {
    pub(super) fn judged(&mut self, condition: &'p Spanned<Condition>) {
        if self.ground.in_finally {
            return;
        }
        if let Condition::Recovered(it) = &condition.value {
            self.recovered(condition, it);
        }
        if !condition.is_about_the_log() || self.ground.state.clients_unknown {
            return;
        }
        let producers = self.of_kind(ClientKind::sends);
        let word = condition.info().word;
        if producers.is_empty() && !self.ground.state.produced {
            let message = format!("`{word}` has nothing to judge: nothing was sent before");
            self.ground.tell(
                Diagnostic::new(Code::E063, condition.span, message)
                    .help("start a producer before"),
            );
            return;
        }
        if let Some((name, client)) = producers.iter().find(|(_, c)| c.life == Liveness::Up) {
            let kind = if client.kind == ClientKind::Copier { "copier" } else { "producer" };
            let message = format!("`{word}` is judged while {kind} `{name}` still runs");
            let help = format!("stop it before: `- stop_client: {name}`");
            self.ground.tell(Diagnostic::new(Code::W008, condition.span, message).help(help));
        }
        if condition.is_about_consumers() {
            self.about_consumers(condition);
        }
        if matches!(condition.value, Condition::Uncopied(_) | Condition::Overcopied(_))
            && self.of_kind(|kind| kind == ClientKind::Copier).is_empty()
        {
            let message = format!("`{word}` has nothing to judge: no copier was started before");
            let help = "start one before: `- start_copier: { name: X, from: TOPIC, to: TOPIC }`";
            self.ground.tell(Diagnostic::new(Code::E063, condition.span, message).help(help));
        }
        if let Condition::Lost(it) = &condition.value
            && it.count.bound.and_then(|b| b.most()) == Some(0)
        {
            self.lost_none(condition, &producers);
        }
    }

    fn of_kind(&self, kind: fn(ClientKind) -> bool) -> Vec<(String, KnownClient)> {
        let all = self.ground.state.clients.iter().filter(|(_, c)| kind(c.kind));
        all.map(|(name, client)| (name.clone(), client.clone())).collect()
    }

    fn about_consumers(&mut self, condition: &'p Spanned<Condition>) {
        let word = condition.info().word;
        let consumers = self.of_kind(ClientKind::reads);
        if consumers.is_empty() {
            let message = format!("`{word}` has nothing to judge: no consumer was started before");
            let help = "start a consumer before";
            self.ground.tell(Diagnostic::new(Code::E063, condition.span, message).help(help));
        }
        let only = condition.count().and_then(|c| c.client.as_ref()).map(|c| c.client.to_string());
        let meant = consumers.iter().filter(|(name, _)| only.as_ref().is_none_or(|o| o == name));
        let unfinished: Vec<String> = meant
            .filter(|(_, c)| matches!(c.life, Liveness::Up | Liveness::Down | Liveness::Paused))
            .map(|(name, _)| name.clone())
            .collect();
        if let Some(name) = unfinished.first() {
            let message = format!("`{word}` is judged before consumer `{name}` has caught up");
            let help = format!("let it read to the end: `- stop_client: {name}`");
            self.ground.tell(Diagnostic::new(Code::W016, condition.span, message).help(help));
        }
    }

    /// `lost: 0` with settings that allow losses, after something was broken.
    fn lost_none(&mut self, condition: &Spanned<Condition>, producers: &[(String, KnownClient)]) {
        let broken = self.ground.state.broken;
        let weak = producers.iter().find(|(_, c)| match c.acks {
            Acks::None => true,
            Acks::Leader => broken,
            Acks::All => false,
        });
        if let Some((name, client)) = weak {
            let acks = client.acks;
            let message = format!("`lost: 0`, but producer `{name}` sends with acks={acks}");
            let help = match acks {
                Acks::None => "with `acks: 0` nothing is acknowledged, and nothing counts as lost",
                _ => {
                    "with less than `acks: all` the loss of a leader may lose what it acknowledged"
                }
            };
            self.ground.tell(Diagnostic::new(Code::W004, condition.span, message).help(help));
        }
        if !broken {
            return;
        }
        let topic =
            self.ground.state.topics.iter().find(|(_, t)| t.unclean).map(|(name, _)| name.clone());
        let cluster = self.ground.state.cluster.as_ref().is_some_and(|c| c.unclean);
        let why = match topic {
            Some(topic) => format!("topic `{topic}` allows unclean elections"),
            None if cluster => "the cluster allows unclean elections".to_owned(),
            None if self.ground.state.elected_unclean => {
                "an unclean election was asked for".to_owned()
            }
            None => return,
        };
        let message = format!("`lost: 0`, but {why}");
        self.ground.tell(Diagnostic::new(Code::W005, condition.span, message));
    }

    fn recovered(&mut self, condition: &Spanned<Condition>, it: &Recovered) {
        if !self.ground.state.broken && it.since.is_none() {
            let message = "nothing was broken before, so there is nothing to recover from";
            let help = "break something before, or say `since: STEP`";
            self.ground.tell(Diagnostic::new(Code::W018, condition.span, message).help(help));
        }
    }
}
