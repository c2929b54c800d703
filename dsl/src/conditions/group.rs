//! `group`

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::source::Spanned;
use crate::value::{Bound, GroupName, GroupState};

args! {
    /// The state of a consumer group and the number of its members.
    #[example("group: { name: readers, state: Stable, members: 2 }")]
    pub struct Group("group") short "name" {
        /// The group.
        name: Spanned<GroupName>,
        /// Its state.
        state: Option<GroupState>,
        /// How many members, as a number or a bound.
        members: Option<Bound<u64>>,
    }
}

impl ConditionWord for Group {
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
        match (self.state, self.members) {
            (None, None) => Judgeable::Unbounded,
            _ => Judgeable::Bounded,
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::GroupStates)]
    }
}
