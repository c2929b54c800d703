//! Rules (ACLs) of Kafka's authorizer: made and removed by any broker, and looked up at each. With patterns of names
//! (KIP-290: Kafka 2.0 on).

use kafka_protocol::{
    messages::{
        CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest,
        create_acls_request::AclCreation, delete_acls_request::DeleteAclsFilter,
    },
    protocol::StrBytes,
};
use kplan_dsl::value::AclOperation;

use super::ask::{AskError, Asker, check};

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclResource {
    Topic,
    Group,
    TransactionalId,
    Cluster,
}

/// A rule: who may, or may not, do what from where with what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclRule {
    pub allows: bool,
    /// `User:alice`, `User:*`.
    pub principal: String,
    pub host: String,
    /// The operation's number in the protocol: see [`acl_operation`].
    pub operation: i8,
    pub resource: AclResource,
    pub name: String,
    /// The name is the beginning of names.
    pub prefix: bool,
}

impl AclRule {
    /// Numbers of the protocol.
    fn permission(&self) -> i8 {
        if self.allows { 3 } else { 2 }
    }

    fn pattern(&self) -> i8 {
        if self.prefix { 4 } else { 3 }
    }

    fn kind(&self) -> i8 {
        match self.resource {
            AclResource::Topic => 2,
            AclResource::Group => 3,
            AclResource::Cluster => 4,
            AclResource::TransactionalId => 5,
        }
    }
}

/// An operation's number in the protocol.
pub fn acl_operation(operation: AclOperation) -> i8 {
    match operation {
        AclOperation::All => 2,
        AclOperation::Read => 3,
        AclOperation::Write => 4,
        AclOperation::Create => 5,
        AclOperation::Delete => 6,
        AclOperation::Alter => 7,
        AclOperation::Describe => 8,
        AclOperation::ClusterAction => 9,
        AclOperation::DescribeConfigs => 10,
        AclOperation::AlterConfigs => 11,
        AclOperation::IdempotentWrite => 12,
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

impl Asker {
    /// Adds rules; those that exist are no error.
    pub async fn make_acls(&self, rules: &[AclRule]) -> Result<(), AskError> {
        let creation = |rule: &AclRule| {
            AclCreation::default()
                .with_resource_type(rule.kind())
                .with_resource_name(text(&rule.name))
                .with_resource_pattern_type(rule.pattern())
                .with_principal(text(&rule.principal))
                .with_host(text(&rule.host))
                .with_operation(rule.operation)
                .with_permission_type(rule.permission())
        };
        let request =
            CreateAclsRequest::default().with_creations(rules.iter().map(creation).collect());
        let answer = self.call_any(3, |_| request.clone()).await?;
        answer.results.iter().try_for_each(|result| {
            check(result.error_code, result.error_message.as_ref(), "CreateAcls")
        })
    }

    /// Removes rules; those that do not exist are no error.
    pub async fn remove_acls(&self, rules: &[AclRule]) -> Result<(), AskError> {
        let filter = |rule: &AclRule| {
            DeleteAclsFilter::default()
                .with_resource_type_filter(rule.kind())
                .with_resource_name_filter(Some(text(&rule.name)))
                .with_pattern_type_filter(rule.pattern())
                .with_principal_filter(Some(text(&rule.principal)))
                .with_host_filter(Some(text(&rule.host)))
                .with_operation(rule.operation)
                .with_permission_type(rule.permission())
        };
        let request = DeleteAclsRequest::default().with_filters(rules.iter().map(filter).collect());
        let answer = self.call_any(3, |_| request.clone()).await?;
        answer.filter_results.iter().try_for_each(|result| {
            check(result.error_code, result.error_message.as_ref(), "DeleteAcls")?;
            result
                .matching_acls
                .iter()
                .try_for_each(|one| check(one.error_code, one.error_message.as_ref(), "DeleteAcls"))
        })
    }

    /// Whether a broker has a rule.
    pub async fn has_acl(&self, broker: u32, rule: &AclRule) -> Result<bool, AskError> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(rule.kind())
            .with_resource_name_filter(Some(text(&rule.name)))
            .with_pattern_type_filter(rule.pattern())
            .with_principal_filter(Some(text(&rule.principal)))
            .with_host_filter(Some(text(&rule.host)))
            .with_operation(rule.operation)
            .with_permission_type(rule.permission());
        let answer = self.call(broker, 3, |_| request.clone()).await?;
        check(answer.error_code, answer.error_message.as_ref(), "DescribeAcls")?;
        Ok(answer.resources.iter().any(|resource| !resource.acls.is_empty()))
    }
}
