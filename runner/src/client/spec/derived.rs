//! What the reader of a service's output does.

use std::{rc::Rc, sync::mpsc::Receiver};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{ClientBody, Common};
use crate::{
    client::{
        ClientError, ClientType, derived,
        protocol::{ClientReport, Order},
        settings,
        voice::Voice,
    },
    history::Writer,
};

/// What the reader of a service's output does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DerivedSpec {
    /// The common part; the name is the service's, the member [`derived::MEMBER`].
    pub common: Common,
    /// The topic that the service reads.
    pub from: String,
    /// The topic that it writes.
    pub to: String,
}

impl ClientBody for DerivedSpec {
    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn writers(&self) -> &'static [Writer] {
        &[Writer::Consumer]
    }

    fn settings(&self) -> Vec<(ClientType, IndexMap<String, String>)> {
        vec![(ClientType::Consumer, settings::derived_reader(&self.common))]
    }

    fn run(
        &self,
        voice: &Rc<Voice>,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        derived::run(self, voice, orders)
    }
}
