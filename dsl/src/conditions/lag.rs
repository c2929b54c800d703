//! `lag`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::ConditionFacts;
use crate::ground::{Ground, KnownClient, Liveness};
use crate::source::{Span, Spanned};
use crate::value::{BoundGroup, GroupName, PartitionRef, TopicName};

args! {
    /// The number of visible messages after a group's committed offsets. The lag of a partition without a committed
    /// offset is unknown, not 0.
    #[example("lag: { group: readers, topic: orders, is: 0 }")]
    pub struct Lag("lag") short "group" {
        /// The group.
        group: Spanned<GroupName>,
        /// Only this topic.
        topic: Option<Spanned<TopicName>>,
        /// Only this partition.
        partition: Option<Spanned<PartitionRef>>,
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for Lag {
    const FACTS: ConditionFacts = ConditionFacts { reads_log: true, ..ConditionFacts::NONE };

    fn explain(&self) -> String {
        let group = &self.group;
        let of = match (&self.partition, &self.topic) {
            (Some(partition), _) => format!(" in {partition}"),
            (None, Some(topic)) => format!(" in topic {topic}"),
            (None, None) => String::new(),
        };
        match self.bound {
            None => format!("the lag of group {group}{of}"),
            Some(bound) => format!("group {group} lags by {}{of}", bound.of("message")),
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bound)
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        self.must_commit(span, ground);
        let none = self.bound.and_then(|bound| bound.most()) == Some(0);
        if let Some(name) = none.then(|| self.sender(ground)).flatten() {
            let message = format!("`lag` can hardly be 0 while producer `{name}` still sends");
            let help = format!(
                "stop it first: `- stop_client: {name}`; or allow some messages: `at_most: 1000`"
            );
            ground.report(Diagnostic::new(Code::W008, span, message).help(help));
        }
    }
}

impl Lag {
    /// The lag of a group that never commits is not known.
    fn must_commit(&self, span: Span, ground: &mut Ground<'_>) {
        let (group, state) = (self.group.as_str(), &ground.state);
        let others = state.clients_unknown || ground.ever.external_groups.contains(group);
        let mut readers = state.clients.iter().filter(|(_, c)| c.group.as_deref() == Some(group));
        let Some((name, first)) = readers.next().filter(|_| !state.external && !others) else {
            return;
        };
        if first.commits || readers.any(|(_, client)| client.commits) {
            return;
        }
        let message = format!("group `{group}` commits no offsets, so its lag is not known");
        let help = format!("let `{name}` commit: `commit: auto` in its `start_consumer`");
        ground.report(Diagnostic::new(Code::E063, span, message).help(help));
    }

    /// A producer without end that sends to a topic of the group.
    fn sender(&self, ground: &Ground<'_>) -> Option<String> {
        let (state, group) = (&ground.state, Some(self.group.as_str()));
        let partition = self.partition.as_ref().map(|p| p.topic.as_str());
        let only = partition.or_else(|| self.topic.as_ref().map(|topic| topic.as_str()));
        let readers = state.clients.values().filter(|c| c.group.as_deref() == group);
        let topics = readers.flat_map(KnownClient::reads).map(String::as_str);
        let topics: Vec<&str> = topics.filter(|t| only.is_none_or(|o| o == *t)).collect();
        let sends = |c: &KnownClient| {
            c.kind.sends()
                && c.life == Liveness::Up
                && !c.ends
                && c.from.is_none()
                && c.topics.iter().any(|topic| topics.contains(&topic.as_str()))
        };
        state.clients.iter().find(|(_, client)| sends(client)).map(|(name, _)| name.clone())
    }
}
