//! What kplan finds out about the external cluster when it attaches.

use std::{collections::BTreeMap, time::Duration};

use indexmap::IndexMap;
use kafka_protocol::{
    messages::{ApiVersionsRequest, DescribeQuorumRequest},
    protocol::StrBytes,
};
use kplan_dsl::{BackendFile, words};

use super::super::{ClusterSpec, Quorum, RigError};
use crate::{
    client::routes::{Advertised, advertised},
    wire::{Connection, Credentials, WireError},
};

/// How long one broker may need to answer.
const ANSWER: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBroker {
    /// `HOST:PORT` under which this machine reaches it.
    pub address: String,
    /// `HOST:PORT` as the cluster advertises it.
    pub advertised: String,
    /// Its host as the cluster advertises it.
    pub host: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCluster {
    /// Its brokers by number.
    pub brokers: BTreeMap<u32, FoundBroker>,
    /// Whether it keeps its metadata in KRaft.
    pub kraft: bool,
    /// The highest level of `metadata.version` that the broker supports, if it reports one.
    pub level: Option<i16>,
}

/// Asks the first broker that answers.
pub async fn find(
    file: &BackendFile,
    client: &IndexMap<String, String>,
    credentials: &Credentials,
) -> Result<FoundCluster, RigError> {
    if let Some(protocol) = client.get("security.protocol")
        && !credentials.suit(protocol)
    {
        let what = format!("observe a cluster behind {protocol} with these settings");
        return Err(RigError::Unsupported { backend: super::NAME, what });
    }
    let mut refusals = Vec::new();
    for address in file.bootstrap.value.iter() {
        match ask(address.as_str(), credentials).await {
            Ok(mut found) => {
                for (broker, address) in &file.brokers.0 {
                    if let Some(known) = found.brokers.get_mut(&broker.value) {
                        known.address = address.as_str().to_owned();
                    }
                }
                return Ok(found);
            }
            Err(error) => refusals.push(error.to_string()),
        }
    }
    Err(RigError::Missing {
        what: format!("no broker of the external cluster answers: {}", refusals.join("; ")),
        help:
            "check that the addresses under `bootstrap` in the backend file are right, that this \
               machine reaches them, and that `client` holds the settings that the brokers require"
                .to_owned(),
    })
}

async fn ask(address: &str, credentials: &Credentials) -> Result<FoundCluster, WireError> {
    let mut connection = Connection::open(address, credentials, ANSWER).await?;
    let kraft = connection.supports::<DescribeQuorumRequest>();
    let level = level(&mut connection).await;
    let brokers = advertised(&mut connection, ANSWER).await?.into_iter().map(|(id, reported)| {
        let Advertised { host, address } = reported;
        (id, FoundBroker { address: address.clone(), advertised: address, host })
    });
    Ok(FoundCluster { brokers: brokers.collect(), kraft, level })
}

/// Brokers from 2.4 on (KIP-511, KIP-584) report which features they support; the answer of an older one is
/// ignored.
async fn level(connection: &mut Connection) -> Option<i16> {
    let version =
        connection.version::<ApiVersionsRequest>(3).ok().filter(|version| *version >= 3)?;
    let request = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("kplan"))
        .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
    let answer = connection.call(&request, version, ANSWER).await.ok()?;
    let feature =
        answer.supported_features.iter().find(|f| f.name.as_str() == "metadata.version")?;
    Some(feature.max_version)
}

/// Refuses a cluster that differs from what the plan declares.
pub fn compare(
    file: &BackendFile,
    spec: &ClusterSpec,
    found: &FoundCluster,
) -> Result<(), RigError> {
    let other = |what: String| Err(RigError::Other(what));
    let (wanted, there) = (spec.brokers as usize, found.brokers.len());
    if wanted != there {
        let ids: Vec<String> = found.brokers.keys().map(ToString::to_string).collect();
        return other(format!(
            "the plan declares {wanted} brokers, but the external cluster has {there}: {}; set \
             `brokers` of `start_cluster` to that number",
            ids.join(", ")
        ));
    }
    let own: Vec<u32> = found.brokers.keys().copied().collect();
    if spec.first_broker.is_some() && !spec.numbers().eq(own.iter().copied()) {
        let declared: Vec<u32> = spec.numbers().collect();
        return other(format!(
            "the plan declares brokers {} (`first_broker`), but the external cluster has {}",
            words::list(&declared),
            words::list(&own)
        ));
    }
    let unknown = file.brokers.0.iter().map(|(broker, _)| broker.value);
    if let Some(unknown) = unknown.into_iter().find(|broker| !found.brokers.contains_key(broker)) {
        return other(format!(
            "the backend file names broker {unknown}, but the external cluster has no such broker"
        ));
    }
    let kraft = spec.mode != Quorum::Zookeeper;
    if kraft != found.kraft {
        let (plan, cluster) = if kraft { ("kraft", "zookeeper") } else { ("zookeeper", "kraft") };
        return other(format!(
            "the plan declares `mode: {plan}`, but the external cluster runs in `mode: {cluster}`"
        ));
    }
    let version = &spec.version;
    if let Some(own) = file.version.as_ref().map(|own| own.value.text())
        && own != version.text
    {
        return other(format!(
            "the plan declares Kafka {version}, but the backend file declares {own}; set `version` of \
             `start_cluster` to that version"
        ));
    }
    let release = found.level.and_then(release);
    match release {
        Some((major, minor)) if version.numbers.get(..2) != Some(&[major, minor]) => {
            other(format!(
                "the plan declares Kafka {version}, but the external cluster runs {major}.{minor}; set \
                 `version` of `start_cluster` to that version"
            ))
        }
        _ => Ok(()),
    }
}

/// The release whose brokers support `metadata.version` up to a level
/// (org.apache.kafka.server.common.MetadataVersion); none for levels that kplan does not know.
fn release(level: i16) -> Option<(u32, u32)> {
    Some(match level {
        7 => (3, 3),
        8 => (3, 4),
        9..=11 => (3, 5),
        12..=14 => (3, 6),
        15..=19 => (3, 7),
        20 => (3, 8),
        21 => (3, 9),
        22..=25 => (4, 0),
        26..=27 => (4, 1),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use kplan_dsl::{EnvNames, Memory, read_backend_with};

    use super::*;
    use crate::cluster::config_tests::spec;

    fn file(text: &str) -> BackendFile {
        let files = Memory(BTreeMap::from([("b.yaml".into(), text.as_bytes().to_vec())]));
        let read = read_backend_with(Path::new("b.yaml"), &EnvNames::default(), Box::new(files));
        read.file.unwrap_or_else(|| panic!("{:?}", read.diagnostics))
    }

    fn found(ids: &[u32], kraft: bool, level: Option<i16>) -> FoundCluster {
        let broker = |id: &u32| {
            let host = format!("k{id}");
            let address = format!("{host}:9092");
            (*id, FoundBroker { address: address.clone(), advertised: address, host })
        };
        FoundCluster { brokers: ids.iter().map(broker).collect(), kraft, level }
    }

    #[test]
    fn what_differs_is_told() {
        let plain = file("backend: v1\nbootstrap: [k1:9092]\n");
        let old = file("backend: v1\nbootstrap: [k1:9092]\nversion: 3.9.1\n");
        let odd = file("backend: v1\nbootstrap: [k1:9092]\nbrokers: { 7: other:9092 }\n");
        let new = spec("4.1.1", Quorum::KraftCombined);
        let reported = |file: &BackendFile, found: &FoundCluster| match compare(file, &new, found) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        assert_eq!(reported(&plain, &found(&[1, 2, 3], true, Some(27))), "");
        assert_eq!(
            reported(&plain, &found(&[0, 1, 2], true, None)),
            "",
            "numbers are the cluster's own"
        );
        assert!(reported(&plain, &found(&[1, 2], true, None)).contains("has 2: 1, 2"));
        assert!(reported(&plain, &found(&[1, 2, 3], false, None)).contains("`mode: zookeeper`"));
        assert!(reported(&plain, &found(&[1, 2, 3], true, Some(21))).contains("runs 3.9"));
        assert!(
            reported(&old, &found(&[1, 2, 3], true, None))
                .contains("the backend file declares 3.9.1")
        );
        assert!(reported(&odd, &found(&[1, 2, 3], true, None)).contains("broker 7"));
        assert_eq!(
            reported(&plain, &found(&[1, 2, 3], true, Some(900))),
            "",
            "an unknown level is none"
        );
    }
}
