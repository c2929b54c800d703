//! What each word does. Mirrors `kplan_dsl::steps`: one word, one function, words of one family in one file.

mod alter_topic;
mod brokers;
mod chaos;
mod clients;
mod cluster;
mod consume;
mod copier;
mod degrade_network;
mod describe;
mod elect_leaders;
mod fill_disk;
mod free_disk;
mod heal_network;
mod judged;
pub mod lasting;
mod partition_network;
mod produce;
mod reassign_partitions;
mod run;
mod topics;
mod upgrade_broker;

pub use chaos::chaos;
pub use cluster::spec as cluster_spec;
pub use consume::find_messages;

use std::{sync::Arc, time::Duration};

use kplan_dsl::{StepHead, Verb, steps::Wait};

use crate::{
    event::{Event, StepRun},
    stage::{
        Stage,
        judge::{Judge, Looking},
        outcome::{Done, StepError},
    },
};

/// What a step may use.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    pub stage: &'a Arc<Stage>,
    /// What every step has beside its verb.
    pub head: &'a StepHead,
    pub verb: &'a Verb,
    /// Which it is, in which round of a repeat.
    pub id: &'a StepRun,
    /// When it began, monotonic microseconds.
    pub began_us: i64,
}

impl Cx<'_> {
    /// Judges conditions on behalf of this step.
    pub fn judge(&self, record: bool) -> Judge<'_> {
        Judge {
            stage: self.stage,
            step: self.id,
            began_us: self.began_us,
            record,
            since: None,
            look_us: self.began_us,
            looking: Looking::Once,
            faults_from_us: i64::MIN,
        }
    }
}

/// Carries one step out.
pub async fn carry_out(cx: &Cx<'_>) -> Result<Done, StepError> {
    match cx.verb {
        Verb::StartCluster(args) => cluster::start(args, cx).await,
        Verb::StopCluster(_) => cluster::stop(cx).await,
        Verb::CreateTopic(args) => topics::create(args, cx).await,
        Verb::DeleteTopic(args) => topics::delete(args, cx).await,
        Verb::AlterTopic(args) => alter_topic::alter(args, cx).await,
        Verb::ElectLeaders(args) => elect_leaders::elect(args, cx).await,
        Verb::ReassignPartitions(args) => reassign_partitions::reassign(args, cx).await,
        Verb::Describe(args) => describe::describe(args, cx).await,
        Verb::KillBroker(_)
        | Verb::StopBroker(_)
        | Verb::PauseBroker(_)
        | Verb::PartitionNetwork(_)
        | Verb::DegradeNetwork(_)
        | Verb::FillDisk(_)
        | Verb::KillClient(_)
        | Verb::PauseClient(_) => lasting::carry_out(cx).await,
        Verb::StartBroker(args) => brokers::start(args, cx).await,
        Verb::RestartBroker(args) => brokers::restart(args, cx).await,
        Verb::ResumeBroker(args) => brokers::resume(args, cx).await,
        Verb::FreeDisk(args) => free_disk::free(args, cx).await,
        Verb::HealNetwork(_) => heal_network::heal(cx).await,
        Verb::StartProducer(args) => clients::start_producer(args, cx).await,
        Verb::StartConsumer(args) => clients::start_consumer(args, cx).await,
        Verb::StartCopier(args) => copier::start(args, cx).await,
        Verb::ResumeClient(args) => clients::resume(args, cx).await,
        Verb::StartClient(args) => clients::start(args, cx).await,
        Verb::StopClient(args) => clients::stop(args, cx).await,
        Verb::Produce(args) => produce::produce(args, cx).await,
        Verb::Consume(args) => consume::consume(args, cx).await,
        Verb::Wait(args) => judged::wait(args, cx).await,
        Verb::Assert(args) => judged::assert(args, cx).await,
        Verb::Record(args) => judged::record(args, cx).await,
        Verb::UpgradeBroker(args) => upgrade_broker::upgrade(args, cx).await,
        Verb::Run(args) => run::run(args, cx).await,
        Verb::Note(args) => {
            cx.stage.tell.emit(Event::Note { step: cx.id.to_owned(), text: args.text.clone() });
            Ok(Done::default())
        }
        // The conductor runs what is in them; a chaos is given what surrounds it.
        Verb::Chaos(_) | Verb::Repeat(_) | Verb::Parallel(_) | Verb::Include(_) => {
            Ok(Done::default())
        }
    }
}

fn wait_limit(wait: &Wait) -> Duration {
    match wait {
        Wait::Pause(time) => **time,
        Wait::Until(args) => *args.within,
    }
}

/// Limit of a step that names none: no step waits for ever.
pub const STEP_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The limit of a step that names none, where its word has one of its own.
pub fn own_limit(verb: &Verb) -> Option<Duration> {
    match verb {
        Verb::StopClient(_) | Verb::Run(_) => Some(Duration::from_secs(60)),
        Verb::Chaos(args) => Some(chaos::limit(args)),
        // These end by themselves when their time is over; the limit only guards against a hang.
        Verb::Wait(wait) => Some(wait_limit(wait) + Duration::from_secs(120)),
        Verb::Assert(_) | Verb::Record(_) => Some(Duration::from_secs(45 * 60)),
        // What it takes to do and to undo it comes on top.
        fault => fault.for_time().map(|time| time.saturating_add(STEP_LIMIT)),
    }
}
