//! `group`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::Capability;
use crate::facts::{ArgumentWeighs, ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::source::{Span, Spanned};
use crate::value::{Bound, GroupName, GroupState};

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

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
