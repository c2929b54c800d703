//! What a producer does.

use std::{rc::Rc, sync::mpsc::Receiver};

use indexmap::IndexMap;
use kplan_dsl::value::{Acks, MessageSlot, MessageText, MessageTime};
use serde::{Deserialize, Serialize};

use super::{ClientBody, Common, Sending};
use crate::{
    client::{
        ClientError, ClientType, producer,
        protocol::{ClientReport, Order},
        settings,
        voice::Voice,
    },
    history::Writer,
};

/// Transactions of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransactionSpec {
    /// Messages in one transaction.
    pub messages: u32,
    /// How many of a hundred transactions are aborted, chosen by the seed.
    pub abort_percent: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProducerSpec {
    pub common: Common,
    pub topic: String,
    /// The topic's partitions.
    pub partitions: u32,
    /// Messages a second; none: as fast as librdkafka takes them.
    pub rate: Option<f64>,
    /// The producer's `acks`.
    pub acks: Acks,
    /// librdkafka's `enable.idempotence`.
    pub idempotent: bool,
    /// Transactions, if any.
    pub transactional: Option<TransactionSpec>,
    /// Bytes of a message's value, at least [`crate::identity::payload::MIN_PAYLOAD`].
    pub payload_bytes: u32,
    /// The most bytes, if their number varies from message to message.
    #[serde(default)]
    pub payload_most: Option<u32>,
    /// The value that the plan writes; none: kplan's own.
    #[serde(default)]
    pub value: Option<MessageText>,
    /// The share of messages without a value, in percent.
    #[serde(default)]
    pub tombstones: f64,
    /// The key that the plan writes.
    #[serde(default)]
    pub key: Option<MessageText>,
    /// Headers of every message.
    #[serde(default)]
    pub headers: IndexMap<String, MessageText>,
    /// The messages' timestamps; none: librdkafka's.
    #[serde(default)]
    pub timestamp: Option<MessageTime>,
    /// How many different keys; none: no key, and the partitions in turn (without a
    /// rate in blocks).
    pub keys: Option<u32>,
    /// Messages in all, over this life; none: until stopped.
    pub count: Option<u64>,
    /// librdkafka's `compression.type`.
    pub compression: Option<String>,
    /// Seeds what is chosen (aborts).
    pub seed: u64,
}

impl ClientBody for ProducerSpec {
    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn writers(&self) -> &'static [Writer] {
        &[Writer::ProducerSent, Writer::ProducerHeard]
    }

    fn sends_to(&self) -> Option<&str> {
        Some(&self.topic)
    }

    fn sending(&self) -> Option<Sending> {
        let transactional = self.transactional.is_some();
        let idempotent = self.idempotent || transactional;
        let texts = self.value.iter().chain(&self.key).chain(self.headers.values());
        let own_form = !texts.flat_map(MessageText::slots).any(|slot| *slot == MessageSlot::Id);
        Some(Sending { acks: self.acks, idempotent, transactional, keys: self.keys, own_form })
    }

    fn settings(&self) -> Vec<(ClientType, IndexMap<String, String>)> {
        vec![(ClientType::Producer, settings::producer(self))]
    }

    fn run(
        &self,
        voice: &Rc<Voice>,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        producer::run(self, voice, orders)
    }
}
