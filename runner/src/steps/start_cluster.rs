//! `start_cluster`

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::{
    facts::Strikes,
    plan::Plan,
    steps::{BROKER_DISK, StartCluster},
    value::{Controllers, MetadataMode},
    words,
};

use crate::{
    cluster::{Bounds, Cluster, ClusterSpec, Preload, Quorum, Version, security::Security},
    event::{Event, LaneState, SettingsOf, SuiteId},
    observer::Observer,
    secrets,
    stage::{
        Run, Running, hearing,
        nodes::{JOIN_LIMIT, brokers_of},
        outcome::{Done, StepError},
        settings, wants,
        warm::{self, Warm},
    },
    steps::{Act, Cx},
};

/// Limit until every broker lists all the others.
const START_LIMIT: Duration = Duration::from_secs(120);

#[async_trait]
impl Act for StartCluster {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let stage = cx.stage;
        if stage.running().is_ok() {
            return Err(StepError::not_so("a cluster runs already"));
        }
        let spec = spec(self, &stage.run, &stage.plan, stage.cluster_name(), stage.dir.clone())?;
        if let Some(from) = go_on(&spec, cx).await {
            tell_settings(&stage.running()?, Some(from), cx);
            settings::of_cluster(stage, &stage.running()?);
            stage.place.came_up();
            return Ok(Done::default());
        }
        let cluster = stage.run.backend.launch(spec).await?;
        has_all_named(&stage.plan, cluster.as_ref())?;
        if let Some(access) = cluster.access() {
            secrets::hide(&access.password);
        }
        let running = begin(cluster, cx);
        let nodes = running.cluster.nodes();
        stage.lanes(&nodes, LaneState::Starting, "start_cluster");
        tell_settings(&running, None, cx);
        let brokers = brokers_of(&nodes);
        tokio::select! {
            joined = stage.joined(&running, &brokers, &nodes, START_LIMIT) => joined?,
            error = running.cluster.out_of_reach() => return Err(error.into()),
        }
        stage.followed(&running, &nodes).await?;
        if let Some(access) = running.cluster.access() {
            running.observer.ask().admit(access).await?;
        }
        stage.lanes(&nodes, LaneState::Up, "every broker lists all the others");
        settings::of_cluster(stage, &running);
        stage.place.came_up();
        Ok(Done::default())
    }

    /// If the nodes were not even created within the limit, the rig failed; if they run but do not come up, Kafka
    /// failed.
    fn ran_out(&self, cx: &Cx<'_>, whose: String) -> StepError {
        match cx.stage.running() {
            Ok(_) => StepError::TimedOut(format!("the cluster did not come up: {whose}")),
            Err(_) => StepError::rig(format!("the cluster's nodes were not created: {whose}")),
        }
    }
}

/// Refuses a cluster that exists without a broker that the plan names, before anything is broken.
fn has_all_named(plan: &Plan, cluster: &dyn Cluster) -> Result<(), StepError> {
    let Some(existing) = &plan.existing else { return Ok(()) };
    let there = cluster.brokers();
    let Some(missing) = existing.named.iter().find(|n| !there.contains(n)) else { return Ok(()) };
    let place = plan.place_of(missing.span);
    let near = there.iter().min_by_key(|n| n.abs_diff(missing.value));
    let near = near.map(|n| format!("; the nearest number is {n}")).unwrap_or_default();
    Err(StepError::not_so(format!(
        "{place} names broker {missing}, and the external cluster has no such broker: it has {}{near}",
        words::list(&there)
    )))
}

/// Registers the cluster: from here on it is removed at the end, however the step ends.
fn begin(cluster: Arc<dyn Cluster>, cx: &Cx<'_>) -> Running {
    let observer = Arc::new(Observer::spawn(cluster.clone()));
    let running = Running { cluster, observer };
    cx.stage.place.set_running(Some(running.clone()));
    hearing::cluster(cx.stage, &running);
    running
}

/// Reuses the cluster that an earlier plan left, if there is one and it is complete and empty: returns
/// the number of the suite that left it.
async fn go_on(spec: &ClusterSpec, cx: &Cx<'_>) -> Option<SuiteId> {
    let stage = cx.stage;
    let Warm { cluster, key, suite } = stage.place.take_warm()?;
    if let Ok(logs) = cluster.logs() {
        logs.move_logs(&stage.dir);
    }
    let running = begin(cluster, cx);
    let nodes = running.cluster.nodes();
    let whole = async {
        if key != warm::key(spec) {
            return Err("its declaration differs".to_owned());
        }
        let joined = stage.joined(&running, &brokers_of(&nodes), &nodes, JOIN_LIMIT).await;
        joined.map_err(|_| "not every broker lists the others".to_owned())?;
        warm::fit(&running).await
    };
    match whole.await {
        Ok(()) => {
            let why = format!("reused from suite {suite}: every broker lists all the others");
            stage.lanes(&nodes, LaneState::Up, why);
            Some(suite)
        }
        Err(why) => {
            let text = format!("the cluster of suite {suite} is not reused: {why}");
            stage.tell.emit(Event::Note { step: cx.id.to_owned(), text });
            stage.place.set_running(None);
            // What cannot be removed here is removed with the run.
            let _ = running.cluster.destroy().await;
            None
        }
    }
}

/// Reports what was started and its configuration.
fn tell_settings(running: &Running, from: Option<SuiteId>, cx: &Cx<'_>) {
    let spec = running.cluster.spec();
    let reused = from.map(|suite| ("reused", format!("the cluster of suite {suite}")));
    let cluster = [
        ("version", spec.version.to_string()),
        ("mode", format!("{:?}", spec.mode)),
        ("brokers", spec.brokers.to_string()),
        ("backend", running.cluster.backend().to_owned()),
    ];
    let tell = |who: SettingsOf, settings: IndexMap<String, String>| {
        cx.stage.tell.emit(Event::Configured { who, settings });
    };
    let cluster = cluster.into_iter().chain(reused);
    tell(SettingsOf::Cluster, cluster.map(|(k, v)| (k.to_owned(), v)).collect());
    for node in running.cluster.nodes() {
        let Some(text) = running.cluster.effective_config(node) else { continue };
        let pairs = text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('='));
        let node = SettingsOf::Node(node.to_string());
        tell(node, pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect());
    }
}

/// What a plan's `start_cluster` declares.
pub fn spec(
    args: &StartCluster,
    run: &Run,
    plan: &Plan,
    name: String,
    dir: PathBuf,
) -> Result<ClusterSpec, StepError> {
    let mode = match (*args.mode, &*args.controllers) {
        (MetadataMode::Zookeeper, _) => Quorum::Zookeeper,
        (MetadataMode::Kraft, Controllers::Combined) => Quorum::KraftCombined,
        (MetadataMode::Kraft, Controllers::Own(n)) => Quorum::KraftSeparate(*n),
    };
    let version = args.version.text().parse::<Version>().map_err(StepError::not_so)?;
    let settings = |s: &kplan_dsl::value::Settings| {
        s.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
    };
    Ok(ClusterSpec {
        run: run.id.clone(),
        name,
        version,
        mode,
        brokers: *args.brokers,
        first_broker: args.first_broker.as_deref().copied(),
        config: settings(&args.config),
        broker_config: args.broker_config.0.iter().map(|(n, s)| (**n, settings(s))).collect(),
        jvm: args.jvm.iter().flatten().map(ToString::to_string).collect(),
        image: run.image.clone().or_else(|| args.image.as_deref().cloned()),
        racks: args.racks.0.iter().map(|(n, r)| (**n, r.clone())).collect(),
        disk: wants::strikes(plan, &[Strikes::Disks]).then_some(BROKER_DISK.0),
        exchangeable: wants::upgrades(plan),
        damaged: wants::damages_files(plan),
        preload: Preload {
            power: wants::takes_power(plan),
            clocks: wants::skews_clocks(plan),
            disks: wants::meets_calls(plan),
        },
        authorizer: wants::authorizes(plan),
        dynamic: wants::alters_brokers(plan),
        bounds: Bounds {
            memory: Some(run.broker_memory),
            network_faults: wants::strikes(plan, &[Strikes::Routes, Strikes::Lines]),
        },
        security: args.security.as_deref().map(|security| Security {
            protocol: *security.protocol,
            mechanism: security.mechanism(),
            users: settings(&security.users),
        }),
        dir,
    })
}
