//! The verbs of steps.
//!
//! To add a verb, add a file here and a line in each of the two lists below. The runner does
//! not compile until its list has the verb too.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator};

use crate::args::{Arguments, WordInfo, arguments_of};
use crate::backend::Need;
use crate::conditions::Conditions;
use crate::document::Node;
use crate::facts::{Kind, LaneChange, StepFacts, Undo};
use crate::ground::{Ever, Ground, StepAt};
use crate::meaning::Meaning;
use crate::read::{FromNode, Reader};
use crate::source::{Span, Spanned};
use crate::value::{Clients, KafkaVersion, Target};
use crate::words::Sentence;

mod access;
mod allow;
mod alter_broker;
mod alter_quota;
mod alter_topic;
mod assert;
mod chaos;
mod collect;
mod consume;
mod corrupt_disk;
mod create_topic;
mod degrade_network;
mod delete_records;
mod delete_topic;
mod deny;
mod describe;
mod disk_errors;
mod disturb_requests;
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
mod other_clients;
mod parallel;
mod partition_network;
mod pause_broker;
mod pause_client;
mod power_loss;
mod produce;
mod read;
mod reassign_partitions;
mod record;
mod repeat;
mod restart_broker;
mod restart_client;
mod resume_broker;
mod resume_client;
mod run;
mod skew_clock;
mod slow_disk;
mod start_broker;
mod start_client;
mod start_cluster;
mod start_consumer;
mod start_copier;
mod start_producer;
mod start_service;
mod step;
mod stop_broker;
mod stop_client;
mod stop_cluster;
mod upgrade_broker;
mod useless;
mod wait;
mod zookeeper;

pub use access::AccessRule;
pub use chaos::ChaosFault;
pub use consume::{Until, UntilCount};
pub use fill_disk::BROKER_DISK;
pub(crate) use fragment::read_alone;
pub use lasting::Lasting;
pub use parallel::Branch;
pub use produce::GivenMessage;
pub(crate) use read::{COMMON, read_steps};
pub use repeat::Round;
pub use run::RunExpect;
pub use start_cluster::SecurityArgs;
pub use start_producer::Transactional;
pub use start_service::{ReadyHttp, ServiceReady};
pub(crate) use step::Finally;
pub use step::{Action, Children, LateVerb, ReadyStep, Step, StepHead, StepId};
pub use wait::WaitUntil;

/// The properties and checks of a verb.
pub trait StepWord: Arguments + Sized {
    /// Its static properties.
    const FACTS: StepFacts;

    /// What the step does: one sentence without a full stop. The duration of a fault is added to it.
    fn explain(&self) -> String;

    /// The same for `explain`, if it is longer there.
    fn in_full(&self) -> Sentence {
        Sentence::from(self.explain())
    }

    /// What is proven at the end if the step passes, in addition to the conditions that it judges.
    fn finds(&self) -> Option<String> {
        None
    }

    /// What it changes in the timeline of `explain`. By default the nodes or clients that it is about get the mark
    /// of its facts.
    fn lanes(&self) -> Vec<LaneChange> {
        let Some(mark) = Self::FACTS.lane else { return Vec::new() };
        let nodes = arguments_of::<Spanned<Target>>(self).into_iter().next();
        let nodes = nodes.map(|target| LaneChange::Nodes(target.value.clone(), mark));
        let clients = arguments_of::<Clients>(self).into_iter();
        nodes.into_iter().chain(clients.map(|c| LaneChange::Clients(c.clone(), mark))).collect()
    }

    /// Reports mistakes that concern more than one argument.
    fn validate(&self, _span: Span, _reader: &mut Reader) {}

    /// The abilities of the backend that it needs.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    /// Reports what cannot work at its place, and changes the state that is known after it. There is no default: a
    /// verb that changes nothing must define this too.
    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>);

    /// Records the names that it makes.
    fn makes<'p>(&'p self, _at: StepAt<'p>, _ever: &mut Ever<'p>) {}

    /// The steps that it contains, without those of `during`.
    fn children(&self) -> Children<'_> {
        Children::None
    }

    /// True if it needs a running cluster.
    fn needs_cluster(&self) -> bool {
        !matches!(Self::FACTS.kind, Kind::Flow | Kind::Program | Kind::Note)
    }

    /// The duration, if it only lets time pass.
    fn pause(&self) -> Option<Duration> {
        None
    }

    /// True if its judgement can fail.
    fn judges(&self) -> bool {
        false
    }
}

type ReadVerb = fn(&Node, &mut Reader) -> Option<Verb>;

macro_rules! roster {
    (($d:tt) $($module:ident :: $name:ident,)+) => {
        $(pub use $module::$name;)+

        /// The same for every verb, without knowing its type.
        macro_rules! each {
            ($d verb:expr, $d it:ident => $d same:expr) => {
                match $d verb { $(Verb::$name($d it) => $d same),+ }
            };
        }

        $(const _: () = assert!(
            !<$name as StepWord>::FACTS.is_fault() || <$name as StepWord>::FACTS.lane.is_some(),
            concat!("`", stringify!($module), "` is a fault that no lane shows"),
        );)+

        /// What a step does.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Verb {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name(Box<$name>),)+
        }

        impl Verb {
            /// The declarations of all verbs, in the order of the manual.
            pub const ALL: &[&WordInfo] = &[$(&$name::INFO),+];

            /// The declaration of this verb.
            pub const fn info(&self) -> &'static WordInfo {
                match self { $(Self::$name(_) => &$name::INFO),+ }
            }

            /// Its static properties.
            pub const fn facts(&self) -> &'static StepFacts {
                match self { $(Self::$name(_) => &<$name as StepWord>::FACTS),+ }
            }

            /// The static properties of the verb with this word.
            pub fn facts_of(word: &str) -> Option<&'static StepFacts> {
                let all = [$((&$name::INFO, &<$name as StepWord>::FACTS)),+];
                all.into_iter().find(|(info, _)| info.word == word).map(|(_, facts)| facts)
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
    ($)
    start_cluster::StartCluster,
    stop_cluster::StopCluster,
    create_topic::CreateTopic,
    delete_topic::DeleteTopic,
    alter_topic::AlterTopic,
    delete_records::DeleteRecords,
    describe::Describe,
    kill_broker::KillBroker,
    power_loss::PowerLoss,
    stop_broker::StopBroker,
    start_broker::StartBroker,
    restart_broker::RestartBroker,
    restart_client::RestartClient,
    upgrade_broker::UpgradeBroker,
    pause_broker::PauseBroker,
    resume_broker::ResumeBroker,
    partition_network::PartitionNetwork,
    degrade_network::DegradeNetwork,
    heal_network::HealNetwork,
    fill_disk::FillDisk,
    free_disk::FreeDisk,
    corrupt_disk::CorruptDisk,
    disk_errors::DiskErrors,
    slow_disk::SlowDisk,
    skew_clock::SkewClock,
    disturb_requests::DisturbRequests,
    elect_leaders::ElectLeaders,
    reassign_partitions::ReassignPartitions,
    alter_broker::AlterBroker,
    alter_quota::AlterQuota,
    allow::Allow,
    deny::Deny,
    start_producer::StartProducer,
    start_consumer::StartConsumer,
    start_copier::StartCopier,
    start_service::StartService,
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
    collect::Collect,
    note::Note,
}

static READERS: LazyLock<HashMap<&'static str, (&'static WordInfo, ReadVerb)>> =
    LazyLock::new(Verb::readers);

impl Verb {
    /// What the step does: one sentence without a full stop.
    pub fn explain(&self) -> String {
        each!(self, it => it.explain()) + &self.lasting().map(Lasting::text).unwrap_or_default()
    }

    /// The same for `explain`.
    pub(crate) fn in_full(&self) -> Sentence {
        let Sentence { text, points } = each!(self, it => it.in_full());
        let undo = match self.facts().undo {
            Undo::After(words) => words,
            Undo::Never | Undo::Itself => "undo it",
        };
        let lasting = self.lasting().map(|lasting| lasting.in_full(undo)).unwrap_or_default();
        Sentence { text: text + &lasting, points }
    }

    /// See [`StepWord::finds`].
    pub(crate) fn finds(&self) -> Option<String> {
        each!(self, it => it.finds())
    }

    /// What it changes in the timeline of `explain`.
    pub(crate) fn lanes(&self) -> Vec<LaneChange> {
        each!(self, it => it.lanes())
    }

    /// The parts of its arguments.
    pub(crate) fn parts(&self) -> &dyn Arguments {
        each!(self, it => &**it)
    }

    fn parts_mut(&mut self) -> &mut dyn Arguments {
        each!(self, it => &mut **it)
    }

    /// The meaning of its arguments, in the form of the language.
    pub fn arguments(&self) -> serde_json::Value {
        each!(self, it => it.meaning())
    }

    pub(crate) fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        each!(self, it => it.follow(at, ground));
    }

    pub(crate) fn makes<'p>(&'p self, at: StepAt<'p>, ever: &mut Ever<'p>) {
        each!(self, it => it.makes(at, ever));
    }

    /// The steps that it contains, without those of `during`.
    pub fn children(&self) -> Children<'_> {
        each!(self, it => it.children())
    }

    pub(crate) fn needs_cluster(&self) -> bool {
        each!(self, it => it.needs_cluster())
    }

    /// The duration, if it only lets time pass.
    pub fn pause(&self) -> Option<Duration> {
        each!(self, it => it.pause())
    }

    pub(crate) fn judges(&self) -> bool {
        each!(self, it => it.judges())
    }

    /// The brokers that it acts on, if it does.
    pub fn target(&self) -> Option<&Spanned<Target>> {
        arguments_of(self.parts()).into_iter().next()
    }

    /// The versions of Kafka that it starts.
    pub fn versions(&self) -> Vec<&KafkaVersion> {
        arguments_of(self.parts())
    }

    /// The abilities of the backend that it needs, including those of its conditions.
    pub fn needs(&self) -> Vec<Need> {
        let mut needs = each!(self, it => it.needs());
        for condition in self.conditions().iter().flat_map(|c| c.flat()) {
            let own = condition.needs();
            needs.extend(
                own.into_iter().map(|n| Need { span: n.span.or(Some(condition.span)), ..n }),
            );
        }
        needs
    }

    /// The conditions that it waits for, judges, records or keeps.
    pub fn conditions(&self) -> Vec<&Conditions> {
        arguments_of(self.parts())
    }

    /// The declared word, if it is a verb.
    pub(crate) fn known(word: &str) -> Option<&'static WordInfo> {
        READERS.get(word).map(|(info, _)| *info)
    }

    /// Reads the argument of a known verb.
    pub(crate) fn read(word: &str, span: Span, node: &Node, reader: &mut Reader) -> Option<Self> {
        let (_, read) = READERS.get(word)?;
        reader.key = Some(span);
        let verb = read(node, reader);
        reader.key = None;
        let verb = verb?;
        each!(&verb, it => it.validate(span, reader));
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
