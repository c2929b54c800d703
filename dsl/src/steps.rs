//! The verbs of steps.
//!
//! Adding one is a file here and a line in each of the two lists below; the runner's roster then
//! misses it.

use std::collections::HashMap;
use std::sync::LazyLock;

use schemars::{Schema, SchemaGenerator};

use crate::args::{Arguments, WordInfo, arguments_of};
use crate::backend::Need;
use crate::conditions::Conditions;
use crate::document::Node;
use crate::facts::StepFacts;
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::Span;

mod alter_topic;
mod assert;
mod chaos;
mod consume;
mod create_topic;
mod degrade_network;
mod delete_topic;
mod describe;
mod elect_leaders;
mod fill_disk;
mod fragment;
mod free_disk;
mod heal_network;
mod include;
mod kill_broker;
mod kill_client;
mod lasting;
mod note;
mod parallel;
mod partition_network;
mod pause_broker;
mod pause_client;
mod produce;
mod read;
mod reassign_partitions;
mod record;
mod repeat;
mod restart_broker;
mod resume_broker;
mod resume_client;
mod run;
mod start_broker;
mod start_client;
mod start_cluster;
mod start_consumer;
mod start_copier;
mod start_producer;
mod step;
mod stop_broker;
mod stop_client;
mod stop_cluster;
mod upgrade_broker;
mod wait;

pub use chaos::ChaosFault;
pub use consume::{Until, UntilCount};
pub use lasting::Lasting;
pub use parallel::Branch;
pub use produce::GivenMessage;
pub(crate) use read::{COMMON, read_steps};
pub use repeat::Round;
pub use run::RunExpect;
pub use start_cluster::SecurityArgs;
pub use start_producer::{Payload, PayloadRange, Transactional};
pub(crate) use step::Finally;
pub use step::{Action, LateVerb, ReadyStep, Step, StepHead, StepId};
pub use wait::WaitUntil;

/// What every verb tells of itself.
pub trait StepWord: Arguments {
    /// What is known of it without running it.
    const FACTS: StepFacts;

    /// One sentence without a full stop: what the step does.
    fn explain(&self) -> String;

    /// Tells what is wrong beyond the single arguments.
    fn validate(&self, _span: Span, _reader: &mut Reader) {}

    /// What it needs of the backend.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }
}

/// The same without what a verb tells as a constant, so that all verbs are read alike.
trait AnyStep {
    fn explain(&self) -> String;
    fn validate(&self, span: Span, reader: &mut Reader);
    fn needs(&self) -> Vec<Need>;
}

impl<T: StepWord> AnyStep for T {
    fn explain(&self) -> String {
        StepWord::explain(self)
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        StepWord::validate(self, span, reader);
    }

    fn needs(&self) -> Vec<Need> {
        StepWord::needs(self)
    }
}

type ReadVerb = fn(&Node, &mut Reader) -> Option<Verb>;

macro_rules! roster {
    ($($module:ident :: $name:ident,)+) => {
        $(pub use $module::$name;)+

        /// What a step does.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Verb {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name(Box<$name>),)+
        }

        impl Verb {
            /// What is known about every verb, in the order of the manual.
            pub const ALL: &[&WordInfo] = &[$(&$name::INFO),+];

            /// What is known about this one.
            pub const fn info(&self) -> &'static WordInfo {
                match self { $(Self::$name(_) => &$name::INFO),+ }
            }

            /// What is known of it without running it.
            pub const fn facts(&self) -> &'static StepFacts {
                match self { $(Self::$name(_) => &<$name as StepWord>::FACTS),+ }
            }

            /// The same of the verb of a word.
            pub fn facts_of(word: &str) -> Option<&'static StepFacts> {
                let all = [$((&$name::INFO, &<$name as StepWord>::FACTS)),+];
                all.into_iter().find(|(info, _)| info.word == word).map(|(_, facts)| facts)
            }

            fn word(&self) -> &dyn AnyStep {
                match self { $(Self::$name(it) => &**it),+ }
            }

            /// What its arguments are made of.
            pub(crate) fn parts(&self) -> &dyn Arguments {
                match self { $(Self::$name(it) => &**it),+ }
            }

            fn parts_mut(&mut self) -> &mut dyn Arguments {
                match self { $(Self::$name(it) => &mut **it),+ }
            }

            /// What its arguments mean.
            pub(crate) fn arguments(&self) -> serde_json::Value {
                match self { $(Self::$name(it) => crate::meaning::Meaning::meaning(&**it)),+ }
            }

            fn readers() -> HashMap<&'static str, (&'static WordInfo, ReadVerb)> {
                let mut all: HashMap<&'static str, (&'static WordInfo, ReadVerb)> = HashMap::new();
                $(all.insert($name::INFO.word, (&$name::INFO, |node, reader| {
                    reader.read::<$name>(node).map(|it| Self::$name(Box::new(it)))
                }));)+
                all
            }

            /// Every verb with the schema of its argument.
            pub(crate) fn schemas(
                generator: &mut SchemaGenerator,
            ) -> Vec<(&'static WordInfo, Schema)> {
                vec![$((&$name::INFO, <$name as FromNode>::schema(generator))),+]
            }
        }
    };
}

roster! {
    start_cluster::StartCluster,
    stop_cluster::StopCluster,
    create_topic::CreateTopic,
    delete_topic::DeleteTopic,
    alter_topic::AlterTopic,
    describe::Describe,
    kill_broker::KillBroker,
    stop_broker::StopBroker,
    start_broker::StartBroker,
    restart_broker::RestartBroker,
    upgrade_broker::UpgradeBroker,
    pause_broker::PauseBroker,
    resume_broker::ResumeBroker,
    partition_network::PartitionNetwork,
    degrade_network::DegradeNetwork,
    heal_network::HealNetwork,
    fill_disk::FillDisk,
    free_disk::FreeDisk,
    elect_leaders::ElectLeaders,
    reassign_partitions::ReassignPartitions,
    start_producer::StartProducer,
    start_consumer::StartConsumer,
    start_copier::StartCopier,
    kill_client::KillClient,
    pause_client::PauseClient,
    resume_client::ResumeClient,
    start_client::StartClient,
    stop_client::StopClient,
    produce::Produce,
    consume::Consume,
    wait::Wait,
    assert::Assert,
    record::Record,
    repeat::Repeat,
    parallel::Parallel,
    include::Include,
    chaos::Chaos,
    run::Run,
    note::Note,
}

static READERS: LazyLock<HashMap<&'static str, (&'static WordInfo, ReadVerb)>> =
    LazyLock::new(Verb::readers);

impl Verb {
    /// One sentence without a full stop: what the step does.
    pub fn explain(&self) -> String {
        self.word().explain()
    }

    /// What it needs of the backend, with the conditions it holds.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = self.word().needs();
        for condition in self.conditions().iter().flat_map(|c| c.flat()) {
            let own = condition.needs();
            needs.extend(
                own.into_iter().map(|n| Need { span: n.span.or(Some(condition.span)), ..n }),
            );
        }
        needs
    }

    /// The conditions it waits for, judges, records or keeps.
    pub fn conditions(&self) -> Vec<&Conditions> {
        arguments_of(self.parts())
    }

    /// The known word, if it is a verb.
    pub(crate) fn known(word: &str) -> Option<&'static WordInfo> {
        READERS.get(word).map(|(info, _)| *info)
    }

    /// Reads the argument of a verb that is known.
    pub(crate) fn read(word: &str, span: Span, node: &Node, reader: &mut Reader) -> Option<Self> {
        let (_, read) = READERS.get(word)?;
        reader.key = Some(span);
        let verb = read(node, reader);
        reader.key = None;
        let verb = verb?;
        verb.word().validate(span, reader);
        Some(verb)
    }

    /// True if chaos may choose the verb of a word.
    pub(crate) fn may_be_in_chaos(word: &str) -> bool {
        Self::facts_of(word).is_some_and(|facts| facts.in_chaos)
    }

    /// The words of the verbs that chaos may choose.
    pub(crate) fn of_chaos() -> impl Iterator<Item = &'static str> + Clone {
        Self::words().filter(|word| Self::may_be_in_chaos(word))
    }

    /// The words of all verbs.
    pub fn words() -> impl Iterator<Item = &'static str> + Clone {
        Self::ALL.iter().map(|info| info.word)
    }
}

impl Meaning for Verb {
    fn meaning(&self) -> serde_json::Value {
        self.arguments()
    }
}
