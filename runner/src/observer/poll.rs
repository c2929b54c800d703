//! One task and one connection for each broker and request, so that a paused broker
//! does not delay the others.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kafka_protocol::{
    messages::{
        DescribeQuorumRequest, DescribeTopicPartitionsRequest, MetadataRequest, MetadataResponse,
        TopicName,
        describe_quorum_request::{PartitionData, TopicData},
        describe_topic_partitions_request::TopicRequest,
    },
    protocol::StrBytes,
};
use tokio::{sync::watch, time::sleep_until};

use super::{
    hub::Hub,
    is_internal,
    merge::{Answer, Via},
    quorum::{self, QuorumAnswer},
    view::{PartitionView, TopicView},
};
use crate::{
    history::now_us,
    wire::{Connection, Credentials, WireError},
};

/// Time between two requests while a step waits.
const FAST: Duration = Duration::from_millis(40);
/// Time between two requests otherwise.
const IDLE: Duration = Duration::from_millis(750);
/// Time between two attempts to reach a broker that refuses connections: it is starting, or dead.
const RETRY: Duration = Duration::from_millis(90);
/// A broker that sends nothing for this long counts as not answering. Not shorter: a living broker on a busy
/// machine may need most of it.
pub(super) const SILENCE: Duration = Duration::from_millis(1500);

/// How often to poll; any change wakes every poller.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    pub(super) waiting: u32,
    /// Requests out of turn.
    pub(super) kicks: u64,
}

/// What a poller requests.
pub(super) enum Question {
    /// Metadata; whether its controller is of interest.
    Metadata { controller: bool },
    /// DescribeQuorum. On a connection of its own: a broker that cannot reach the controller delays all later
    /// requests on the connection.
    Quorum(Via),
}

/// Sends one kind of request to one node, repeatedly.
pub(super) struct Poller {
    pub(super) broker: u32,
    pub(super) address: String,
    /// The first of them are tried next.
    pub(super) credentials: Vec<Credentials>,
    pub(super) hub: Arc<Hub>,
    pub(super) pace: watch::Receiver<Pace>,
    /// The latest kick that the request under way answers.
    pub(super) kicks: u64,
    pub(super) question: Question,
}

impl Poller {
    pub(super) async fn run(mut self) {
        loop {
            let (asked_us, begin) = self.begin();
            let credentials = self.credentials.first().cloned().unwrap_or_default();
            let opened = Connection::open(&self.address, &credentials, SILENCE).await;
            let answered = match opened {
                Ok(mut connection) => self.serve(&mut connection).await,
                Err(_) => false,
            };
            if !answered && self.credentials.len() > 1 {
                self.credentials.rotate_left(1);
            }
            if answered {
                // Only that connection may have ended: a node that is reached again at once was never away.
                self.rest(begin, FAST, FAST, None).await;
            } else {
                match self.question {
                    Question::Metadata { .. } => self.hub.silent(self.broker, asked_us),
                    Question::Quorum(via) => self.hub.quorum(via, asked_us, None),
                }
                self.rest(begin, RETRY, RETRY * 3, None).await;
            }
        }
    }

    fn begin(&mut self) -> (i64, Instant) {
        self.kicks = self.pace.borrow_and_update().kicks;
        (now_us(), Instant::now())
    }

    /// Sends requests until the connection fails; true if it broke after having answered,
    /// false if it never answered or stopped answering.
    async fn serve(&mut self, connection: &mut Connection) -> bool {
        let mut answered = false;
        loop {
            let (asked_us, begin) = self.begin();
            let asked = match self.question {
                Question::Metadata { controller } => {
                    ask_metadata(connection, controller).await.map(|answer| {
                        self.hub.answered(self.broker, asked_us, answer);
                    })
                }
                Question::Quorum(via) => ask_quorum(connection).await.map(|word| {
                    self.hub.quorum(via, asked_us, word);
                }),
            };
            match asked {
                Ok(()) => answered = true,
                Err(WireError::Broken { .. }) => return answered,
                Err(_) => return false,
            }
            if self.rest(begin, FAST, IDLE, Some(connection)).await {
                return true;
            }
        }
    }

    /// Waits until the next request is due; true if `connection` was closed meanwhile.
    async fn rest(
        &mut self,
        begin: Instant,
        fast: Duration,
        idle: Duration,
        connection: Option<&Connection>,
    ) -> bool {
        let closed = async {
            match connection {
                Some(connection) => connection.closed().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(closed);
        loop {
            let pace = *self.pace.borrow_and_update();
            if pace.kicks != self.kicks {
                return false;
            }
            let interval = if pace.waiting > 0 { fast } else { idle };
            tokio::select! {
                () = sleep_until((begin + interval).into()) => return false,
                () = &mut closed => return true,
                changed = self.pace.changed() => if changed.is_err() { return false },
            }
        }
    }
}

async fn ask_metadata(connection: &mut Connection, controller: bool) -> Result<Answer, WireError> {
    // 12 is the newest that all fields of interest need.
    let version = connection.version::<MetadataRequest>(12)?;
    let request = metadata_request(version);
    let answer = connection.call(&request, version, SILENCE).await?;
    let mut reported = read_metadata(&answer, version, controller);
    if connection.supports::<DescribeTopicPartitionsRequest>() {
        add_eligible(connection, &mut reported).await?;
    }
    Ok(reported)
}

/// Requests eligible leader replicas (KIP-966), which only partitions that lack in-sync replicas can
/// have: a healthy cluster gets no such request.
async fn add_eligible(connection: &mut Connection, reported: &mut Answer) -> Result<(), WireError> {
    let lacks = |t: &TopicView| t.partitions.iter().any(PartitionView::under_replicated);
    let lacking = reported.topics.iter().filter(|(_, topic)| lacks(topic));
    let request: Vec<TopicRequest> = lacking
        .map(|(name, _)| StrBytes::from_string(name.clone()))
        .map(|name| TopicRequest::default().with_name(TopicName(name)))
        .collect();
    if request.is_empty() {
        return Ok(());
    }
    // Partitions beyond the limit are left out: then only an unclean election cannot be recognized.
    let request = DescribeTopicPartitionsRequest::default()
        .with_topics(request)
        .with_response_partition_limit(2000);
    let answer = connection.call(&request, 0, SILENCE).await?;
    for topic in &answer.topics {
        let known = topic.name.as_ref().and_then(|name| reported.topics.get_mut(name.as_str()));
        let Some(known) = known else { continue };
        for partition in &topic.partitions {
            let eligible = partition.eligible_leader_replicas.iter().flatten().map(|b| b.0);
            let index = u32::try_from(partition.partition_index).ok();
            if let Some(known) = known.partitions.iter_mut().find(|p| Some(p.partition) == index) {
                known.eligible = sorted(eligible);
            }
        }
    }
    Ok(())
}

/// A request for all topics that creates none. Versions before 4 create none when all are requested, and have no
/// field for it.
fn metadata_request(version: i16) -> MetadataRequest {
    MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(version < 4)
}

/// Converts metadata into kplan's types. Controllers are left out where they mean nothing, so that equal
/// answers are equal.
fn read_metadata(answer: &MetadataResponse, version: i16, controller: bool) -> Answer {
    let brokers = answer.brokers.iter().filter_map(|b| {
        let rack = b.rack.as_ref().map(ToString::to_string);
        Some((u32::try_from(b.node_id.0).ok()?, (format!("{}:{}", b.host, b.port), rack)))
    });
    let topics = answer.topics.iter().filter_map(|t| {
        let name = t.name.as_ref()?.to_string();
        let mut partitions: Vec<PartitionView> = t
            .partitions
            .iter()
            .filter_map(|p| {
                Some(PartitionView {
                    partition: u32::try_from(p.partition_index).ok()?,
                    leader: u32::try_from(p.leader_id.0).ok(),
                    leader_epoch: (version >= 7).then_some(p.leader_epoch),
                    replicas: p.replica_nodes.iter().filter_map(|b| b.0.try_into().ok()).collect(),
                    in_sync: sorted(p.isr_nodes.iter().map(|b| b.0)),
                    offline: sorted(p.offline_replicas.iter().map(|b| b.0)),
                    eligible: vec![],
                })
            })
            .collect();
        partitions.sort_by_key(|p| p.partition);
        let internal = t.is_internal || is_internal(&name);
        let id = (!t.topic_id.is_nil()).then(|| t.topic_id.to_string());
        Some((name, TopicView { internal, id, partitions }))
    });
    Answer {
        brokers: brokers.collect(),
        controller: u32::try_from(answer.controller_id.0).ok().filter(|_| controller),
        topics: topics.collect(),
    }
}

fn sorted(numbers: impl Iterator<Item = i32>) -> Vec<u32> {
    let mut numbers: Vec<u32> = numbers.filter_map(|n| n.try_into().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// The quorum's leader; none while the broker finds none.
async fn ask_quorum(connection: &mut Connection) -> Result<Option<QuorumAnswer>, WireError> {
    let version = connection.version::<DescribeQuorumRequest>(i16::MAX)?;
    let topic = TopicName(StrBytes::from_static_str("__cluster_metadata"));
    let request = DescribeQuorumRequest::default().with_topics(vec![
        TopicData::default()
            .with_topic_name(topic)
            .with_partitions(vec![PartitionData::default().with_partition_index(0)]),
    ]);
    let answer = connection.call(&request, version, SILENCE).await?;
    let partition = answer.topics.first().and_then(|t| t.partitions.first());
    Ok(partition.filter(|p| answer.error_code == 0 && p.error_code == 0).and_then(quorum::read))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use kafka_protocol::{
        messages::{
            BrokerId,
            metadata_response::{MetadataResponsePartition, MetadataResponseTopic},
        },
        protocol::Encodable,
    };

    use super::*;

    #[test]
    fn metadata_can_be_asked_in_every_version() {
        for version in 1..=12 {
            let written = metadata_request(version).encode(&mut BytesMut::new(), version);
            assert!(written.is_ok(), "version {version}: {written:?}");
        }
    }

    #[test]
    fn metadata_in_kplans_words() {
        let partition = |index: i32, leader: i32| {
            MetadataResponsePartition::default()
                .with_partition_index(index)
                .with_leader_id(BrokerId(leader))
                .with_leader_epoch(4)
                .with_replica_nodes(vec![BrokerId(3), BrokerId(1)])
                .with_isr_nodes(vec![BrokerId(3), BrokerId(1)])
        };
        let topic = |name: &str, internal: bool| {
            MetadataResponseTopic::default()
                .with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
                .with_is_internal(internal)
                .with_partitions(vec![partition(1, -1), partition(0, 3)])
        };
        let reported = MetadataResponse::default()
            .with_controller_id(BrokerId(2))
            .with_topics(vec![topic("t", false), topic("__consumer_offsets", false)]);
        let answer = read_metadata(&reported, 7, false);
        assert_eq!(answer.controller, None);
        assert_eq!(read_metadata(&reported, 7, true).controller, Some(2));
        assert!(answer.topics["__consumer_offsets"].internal && !answer.topics["t"].internal);
        let [zero, one] = &answer.topics["t"].partitions[..] else { panic!("{answer:?}") };
        assert_eq!((zero.partition, zero.leader, zero.leader_epoch), (0, Some(3), Some(4)));
        assert_eq!((one.partition, one.leader), (1, None));
        assert_eq!((&zero.replicas[..], &zero.in_sync[..]), (&[3, 1][..], &[1, 3][..]));
        assert_eq!(read_metadata(&reported, 6, false).topics["t"].partitions[0].leader_epoch, None);
    }
}
