//! The specification that a client process gets when it starts: one file for each kind of client, and one line in
//! the roster `kinds!`.

mod consumer;
mod copier;
mod derived;
mod log;
mod producer;
mod service;
mod verifiable;

use std::{collections::BTreeMap, path::PathBuf, rc::Rc, sync::mpsc::Receiver};

use indexmap::IndexMap;
use kplan_dsl::value::{Acks, Isolation};
use serde::{Deserialize, Serialize};

pub use self::{
    consumer::ConsumerSpec,
    copier::CopierSpec,
    derived::DerivedSpec,
    log::{LogSpec, LogTopic, ReadSpan},
    producer::{ProducerSpec, TransactionSpec},
    service::{ReadyWhen, ServiceSpec, ServiceTraffic, collected_from},
    verifiable::{ProgramPlace, VerifiableConsumerSpec, VerifiableProducerSpec},
};

use super::{
    ClientError, ClientType,
    program::ProgramKind,
    protocol::{ClientReport, Order},
    routes::Routes,
    voice::Voice,
};
use crate::{
    audit::ServiceWork,
    history::{Header, Writer},
    identity::{RunIds, payload::run_hash},
};

/// The part of the specification that all clients have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Common {
    /// The run's id.
    pub run: String,
    /// The client's name in the plan.
    pub name: String,
    /// The client's number in this suite, from 1, never used again: the identity in its messages.
    pub client_id: u16,
    /// The group's member, from 1; 1 for producers.
    pub member: u16,
    pub life: u16,
    /// `HOST:PORT` of brokers, separated by commas.
    pub bootstrap: String,
    /// The suite's directory: histories go to `history/`, logs to `logs/` below it.
    pub dir: PathBuf,
    /// librdkafka settings of the cluster (security) and of the plan, which override kplan's defaults.
    pub config: IndexMap<String, String>,
    /// Where its connections go, if not to the advertised addresses.
    #[serde(default)]
    pub routes: Option<Routes>,
    /// The numbers of the topics that it sends to or reads: identities as text name them so.
    #[serde(default)]
    pub topic_numbers: BTreeMap<String, u16>,
}

#[cfg(test)]
impl Common {
    /// For a client in a test.
    pub(crate) fn of_test(config: IndexMap<String, String>) -> Self {
        let (bootstrap, dir) = ("127.0.0.1:1".into(), "/nowhere".into());
        Self { run: "r".into(), bootstrap, dir, ..Self::unstarted("C", config) }
    }
}

impl Common {
    /// For a client that is never started: only its settings are used.
    pub fn unstarted(name: &str, config: IndexMap<String, String>) -> Self {
        Self {
            run: "check".to_owned(),
            name: name.to_owned(),
            client_id: 1,
            member: 1,
            life: 1,
            bootstrap: String::new(),
            dir: PathBuf::new(),
            config,
            routes: None,
            topic_numbers: BTreeMap::new(),
        }
    }

    /// The number of a topic that it sends to or reads.
    pub(super) fn topic_number(&self, topic: &str) -> u16 {
        self.topic_numbers.get(topic).copied().unwrap_or(u16::MAX)
    }

    /// `P-1`, and for the second member `C.2-1`: the client and its life, for file names.
    pub fn file_stem(&self) -> String {
        if self.member == 1 {
            format!("{}-{}", self.name, self.life)
        } else {
            format!("{}.{}-{}", self.name, self.member, self.life)
        }
    }

    /// Where this client's history of that kind is.
    pub fn history_path(&self, writer: Writer) -> PathBuf {
        let kind = match writer {
            Writer::ProducerSent => "sent",
            Writer::ProducerHeard => "heard",
            Writer::Consumer => "seen",
            Writer::Audit => "log",
            Writer::Collected => "collected",
        };
        self.dir.join("history").join(format!("{}.{kind}", self.file_stem()))
    }

    /// Where the latencies of its current interval are.
    pub fn latency_path(&self) -> PathBuf {
        self.dir.join("history").join(format!("{}.latency", self.file_stem()))
    }

    /// Where the reader of a service's output shows how far it has read.
    pub(super) fn reached_path(&self) -> PathBuf {
        self.dir.join("history").join(format!("{}.reached", self.file_stem()))
    }

    /// The file with how far a topic was delivered to a group: its members, and all their lives, share it.
    pub(super) fn firsts_path(&self, group: &str, topic: &str) -> PathBuf {
        let name =
            crate::identity::payload::foreign_hash(Some(group.as_bytes()), Some(topic.as_bytes()));
        self.dir.join("history").join(format!("{name:016x}.firsts"))
    }

    /// Where what this client (and librdkafka) writes to stderr goes.
    pub fn log_path(&self) -> PathBuf {
        self.dir.join("logs").join(format!("{}.log", self.file_stem()))
    }

    /// The hash of the run's id in this client's messages.
    pub fn run_hash(&self) -> u64 {
        run_hash(&self.run)
    }

    /// What identifies the run's messages.
    pub(super) fn run_ids(&self) -> RunIds {
        RunIds::of(&self.run, &self.dir)
    }

    pub(super) fn header(
        &self,
        writer: Writer,
        topics: Vec<String>,
        group: Option<String>,
    ) -> Header {
        Header {
            run: self.run.clone(),
            writer,
            client: self.name.clone(),
            client_id: self.client_id,
            member: self.member,
            life: self.life,
            topics,
            group,
            pid: std::process::id(),
        }
    }
}

/// The first line that a client process reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClientStart {
    pub spec: ClientSpec,
    /// What its log must not show.
    pub secrets: Vec<String>,
}

/// How a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    pub acks: Acks,
    /// librdkafka's `enable.idempotence`, which transactions imply.
    pub idempotent: bool,
    pub transactional: bool,
    /// How many different keys; none: no key, or the keys of what it copies.
    pub keys: Option<u32>,
    /// Its messages carry their identity in kplan's own form only, not as text.
    pub own_form: bool,
}

/// A kind of client: what is known of it without running it, and what its process does.
pub(crate) trait ClientBody {
    fn common(&self) -> &Common;

    fn common_mut(&mut self) -> &mut Common;

    /// The histories that it writes.
    fn writers(&self) -> &'static [Writer];

    /// The topic to which it sends.
    fn sends_to(&self) -> Option<&str> {
        None
    }

    /// How it sends, if it does.
    fn sending(&self) -> Option<Sending> {
        None
    }

    /// The topics that it reads in its group.
    fn reads_from(&self) -> &[String] {
        &[]
    }

    /// Its group and isolation level, if it reads in a group.
    fn group(&self) -> Option<(&str, Isolation)> {
        None
    }

    /// True if it reads messages from before its start.
    fn begins_at_start(&self) -> bool {
        false
    }

    /// What it makes of the messages of a topic, if that is judged: see [`crate::audit::ServiceWork`].
    fn work(&self) -> Option<ServiceWork> {
        None
    }

    /// What a service makes of messages that writes elsewhere than into a topic: its output is what a step collects.
    fn elsewhere(&self) -> Option<ServiceWork> {
        None
    }

    /// The group and the topic of a service that reads in a group, and writes no history of it.
    fn reads_unseen(&self) -> Option<(&str, &str)> {
        None
    }

    /// What its process runs, if that is a program, which orders signal and whose end it reports.
    fn program(&self) -> Option<ProgramKind> {
        None
    }

    /// The container that its process runs, if it is one that has a network of its own.
    fn container(&self) -> Option<String> {
        None
    }

    /// All of librdkafka's settings that it has, of each instance that it makes.
    fn settings(&self) -> Vec<(ClientType, IndexMap<String, String>)> {
        Vec::new()
    }

    /// True if it numbers its messages itself, and announces none before it sends it: a client of another program.
    fn numbers_itself(&self) -> bool {
        false
    }

    /// The body of its process.
    fn run(&self, voice: &Rc<Voice>, orders: &Receiver<Order>)
    -> Result<ClientReport, ClientError>;
}

/// The roster: what a client process does, and which kind that is.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident($spec:ty),)+) => {
        /// What a client process does.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(clippy::large_enum_variant, reason = "one value a process")]
        pub enum ClientSpec {
            $($(#[doc = $doc])* $name($spec),)+
        }

        impl ClientSpec {
            pub(crate) fn kind(&self) -> &dyn ClientBody {
                match self {
                    $(Self::$name(spec) => spec,)+
                }
            }

            pub(crate) fn kind_mut(&mut self) -> &mut dyn ClientBody {
                match self {
                    $(Self::$name(spec) => spec,)+
                }
            }
        }
    };
}

kinds! {
    Producer(ProducerSpec),
    Consumer(ConsumerSpec),
    Copier(CopierSpec),
    Service(ServiceSpec),
    /// The audit's reader.
    Log(LogSpec),
    /// The reader of a service's output.
    Derived(DerivedSpec),
    /// A producer of another program.
    VerifiableProducer(VerifiableProducerSpec),
    /// A consumer of another program.
    VerifiableConsumer(VerifiableConsumerSpec),
}

impl ClientSpec {
    pub fn common(&self) -> &Common {
        self.kind().common()
    }

    /// The same for a member of it in one of its lives.
    pub fn in_life(&self, member: u16, life: u16) -> Self {
        let mut own = self.clone();
        let common = own.kind_mut().common_mut();
        (common.member, common.life) = (member, life);
        own
    }

    /// Histories that this client writes.
    pub fn histories(&self) -> Vec<PathBuf> {
        let writers = self.kind().writers().iter();
        writers.map(|writer| self.common().history_path(*writer)).collect()
    }
}
