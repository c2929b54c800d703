//! The rules that `allow` and `deny` mean.

use kplan_dsl::{
    steps::AccessRule,
    value::{AclUser, NamePattern},
};

use crate::observer::{AclResource, AclRule, acl_operation};

/// Everyone, everywhere, everything.
const ALL: &str = "*";
/// Kafka's name of the cluster.
const CLUSTER: &str = "kafka-cluster";

/// The rules of a step, one for each operation.
pub fn rules(args: &AccessRule, allows: bool) -> Vec<AclRule> {
    let user = match &*args.user {
        AclUser::Any => ALL,
        AclUser::Named(name) => name,
    };
    let (resource, pattern) = match (&args.topic, &args.group, &args.transactional_id) {
        (Some(topic), ..) => (AclResource::Topic, Some(&topic.value)),
        (_, Some(group), _) => (AclResource::Group, Some(&group.value)),
        (.., Some(id)) => (AclResource::TransactionalId, Some(&id.value)),
        (None, None, None) => (AclResource::Cluster, None),
    };
    let (name, prefix) = match pattern {
        None => (CLUSTER, false),
        Some(NamePattern::All) => (ALL, false),
        Some(NamePattern::Name(name)) => (name.as_str(), false),
        Some(NamePattern::Prefix(beginning)) => (beginning.as_str(), true),
    };
    let rule = |operation: i8| AclRule {
        allows,
        principal: format!("User:{user}"),
        host: args.host.clone().unwrap_or_else(|| ALL.to_owned()),
        operation,
        resource,
        name: name.to_owned(),
        prefix,
    };
    args.operation.iter().map(|one| rule(acl_operation(one.value))).collect()
}
