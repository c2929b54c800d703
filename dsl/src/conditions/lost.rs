//! `lost`

use super::count::{Count, counted};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{ConditionFacts, CountsOf};
use crate::ground::{Ground, KnownClient};
use crate::source::Span;
use crate::value::Acks;

counted! {
    /// Messages that were acknowledged (in a transaction: committed), are not below the log start offset, and are
    /// not in the log.
    ///
    /// The audit reads every partition from its start, after the clients have stopped, with a separate client.
    /// While a producer is running, the condition covers only messages that were acknowledged before the audit
    /// began.
    #[example("lost: 0")]
    Lost("lost"), "lost message",
    ConditionFacts::at_rest(CountsOf::Anyone), {
        fn defeated(&self, span: Span, ground: &mut Ground<'_>) {
            if self.count.bound.and_then(|b| b.most()) == Some(0) {
                none_with_weak_settings(&self.count, span, ground);
            }
        }
    }
}

/// Warns of `lost: 0` with settings that allow losses, after a fault.
fn none_with_weak_settings(count: &Count, span: Span, ground: &mut Ground<'_>) {
    let topic = count.of_topic();
    let counted = |name: &str| topic.is_none_or(|topic| topic == name);
    let of_client =
        |name: &str| count.client.as_ref().is_none_or(|client| client.client.as_str() == name);
    let sends_there = |c: &KnownClient| c.kind.sends() && c.topics.iter().any(|t| counted(t));
    let mut senders =
        ground.state.clients.iter().filter(|(name, c)| of_client(name) && sends_there(c));
    let broken = ground.state.broken;
    let weak = senders.find(|(_, c)| match c.acks {
        Acks::None => true,
        Acks::Leader => broken,
        Acks::All => false,
    });
    if let Some((name, client)) = weak {
        let message = format!("`lost: 0`, but producer `{name}` sends with acks={}", client.acks);
        let help = match client.acks {
            Acks::None => "with `acks: 0` no message is acknowledged, so none can count as lost",
            _ => {
                "with less than `acks: all`, the loss of a leader may lose messages that it acknowledged"
            }
        };
        ground.report(Diagnostic::new(Code::W004, span, message).help(help));
    }
    if !broken {
        return;
    }
    let state = &ground.state;
    let why = match state.topics.iter().find(|(name, t)| t.unclean && counted(name)) {
        Some((topic, _)) => format!("topic `{topic}` allows unclean elections"),
        None if state.cluster.as_ref().is_some_and(|c| c.unclean) => {
            "the cluster allows unclean elections".to_owned()
        }
        None if state.elected_unclean => "the plan makes an unclean election".to_owned(),
        None => return,
    };
    ground.report(Diagnostic::new(Code::W005, span, format!("`lost: 0`, but {why}")));
}
