//! What only the docker backend has (tests/conformance.rs has what all have), against real Kafka:
//! ignored unless asked for (`--ignored`), with a container engine and the images of
//! `ci/kafka-image 0.10.1.1 2.8.2 3.9.1 4.1.1 4.4.0`. One cluster at a time.

mod common;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use bollard::{
    Docker,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{
        CreateContainerOptions, ListContainersOptionsBuilder, StartContainerOptions,
    },
};
use common::{
    alone,
    cluster::{Any, counts, joined, launch, spec},
};
use indexmap::IndexMap;
use kafka_protocol::{
    messages::{DescribeConfigsRequest, describe_configs_request::DescribeConfigsResource},
    protocol::StrBytes,
};
use kplan::{
    cluster::{
        AdminError, Cluster, ClusterSpec, Node, Quorum, RigError, TopicChange, docker::cleanup,
    },
    engine,
    wire::{Connection, Credentials},
};
use kplan_dsl::{Catalogue, SettingOf, SettingType, value::DataFate};

/// Launches, works, and destroys whatever the work's end; then nothing may be left.
async fn with_cluster(
    spec: ClusterSpec,
    work: impl AsyncFnOnce(Arc<dyn Cluster>) -> Result<(), Any>,
) -> Result<(), Any> {
    let run = spec.run.clone();
    let began = Instant::now();
    let cluster = launch("docker", spec).await?;
    eprintln!("{run}: containers started after {:?}", began.elapsed());
    let worked = match joined(cluster.as_ref(), 3).await {
        Ok(()) => {
            eprintln!("{run}: three brokers after {:?}", began.elapsed());
            work(Arc::clone(&cluster)).await
        }
        Err(error) => Err(error),
    };
    if worked.is_err() {
        tell_logs(cluster.as_ref());
    }
    let began = Instant::now();
    let destroyed = cluster.destroy().await;
    eprintln!("{run}: destroyed in {:?}", began.elapsed());
    let left = cleanup::remove_run(&run).await?;
    worked?;
    destroyed?;
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(!cleanup::list_runs().await?.contains_key(&run));
    Ok(())
}

/// The ends of the nodes' logs, for a failure's output.
fn tell_logs(cluster: &dyn Cluster) {
    for node in cluster.nodes() {
        let path = cluster.spec().dir.join("logs").join(format!("{}.log", node.slug()));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let end = &lines[lines.len().saturating_sub(60)..];
        eprintln!("== the end of the log of {node}\n{}", end.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn a_topic_is_changed() -> Result<(), Any> {
    let _turn = alone();
    let dir = tempfile::tempdir()?;
    with_cluster(spec("4.1.1", Quorum::KraftSeparate(1), dir.path()), async |cluster| {
        let c = cluster.as_ref();
        c.topics().create_topic(&counts("orders", 3)).await?;
        let more = [("retention.ms".to_owned(), "100000".to_owned())].into();
        let change = TopicChange { partitions: Some(4), config: more };
        c.topics().alter_topic("orders", &change).await?;
        let fewer = TopicChange { partitions: Some(2), config: IndexMap::new() };
        let refused = c.topics().alter_topic("orders", &fewer).await;
        assert!(matches!(&refused, Err(AdminError::Kafka(e)) if e.code == "INVALID_PARTITIONS"));
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn two_clusters_of_one_run_stand_side_by_side() -> Result<(), Any> {
    let _turn = alone();
    let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
    let mut one = spec("4.1.1", Quorum::KraftCombined, dirs[0].path());
    one.brokers = 1;
    let two = ClusterSpec { name: "other".into(), dir: dirs[1].path().into(), ..one.clone() };
    let run = one.run.clone();
    let (one, two) = tokio::join!(launch("docker", one), launch("docker", two));
    let (one, two) = (one?, two?);
    assert_ne!(one.address(1), two.address(1));
    let traces = cleanup::list_runs().await?.remove(&run).ok_or("no trace of the run")?;
    assert!(traces.owner_lives());
    assert_eq!(traces.counts(), "2 containers, 2 networks, 0 volumes");
    one.destroy().await?;
    one.destroy().await?;
    joined(two.as_ref(), 1).await?;
    // As when the runner ends without a word: nothing hangs, and the rest is found by its label.
    drop(two);
    let left = cleanup::remove_run(&run).await?;
    assert_eq!(left.counts(), "1 containers, 1 networks, 0 volumes");
    assert!(cleanup::remove_run(&run).await?.is_empty());
    Ok(())
}

/// The addresses of a run's containers in its network, by their names; dead ones have none.
async fn network_addresses(docker: &Docker, run: &str) -> Result<BTreeMap<String, String>, Any> {
    let filters = HashMap::from([("label".to_owned(), vec![format!("kplan.run={run}")])]);
    let options = ListContainersOptionsBuilder::new().filters(&filters).build();
    let listed = engine::list(docker, options).await?;
    let known = listed.into_iter().filter_map(|container| {
        let name = container.names?.into_iter().next()?;
        let mut networks = container.network_settings?.networks?.into_values();
        Some((name, networks.next()?.ip_address?))
    });
    Ok(known.collect())
}

/// A container that is not a node, in the network of a cluster.
async fn stranger(docker: &Docker, cluster: &dyn Cluster) -> Result<(), Any> {
    let membership = cluster.containers()?.membership()?;
    let body = ContainerCreateBody {
        image: Some("kplan/kafka:4.1.1".to_owned()),
        entrypoint: Some(vec!["sleep".to_owned()]),
        cmd: Some(vec!["600".to_owned()]),
        labels: Some(membership.labels.into_iter().collect()),
        host_config: Some(HostConfig {
            network_mode: Some(membership.network),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made = docker.create_container(None::<CreateContainerOptions>, body).await?;
    Ok(docker.start_container(&made.id, None::<StartContainerOptions>).await?)
}

/// A broker that has looked up another one's address must not reach a third one there, in whatever order they start
/// again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn a_node_has_its_address_for_all_its_lives_and_nothing_else_gets_it() -> Result<(), Any> {
    let _turn = alone();
    let dir = tempfile::tempdir()?;
    let spec = spec("4.1.1", Quorum::KraftSeparate(1), dir.path());
    let run = spec.run.clone();
    with_cluster(spec, async |cluster| {
        let docker = engine::connect().await?;
        let before = network_addresses(&docker, &run).await?;
        assert_eq!(before.len(), 4, "{before:?}");
        let [two, three] = [Node::Broker(2), Node::Broker(3)];
        cluster.kill(&[two, three]).await?;
        stranger(&docker, cluster.as_ref()).await?;
        cluster.start(&[three], DataFate::Wiped).await?;
        cluster.start(&[two], DataFate::Kept).await?;
        joined(cluster.as_ref(), 3).await?;
        let after = network_addresses(&docker, &run).await?;
        assert_eq!(after.len(), 5, "{after:?}");
        for (name, address) in &before {
            assert_eq!(after.get(name), Some(address), "{name}: {before:?} {after:?}");
        }
        Ok(())
    })
    .await
}

/// A signal that comes before the node handles it is lost, and a stop must be heard all the same.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn a_node_that_has_just_been_started_can_be_stopped() -> Result<(), Any> {
    let _turn = alone();
    let dir = tempfile::tempdir()?;
    with_cluster(spec("4.1.1", Quorum::KraftSeparate(1), dir.path()), async |cluster| {
        let controller = [Node::Controller(101)];
        cluster.kill(&controller).await?;
        for _ in 0..5 {
            cluster.start(&controller, DataFate::Kept).await?;
            cluster.stop(&controller, Duration::from_secs(30)).await?;
        }
        Ok(())
    })
    .await
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_cluster_may_outlive_its_runtime() -> Result<(), Any> {
    let runtime = tokio::runtime::Runtime::new()?;
    let turn = alone();
    let dir = tempfile::tempdir()?;
    let mut spec = spec("4.1.1", Quorum::KraftCombined, dir.path());
    spec.brokers = 1;
    let run = spec.run.clone();
    let cluster = runtime.block_on(launch("docker", spec))?;
    drop(runtime);
    drop(cluster);
    let left = tokio::runtime::Runtime::new()?.block_on(cleanup::remove_run(&run))?;
    assert_eq!(left.things["containers"].len(), 1);
    drop(turn);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn what_cannot_start_is_an_error_and_leaves_nothing() -> Result<(), Any> {
    let _turn = alone();
    let dir = tempfile::tempdir()?;
    let mut missing = spec("9.8.7", Quorum::KraftCombined, dir.path());
    missing.image = None;
    match launch("docker", missing).await.err() {
        Some(RigError::Missing { what, help }) => {
            assert!(what.contains("kplan/kafka:9.8.7"), "{what}");
            assert!(help.contains("ci/kafka-image 9.8.7"), "{help}");
            assert!(help.contains("kplan image 9.8.7"), "{help}");
        }
        other => panic!("{other:?}"),
    }
    let mut broken = spec("4.1.1", Quorum::KraftCombined, dir.path());
    broken.config.insert("log.segment.bytes".into(), "many".into());
    assert!(its_end(broken).await?.contains("Invalid value many for configuration log.segment"));
    let mut small = spec("4.1.1", Quorum::KraftCombined, dir.path());
    small.jvm.push("-Xmx16m".into());
    let end = its_end(small).await?;
    assert!(end.contains("ended by itself (out of memory"), "{end}");
    Ok(())
}

/// Launches what cannot live and tells how it died.
async fn its_end(spec: ClusterSpec) -> Result<String, Any> {
    let run = spec.run.clone();
    // On a busy machine it may end while the others are still made.
    let error = match launch("docker", spec).await {
        Err(error) => error,
        Ok(cluster) => {
            let error = its_death(cluster.as_ref()).await;
            cluster.destroy().await?;
            error
        }
    };
    assert!(!cleanup::list_runs().await?.contains_key(&run));
    assert!(matches!(&error, RigError::NodeExited { .. }), "{error}");
    Ok(error.to_string())
}

/// Why a cluster is not what it was, as soon as that is so.
async fn its_death(cluster: &dyn Cluster) -> RigError {
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        if let Err(error) = cluster.check().await {
            return error;
        }
        assert!(Instant::now() < deadline, "the broker should have exited");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The types of Kafka's protocol for settings, by number (version 3 and newer tell them).
const TYPES: [(i8, SettingType); 9] = [
    (1, SettingType::Boolean),
    (2, SettingType::String),
    (3, SettingType::Int),
    (4, SettingType::Short),
    (5, SettingType::Long),
    (6, SettingType::Double),
    (7, SettingType::List),
    (8, SettingType::Class),
    (9, SettingType::Password),
];
/// Kafka's error UNKNOWN_TOPIC_OR_PARTITION.
const UNKNOWN_TOPIC: i16 = 3;
/// The source of a setting in an answer: Kafka's default.
const DEFAULT: i8 = 5;

/// What differs between the settings that a broker of this version reports and those of the catalogue.
async fn unknown_settings(cluster: &dyn Cluster, version: &str) -> Result<Vec<String>, Any> {
    let limit = Duration::from_secs(20);
    let mut connection =
        Connection::open(&cluster.address(1), &Credentials::default(), limit).await?;
    let resource = |kind: i8, name: &'static str| {
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(StrBytes::from_static_str(name))
            .with_configuration_keys(None)
    };
    let request = DescribeConfigsRequest::default()
        .with_resources(vec![resource(4, "1"), resource(2, "orders")])
        .with_include_synonyms(true);
    let asked = connection.version::<DescribeConfigsRequest>(4)?;
    // A broker may not know of the topic yet.
    let until = Instant::now() + limit;
    let answer = loop {
        let answer = connection.call(&request, asked, limit).await?;
        let unknown = answer.results.iter().any(|result| result.error_code == UNKNOWN_TOPIC);
        if !unknown || Instant::now() > until {
            break answer;
        }
    };
    let at = Catalogue::of_kafka().version_of(version).ok_or("a version of the catalogue")?;
    let mut wrong = Vec::new();
    for (result, of) in answer.results.iter().zip([SettingOf::Broker, SettingOf::Topic]) {
        let (code, count) = (result.error_code, result.configs.len());
        assert!(code == 0 && count > 20, "{version} {of:?}: error {code}, {count} settings");
        for config in &result.configs {
            let name = config.name.as_str();
            let Some(era) = at.get(of, name) else {
                wrong.push(format!("{version}: no {} setting {name}", of.word()));
                continue;
            };
            let kind = TYPES.iter().find(|(number, _)| *number == config.config_type);
            if asked >= 3 && kind.map(|(_, kind)| *kind) != Some(era.kind) {
                wrong.push(format!("{version}: {name} is {:?}, not {kind:?}", era.kind));
            }
            // A topic's default is the broker's setting, which kplan may have set.
            let preset = config.synonyms.iter().find(|synonym| synonym.source == DEFAULT);
            let theirs =
                preset.and_then(|preset| preset.value.as_ref()).map(|value| value.as_str());
            if preset.is_some() && !config.is_sensitive && theirs != era.default.as_deref() {
                wrong.push(format!("{version}: {name} is {theirs:?}, not {:?}", era.default));
            }
        }
    }
    Ok(wrong)
}

/// What takes too long for `ci/test`.
mod nightly {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a container engine: ci/nightly"]
    async fn every_setting_that_brokers_report_is_known_with_its_type_and_default()
    -> Result<(), Any> {
        let _turn = alone();
        // 0.10.1.1 cannot report its settings (KIP-133 came with 0.11).
        let reporting =
            kplan_dsl::value::TESTED.into_iter().filter(|version| *version != "0.10.1.1");
        let mut seen = 0;
        for version in reporting {
            let dir = tempfile::tempdir()?;
            let kraft = !version.starts_with("2.");
            let quorum = if kraft { Quorum::KraftSeparate(1) } else { Quorum::Zookeeper };
            with_cluster(spec(version, quorum, dir.path()), async |cluster| {
                let c = cluster.as_ref();
                c.topics().create_topic(&counts("orders", 3)).await?;
                let wrong = unknown_settings(c, version).await?;
                assert!(wrong.is_empty(), "{}", wrong.join("\n"));
                Ok(())
            })
            .await?;
            seen += 1;
        }
        assert!(seen >= 4, "{seen} versions");
        Ok(())
    }
}
