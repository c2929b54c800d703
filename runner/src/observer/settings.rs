//! Settings in effect: configurations and features.

use std::collections::BTreeMap;

use kafka_protocol::{
    messages::{
        ApiVersionsRequest, DescribeConfigsRequest,
        describe_configs_request::DescribeConfigsResource,
    },
    protocol::StrBytes,
};
use serde_json::Value;

use super::{
    ask::{AskError, Asker, LIMIT, check},
    zookeeper,
};
use crate::cluster::Quorum;

/// Shown instead of a secret.
const SECRET: &str = "(secret)";
const TOPIC: i8 = 2;
const BROKER: i8 = 4;
/// Kafka's default of min.insync.replicas (all versions).
const LEAST_IN_SYNC: u32 = 1;
const LEAST_IN_SYNC_KEY: &str = "min.insync.replicas";

impl Asker {
    /// The configuration that is in effect at `broker`, defaults included, secrets hidden. Kafka
    /// before 0.11 cannot report it.
    pub async fn effective_config(
        &self,
        broker: u32,
    ) -> Result<BTreeMap<String, String>, AskError> {
        self.describe_config(Some(broker), BROKER, &broker.to_string()).await
    }

    /// The configuration that is in effect for `topic`, defaults included. Kafka before 0.11 cannot
    /// report it: there it is the topic's settings in ZooKeeper on top of the brokers' configuration in the
    /// plan.
    pub async fn topic_config(&self, topic: &str) -> Result<BTreeMap<String, String>, AskError> {
        match self.describe_config(None, TOPIC, topic).await {
            Err(AskError::Wire { cause, .. })
                if self.cluster.spec().mode == Quorum::Zookeeper && cause.is_unsupported() =>
            {
                self.topic_config_of_zookeeper(topic).await
            }
            result => result,
        }
    }

    /// How many replicas must be in sync for acks=all to succeed: the topic's setting, else the
    /// brokers'.
    pub async fn min_insync_replicas(&self, topic: &str) -> Result<u32, AskError> {
        let config = self.topic_config(topic).await?;
        let value = config.get(LEAST_IN_SYNC_KEY).and_then(|v| v.parse().ok());
        Ok(value.unwrap_or(LEAST_IN_SYNC))
    }

    /// Features that the cluster has finalized, by name and level (KIP-584), as `broker` knows them;
    /// empty before Kafka 2.7.
    pub async fn finalized_features(&self, broker: u32) -> Result<BTreeMap<String, i16>, AskError> {
        let answer = self
            .call(broker, 4, |version| {
                // Versions before 3 carry no names.
                let name = if version >= 3 { "kplan" } else { "" };
                ApiVersionsRequest::default()
                    .with_client_software_name(StrBytes::from_static_str(name))
                    .with_client_software_version(StrBytes::from_static_str(if version >= 3 {
                        env!("CARGO_PKG_VERSION")
                    } else {
                        ""
                    }))
            })
            .await?;
        check(answer.error_code, None, "features")?;
        let features = answer.finalized_features.iter();
        Ok(features.map(|f| (f.name.to_string(), f.max_version_level)).collect())
    }

    async fn describe_config(
        &self,
        broker: Option<u32>,
        kind: i8,
        resource: &str,
    ) -> Result<BTreeMap<String, String>, AskError> {
        let request = |_| {
            DescribeConfigsRequest::default().with_resources(vec![
                DescribeConfigsResource::default()
                    .with_resource_type(kind)
                    .with_resource_name(StrBytes::from_string(resource.to_owned()))
                    .with_configuration_keys(None),
            ])
        };
        let answer = match broker {
            Some(broker) => self.call(broker, 4, request).await?,
            None => self.call_any(4, request).await?,
        };
        let what = format!("configuration of {resource}");
        let reported = answer.results.first().ok_or_else(|| AskError::Missing(what.clone()))?;
        check(reported.error_code, reported.error_message.as_ref(), &what)?;
        let value = |sensitive: bool, value: Option<&StrBytes>| match value {
            _ if sensitive => SECRET.to_owned(),
            value => value.map(ToString::to_string).unwrap_or_default(),
        };
        Ok(reported
            .configs
            .iter()
            .map(|c| (c.name.to_string(), value(c.is_sensitive, c.value.as_ref())))
            .collect())
    }

    async fn topic_config_of_zookeeper(
        &self,
        topic: &str,
    ) -> Result<BTreeMap<String, String>, AskError> {
        let failed = |e: zookeeper_client::Error| AskError::Zookeeper(e.to_string());
        let client = self.zookeeper().await?;
        let path = format!("/config/topics/{topic}");
        let read = tokio::time::timeout(LIMIT, client.get_data(&path)).await;
        let data = match read {
            Ok(Ok((data, _))) => data,
            Ok(Err(zookeeper_client::Error::NoNode)) => {
                return Err(AskError::Missing(format!("topic {topic}")));
            }
            Ok(Err(error)) => return Err(failed(error)),
            Err(_) => return Err(failed(zookeeper_client::Error::Timeout)),
        };
        let spec = self.cluster.spec();
        let mut config: BTreeMap<String, String> =
            spec.config.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        config.extend(znode_config(&data));
        Ok(config)
    }

    /// A session with ZooKeeper, which ends when the client is dropped.
    pub(super) async fn zookeeper(&self) -> Result<zookeeper_client::Client, AskError> {
        let address = self.cluster.zookeeper_address();
        let address = address.ok_or_else(|| {
            AskError::Unsupported("the address of ZooKeeper is not known".to_owned())
        })?;
        zookeeper::connect(&address).await.map_err(|e| AskError::Zookeeper(e.to_string()))
    }
}

/// `{"version": 1, "config": {"min.insync.replicas": "2"}}`
fn znode_config(data: &[u8]) -> BTreeMap<String, String> {
    let Ok(Value::Object(node)) = serde_json::from_slice(data) else { return BTreeMap::new() };
    let Some(Value::Object(config)) = node.get("config") else { return BTreeMap::new() };
    config
        .iter()
        .map(|(k, v)| (k.clone(), v.as_str().map_or_else(|| v.to_string(), str::to_owned)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topic_settings_of_a_znode() {
        let config = znode_config(br#"{"version":1,"config":{"min.insync.replicas":"2"}}"#);
        assert_eq!(config, [("min.insync.replicas".to_owned(), "2".to_owned())].into());
        for junk in [&b""[..], b"[]", b"{\"config\": 7}", b"\xff"] {
            assert_eq!(znode_config(junk), BTreeMap::new());
        }
    }
}
