//! The states of containers, as every engine reports them.

use bollard::{
    Docker,
    errors::Error,
    models::{ContainerInspectResponse, ContainerState, ContainerSummary},
    query_parameters::{InspectContainerOptions, ListContainersOptions},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What the process of a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerIs {
    Running,
    Paused,
    /// There is no process.
    Ended,
}

impl From<&ContainerState> for ContainerIs {
    fn from(state: &ContainerState) -> Self {
        match (state.running, state.paused) {
            (_, Some(true)) => Self::Paused,
            (Some(true), _) => Self::Running,
            _ => Self::Ended,
        }
    }
}

/// What the engine knows of a container.
pub async fn inspect(docker: &Docker, name: &str) -> Result<ContainerInspectResponse, Error> {
    let answer = docker.inspect_container(name, None::<InspectContainerOptions>).await;
    answer.or_else(|error| {
        without_names(error, |answer| forget(answer.pointer_mut("/State"), "Status"))
    })
}

/// Containers, as [`Docker::list_containers`] does.
pub async fn list(
    docker: &Docker,
    options: ListContainersOptions,
) -> Result<Vec<ContainerSummary>, Error> {
    let answer = docker.list_containers(Some(options)).await;
    answer.or_else(|error| {
        without_names(error, |answer| {
            for container in answer.as_array_mut().into_iter().flatten() {
                forget(Some(container), "State");
            }
        })
    })
}

/// What the process of a container does.
pub async fn is(docker: &Docker, name: &str) -> Result<ContainerIs, Error> {
    let state = inspect(docker, name).await?.state.unwrap_or_default();
    Ok((&state).into())
}

/// Reads an answer again without the names of states: an engine may have names that Docker does not have (podman:
/// `stopped`, between the end of a process and `exited`). What matters is in other fields.
fn without_names<T: DeserializeOwned>(
    error: Error,
    forget: impl FnOnce(&mut Value),
) -> Result<T, Error> {
    let Error::JsonDataError { contents, .. } = &error else { return Err(error) };
    let Ok(mut answer) = serde_json::from_str::<Value>(contents) else { return Err(error) };
    forget(&mut answer);
    serde_json::from_value(answer).map_err(Error::from)
}

fn forget(value: Option<&mut Value>, field: &str) {
    if let Some(fields) = value.and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unread(contents: &str) -> Error {
        let (message, column) = ("unknown variant".to_owned(), 1);
        Error::JsonDataError { message, contents: contents.to_owned(), column }
    }

    #[test]
    fn a_state_whose_name_is_unknown_is_read_by_its_other_fields() {
        let podman = r#"{"Id": "a", "State": {"Status": "stopped", "Running": false,
            "Paused": false, "ExitCode": 143}}"#;
        let read: Result<ContainerInspectResponse, _> = serde_json::from_str(podman);
        assert!(read.is_err(), "this is what the fault was");
        let answer = without_names::<ContainerInspectResponse>(unread(podman), |answer| {
            forget(answer.pointer_mut("/State"), "Status");
        });
        let state = answer.expect("it is read").state.expect("a state");
        assert_eq!(ContainerIs::from(&state), ContainerIs::Ended);
        assert_eq!(state.exit_code, Some(143));
    }

    #[test]
    fn an_answer_that_is_none_stays_an_error() {
        for contents in ["", "{", r#"{"State": {"ExitCode": "x"}}"#] {
            let answer = without_names::<ContainerInspectResponse>(unread(contents), |answer| {
                forget(answer.pointer_mut("/State"), "Status");
            });
            assert!(answer.is_err(), "{contents}");
        }
        let gone = Error::DockerResponseServerError { status_code: 404, message: String::new() };
        let answer = without_names::<ContainerInspectResponse>(gone, |_| {});
        assert!(matches!(answer, Err(Error::DockerResponseServerError { status_code: 404, .. })));
    }

    #[test]
    fn a_paused_process_runs_and_is_paused() {
        let is = |running, paused| {
            let state = ContainerState {
                running: Some(running),
                paused: Some(paused),
                ..Default::default()
            };
            ContainerIs::from(&state)
        };
        assert_eq!(is(true, false), ContainerIs::Running);
        assert_eq!(is(true, true), ContainerIs::Paused);
        assert_eq!(is(false, false), ContainerIs::Ended);
        assert_eq!(ContainerIs::from(&ContainerState::default()), ContainerIs::Ended);
    }
}
