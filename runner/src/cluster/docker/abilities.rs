//! What this machine's kernel lets a container do: tested once, in a temporary container.

use std::time::Duration;

use futures::StreamExt as _;
use bollard::{
    Docker,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{CreateContainerOptions, StartContainerOptions, WaitContainerOptions},
};

use super::{
    cleanup::{self, RUN_LABEL},
    engine::failed,
    logs,
};
use crate::cluster::RigError;

/// What network faults need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelCan {
    /// Packets can be dropped: `partition_network`.
    pub drop: bool,
    /// A share of packets can be lost: `degrade_network: {loss}`.
    pub loss: bool,
    /// Bandwidth can be limited (qdisc tbf): `degrade_network: {bandwidth}`.
    pub bandwidth: bool,
    /// Packets can be delayed (qdisc netem): `degrade_network: {latency, jitter}`.
    pub latency: bool,
}

/// One word is printed for each thing that works.
const SCRIPT: &str = "\
iptables -A INPUT -s 192.0.2.1 -j DROP && echo drop
iptables -A INPUT -s 192.0.2.1 -m statistic --mode random --probability 0.5 -j DROP && echo loss
tc qdisc add dev lo root tbf rate 1mbit burst 32kb latency 400ms && echo bandwidth
tc qdisc del dev lo root
tc qdisc add dev lo root netem delay 1ms && echo latency
exit 0";
const LIMIT: Duration = Duration::from_secs(60);

/// Tests them in a container of `image`.
pub async fn abilities(docker: &Docker, image: &str) -> Result<KernelCan, RigError> {
    let run = format!("doctor-{}", std::process::id());
    let said = tokio::time::timeout(LIMIT, ask(docker, image, &run)).await;
    cleanup::remove_run(&run).await?;
    let what = "test what containers can do".to_owned();
    let said = said.map_err(|_| RigError::TimedOut { what, limit: LIMIT })??;
    let has = |word: &str| said.lines().any(|line| line.trim() == word);
    Ok(KernelCan {
        drop: has("drop"),
        loss: has("loss"),
        bandwidth: has("bandwidth"),
        latency: has("latency"),
    })
}

async fn ask(docker: &Docker, image: &str, run: &str) -> Result<String, RigError> {
    let fail = |error| failed("test what containers can do", &error);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(vec!["/bin/bash".to_owned()]),
        cmd: Some(vec!["-c".to_owned(), SCRIPT.to_owned()]),
        user: Some("root".to_owned()),
        labels: Some([(RUN_LABEL.to_owned(), run.to_owned())].into()),
        host_config: Some(HostConfig {
            cap_add: Some(vec!["NET_ADMIN".to_owned()]),
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let made = docker.create_container(None::<CreateContainerOptions>, body).await.map_err(fail)?;
    docker.start_container(&made.id, None::<StartContainerOptions>).await.map_err(fail)?;
    let mut ended = std::pin::pin!(docker.wait_container(&made.id, None::<WaitContainerOptions>));
    // The exit status does not matter: the output shows what works.
    let _ = ended.next().await;
    Ok(logs::tail(docker, &made.id, 100).await)
}
