//! The objects of a cluster: a service that names its nodes, and for each node a secret with its files and a pod.
//!
//! Process 1 of a node's container is a supervisor whose child the node is. A node that ends, by a fault of the plan or by
//! itself, leaves the pod with its address, its network and its disk: Kubernetes starts nothing in its place.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::core::v1::{Pod, Secret, Service},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::{
    ClusterSpec, Node, RigError,
    addresses::{Addresses, HOME, INTERNAL_PORT},
    contained::{
        files::{self, File, OfCluster},
        power,
    },
};
use super::api::{CONTAINER, NETWORK_CONTAINER};

/// The label of everything of a run.
pub const RUN_LABEL: &str = "kplan.run";
/// The label of everything of one of its clusters.
pub const CLUSTER_LABEL: &str = "kplan.cluster";
/// The label of the pod of a node, such as `broker-1`.
pub const NODE_LABEL: &str = "kplan.node";
/// The annotation with the process that started a run: it has characters that labels must not have.
pub const OWNER_ANNOTATION: &str = "kplan.owner";

/// The image of a container that never runs: no image of this name is pulled.
pub const NEVER_PULLED: &str = "kplan/none";
/// Where a container finds its files; it copies them to [`HOME`].
const FILES: &str = "/kplan-files";
/// Stands in files for the address of the pod, which is known when it starts.
pub const POD_ADDRESS: &str = "@POD_ADDRESS@";
/// What the supervisor prints when the node has ended, before its exit status.
pub const ENDED: &str = "kplan: the node ended with ";
/// What it prints when it starts the node again.
pub const AGAIN: &str = "kplan: the node is started again";

/// This machine's kind of processor, as Kubernetes names it.
const ARCH: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

/// Process 1 of a container. The node has a process group of its own, so that a kill meets all of its processes.
const SUPERVISOR: &str = r#"set -u
mkdir -p HOME/run HOME/preload && rm -f HOME/run/* && mkfifo HOME/run/go
cp -rL FILES/. HOME/
sed -i "s/@POD_ADDRESS@/$POD_ADDRESS/g" HOME/node.properties
leave() {
  kill -CONT -- "-$(<HOME/run/pid)"
  kill -TERM -- "-$(<HOME/run/pid)"
  wait
  exit 0
}
trap leave TERM
while :; do
  setsid bash HOME/start &
  echo $! >HOME/run/pid
  wait $!
  code=$?
  echo "ENDED$code"
  echo $code >HOME/run/ended
  read -r _ <>HOME/run/go
  rm -f HOME/run/ended
  echo "AGAIN"
done
"#;

/// An object, from its JSON.
///
/// # Errors
/// Only if kplan makes an object that Kubernetes does not know.
pub fn made_of<K: DeserializeOwned>(value: Value) -> Result<K, RigError> {
    serde_json::from_value(value).map_err(|error| RigError::Other(format!("no object: {error}")))
}

/// The objects of one cluster.
pub struct Objects<'a> {
    pub spec: &'a ClusterSpec,
    pub at: &'a Addresses,
    /// The image of its containers.
    pub image: &'a str,
    /// What its objects belong to.
    pub owner: Value,
}

impl Objects<'_> {
    /// The labels of all its objects.
    pub fn labels(&self) -> BTreeMap<String, String> {
        labels(self.spec)
    }

    fn metadata(&self, name: &str, node: Option<Node>) -> Value {
        let mut labels = self.labels();
        labels.extend(node.map(|node| (NODE_LABEL.to_owned(), node.slug())));
        json!({ "name": name, "labels": labels, "ownerReferences": [self.owner] })
    }

    /// The service by which the nodes find each other, also before they answer.
    pub fn service(&self) -> Result<Service, RigError> {
        made_of(json!({
            "metadata": self.metadata(&self.at.prefix, None),
            "spec": {
                "clusterIP": "None",
                "publishNotReadyAddresses": true,
                "selector": self.labels(),
                "ports": [{ "name": "kafka", "port": INTERNAL_PORT }],
            },
        }))
    }

    /// Every file of a node's container; the first is its configuration.
    pub fn files(&self, node: Node) -> Result<Vec<File>, RigError> {
        let (spec, at) = (self.spec, self.at);
        let of = OfCluster { spec, at, secured: None, checkpoint: None };
        let mut all = files::files(&of, node, super::super::addresses::EXTERNAL_PORT)?;
        all.push(File::plain("init", supervisor().as_bytes()));
        all.extend(power::restore_file(spec));
        Ok(all)
    }

    /// The secret with the files of a node.
    pub fn secret(&self, node: Node, files: &[File]) -> Result<Secret, RigError> {
        let name = pod_name(self.at, node);
        let mut secret: Secret = made_of(json!({ "metadata": self.metadata(&name, Some(node)) }))?;
        let data =
            files.iter().enumerate().map(|(at, file)| (key(at), ByteString(file.bytes.clone())));
        secret.data = Some(data.collect());
        Ok(secret)
    }

    /// The pod of a node.
    pub fn pod(&self, node: Node, files: &[File]) -> Result<Pod, RigError> {
        let name = pod_name(self.at, node);
        let environment = files::environment(self.spec, node)?;
        let mut env: Vec<Value> = environment
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect();
        let address = json!({ "fieldRef": { "fieldPath": "status.podIP" } });
        env.push(json!({ "name": "POD_ADDRESS", "valueFrom": address }));
        let items: Vec<Value> = files.iter().enumerate().map(|(at, file)| item(at, file)).collect();
        let mut volumes = vec![
            json!({ "name": "files", "secret": { "secretName": name, "items": items } }),
            json!({ "name": "home", "emptyDir": {} }),
        ];
        let mut mounts = vec![
            json!({ "name": "files", "mountPath": FILES, "readOnly": true }),
            json!({ "name": "home", "mountPath": HOME }),
        ];
        if let (Some(size), Node::Broker(_)) = (self.spec.disk, node) {
            // In memory, because only there a limit is one that the node itself meets.
            let disk = json!({ "medium": "Memory", "sizeLimit": size.to_string() });
            volumes.push(json!({ "name": "disk", "emptyDir": disk }));
            mounts.push(json!({ "name": "disk", "mountPath": format!("{HOME}/data") }));
        }
        let memory = self.spec.bounds.memory;
        let resources = memory.map(|bytes| json!({ "limits": { "memory": bytes.to_string() } }));
        let network = self.spec.bounds.network_faults.then(|| {
            json!({
                "name": NETWORK_CONTAINER,
                "image": self.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["/bin/bash", "-c", "trap 'exit 0' TERM; sleep infinity & wait"],
                "securityContext": network_privilege(),
            })
        });
        let kafka = json!({
            "name": CONTAINER,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/bin/bash", format!("{FILES}/init")],
            "env": env,
            "resources": resources.unwrap_or_else(|| json!({})),
            "volumeMounts": mounts,
        });
        let containers: Vec<Value> = [kafka].into_iter().chain(network).collect();
        // A preloaded object is for kplan's own kind of processor.
        let machines = match self.spec.preloads(node) {
            true => json!({ "kubernetes.io/arch": ARCH }),
            false => json!({}),
        };
        made_of(json!({
            "metadata": self.metadata(&name, Some(node)),
            "spec": {
                "hostname": node.slug(),
                "subdomain": self.at.prefix,
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "enableServiceLinks": false,
                "automountServiceAccountToken": false,
                "nodeSelector": machines,
                "volumes": volumes,
                "containers": containers,
            },
        }))
    }
}

/// What the container needs that changes a pod's network.
pub fn network_privilege() -> Value {
    json!({ "runAsUser": 0, "capabilities": { "add": ["NET_ADMIN"] } })
}

/// The labels of all objects of a cluster.
pub fn labels(spec: &ClusterSpec) -> BTreeMap<String, String> {
    [(RUN_LABEL, &spec.run), (CLUSTER_LABEL, &spec.name)]
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .into()
}

/// The name of a node's pod, and of the secret with its files.
pub fn pod_name(at: &Addresses, node: Node) -> String {
    format!("{}-{}", at.prefix, node.slug())
}

/// A file's key in a secret, which has no directories.
fn key(at: usize) -> String {
    format!("file-{at}")
}

fn item(at: usize, file: &File) -> Value {
    let path = file.path.strip_prefix(HOME).unwrap_or(&file.path).trim_start_matches('/');
    // A container whose user is not root must be able to read its own files.
    json!({ "key": key(at), "path": path, "mode": file.mode | 0o044 })
}

fn supervisor() -> String {
    let known = [("HOME", HOME), ("FILES", FILES), ("ENDED", ENDED), ("AGAIN", AGAIN)];
    known.iter().fold(SUPERVISOR.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Quorum, config_tests::spec};

    fn with_objects<T>(look: impl FnOnce(Objects<'_>) -> T) -> T {
        let spec = spec("4.1.1", Quorum::KraftCombined);
        let at = Addresses {
            prefix: "kplan-r-0001".into(),
            cluster_id: "5L6g3nShT-eMCtK--X86sw".into(),
            outside: POD_ADDRESS.into(),
            in_domain: true,
            ..Addresses::default()
        };
        let owner =
            json!({ "apiVersion": "batch/v1", "kind": "Job", "name": "kplan-r", "uid": "1" });
        look(Objects { spec: &spec, at: &at, image: "kplan/kafka:4.1.1", owner })
    }

    #[test]
    fn nodes_are_found_by_their_names_and_clients_get_the_pods_address() {
        with_objects(|objects| {
            let files = objects.files(Node::Broker(2)).expect("files");
            let text = files[0].text();
            assert!(text.contains("1@broker-1.kplan-r-0001:9093"), "{text}");
            assert!(text.contains("EXTERNAL://@POD_ADDRESS@:9094"), "{text}");
        });
    }

    #[test]
    fn every_file_of_a_secret_stands_where_its_pod_expects_it() {
        with_objects(|objects| {
            let node = Node::Broker(1);
            let files = objects.files(node).expect("files");
            let secret = objects.secret(node, &files).expect("a secret");
            let pod = objects.pod(node, &files).expect("a pod");
            let spec = pod.spec.expect("a spec");
            let volumes = spec.volumes.expect("volumes");
            let of_secret = volumes[0].secret.clone().expect("a secret");
            assert_eq!(of_secret.secret_name, secret.metadata.name);
            let items = of_secret.items.expect("items");
            let data = secret.data.expect("files");
            assert_eq!(items.len(), data.len());
            let init = items.iter().find(|item| item.path == "init").expect("the supervisor");
            let text = String::from_utf8(data[&init.key].0.clone()).expect("text");
            assert!(text.contains("setsid bash /kplan/start"), "{text}");
            assert!(text.contains("echo \"kplan: the node ended with $code\""), "{text}");
        });
    }

    #[test]
    fn everything_belongs_to_the_runs_owner_and_has_its_labels() {
        with_objects(|objects| {
            let files = objects.files(Node::Broker(1)).expect("files");
            let pod = objects.pod(Node::Broker(1), &files).expect("a pod").metadata;
            let secret = objects.secret(Node::Broker(1), &files).expect("a secret").metadata;
            let service = objects.service().expect("a service").metadata;
            for metadata in [pod, secret, service] {
                let owners = metadata.owner_references.expect("an owner");
                assert_eq!(owners[0].name, "kplan-r");
                let labels = metadata.labels.expect("labels");
                assert_eq!(labels[RUN_LABEL], objects.spec.run);
            }
        });
    }
}
