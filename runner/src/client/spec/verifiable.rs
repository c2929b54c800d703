//! What clients of other programs do: see [`crate::client::verifiable`].

use std::{rc::Rc, sync::mpsc::Receiver};

use indexmap::IndexMap;
use kplan_dsl::value::{Acks, ClientProgram, CommitMode, Isolation, OffsetReset};
use serde::{Deserialize, Serialize};

use super::{ClientBody, Common, Sending};
use crate::{
    client::{
        ClientError,
        program::{ContainerSpec, ProgramKind},
        protocol::{ClientReport, Order},
        verifiable,
        voice::Voice,
    },
    history::Writer,
};

/// Where the program of a client runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProgramPlace {
    /// The brokers' addresses, as they are reached from there.
    pub bootstrap: String,
    /// Its container, without command and files; none: it runs on this machine.
    pub container: Option<ContainerSpec>,
}

/// What a producer of another program does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifiableProducerSpec {
    /// The common part; `config` is for kplan's own connections.
    pub common: Common,
    pub program: ClientProgram,
    pub place: ProgramPlace,
    pub topic: String,
    /// Messages a second; none: as fast as it can.
    pub rate: Option<u64>,
    pub acks: Acks,
    /// How many different keys; none: no key.
    pub keys: Option<u32>,
    /// Messages in all, over this life; none: until stopped.
    pub count: Option<u64>,
    /// The client's own settings, by the names of its library.
    pub settings: IndexMap<String, String>,
}

impl ClientBody for VerifiableProducerSpec {
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
        let on = |key: &str| self.settings.get(key).is_some_and(|value| value == "true");
        let idempotent = on("enable.idempotence");
        let (acks, keys) = (self.acks, self.keys);
        Some(Sending { acks, idempotent, transactional: false, keys, own_form: true })
    }

    fn numbers_itself(&self) -> bool {
        true
    }

    fn program(&self) -> Option<ProgramKind> {
        Some(ProgramKind::Client)
    }

    fn run(
        &self,
        voice: &Rc<Voice>,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        verifiable::produce(self, voice, orders)
    }
}

/// What a consumer of another program (one member of its group) does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifiableConsumerSpec {
    /// The common part; `config` is for kplan's own connections.
    pub common: Common,
    pub program: ClientProgram,
    pub place: ProgramPlace,
    pub topic: String,
    pub group: String,
    /// Where the group begins without a committed offset, and what a reset means.
    pub from: OffsetReset,
    pub commit: CommitMode,
    pub isolation: Isolation,
    /// The `group.instance.id` of each member; none if they are not static.
    pub instances: Vec<String>,
    /// The client's own settings, by the names of its library.
    pub settings: IndexMap<String, String>,
}

impl ClientBody for VerifiableConsumerSpec {
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
        std::slice::from_ref(&self.topic)
    }

    fn group(&self) -> Option<(&str, Isolation)> {
        Some((&self.group, self.isolation))
    }

    fn begins_at_start(&self) -> bool {
        self.from == OffsetReset::Earliest
    }

    fn numbers_itself(&self) -> bool {
        true
    }

    fn program(&self) -> Option<ProgramKind> {
        Some(ProgramKind::Client)
    }

    fn run(
        &self,
        voice: &Rc<Voice>,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        verifiable::consume(self, voice, orders)
    }
}

#[cfg(test)]
impl VerifiableProducerSpec {
    /// For a test: its life is never run.
    pub(crate) fn of_test(topic: &str, acks: Acks) -> Self {
        Self {
            common: Common::of_test(IndexMap::new()),
            program: ClientProgram::default(),
            place: ProgramPlace { bootstrap: "127.0.0.1:1".to_owned(), container: None },
            topic: topic.to_owned(),
            rate: None,
            acks,
            keys: None,
            count: None,
            settings: IndexMap::new(),
        }
    }
}

#[cfg(test)]
impl VerifiableConsumerSpec {
    /// For a test: its life is never run.
    pub(crate) fn of_test(topic: &str) -> Self {
        Self {
            common: Common::of_test(IndexMap::new()),
            program: ClientProgram::default(),
            place: ProgramPlace { bootstrap: "127.0.0.1:1".to_owned(), container: None },
            topic: topic.to_owned(),
            group: "g".to_owned(),
            from: OffsetReset::Earliest,
            commit: CommitMode::Auto,
            isolation: Isolation::ReadCommitted,
            instances: Vec::new(),
            settings: IndexMap::new(),
        }
    }
}
