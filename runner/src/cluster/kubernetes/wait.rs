//! Why a pod does not start, in Kubernetes' words; and whether this machine reaches one that did.

use std::{io::ErrorKind, net::IpAddr, time::Duration};

use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::ResourceExt as _;
use tokio::{net::TcpStream, time::timeout};

use super::super::{RigError, addresses::EXTERNAL_PORT};
use super::objects::NODE_LABEL;

/// How long a pod may find no machine: another one may be added for it.
const SCHEDULE_LIMIT: Duration = Duration::from_secs(60);
/// How long an image may be refused: the first answer of a registry is not always the last.
const IMAGE_LIMIT: Duration = Duration::from_secs(20);

/// Reasons of a container that waits for an image.
const NO_IMAGE: [&str; 5] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "RegistryUnavailable",
];
/// Reasons of a container that no wait helps.
const NO_CONTAINER: [&str; 4] =
    ["CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"];

/// How long a pod may take to answer or refuse a connection.
const REACH_LIMIT: Duration = Duration::from_secs(5);

/// Fails if this machine does not reach a pod that runs. A node that does not listen yet refuses, which is an answer.
pub async fn reachable(pod: &str, address: IpAddr) -> Result<(), RigError> {
    let why = match timeout(REACH_LIMIT, TcpStream::connect((address, EXTERNAL_PORT))).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {REACH_LIMIT:?}"),
    };
    Err(RigError::Missing {
        what: format!("this machine does not reach the pod {pod} at {address}: {why}"),
        help:
            "run kplan where pods are reached at their own addresses: in a pod of the cluster, or \
               on a machine with a route to the pods' network"
                .to_owned(),
    })
}

/// Why a pod will not run, if that is certain; `waited` is for how long it has been waited for.
pub fn trouble(pod: &Pod, image: &str, waited: Duration) -> Option<RigError> {
    let status = pod.status.as_ref()?;
    let node = pod.labels().get(NODE_LABEL).cloned().unwrap_or_else(|| pod.name_any());
    ended(status, &node)
        .or_else(|| no_machine(status, &node).filter(|_| waited >= SCHEDULE_LIMIT))
        .or_else(|| waits(status, &node, image, waited))
}

fn text(reason: Option<&String>, message: Option<&String>) -> String {
    match (reason, message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (one, other) => one.or(other).cloned().unwrap_or_else(|| "no reason was given".to_owned()),
    }
}

/// The pod has ended before its node was to end: it was evicted, or its container could not be started.
fn ended(status: &PodStatus, node: &str) -> Option<RigError> {
    let phase = status.phase.as_deref()?;
    if !["Failed", "Succeeded"].contains(&phase) {
        return None;
    }
    let containers = status.container_statuses.iter().flatten();
    let ended = containers.filter_map(|one| one.state.as_ref()?.terminated.as_ref()).next();
    let why = match ended {
        Some(one) if status.reason.is_none() => {
            let exit = format!("exit status {}", one.exit_code);
            let told = text(one.reason.as_ref(), one.message.as_ref());
            format!("its container ended with {exit} ({told})")
        }
        _ => text(status.reason.as_ref(), status.message.as_ref()),
    };
    Some(RigError::Other(format!("the pod of {node} has ended: {why}")))
}

fn no_machine(status: &PodStatus, node: &str) -> Option<RigError> {
    let conditions = status.conditions.iter().flatten();
    let mut refused = conditions.filter(|one| one.type_ == "PodScheduled" && one.status == "False");
    let refused = refused.next()?;
    let why = text(refused.reason.as_ref(), refused.message.as_ref());
    Some(RigError::Other(format!("Kubernetes has no place for the pod of {node}: {why}")))
}

fn waits(status: &PodStatus, node: &str, image: &str, waited: Duration) -> Option<RigError> {
    let containers = status.container_statuses.iter().flatten();
    let waiting = containers.filter_map(|one| one.state.as_ref()?.waiting.as_ref()).next()?;
    let reason = waiting.reason.as_deref()?;
    let why = text(waiting.reason.as_ref(), waiting.message.as_ref());
    if NO_IMAGE.contains(&reason) && waited >= IMAGE_LIMIT {
        return Some(RigError::Missing {
            what: format!("Kubernetes cannot get the image {image} for {node}: {why}"),
            help: "push it to a registry that the cluster reads, or name another one with --image \
                   'REGISTRY/kafka:{version}'"
                .to_owned(),
        });
    }
    let stuck = NO_CONTAINER.contains(&reason);
    stuck.then(|| RigError::Other(format!("the container of {node} cannot be started: {why}")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "kplan-r-broker-1", "labels": { NODE_LABEL: "broker-1" } },
            "status": status,
        }))
        .expect("a pod")
    }

    fn told(status: Value, seconds: u64) -> Option<String> {
        let error = trouble(&pod(status), "kplan/kafka:4.1.1", Duration::from_secs(seconds))?;
        Some(error.to_string())
    }

    /// As a scheduler of 1.33 says it.
    #[test]
    fn a_pod_without_a_machine_is_told_after_a_while() {
        let status = json!({ "phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient memory."
        }] });
        assert_eq!(told(status.clone(), 5), None, "a machine may be added for it");
        insta::assert_snapshot!(told(status, 60).expect("told"), @"Kubernetes has no place for the pod of broker-1: Unschedulable: 0/1 nodes are available: 1 Insufficient memory.");
    }

    #[test]
    fn an_image_that_cannot_be_had_is_told_with_what_to_do() {
        let waiting = json!({ "waiting": { "reason": "ErrImagePull", "message": "not found" } });
        let status = json!({ "phase": "Pending", "containerStatuses": [{
            "name": "kafka", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
            "state": waiting
        }] });
        assert_eq!(told(status.clone(), 5), None);
        let told = told(status, 20).expect("told");
        assert!(told.starts_with("Kubernetes cannot get the image kplan/kafka:4.1.1"), "{told}");
        assert!(told.contains("--image"), "{told}");
    }

    #[test]
    fn a_pod_that_was_evicted_has_ended() {
        let status = json!({ "phase": "Failed", "reason": "Evicted", "message": "low on memory" });
        insta::assert_snapshot!(told(status, 1).expect("told"), @"the pod of broker-1 has ended: Evicted: low on memory");
        let running = json!({ "phase": "Running" });
        assert_eq!(told(running, 500), None);
    }
}
