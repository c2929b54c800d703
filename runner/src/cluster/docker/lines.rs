//! What is wrong between a container that is no node and the nodes: rules in its network stack. A helper sets them, a
//! container that shares this stack and only sleeps: the container itself has neither the privilege nor the programs.

use std::{collections::BTreeSet, time::Duration};

use bollard::{
    errors::Error,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::RemoveContainerOptionsBuilder,
};
use futures::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::super::{
    Acted, Node, RigError, ServiceLine,
    contained::{
        command::Output,
        network::{NetworkShell as _, PATIENCE, Places, felt, not_changed, port},
        rules,
    },
};
use super::{DockerCluster, NAME, engine::failed, exec};
use crate::{
    engine::{self, ContainerIs},
    history::{RunClock, now_us},
    new_container::start_new,
};

/// How long a container that is being started may need until it runs.
const START_LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

impl DockerCluster {
    /// Sets the rules of a container as soon as it runs, and tests them.
    pub(super) async fn change_line(
        &self,
        container: &str,
        line: &ServiceLine,
        before: &ServiceLine,
    ) -> Result<Acted, RigError> {
        self.until_it_runs(container).await?;
        let helper = self.helper(container).await?;
        let ips = &self.blueprint.ips;
        let cut = line.cut.iter().filter_map(|node| ips.get(node)).map(ToString::to_string);
        let script = rules::line_script(cut, &line.link);
        let begun_us = now_us();
        let output = exec::script(self.docker(), &helper, &script).await?;
        if !output.succeeded() {
            return Err(not_changed(NAME, &container, &script, &output.text()));
        }
        let acted = Acted::since(begun_us).narrowed(output.stamps(), &RunClock::now());
        self.try_line(container, &helper, line, before).await?;
        if line.is_whole() {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            // What cannot be removed here is removed with the cluster.
            let _ = self.docker().remove_container(&helper, Some(options)).await;
        }
        Ok(acted)
    }

    async fn until_it_runs(&self, container: &str) -> Result<(), RigError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match engine::is(self.docker(), container).await {
                Ok(ContainerIs::Running) => return Ok(()),
                Ok(_) | Err(Error::DockerResponseServerError { status_code: 404, .. }) => {}
                Err(error) => return Err(failed(&format!("inspect {container}"), &error)),
            }
            if Instant::now() >= deadline {
                let what = format!("the start of {container}");
                return Err(RigError::TimedOut { what, limit: START_LIMIT });
            }
            sleep(PAUSE).await;
        }
    }

    /// The helper beside a container.
    async fn helper(&self, container: &str) -> Result<String, RigError> {
        let name = format!("{container}-line");
        let body = ContainerCreateBody {
            image: Some(self.blueprint.image.name.clone()),
            entrypoint: Some(vec!["/bin/bash".to_owned()]),
            cmd: Some(vec!["-c".to_owned(), "exec sleep infinity".to_owned()]),
            user: Some("0:0".to_owned()),
            labels: Some(self.blueprint.labels.clone().into_iter().collect()),
            host_config: Some(HostConfig {
                network_mode: Some(format!("container:{container}")),
                cap_add: Some(vec!["NET_ADMIN".to_owned()]),
                security_opt: Some(vec!["no-new-privileges".to_owned()]),
                ..Default::default()
            }),
            ..Default::default()
        };
        match start_new(self.docker(), &name, body, Vec::new()).await {
            // It is there already.
            Ok(()) | Err(Error::DockerResponseServerError { status_code: 409, .. }) => Ok(name),
            Err(error) => Err(failed(&format!("start a container beside {container}"), &error)),
        }
    }

    /// Tests every node that is cut off, every one that is no longer, and the link.
    async fn try_line(
        &self,
        container: &str,
        helper: &str,
        line: &ServiceLine,
        before: &ServiceLine,
    ) -> Result<(), RigError> {
        let places = self.places().await?;
        let wrong = |what: String| Err(RigError::Other(what));
        if let Some(node) = self.reached(helper, &line.cut, &places).await?.first() {
            return wrong(format!("{container} was cut off from {node}, but still reaches it"));
        }
        let healed: BTreeSet<Node> = before.cut.difference(&line.cut).copied().collect();
        let alive = healed.iter().filter(|node| awake(&places, **node)).count();
        let deadline = Instant::now() + PATIENCE;
        while self.reached(helper, &healed, &places).await?.len() < alive {
            if Instant::now() >= deadline {
                return wrong(format!(
                    "the network was healed, but {container} does not reach the brokers"
                ));
            }
        }
        if line.link == before.link {
            return Ok(());
        }
        let free =
            places.keys().copied().find(|node| awake(&places, *node) && !line.cut.contains(node));
        let target = free.and_then(|node| target(&places, node));
        let run = |script: String| -> BoxFuture<'_, Result<Output, RigError>> {
            Box::pin(async move { exec::script(self.docker(), helper, &script).await })
        };
        felt(&container, &line.link, target, &run).await
    }

    /// Which of these nodes answer the helper; a dead or paused one is not asked.
    async fn reached(
        &self,
        helper: &str,
        nodes: &BTreeSet<Node>,
        places: &Places,
    ) -> Result<Vec<Node>, RigError> {
        let asked = nodes.iter().copied().filter(|node| awake(places, *node));
        let asked: Vec<(Node, String)> =
            asked.filter_map(|node| Some((node, target(places, node)?))).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let targets: Vec<&str> = asked.iter().map(|(_, target)| target.as_str()).collect();
        let output = exec::script(self.docker(), helper, &rules::connect_script(&targets)).await?;
        let silent = rules::silent(&output.text());
        Ok(asked.into_iter().filter(|(_, t)| !silent.contains(t)).map(|(node, _)| node).collect())
    }
}

fn awake(places: &Places, node: Node) -> bool {
    places.get(&node).is_some_and(|place| !place.paused)
}

/// `ADDRESS/PORT` of a node.
fn target(places: &Places, node: Node) -> Option<String> {
    places.get(&node).map(|place| format!("{}/{}", place.address, port(node)))
}
