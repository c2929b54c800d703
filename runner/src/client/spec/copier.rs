//! What a copier does: consume, copy, commit the positions with the copies.

use std::{rc::Rc, slice, sync::mpsc::Receiver};

use indexmap::IndexMap;
use kplan_dsl::value::{Acks, CommitMode, GroupProtocol, Isolation, OffsetReset};
use serde::{Deserialize, Serialize};

use super::{ClientBody, Common, ConsumerSpec, ProducerSpec, Sending, TransactionSpec};
use crate::{
    audit::{Naming, ServiceWork},
    client::{
        ClientError, ClientType, copier,
        protocol::{ClientReport, Order},
        settings,
        voice::Voice,
    },
    history::Writer,
};

/// What a copier does: consume, copy, commit the positions with the copies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopierSpec {
    pub common: Common,
    pub from: String,
    /// Where the copies go.
    pub to: String,
    /// The output's partitions.
    pub partitions: u32,
    pub group: String,
    /// The most messages in one transaction.
    pub messages: u32,
    pub isolation: Isolation,
}

impl CopierSpec {
    /// Its consuming half.
    pub fn consumer(&self) -> ConsumerSpec {
        ConsumerSpec {
            common: self.common.clone(),
            topics: vec![self.from.clone()],
            group: self.group.clone(),
            from: OffsetReset::Earliest,
            commit: CommitMode::None,
            isolation: self.isolation,
            instances: Vec::new(),
            protocol: GroupProtocol::Classic,
        }
    }

    /// Its producing half.
    pub fn producer(&self) -> ProducerSpec {
        ProducerSpec {
            common: settings::copiers(self.common.clone()),
            topic: self.to.clone(),
            partitions: self.partitions,
            rate: None,
            acks: Acks::All,
            idempotent: true,
            transactional: Some(TransactionSpec { messages: self.messages, abort_percent: 0.0 }),
            payload_bytes: 0,
            payload_most: None,
            timestamp: None,
            value: None,
            tombstones: 0.0,
            key: None,
            headers: IndexMap::new(),
            keys: None,
            count: None,
            compression: None,
            seed: 0,
        }
    }
}

impl ClientBody for CopierSpec {
    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn writers(&self) -> &'static [Writer] {
        &[Writer::ProducerSent, Writer::ProducerHeard, Writer::Consumer]
    }

    fn sends_to(&self) -> Option<&str> {
        Some(&self.to)
    }

    fn sending(&self) -> Option<Sending> {
        Some(Sending {
            acks: Acks::All,
            idempotent: true,
            transactional: true,
            keys: None,
            own_form: true,
        })
    }

    fn reads_from(&self) -> &[String] {
        slice::from_ref(&self.from)
    }

    fn group(&self) -> Option<(&str, Isolation)> {
        Some((&self.group, self.isolation))
    }

    fn begins_at_start(&self) -> bool {
        true
    }

    fn work(&self) -> Option<ServiceWork> {
        Some(ServiceWork {
            group: Some(self.group.clone()),
            from: self.from.clone(),
            to: self.to.clone(),
            outputs: 1,
            naming: Naming::Copied,
        })
    }

    fn settings(&self) -> Vec<(ClientType, IndexMap<String, String>)> {
        vec![
            (ClientType::Consumer, settings::consumer(&self.consumer())),
            (ClientType::Producer, settings::producer(&self.producer())),
        ]
    }

    fn run(
        &self,
        voice: &Rc<Voice>,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        copier::run(self, voice, orders)
    }
}
