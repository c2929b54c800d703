//! Consumer groups: coordinator, state, members, commits.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use kafka_protocol::{
    ResponseError,
    messages::{
        ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DescribeGroupsRequest,
        FindCoordinatorRequest, GroupId, OffsetFetchRequest,
        consumer_group_describe_response::DescribedGroup as NewerGroup,
        describe_groups_response::DescribedGroup, offset_fetch_request::OffsetFetchRequestTopic,
        offset_fetch_response::OffsetFetchResponseTopic,
    },
    protocol::{Decodable, StrBytes},
};
use serde::{Deserialize, Serialize};

use super::{
    ask::{AskError, Asker, absent, check},
    offsets::{missing, name},
};
use crate::wire::guard::Guarded;

/// A group as its coordinator reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Kafka's name of the state: `Stable`, `PreparingRebalance`, `Empty`, `Dead`, or `Reconciling` and others.
    pub state: String,
    /// The assignor that the members agreed on.
    pub assignor: String,
    /// The broker that coordinates it.
    pub coordinator: u32,
    pub members: Vec<Member>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Kafka's id for it.
    pub id: String,
    /// Its `client.id`.
    pub client_id: String,
    /// Where it connects from.
    pub host: String,
    /// Its partitions by topic.
    pub assignment: BTreeMap<String, Vec<u32>>,
}

/// The state of a group that does not exist.
const DEAD: &str = "Dead";
/// Kinds of keys in FindCoordinator.
const OF_GROUP: i8 = 0;
const OF_TRANSACTIONS: i8 = 1;

impl Asker {
    /// The broker that coordinates `group`. Asking makes Kafka create `__consumer_offsets`.
    pub async fn coordinator_of(&self, group: &str) -> Result<u32, AskError> {
        self.find(group, OF_GROUP, format!("coordinator of group {group}")).await
    }

    /// The broker that coordinates the transactions of a transactional id (Kafka 0.11 and newer). Asking makes Kafka
    /// create `__transaction_state`.
    pub async fn transaction_coordinator_of(&self, id: &str) -> Result<u32, AskError> {
        self.find(id, OF_TRANSACTIONS, format!("coordinator of transactional id {id}")).await
    }

    async fn find(&self, key: &str, kind: i8, what: String) -> Result<u32, AskError> {
        let key = StrBytes::from_string(key.to_owned());
        // 3 is the newest that asks for one key.
        let ask = |_| FindCoordinatorRequest::default().with_key(key.clone()).with_key_type(kind);
        let answer = self.call_any(3, ask).await?;
        check(answer.error_code, answer.error_message.as_ref(), &what)?;
        u32::try_from(answer.node_id.0).map_err(|_| AskError::Missing(what))
    }

    /// State and members of `group`; an unknown group is `Dead` and empty.
    pub async fn group(&self, group: &str) -> Result<GroupView, AskError> {
        let coordinator = self.coordinator_of(group).await?;
        let classic = self.classic_group(group, coordinator).await?;
        // To this question a group of the newer protocol does not exist.
        if classic.state != DEAD {
            return Ok(classic);
        }
        match self.consumer_group(group, coordinator).await {
            Ok(newer) => Ok(newer.unwrap_or(classic)),
            // A broker before 3.7 has no such groups.
            Err(AskError::Wire { cause, .. }) if cause.is_unsupported() => Ok(classic),
            Err(error) => Err(error),
        }
    }

    /// A group of the protocol `consumer` (KIP-848); none if there is no such group.
    async fn consumer_group(
        &self,
        group: &str,
        coordinator: u32,
    ) -> Result<Option<GroupView>, AskError> {
        let id = GroupId(StrBytes::from_string(group.to_owned()));
        let ask = |_| ConsumerGroupDescribeRequest::default().with_group_ids(vec![id.clone()]);
        let answer = self.call(coordinator, 1, ask).await?;
        let what = format!("group {group}");
        let reported = answer.groups.first().ok_or_else(|| AskError::Missing(what.clone()))?;
        // The second is the answer of a broker that has these groups switched off.
        let none = [ResponseError::GroupIdNotFound, ResponseError::UnsupportedVersion];
        if none.iter().any(|error| error.code() == reported.error_code) {
            return Ok(None);
        }
        check(reported.error_code, reported.error_message.as_ref(), &what)?;
        Ok(Some(consumer_group_view(reported, coordinator)))
    }

    async fn classic_group(&self, group: &str, coordinator: u32) -> Result<GroupView, AskError> {
        let id = GroupId(StrBytes::from_string(group.to_owned()));
        // From 6 on an unknown group is an error instead of dead.
        let answer = self
            .call(coordinator, 5, |_| {
                DescribeGroupsRequest::default().with_groups(vec![id.clone()])
            })
            .await?;
        let what = format!("group {group}");
        let reported = answer.groups.first().ok_or_else(|| AskError::Missing(what.clone()))?;
        check(reported.error_code, reported.error_message.as_ref(), &what)?;
        Ok(group_view(reported, coordinator))
    }

    /// What `group` has committed for each partition of `topic`: the next offset to read, none if
    /// it has committed nothing.
    pub async fn committed(
        &self,
        group: &str,
        topic: &str,
    ) -> Result<BTreeMap<u32, Option<i64>>, AskError> {
        let view = self.watch.view();
        let known = view.topics.get(topic);
        let known = known.ok_or_else(|| absent(&view, format!("topic {topic}")))?;
        let partitions: Vec<u32> = known.partitions.iter().map(|p| p.partition).collect();
        let indexes: Vec<i32> = partitions.iter().filter_map(|p| (*p).try_into().ok()).collect();
        let coordinator = self.coordinator_of(group).await?;
        let id = GroupId(StrBytes::from_string(group.to_owned()));
        let wanted = OffsetFetchRequestTopic::default()
            .with_name(name(topic))
            .with_partition_indexes(indexes);
        // 7 is the newest that asks for one group.
        let answer = self
            .call(coordinator, 7, |_| {
                OffsetFetchRequest::default()
                    .with_group_id(id.clone())
                    .with_topics(Some(vec![wanted.clone()]))
            })
            .await?;
        let what = format!("commits of group {group}");
        check(answer.error_code, None, &what)?;
        let reported = answer.topics.iter().flat_map(|t| &t.partitions);
        let reported: BTreeMap<i32, _> = reported.map(|p| (p.partition_index, p)).collect();
        partitions
            .into_iter()
            .map(|partition| {
                let p = i32::try_from(partition).ok().and_then(|index| reported.get(&index));
                let p = p.ok_or_else(|| missing(&(topic.to_owned(), partition)))?;
                check(p.error_code, None, &what)?;
                Ok((partition, Some(p.committed_offset).filter(|offset| *offset >= 0)))
            })
            .collect()
    }

    /// The topics in which `group` has committed anything. Brokers before 0.10.2 cannot be asked for all of them.
    pub async fn committed_topics(&self, group: &str) -> Result<Vec<String>, AskError> {
        let coordinator = self.coordinator_of(group).await?;
        let id = GroupId(StrBytes::from_string(group.to_owned()));
        let answer = self
            .call(coordinator, 7, |_| {
                OffsetFetchRequest::default().with_group_id(id.clone()).with_topics(None)
            })
            .await?;
        check(answer.error_code, None, &format!("commits of group {group}"))?;
        let committed = |topic: &&OffsetFetchResponseTopic| {
            topic.partitions.iter().any(|partition| partition.committed_offset >= 0)
        };
        let topics = answer.topics.iter().filter(committed);
        Ok(topics.map(|topic| topic.name.as_str().to_owned()).collect())
    }
}

fn consumer_group_view(reported: &NewerGroup, coordinator: u32) -> GroupView {
    let members = reported.members.iter().map(|member| {
        let mut assignment: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for topic in &member.assignment.topic_partitions {
            let partitions = topic.partitions.iter().filter_map(|p| u32::try_from(*p).ok());
            assignment.entry(topic.topic_name.to_string()).or_default().extend(partitions);
        }
        Member {
            id: member.member_id.to_string(),
            client_id: member.client_id.to_string(),
            host: member.client_host.to_string(),
            assignment,
        }
    });
    GroupView {
        state: reported.group_state.to_string(),
        assignor: reported.assignor_name.to_string(),
        coordinator,
        members: members.collect(),
    }
}

fn group_view(reported: &DescribedGroup, coordinator: u32) -> GroupView {
    let members = reported.members.iter().map(|m| Member {
        id: m.member_id.to_string(),
        client_id: m.client_id.to_string(),
        host: m.client_host.to_string(),
        assignment: assignment(&m.member_assignment),
    });
    GroupView {
        state: reported.group_state.to_string(),
        assignor: reported.protocol_data.to_string(),
        coordinator,
        members: members.collect(),
    }
}

/// The consumers' own protocol inside the group's; empty if it is another (or none yet).
fn assignment(encoded: &Bytes) -> BTreeMap<String, Vec<u32>> {
    let mut rest = Guarded::new(encoded.clone());
    let Ok(version) = rest.try_get_i16() else { return BTreeMap::new() };
    let Ok(reported) = ConsumerProtocolAssignment::decode(&mut rest, version) else {
        return BTreeMap::new();
    };
    let partitions =
        |p: &Vec<i32>| p.iter().filter_map(|p| u32::try_from(*p).ok()).collect::<Vec<_>>();
    reported
        .assigned_partitions
        .iter()
        .map(|t| (t.topic.to_string(), partitions(&t.partitions)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_and_junk_is_none() {
        let encoded = [
            0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0xff, 0xff, 0xff,
            0xff,
        ];
        let expected = [("t".to_owned(), vec![0, 2])].into();
        assert_eq!(assignment(&Bytes::copy_from_slice(&encoded)), expected);
        for length in 0..20 {
            assert_eq!(assignment(&Bytes::copy_from_slice(&encoded[..length])), BTreeMap::new());
        }
        assert_eq!(
            assignment(&Bytes::from_static(&[0, 0, 0x7f, 0xff, 0xff, 0xff])),
            BTreeMap::new()
        );
    }
}
