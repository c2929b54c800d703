//! librdkafka's mock cluster, in this process, with kplan as its controller.
//!
//! The mock has brokers that are up or down and one log for each partition. It elects no
//! leaders: when a broker dies, kplan moves its leaderships to a living replica after
//! [`FAILOVER_DELAY`], and restores preferred leaders [`PREFERRED_DELAY`] after a start. All
//! replicas share the one log, so no log can be truncated or diverge, and the in-sync set never
//! changes: the checker refuses such conditions, and results are marked `simulated`.
//! A group that has been used before rebalances only after its session timeout less 1 s.
#![allow(unsafe_code)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use async_trait::async_trait;
use kplan_dsl::value::{DataFate, FIRST_BROKER};
use rdkafka::{
    ClientConfig,
    error::KafkaError as ClientError,
    mocking::MockCoordinator,
    producer::{BaseProducer, Producer},
};
use rdkafka_sys::RDKafkaApiKey;

use super::{
    AdminError, Cluster, ClusterSpec, KafkaError, Node, NodeLife, NodeState, Placement, RigError,
    TopicAdmin, TopicChange, TopicSpec, admin::error_name, ending::Death,
};

mod backend;

pub use backend::EmbeddedBackend;

const NAME: &str = "embedded";
/// From a broker's death to its partitions' new leaders (Kafka's own needs about 9 s).
pub const FAILOVER_DELAY: Duration = Duration::from_millis(500);
/// From a broker's start until it leads again the partitions that prefer it.
pub const PREFERRED_DELAY: Duration = Duration::from_secs(1);
/// The mock silently drops the oldest batches of a partition above this size.
pub const MAX_PARTITION_BYTES: u64 = 5 * 1024 * 1024;
/// The mock drops the oldest batches of a partition above this number. A batch holds one message
/// or more, so fewer messages than this are safe.
pub const MAX_PARTITION_BATCHES: u64 = 100_000;
/// The most brokers that the mock's clients were tested with.
const MAX_BROKERS: u32 = 100;

/// A mock cluster. It ends when its value is dropped, or earlier by [`Cluster::destroy`].
pub struct EmbeddedCluster {
    spec: ClusterSpec,
    addresses: Vec<String>,
    controller: Arc<Controller>,
}

/// Simulates Kafka's controller.
struct Controller {
    brokers: u32,
    state: Mutex<MockState>,
}

struct MockState {
    /// The client that owns the mock; none once it is destroyed.
    owner: Option<BaseProducer>,
    alive: BTreeSet<u32>,
    topics: BTreeMap<String, Vec<Partition>>,
    groups: BTreeMap<String, u32>,
}

struct Partition {
    /// The preferred leader first.
    replicas: Vec<u32>,
    leader: Option<u32>,
}

impl EmbeddedCluster {
    /// Starts the mock brokers. The version and the metadata mode are not simulated.
    pub fn launch(spec: ClusterSpec) -> Result<Self, RigError> {
        if spec.brokers == 0 || spec.brokers > MAX_BROKERS {
            return Err(cannot(format!(
                "run {} brokers: 1 to {MAX_BROKERS} are possible",
                spec.brokers
            )));
        }
        if spec.numbers().next().is_some_and(|first| first != FIRST_BROKER) {
            return Err(cannot("number brokers from another number than 1".to_owned()));
        }
        let fail = |what: String| RigError::Other(format!("librdkafka's mock cluster: {what}"));
        let owner: BaseProducer = ClientConfig::new()
            .set("test.mock.num.brokers", spec.brokers.to_string())
            .set("log_level", "2")
            .create()
            .map_err(|error: ClientError| fail(error.to_string()))?;
        rebalance_at_once(&owner);
        leaders_only_in_metadata(&owner)?;
        let mock = owner.client().mock_cluster().ok_or_else(|| fail("did not start".into()))?;
        let addresses: Vec<String> =
            mock.bootstrap_servers().split(',').map(str::to_owned).collect();
        if addresses.len() != spec.brokers as usize {
            return Err(fail(format!("reports unexpected addresses: {addresses:?}")));
        }
        for (broker, rack) in &spec.racks {
            let id = i32::try_from(*broker).unwrap_or(i32::MAX);
            mock.broker_rack(id, rack).map_err(|error| fail(error.to_string()))?;
        }
        drop(mock);
        let state = MockState {
            owner: Some(owner),
            alive: (1..=spec.brokers).collect(),
            topics: BTreeMap::new(),
            groups: BTreeMap::new(),
        };
        let controller = Arc::new(Controller { brokers: spec.brokers, state: Mutex::new(state) });
        Ok(Self { spec, addresses, controller })
    }

    /// The numbers of the brokers; this backend has no other nodes.
    fn brokers(nodes: &[Node]) -> Result<Vec<u32>, RigError> {
        let id = |node: &Node| match node {
            Node::Broker(id) => Ok(*id),
            other => Err(cannot(format!("act on {other}: it has brokers only"))),
        };
        nodes.iter().map(id).collect()
    }

    /// Runs an action of the controller after a delay, if the cluster still exists then.
    fn later(&self, delay: Duration, act: fn(&mut MockState) -> Result<(), RigError>) {
        let controller: Weak<Controller> = Arc::downgrade(&self.controller);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(controller) = controller.upgrade() {
                // The cluster may have been destroyed meanwhile, which is no error.
                let _ = act(&mut controller.lock());
            }
        });
    }
}

/// The mock waits 3 s for further members before a group's first assignment; no safe function
/// of rdkafka sets that.
fn rebalance_at_once(owner: &BaseProducer) {
    // SAFETY: the pointer is that of a client which lives for the whole call. The mock belongs to
    // that client, and its functions may be called from any thread (they are messages to its own).
    unsafe {
        let mock = rdkafka_sys::rd_kafka_handle_mock_cluster(owner.client().native_ptr());
        if !mock.is_null() {
            rdkafka_sys::rd_kafka_mock_group_initial_rebalance_delay_ms(mock, 0);
        }
    }
}

/// From these versions on a mock broker that does not lead a partition names the leader in its answer (KIP-951), and
/// librdkafka 2.12 ends the process with SIGSEGV if there is none at that moment.
fn leaders_only_in_metadata(owner: &BaseProducer) -> Result<(), RigError> {
    let mock = owner.client().mock_cluster().ok_or_else(gone)?;
    for (api, newest) in [(RDKafkaApiKey::Produce, 9), (RDKafkaApiKey::Fetch, 11)] {
        mock.apiversion(api, Some(0), Some(newest))
            .map_err(|error| refused("limit the versions of requests", &error))?;
    }
    Ok(())
}

impl Controller {
    fn lock(&self) -> MutexGuard<'_, MockState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MockState {
    fn owner(&self) -> Result<&BaseProducer, RigError> {
        self.owner.as_ref().ok_or_else(|| RigError::Other("the cluster is destroyed".to_owned()))
    }

    fn set_up(&mut self, broker: u32, up: bool) -> Result<(), RigError> {
        let id = i32::try_from(broker).map_err(|error| RigError::Other(error.to_string()))?;
        if self.alive.contains(&broker) == up {
            return Ok(());
        }
        let mock = self.owner()?.client().mock_cluster().ok_or_else(gone)?;
        let done = if up { mock.broker_up(id) } else { mock.broker_down(id) };
        drop(mock);
        done.map_err(|error| refused(&format!("switch broker {broker}"), &error))?;
        if up {
            self.alive.insert(broker);
        } else {
            self.alive.remove(&broker);
        }
        Ok(())
    }

    /// Gives partitions without a living leader a new one, if a replica is alive; groups likewise.
    fn elect(&mut self) -> Result<(), RigError> {
        self.lead(|partition, alive| match partition.leader {
            Some(leader) if alive.contains(&leader) => Some(leader),
            _ => partition.replicas.iter().copied().find(|replica| alive.contains(replica)),
        })?;
        self.coordinate()
    }

    /// Makes the first living replica of every partition its leader.
    fn prefer(&mut self) -> Result<(), RigError> {
        self.lead(|partition, alive| {
            partition.replicas.iter().copied().find(|replica| alive.contains(replica))
        })
    }

    fn lead(
        &mut self,
        choose: impl Fn(&Partition, &BTreeSet<u32>) -> Option<u32>,
    ) -> Result<(), RigError> {
        let owner = self.owner.as_ref().ok_or_else(gone)?;
        let mock = owner.client().mock_cluster().ok_or_else(gone)?;
        for (topic, partitions) in &mut self.topics {
            for (number, partition) in (0..).zip(partitions) {
                let leader = choose(partition, &self.alive);
                // Each call begins a new leader epoch, which clients notice.
                if leader != partition.leader {
                    mock.partition_leader(topic, number, leader.map(u32::cast_signed))
                        .map_err(|error| refused("move a leader", &error))?;
                    partition.leader = leader;
                }
            }
        }
        Ok(())
    }

    fn coordinate(&mut self) -> Result<(), RigError> {
        let Some(first) = self.alive.first().copied() else { return Ok(()) };
        let owner = self.owner.as_ref().ok_or_else(gone)?;
        let mock = owner.client().mock_cluster().ok_or_else(gone)?;
        for (group, coordinator) in &mut self.groups {
            if !self.alive.contains(coordinator) {
                mock.coordinator(MockCoordinator::Group(group.clone()), first.cast_signed())
                    .map_err(|error| refused("move a group", &error))?;
                *coordinator = first;
            }
        }
        Ok(())
    }

    fn create(&mut self, topic: &TopicSpec, brokers: u32) -> Result<(), AdminError> {
        let wanted = replicas(topic, brokers)?;
        if self.topics.contains_key(&topic.name) {
            let message = format!("topic {} exists already", topic.name);
            return Err(kafka("TOPIC_ALREADY_EXISTS", message).into());
        }
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let factor = count(wanted.first().map_or(0, Vec::len));
        let mock = self.owner()?.client().mock_cluster().ok_or_else(gone)?;
        mock.create_topic(&topic.name, count(wanted.len()), factor).map_err(|error| {
            let code = error.rdkafka_error_code().map_or("UNKNOWN".into(), error_name);
            kafka(&code, error.to_string())
        })?;
        drop(mock);
        // The mock has chosen leaders at random: all are chosen again.
        let partitions = wanted.into_iter().map(|replicas| Partition { replicas, leader: None });
        self.topics.insert(topic.name.clone(), partitions.collect());
        Ok(self.elect()?)
    }
}

/// The replicas of each partition, the preferred leader first, or why there are none.
fn replicas(topic: &TopicSpec, brokers: u32) -> Result<Vec<Vec<u32>>, AdminError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.name.is_empty() || topic.name.len() > 249 || !topic.name.chars().all(legal) {
        let message = format!("`{}` is not a valid topic name", topic.name);
        return Err(kafka("INVALID_TOPIC_EXCEPTION", message).into());
    }
    match &topic.placement {
        Placement::Counts { partitions: 0, .. } => {
            Err(kafka("INVALID_PARTITIONS", "a topic needs at least one partition".into()).into())
        }
        Placement::Counts { replicas, .. } if *replicas == 0 || *replicas > brokers => {
            let message =
                format!("a partition cannot have {replicas} replicas on {brokers} brokers");
            Err(kafka("INVALID_REPLICATION_FACTOR", message).into())
        }
        Placement::Counts { partitions, replicas } => Ok((0..*partitions)
            .map(|partition| {
                let mut placed = mock_places(partition, *replicas, brokers);
                // Leaders take turns, as Kafka's do.
                placed.rotate_left((partition % replicas) as usize);
                placed
            })
            .collect()),
        Placement::Assignment(list) => {
            if !can_place(list, brokers) {
                return Err(AdminError::Rig(cannot(
                    "place replicas on these brokers: librdkafka's mock cluster places partition 0 on \
                     broker 1 and the following, the next partition on the brokers after those"
                        .to_owned(),
                )));
            }
            Ok(list.clone())
        }
    }
}

/// True for an assignment that the mock cluster can have: it places replicas by a rule of its own,
/// only the preferred leader is free. The checker calls this.
pub fn can_place(assignment: &[Vec<u32>], brokers: u32) -> bool {
    let factor = assignment.first().map_or(0, Vec::len);
    let fits = u32::try_from(factor).is_ok_and(|factor| (1..=brokers).contains(&factor));
    fits && (0..).zip(assignment).all(|(partition, replicas)| {
        let mut wanted = replicas.clone();
        wanted.sort_unstable();
        let mut placed = mock_places(partition, replicas.len() as u32, brokers);
        placed.sort_unstable();
        replicas.len() == factor && wanted == placed
    })
}

/// Where librdkafka 2.12's mock cluster puts a partition (`rd_kafka_mock_partition_assign_replicas`):
/// neighbours in a ring, from broker (partition x replicas) modulo brokers, counted from 0.
fn mock_places(partition: u32, replicas: u32, brokers: u32) -> Vec<u32> {
    let first = u64::from(partition) * u64::from(replicas);
    (0..u64::from(replicas)).map(|i| ((first + i) % u64::from(brokers)) as u32 + 1).collect()
}

fn cannot(what: String) -> RigError {
    RigError::Unsupported { backend: NAME, what }
}

fn gone() -> RigError {
    RigError::Other("the embedded cluster is destroyed".to_owned())
}

fn refused(what: &str, error: &ClientError) -> RigError {
    RigError::Other(format!("librdkafka's mock cluster could not {what}: {error}"))
}

fn kafka(code: &str, message: String) -> KafkaError {
    KafkaError { code: code.to_owned(), message }
}

#[async_trait]
impl Cluster for EmbeddedCluster {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn simulated(&self) -> bool {
        true
    }

    fn spec(&self) -> &ClusterSpec {
        &self.spec
    }

    fn nodes(&self) -> Vec<Node> {
        (1..=self.spec.brokers).map(Node::Broker).collect()
    }

    fn address(&self, broker: u32) -> String {
        let index = (broker as usize).checked_sub(1);
        index.and_then(|index| self.addresses.get(index)).cloned().unwrap_or_default()
    }

    async fn destroy(&self) -> Result<(), RigError> {
        let owner = self.controller.lock().owner.take();
        // Ending the mock's thread may take a moment.
        tokio::task::spawn_blocking(move || drop(owner))
            .await
            .map_err(|error| RigError::Other(format!("the mock cluster did not end: {error}")))
    }

    fn topics(&self) -> &dyn TopicAdmin {
        self
    }
}

#[async_trait]
impl NodeLife for EmbeddedCluster {
    async fn kill(&self, nodes: &[Node]) -> Result<(), RigError> {
        for broker in Self::brokers(nodes)? {
            self.controller.lock().set_up(broker, false)?;
        }
        self.later(FAILOVER_DELAY, MockState::elect);
        Ok(())
    }

    /// A controlled shutdown: leaders move away before the broker stops.
    async fn stop(&self, nodes: &[Node], _limit: Duration) -> Result<(), RigError> {
        let brokers = Self::brokers(nodes)?;
        let mut state = self.controller.lock();
        let before = state.alive.clone();
        state.alive.retain(|broker| !brokers.contains(broker));
        let moved = state.elect();
        state.alive = before;
        moved?;
        brokers.into_iter().try_for_each(|broker| state.set_up(broker, false))
    }

    async fn start(&self, nodes: &[Node], data: DataFate) -> Result<(), RigError> {
        let brokers = Self::brokers(nodes)?;
        if data == DataFate::Wiped {
            return Err(cannot("wipe a broker's data: its replicas share one log".to_owned()));
        }
        let mut state = self.controller.lock();
        brokers.into_iter().try_for_each(|broker| state.set_up(broker, true))?;
        state.elect()?;
        drop(state);
        self.later(PREFERRED_DELAY, MockState::prefer);
        Ok(())
    }

    /// The mock could delay its answers, but would still append at once what a paused broker
    /// reads only after it resumes: that would be another fault.
    async fn pause(&self, _nodes: &[Node]) -> Result<(), RigError> {
        Err(cannot("pause a broker".to_owned()))
    }

    async fn resume(&self, _nodes: &[Node]) -> Result<(), RigError> {
        Err(cannot("pause a broker".to_owned()))
    }

    async fn state(&self, node: Node) -> Result<NodeState, RigError> {
        let brokers = Self::brokers(&[node])?;
        let alive = brokers.iter().all(|broker| self.controller.lock().alive.contains(broker));
        Ok(if alive { NodeState::Running } else { NodeState::Dead })
    }

    async fn obituary(&self, node: Node) -> Result<Option<Death>, RigError> {
        let exit = || "a simulated broker that was switched off".to_owned();
        let dead = self.state(node).await? == NodeState::Dead;
        Ok(dead.then(|| Death { node, exit: exit(), log_tail: String::new(), foreign: false }))
    }
}

#[async_trait]
impl TopicAdmin for EmbeddedCluster {
    async fn create_topic(&self, topic: &TopicSpec) -> Result<(), AdminError> {
        self.controller.lock().create(topic, self.controller.brokers)
    }

    async fn delete_topic(&self, _name: &str) -> Result<(), AdminError> {
        Err(cannot("delete a topic".to_owned()).into())
    }

    async fn alter_topic(&self, _name: &str, _change: &TopicChange) -> Result<(), AdminError> {
        Err(cannot("change a topic".to_owned()).into())
    }

    async fn delete_groups(&self, _names: &[String]) -> Result<(), AdminError> {
        Err(cannot("delete consumer groups".to_owned()).into())
    }

    fn expect_group(&self, group: &str) {
        let mut state = self.controller.lock();
        // 0 is no broker: the next line gives the group to a living coordinator.
        state.groups.entry(group.to_owned()).or_insert(0);
        let _ = state.coordinate();
    }
}

#[cfg(test)]
#[path = "embedded_tests.rs"]
mod tests;
