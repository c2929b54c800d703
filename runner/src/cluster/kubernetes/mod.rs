//! Real Kafka in pods of a Kubernetes that exists, over its API (the crate `kube`).
//!
//! Every node is a pod with a supervisor as its first process and the node as its child: a fault ends the child, and the
//! pod keeps address, disk and network. This machine reaches the pods at their own addresses.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use futures::future::try_join_all;
use k8s_openapi::{
    api::core::v1::{ContainerStatus, Pod},
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::ResourceExt as _;
use kube::api::{ListParams, PostParams};
use serde_json::json;
use tokio::time::{Instant, sleep};

mod api;
mod backend;
mod cleanup;
mod disks;
mod lifecycle;
mod network;
mod node;
mod objects;
mod owner;
mod permits;
mod wait;

pub use backend::KubernetesBackend;

use self::{
    api::{KubeApi, asked},
    node::KubeNode,
    objects::Objects,
};
use super::{
    ClusterSpec, Node, RigError,
    addresses::{Addresses, EXTERNAL_PORT},
    admin::Topics,
    config,
    contained::{files::File, network::Applied, prefix},
    storage,
};

const NAME: &str = "kubernetes";
/// How long all pods of a cluster may take until their containers run; an image may be fetched meanwhile.
const START_LIMIT: Duration = Duration::from_secs(300);
const PAUSE: Duration = Duration::from_millis(250);

/// A cluster of pods. Dropping it removes nothing: call [`super::Cluster::destroy`]. What a crash leaves is removed by the
/// end of its run's [`RunOwner`].
pub struct KubernetesCluster {
    api: KubeApi,
    spec: ClusterSpec,
    at: Addresses,
    nodes: Vec<KubeNode>,
    topics: Topics,
    net: tokio::sync::Mutex<Applied>,
}

impl KubernetesCluster {
    /// Makes every pod at once.
    ///
    /// # Errors
    /// As [`super::backend::Backend::launch`]; then everything of this cluster is removed again.
    pub async fn launch(
        api: KubeApi,
        owner: &OwnerReference,
        spec: ClusterSpec,
        image: &str,
    ) -> Result<Self, RigError> {
        config::refuse(&spec, NAME)?;
        let logs = spec.dir.join("logs");
        std::fs::create_dir_all(&logs).map_err(|error| {
            RigError::Other(format!("cannot create the directory {}: {error}", logs.display()))
        })?;
        let at = Addresses {
            prefix: prefix(&spec),
            cluster_id: storage::random_id(),
            outside: objects::POD_ADDRESS.to_owned(),
            in_domain: true,
            ..Addresses::default()
        };
        let started = start_nodes(&api, owner, &spec, &at, image).await;
        let nodes = match started {
            Ok(nodes) => nodes,
            Err(error) => {
                // What cannot be removed now is removed with the run.
                let _ = cleanup::remove(&api, &objects::labels(&spec)).await;
                return Err(error);
            }
        };
        let brokers = nodes.iter().filter(|node| matches!(node.node, Node::Broker(_)));
        let addresses: Vec<String> =
            brokers.map(|node| format!("{}:{EXTERNAL_PORT}", node.address)).collect();
        let topics = Topics::new(&addresses.join(","), &indexmap::IndexMap::new());
        for node in &nodes {
            node.follow(&api);
        }
        Ok(Self { api, spec, at, nodes, topics, net: tokio::sync::Mutex::default() })
    }

    fn node(&self, node: Node) -> Result<&KubeNode, RigError> {
        let mut nodes = self.nodes.iter();
        nodes
            .find(|each| each.node == node)
            .ok_or_else(|| RigError::Other(format!("there is no {node} in this cluster")))
    }

    fn some(&self, nodes: &[Node]) -> Result<Vec<&KubeNode>, RigError> {
        nodes.iter().map(|node| self.node(*node)).collect()
    }
}

/// Makes the objects of a cluster, and waits until every container runs.
async fn start_nodes(
    api: &KubeApi,
    owner: &OwnerReference,
    spec: &ClusterSpec,
    at: &Addresses,
    image: &str,
) -> Result<Vec<KubeNode>, RigError> {
    let objects = Objects { spec, at, image, owner: json!(owner) };
    let post = PostParams::default();
    let service = objects.service()?;
    let services = api.services();
    asked("make the service of the nodes", services.create(&post, &service)).await?;
    let make = async |node: Node| {
        let files = objects.files(node)?;
        let (secrets, pods) = (api.secrets(), api.pods());
        let secret = objects.secret(node, &files)?;
        asked(&format!("make the secret of {node}"), secrets.create(&post, &secret)).await?;
        let pod = objects.pod(node, &files)?;
        asked(&format!("make the pod of {node}"), pods.create(&post, &pod)).await?;
        Ok::<_, RigError>((node, files))
    };
    let made = try_join_all(config::nodes(spec).into_iter().map(make)).await?;
    let places = running(api, &objects).await?;
    try_join_all(places.iter().map(|(pod, address)| wait::reachable(pod, *address))).await?;
    let node = |(node, files): (Node, Vec<File>)| {
        let pod = objects::pod_name(at, node);
        let address = places.get(&pod).copied();
        let address = address.ok_or_else(|| RigError::Other(format!("the pod {pod} is gone")))?;
        let text = files.first().map(File::text).unwrap_or_default();
        let properties = text.replace(objects::POD_ADDRESS, &address.to_string());
        Ok(KubeNode::new(node, pod, address, properties, &spec.dir))
    };
    made.into_iter().map(node).collect()
}

/// Waits until the containers of all pods run; their addresses by the pods' names.
async fn running(
    api: &KubeApi,
    objects: &Objects<'_>,
) -> Result<BTreeMap<String, IpAddr>, RigError> {
    let begun = Instant::now();
    let labels: Vec<String> = objects.labels().iter().map(|(k, v)| format!("{k}={v}")).collect();
    let params = ListParams::default().labels(&labels.join(","));
    let expected = config::nodes(objects.spec).len();
    loop {
        let pods = api.pods();
        let pods = asked("list the pods of the cluster", pods.list(&params)).await?.items;
        if let Some(error) =
            pods.iter().find_map(|pod| wait::trouble(pod, objects.image, begun.elapsed()))
        {
            return Err(error);
        }
        let places: BTreeMap<String, IpAddr> = pods.iter().filter_map(place).collect();
        if places.len() >= expected {
            return Ok(places);
        }
        if begun.elapsed() >= START_LIMIT {
            let waiting: Vec<String> =
                pods.iter().filter(|pod| place(pod).is_none()).map(|pod| pod.name_any()).collect();
            let what = format!("the start of the pods {}", waiting.join(", "));
            return Err(RigError::TimedOut { what, limit: START_LIMIT });
        }
        sleep(PAUSE).await;
    }
}

/// The name and address of a pod whose containers run.
fn place(pod: &Pod) -> Option<(String, IpAddr)> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.as_ref()?;
    let runs =
        |one: &ContainerStatus| one.state.as_ref().is_some_and(|state| state.running.is_some());
    let expected = pod.spec.as_ref()?.containers.len();
    if containers.iter().filter(|one| runs(one)).count() < expected {
        return None;
    }
    Some((pod.name_any(), status.pod_ip.as_ref()?.parse().ok()?))
}
