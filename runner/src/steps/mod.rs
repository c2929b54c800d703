//! The implementation of each verb. Mirrors `kplan_dsl::steps`: a file for each verb, and a line in the list below.
//! The other files that are declared here contain code that several verbs share.

mod access;
mod disk_calls;
mod down;
pub mod lasting;
pub mod limits;
mod members;
mod new_client;
mod other_client;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::BoxFuture;
use kplan_dsl::{StepHead, Verb, plan::Step};

pub use lasting::Fault;
pub(crate) use new_client::MakesHalves;
pub use new_client::{ClientDraft, SettingsMap};

use crate::{
    cluster::Node,
    event::{Finding, Holds, StepRun},
    stage::{
        Stage,
        judge::{Judge, Looking},
        outcome::{Done, StepError},
    },
    steps::limits::Surroundings,
};

/// The context of a step.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    pub stage: &'a Arc<Stage>,
    /// The keys that every step has besides its verb.
    pub head: &'a StepHead,
    pub verb: &'a Verb,
    /// The step's id, with the round of a repeat.
    pub id: &'a StepRun,
    /// When it began, monotonic microseconds.
    pub began_us: i64,
    /// What may cut it off.
    pub around: Surroundings,
}

impl Cx<'_> {
    /// A judge for the conditions of this step.
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

    /// The end of a step that did nothing of what it is for, and so proves nothing: it is inconclusive.
    pub fn proves_nothing(&self, expected: &str, found: String, evidence: &[&str]) -> StepError {
        StepError::Unproven(Box::new(Finding {
            condition: self.verb.info().word.to_owned(),
            line: self.head.lines.0,
            holds: Holds::Inconclusive,
            expected: expected.to_owned(),
            found,
            evidence: evidence.iter().map(|one| (*one).to_owned()).collect(),
            after_ms: None,
        }))
    }
}

/// What a verb does. A fault with `for` and `during` implements [`Fault`].
#[async_trait]
pub trait Act: Send + Sync {
    /// Carries the step out; for a fault that lasts: begins it.
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError>;

    /// The default limit, if it differs from that of most verbs.
    fn limit(&self) -> Option<Duration> {
        None
    }

    /// The error of a step that did not end within its limit; `whose` describes which limit that was.
    fn ran_out(&self, _cx: &Cx<'_>, whose: String) -> StepError {
        StepError::TimedOut(whose)
    }

    /// Whether it enforces its limit itself: it undoes its faults before it ends.
    fn keeps_limit(&self) -> bool {
        false
    }

    /// Whether it leaves nothing broken when it is done, but would if it were cut off.
    fn mends_itself(&self) -> bool {
        false
    }

    /// Undoes what this step did, completely or as far as it came. What another step undid meanwhile, or
    /// replaced by another fault, is left as it is. Only called for lasting faults and steps that mend themselves.
    async fn undo(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        Err(StepError::not_so(format!("`{}` cannot be undone", cx.head.word)))
    }

    /// The nodes that it takes away from the cluster while it is in effect, for `chaos`.
    async fn takes_away(&self, cx: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        meant_by(cx).await
    }

    /// The client that it starts, if any: the check asks librdkafka about its settings.
    fn client(&self, _head: &StepHead) -> Option<ClientDraft<'_>> {
        None
    }

    /// The steps inside it, which the conductor runs.
    fn inside(&self) -> Option<Inside<'_>> {
        None
    }
}

/// The steps inside a step, and how they run.
pub enum Inside<'a> {
    /// One round after the other.
    Rounds(Vec<&'a [Step]>),
    /// All branches at once.
    Branches(Vec<&'a [Step]>),
    Once(&'a [Step]),
}

/// The nodes that a step's target selects now; empty if it has no target.
fn meant_by<'a>(cx: &'a Cx<'_>) -> BoxFuture<'a, Result<BTreeSet<Node>, StepError>> {
    Box::pin(async move {
        match cx.verb.target() {
            Some(target) => cx.stage.nodes_meant(target, cx.id).await,
            None => Ok(BTreeSet::new()),
        }
    })
}

/// Every verb: its module and its type in the language. A verb that only the language or only this list has does not
/// compile.
macro_rules! acts {
    ($($module:ident :: $name:ident,)+) => {
        $(mod $module;)+

        /// What a verb does.
        pub fn act_of(verb: &Verb) -> &dyn Act {
            match verb { $(Verb::$name(it) => &**it,)+ }
        }
    };
}

acts! {
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

pub use start_cluster::spec as cluster_spec;
