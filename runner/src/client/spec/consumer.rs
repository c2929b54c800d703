//! What a consumer does.

use std::{rc::Rc, sync::mpsc::Receiver};

use indexmap::IndexMap;
use kplan_dsl::value::{CommitMode, GroupProtocol, Isolation, OffsetReset};
use serde::{Deserialize, Serialize};

use super::{ClientBody, Common};
use crate::{
    client::{
        ClientError, ClientType, consumer,
        protocol::{ClientReport, Order},
        settings,
        voice::Voice,
    },
    history::Writer,
};

/// What a consumer (one member of its group) does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerSpec {
    pub common: Common,
    pub topics: Vec<String>,
    pub group: String,
    /// Where the group begins without a committed offset, and what a reset means.
    pub from: OffsetReset,
    pub commit: CommitMode,
    pub isolation: Isolation,
    /// The `group.instance.id` of each member; none if they are not static.
    #[serde(default)]
    pub instances: Vec<String>,
    /// The protocol of the group.
    #[serde(default = "classic")]
    pub protocol: GroupProtocol,
}

/// The protocol of consumers that name none.
fn classic() -> GroupProtocol {
    GroupProtocol::Classic
}

impl ClientBody for ConsumerSpec {
    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn writers(&self) -> &'static [Writer] {
        &[Writer::Consumer]
    }

    fn reads_from(&self) -> &[String] {
        &self.topics
    }

    fn group(&self) -> Option<(&str, Isolation)> {
        Some((&self.group, self.isolation))
    }

    fn begins_at_start(&self) -> bool {
        self.from == OffsetReset::Earliest
    }

    fn settings(&self) -> Vec<(ClientType, IndexMap<String, String>)> {
        vec![(ClientType::Consumer, settings::consumer(self))]
    }

    fn run(
        &self,
        voice: &Rc<Voice>,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        consumer::run(self, voice, orders)
    }
}
