//! `group`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::Capability;
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::{ClientKind, Ground, KnownClient, Liveness};
use crate::source::{Span, Spanned};
use crate::value::{Bound, GroupName, GroupState};
use crate::words;

args! {
    /// The state of a consumer group and the number of its members.
    #[example("group: { name: readers, state: Stable, members: 2 }")]
    pub struct Group("group") short "name" {
        /// The name of the group.
        name: Spanned<GroupName>,
        /// The state of the group.
        state: Option<GroupState>,
        /// The number of members, as a number or a bound.
        members: Option<Bound<u64>>,
    }
}

impl ConditionWord for Group {
    const FACTS: ConditionFacts = ConditionFacts {
        weighs: Weighs::Arguments(&[("state", ArgumentWeighs::Presence)]),
        ..ConditionFacts::NONE.needing(Capability::GroupStates)
    };

    fn explain(&self) -> String {
        let name = &self.name;
        let state = self.state.map(|s| format!("is {s}"));
        let members = self.members.map(|m| format!("has {m} members"));
        match (state, members) {
            (None, None) => format!("the state of group {name}"),
            (Some(one), None) | (None, Some(one)) => format!("group {name} {one}"),
            (Some(state), Some(members)) => format!("group {name} {state} and {members}"),
        }
    }

    fn judged(&self) -> Judgeable {
        if self.state.is_some() { Judgeable::Bounded } else { Judgeable::by(self.members) }
    }

    fn follow(&self, span: Span, ground: &mut Ground<'_>) {
        let Some((started, running)) = self.readers(ground) else { return };
        let name = &self.name.value;
        if let Some(least) = self.members.and_then(|bound| bound.least()).filter(|n| *n > started) {
            let members = words::count(started, "member");
            let message =
                format!("{least} members, but the clients of group `{name}` are {members} here");
            ground.impossible(span, message);
        } else if running == 0 && self.state == Some(GroupState::Stable) {
            let message = format!(
                "every client of group `{name}` was stopped, so it has no members and is `Empty`"
            );
            ground.impossible(span, message);
        }
    }
}

impl Group {
    /// How many members of the group were started, and how many of them were not stopped. A killed member stays in its
    /// group until its session ends. `None` if programs outside the plan may read in the group.
    fn readers(&self, ground: &Ground<'_>) -> Option<(u64, u64)> {
        let group = self.name.as_str();
        let state = &ground.state;
        if state.external || state.clients_unknown || ground.ever.external_groups.contains(group) {
            return None;
        }
        let readers = || state.clients.values().filter(|c| c.group.as_deref() == Some(group));
        let runs = readers().filter(|c| c.life != Liveness::Stopped);
        let sum =
            |all: &mut dyn Iterator<Item = &KnownClient>| all.map(|c| u64::from(c.members)).sum();
        let started: u64 = sum(&mut readers());
        // A service may have more members than instances.
        let counted = readers().all(|c| c.kind != ClientKind::Service && c.program.is_none());
        (counted && started > 0).then(|| (started, sum(&mut { runs })))
    }
}
