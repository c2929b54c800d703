//! What the engine is asked for, for an instance of a service.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
};

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HostConfig, HostConfigLogConfig, NetworkingConfig,
    PortBinding,
};

use super::{ContainerSpec, PublishedPort};
use crate::{
    client::program::{ProgramOwner, ProgramSpec},
    new_container::ContainerFile,
};

/// The most processes of a container.
const MOST_PROCESSES: i64 = 4096;
/// A host's name is a DNS label.
const LONGEST_NAME: usize = 63;

/// `NETWORK-SERVICE-MEMBER-LIFE`, with only characters that host names allow.
pub(super) fn container_name(network: &str, owner: &ProgramOwner) -> String {
    let own = format!("-{}-{}-{}", plain(&owner.service), owner.member, owner.life);
    let room = LONGEST_NAME.saturating_sub(own.len());
    let front: String = network.chars().take(room).collect();
    format!("{front}{own}")
}

fn plain(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(letter).collect()
}

/// The container with its environment, its network and its published ports.
pub(super) fn body(
    name: &str,
    spec: &ContainerSpec,
    program: &ProgramSpec,
    owner: &ProgramOwner,
) -> ContainerCreateBody {
    let marks = owner.marks();
    let marks = marks.iter().map(|(key, value)| (*key, value));
    let all = program.env.iter().map(|(key, value)| (key.as_str(), value));
    let env = all.chain(marks).map(|(key, value)| format!("{key}={value}"));
    let own: Vec<&PublishedPort> = spec.ports.iter().filter(|p| p.member == owner.member).collect();
    let binding = |port: &&PublishedPort| {
        let binding = PortBinding {
            host_ip: Some("127.0.0.1".to_owned()),
            host_port: Some(port.host.to_string()),
        };
        (format!("{}/tcp", port.inside), Some(vec![binding]))
    };
    let host = HostConfig {
        network_mode: Some(spec.network.clone()),
        port_bindings: Some(own.iter().map(binding).collect()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        pids_limit: Some(MOST_PROCESSES),
        // Its client writes its output down.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        memory: spec.memory,
        memory_swap: spec.memory,
        ..Default::default()
    };
    let service = plain(&owner.service);
    let aliases = vec![format!("{service}-{}", owner.member), service];
    let endpoint = EndpointSettings { aliases: Some(aliases), ..Default::default() };
    let networks = HashMap::from([(spec.network.clone(), endpoint)]);
    ContainerCreateBody {
        image: Some(spec.image.clone()),
        hostname: Some(name.to_owned()),
        open_stdin: Some(program.stdin),
        // An empty entry point: the command is all.
        entrypoint: spec.command.as_ref().map(|_| vec![String::new()]),
        cmd: spec.command.clone(),
        env: Some(env.collect()),
        labels: Some(spec.labels.clone().into_iter().collect()),
        exposed_ports: Some(own.iter().map(|port| format!("{}/tcp", port.inside)).collect()),
        host_config: Some(host),
        networking_config: Some(NetworkingConfig { endpoints_config: Some(networks) }),
        ..Default::default()
    }
}

/// Files of this machine as those of a container.
pub(super) async fn copies(files: &BTreeMap<String, PathBuf>) -> io::Result<Vec<ContainerFile>> {
    let mut copies = Vec::new();
    for (path, source) in files {
        let bytes = tokio::fs::read(source).await?;
        copies.push(ContainerFile { path: path.clone(), bytes, mode: 0o444 });
    }
    Ok(copies)
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::client::program::Origin;

    fn owner() -> ProgramOwner {
        ProgramOwner { run: "r".into(), service: "My_Service".into(), member: 2, life: 3 }
    }

    fn spec() -> ContainerSpec {
        let port = |member, host| PublishedPort { member, inside: 80, host };
        ContainerSpec {
            image: "a/b:1".into(),
            command: None,
            network: "n".into(),
            labels: BTreeMap::new(),
            ports: vec![port(1, 1001), port(2, 1002)],
            files: BTreeMap::new(),
            memory: None,
        }
    }

    #[test]
    fn names_fit_into_a_host_name() {
        assert_eq!(container_name("kplan-r", &owner()), "kplan-r-my-service-2-3");
        let long = container_name(&"x".repeat(80), &owner());
        assert!(long.len() == LONGEST_NAME && long.ends_with("x-my-service-2-3"), "{long}");
    }

    #[test]
    fn an_instance_publishes_its_own_ports_at_loopback_only() {
        let origin = Origin::Container(spec());
        let program = ProgramSpec { origin, env: IndexMap::new(), stdin: true };
        let body = body("n-1", &spec(), &program, &owner());
        assert_eq!(body.open_stdin, Some(true));
        let bindings = body.host_config.and_then(|host| host.port_bindings).expect("ports");
        let all: Vec<_> = bindings.into_values().flatten().flatten().collect();
        let [one] = all.as_slice() else { panic!("{all:?}") };
        let place = (one.host_ip.as_deref(), one.host_port.as_deref());
        assert_eq!(place, (Some("127.0.0.1"), Some("1002")));
        assert_eq!(body.env.expect("marks"), ["KPLAN_RUN=r", "KPLAN_INSTANCE=My_Service/2"]);
    }
}
