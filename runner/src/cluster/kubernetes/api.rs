//! The API of the Kubernetes that the user's kubeconfig names: what kplan asks of it, and its errors.

use std::{future::Future, time::Duration};

use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{Pod, Secret, Service},
};
use kube::{Api, Client, Config, api::AttachParams};
use tokio::{io::AsyncReadExt as _, time::timeout};

use super::super::{RigError, contained::command::Output};

/// The container of a pod in which a node runs.
pub const CONTAINER: &str = "kafka";
/// The container of a pod that only sleeps, and may change the pod's network.
pub const NETWORK_CONTAINER: &str = "network";
/// The limit of each request that changes or reads objects.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The limit of each command in a container.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// A Kubernetes and the namespace of the pods.
#[derive(Clone)]
pub struct KubeApi {
    client: Client,
    pub namespace: String,
}

impl KubeApi {
    /// The Kubernetes that `kubectl` would use, or inside a pod its own. Nothing is asked yet.
    ///
    /// # Errors
    /// [`RigError::Missing`] if none is configured.
    pub async fn configured() -> Result<Self, RigError> {
        let missing = |error: &dyn std::fmt::Display| RigError::Missing {
            what: format!("no Kubernetes is configured: {error}"),
            help: "set KUBECONFIG, or choose a context with `kubectl config use-context`"
                .to_owned(),
        };
        let config = Config::infer().await.map_err(|error| missing(&error))?;
        let namespace = config.default_namespace.clone();
        let client = Client::try_from(config).map_err(|error| missing(&error))?;
        Ok(Self { client, namespace })
    }

    pub fn client(&self) -> Client {
        self.client.clone()
    }

    pub fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client(), &self.namespace)
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client(), &self.namespace)
    }

    pub fn services(&self) -> Api<Service> {
        Api::namespaced(self.client(), &self.namespace)
    }

    pub fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.client(), &self.namespace)
    }

    /// Runs a bash script in the container of a node, and waits for its end.
    pub async fn script(&self, pod: &str, script: &str) -> Result<Output, RigError> {
        self.run(pod, CONTAINER, &["/bin/bash", "-c", script], true).await
    }

    /// Runs a command in a container of a pod, and waits for its end; with `errors` its output has both streams.
    pub async fn run(
        &self,
        pod: &str,
        container: &str,
        words: &[&str],
        errors: bool,
    ) -> Result<Output, RigError> {
        let what = format!("run {} in the pod {pod}", words.first().copied().unwrap_or_default());
        let params = AttachParams::default().container(container).stderr(true);
        let ran = timeout(COMMAND_LIMIT, self.executed(pod, &params, words, errors, &what)).await;
        ran.unwrap_or(Err(RigError::TimedOut { what, limit: COMMAND_LIMIT }))
    }

    async fn executed(
        &self,
        pod: &str,
        params: &AttachParams,
        words: &[&str],
        errors: bool,
        what: &str,
    ) -> Result<Output, RigError> {
        let pods = self.pods();
        let started = pods.exec(pod, words.iter().copied(), params).await;
        let mut process = started.map_err(|error| failed(what, &error))?;
        let status = process.take_status();
        let (mut text, mut more) = (Vec::new(), Vec::new());
        let (mut out, mut err) = (process.stdout(), process.stderr());
        let read = async {
            let out = async {
                match &mut out {
                    Some(out) => out.read_to_end(&mut text).await,
                    None => Ok(0),
                }
            };
            let err = async {
                match &mut err {
                    Some(err) => err.read_to_end(&mut more).await,
                    None => Ok(0),
                }
            };
            tokio::try_join!(out, err)
        };
        read.await.map_err(|error| RigError::Other(format!("cannot {what}: {error}")))?;
        if errors {
            text.extend(more);
        }
        let ended = match status {
            Some(status) => status.await,
            None => None,
        };
        Ok(Output { status: ended.and_then(|status| exit_status(&status)), text })
    }
}

/// The exit status of a command, from Kubernetes' answer.
fn exit_status(status: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Status) -> Option<i64> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let exit = causes.iter().find(|cause| cause.reason.as_deref() == Some("ExitCode"))?;
    exit.message.as_ref()?.parse().ok()
}

/// Waits for an answer, within the limit of requests.
pub async fn asked<T>(
    what: &str,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, RigError> {
    match timeout(ANSWER_LIMIT, request).await {
        Ok(answer) => answer.map_err(|error| failed(what, &error)),
        Err(_) => Err(RigError::TimedOut {
            what: format!("Kubernetes' answer ({what})"),
            limit: ANSWER_LIMIT,
        }),
    }
}

/// True if the object does not exist.
pub fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

/// An error of Kubernetes in one line, with the reason that it gave.
pub fn failed(what: &str, error: &kube::Error) -> RigError {
    RigError::Other(match error {
        kube::Error::Api(status) => format!("Kubernetes refused to {what}: {}", status.message),
        other => format!("Kubernetes could not be asked to {what}: {other}"),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn status(answer: Value) -> Option<i64> {
        exit_status(&serde_json::from_value(answer).expect("a status"))
    }

    /// As a kubelet of 1.33 answers.
    #[test]
    fn the_exit_status_of_a_command_is_in_the_answers_causes() {
        assert_eq!(status(json!({ "metadata": {}, "status": "Success" })), Some(0));
        let failure = json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": "command terminated with non-zero exit code: exit status 7",
            "details": { "causes": [{ "reason": "ExitCode", "message": "7" }] }
        });
        assert_eq!(status(failure), Some(7));
        let internal = json!({ "metadata": {}, "status": "Failure", "reason": "InternalError" });
        assert_eq!(status(internal), None);
    }
}
