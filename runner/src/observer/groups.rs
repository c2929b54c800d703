//! Consumer groups: coordinator, state, members, commits.

use std::collections::BTreeMap;

use bytes::{Buf, Bytes};
use kafka_protocol::{
    messages::{
        ConsumerProtocolAssignment, DescribeGroupsRequest, FindCoordinatorRequest, GroupId,
        OffsetFetchRequest, describe_groups_response::DescribedGroup,
        offset_fetch_request::OffsetFetchRequestTopic,
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
    /// Kafka's name of the state: `Stable`, `PreparingRebalance`, `CompletingRebalance`, `Empty`, `Dead`.
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

impl Asker {
    /// The broker that coordinates `group`. Asking makes Kafka create `__consumer_offsets`.
    pub async fn coordinator_of(&self, group: &str) -> Result<u32, AskError> {
        let key = StrBytes::from_string(group.to_owned());
        // 3 is the newest that asks for one group.
        let answer =
            self.call_any(3, |_| FindCoordinatorRequest::default().with_key(key.clone())).await?;
        let what = format!("coordinator of group {group}");
        check(answer.error_code, answer.error_message.as_ref(), &what)?;
        u32::try_from(answer.node_id.0).map_err(|_| AskError::Missing(what))
    }

    /// State and members of `group`; an unknown group is `Dead` and empty.
    pub async fn group(&self, group: &str) -> Result<GroupView, AskError> {
        let coordinator = self.coordinator_of(group).await?;
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
