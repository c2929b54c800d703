//! Changes settings of running brokers and of topics (KIP-339: Kafka 2.3 on), and reads back what a broker was given
//! while it ran.

use std::collections::BTreeMap;

use kafka_protocol::{
    messages::{
        DescribeConfigsRequest, IncrementalAlterConfigsRequest,
        describe_configs_request::DescribeConfigsResource,
        describe_configs_response::DescribeConfigsResourceResult,
        incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    },
    protocol::StrBytes,
};

use super::ask::{AskError, Asker, LIMIT, answering, check};

/// Settings with their new values; none removes the value that was set while brokers ran.
pub type Changes = BTreeMap<String, Option<String>>;

/// Resource types, operations and sources of the protocol.
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const OF_BROKER: i8 = 2;
const OF_CLUSTER: i8 = 3;

/// Whose settings are changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'r> {
    Topic(&'r str),
    Broker(u32),
    /// All brokers, unless one has a value of its own.
    Brokers,
}

impl Resource<'_> {
    fn of_protocol(self) -> (i8, StrBytes) {
        let (kind, name) = match self {
            Self::Topic(topic) => (TOPIC, topic.to_owned()),
            Self::Broker(number) => (BROKER, number.to_string()),
            Self::Brokers => (BROKER, String::new()),
        };
        (kind, StrBytes::from_string(name))
    }
}

/// What a broker was given for one setting while it ran. Values of passwords are empty: Kafka does not show them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DynamicValue {
    /// As its own value.
    pub own: Option<String>,
    /// As the value of all brokers.
    pub of_all: Option<String>,
    /// Kafka does not show its value.
    pub secret: bool,
}

impl Asker {
    /// Sends changes of settings to a broker. Changes of a broker's own settings must be sent to that broker.
    pub async fn set_configs(
        &self,
        broker: u32,
        of: Resource<'_>,
        changes: &Changes,
    ) -> Result<(), AskError> {
        let (kind, name) = of.of_protocol();
        let text = |t: &str| StrBytes::from_string(t.to_owned());
        let setting = |(key, value): (&String, &Option<String>)| {
            AlterableConfig::default()
                .with_name(text(key))
                .with_config_operation(if value.is_some() { SET } else { DELETE })
                .with_value(value.as_deref().map(text))
        };
        let one = AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_configs(changes.iter().map(setting).collect());
        let answer = self
            .call_within(broker, 1, LIMIT, |_| {
                IncrementalAlterConfigsRequest::default().with_resources(vec![one.clone()])
            })
            .await?;
        for reported in &answer.responses {
            check(reported.error_code, reported.error_message.as_ref(), "IncrementalAlterConfigs")?;
        }
        Ok(())
    }

    /// Changes settings of all brokers that have no value of their own.
    pub async fn set_configs_of_all(&self, changes: &Changes) -> Result<(), AskError> {
        let mut last = AskError::NobodyAnswers;
        let view = self.watch.fresh().await;
        for broker in answering(&view) {
            match self.set_configs(broker, Resource::Brokers, changes).await {
                Err(error @ AskError::Wire { .. }) => last = error,
                result => return result,
            }
        }
        Err(last)
    }

    /// What a broker was given while it ran, by setting.
    pub async fn given_configs(
        &self,
        broker: u32,
    ) -> Result<BTreeMap<String, DynamicValue>, AskError> {
        let (kind, name) = Resource::Broker(broker).of_protocol();
        let resource = DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(name)
            .with_configuration_keys(None);
        let answer = self
            .call(broker, 4, |_| {
                DescribeConfigsRequest::default()
                    .with_resources(vec![resource.clone()])
                    .with_include_synonyms(true)
            })
            .await?;
        let what = format!("configuration of broker {broker}");
        let reported = answer.results.first().ok_or_else(|| AskError::Missing(what.clone()))?;
        check(reported.error_code, reported.error_message.as_ref(), &what)?;
        Ok(reported.configs.iter().map(|one| (one.name.to_string(), given(one))).collect())
    }
}

fn given(setting: &DescribeConfigsResourceResult) -> DynamicValue {
    let from = |source: i8| {
        // A synonym may have another name: `log.retention.hours` stands in for `log.retention.ms`.
        let mut all = setting.synonyms.iter();
        let found = all.find(|one| one.source == source && one.name == setting.name)?;
        Some(found.value.as_ref().map(ToString::to_string).unwrap_or_default())
    };
    DynamicValue { own: from(OF_BROKER), of_all: from(OF_CLUSTER), secret: setting.is_sensitive }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::describe_configs_response::DescribeConfigsSynonym;

    use super::*;

    #[test]
    fn a_value_is_known_by_its_name_and_where_it_comes_from() {
        let text = |t: &str| StrBytes::from_string(t.to_owned());
        let synonym = |name: &str, value: &str, source: i8| {
            DescribeConfigsSynonym::default()
                .with_name(text(name))
                .with_value(Some(text(value)))
                .with_source(source)
        };
        let setting = DescribeConfigsResourceResult::default()
            .with_name(text("log.retention.ms"))
            .with_synonyms(vec![
                synonym("log.retention.hours", "1", OF_BROKER),
                synonym("log.retention.ms", "5", OF_CLUSTER),
                synonym("log.retention.ms", "7", 5),
            ]);
        let found = given(&setting);
        assert_eq!((found.own, found.of_all), (None, Some("5".into())));
    }

    #[test]
    fn the_brokers_together_have_no_name() {
        assert_eq!(Resource::Brokers.of_protocol(), (BROKER, StrBytes::default()));
        assert_eq!(Resource::Broker(2).of_protocol().1.as_str(), "2");
        assert_eq!(Resource::Topic("t").of_protocol().0, TOPIC);
    }
}
