//! Where the engine is: `DOCKER_HOST`, `DOCKER_CONTEXT` and the contexts of the `docker` command, in its order.

use std::{
    env,
    fmt::{self, Display},
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{API_DEFAULT_VERSION, Docker};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::NoEngine;

/// The context that stands for no context.
const DEFAULT: &str = "default";
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";
const TCP_PORT: u16 = 2375;
const TLS_PORT: u16 = 2376;

/// What decides where the engine is. A variable that is empty counts as not set.
#[derive(Clone, Debug, Default)]
pub struct EngineHints {
    /// `DOCKER_HOST`
    pub host: Option<String>,
    /// `DOCKER_CONTEXT`
    pub context: Option<String>,
    /// Whether `DOCKER_TLS_VERIFY` is set, to whatever.
    pub tls: bool,
    /// `DOCKER_CERT_PATH`
    pub certificates: Option<PathBuf>,
    /// The directory with `config.json` and the contexts: `DOCKER_CONFIG`, or `~/.docker`.
    pub config: PathBuf,
    /// Sockets of engines without root, for the case that there is no other.
    pub own_sockets: Vec<PathBuf>,
}

impl EngineHints {
    /// Those of this process.
    pub fn here() -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let home = set("HOME").map(PathBuf::from);
        let below = |dir: &Option<PathBuf>, path: &str| dir.as_ref().map(|dir| dir.join(path));
        let runtime = set("XDG_RUNTIME_DIR").map(PathBuf::from);
        let own = [
            below(&runtime, "docker.sock"),
            below(&runtime, ".docker/run/docker.sock"),
            below(&home, ".docker/run/docker.sock"),
            below(&home, ".docker/desktop/docker.sock"),
        ];
        Self {
            host: set("DOCKER_HOST"),
            context: set("DOCKER_CONTEXT"),
            tls: set("DOCKER_TLS_VERIFY").is_some(),
            certificates: set("DOCKER_CERT_PATH").map(PathBuf::from),
            config: set("DOCKER_CONFIG")
                .map(PathBuf::from)
                .or_else(|| below(&home, ".docker"))
                .unwrap_or_default(),
            own_sockets: own.into_iter().flatten().collect(),
        }
    }

    /// The context that is in force, and who says so.
    fn named(&self) -> Option<(String, String)> {
        if let Some(name) = &self.context {
            return Some((name.clone(), "DOCKER_CONTEXT".to_owned()));
        }
        let path = self.config.join("config.json");
        // A file that cannot be read names no context: the docker command warns of it, and goes on.
        let text = std::fs::read(&path).ok()?;
        let current = serde_json::from_slice::<DockerConfig>(&text).ok()?.current?;
        Some((current, path.display().to_string())).filter(|(name, _)| !name.is_empty())
    }
}

/// The part of docker's `config.json` that matters here.
#[derive(Deserialize)]
struct DockerConfig {
    #[serde(rename = "currentContext")]
    current: Option<String>,
}

/// The `meta.json` of a context.
#[derive(Deserialize)]
struct ContextMeta {
    #[serde(rename = "Endpoints", default)]
    endpoints: ContextEndpoints,
}

#[derive(Default, Deserialize)]
struct ContextEndpoints {
    docker: Option<ContextEndpoint>,
}

#[derive(Deserialize)]
struct ContextEndpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    unverified: bool,
}

/// How an engine is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineAt {
    Socket(PathBuf),
    /// `HOST:PORT`, without encryption.
    Tcp(String),
    /// `HOST:PORT`, and the directory with `ca.pem`, `cert.pem` and `key.pem`.
    Tls(String, PathBuf),
}

/// Where an engine is, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnginePlace {
    pub at: EngineAt,
    /// As messages name it.
    words: String,
}

impl Display for EnginePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl EnginePlace {
    /// The place that the docker command would use: `DOCKER_HOST`, else `DOCKER_CONTEXT`, else the current context,
    /// else the usual socket. Fails with the name of a context that does not exist.
    pub fn find(here: &EngineHints) -> Result<Self, NoEngine> {
        if let Some(host) = &here.host {
            let usual = || here.certificates.clone().unwrap_or_else(|| here.config.clone());
            let at = parse(host, here.tls.then(usual), "DOCKER_HOST")?;
            return Ok(Self { at, words: format!("DOCKER_HOST={host}") });
        }
        match here.named().filter(|(name, _)| name != DEFAULT) {
            Some((name, by)) => Self::of_context(here, &name, &by),
            None => Ok(Self::usual(here)),
        }
    }

    /// The usual socket, or one of an engine without root if only that exists.
    fn usual(here: &EngineHints) -> Self {
        let usual = PathBuf::from(DEFAULT_SOCKET);
        let own = here.own_sockets.iter().find(|path| path.exists());
        let path = own.filter(|_| is_missing(&usual)).cloned().unwrap_or(usual);
        Self { words: format!("unix://{}", path.display()), at: EngineAt::Socket(path) }
    }

    fn of_context(here: &EngineHints, name: &str, by: &str) -> Result<Self, NoEngine> {
        let id: String =
            Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = here.config.join("contexts/meta").join(&id).join("meta.json");
        let refused = |why: String| NoEngine {
            what: format!("the docker context `{name}`, which {by} names, {why}"),
            help: "`docker context ls` lists the contexts, `docker context use NAME` chooses one; \
                   DOCKER_HOST names an engine without a context"
                .to_owned(),
        };
        let text = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => refused("does not exist".to_owned()),
            _ => refused(format!("cannot be read from {}: {error}", path.display())),
        })?;
        let meta: ContextMeta = serde_json::from_slice(&text)
            .map_err(|error| refused(format!("cannot be read from {}: {error}", path.display())))?;
        let endpoint = meta.endpoints.docker;
        let endpoint = endpoint.ok_or_else(|| refused("names no container engine".to_owned()))?;
        if endpoint.unverified {
            return Err(refused(
                "does not check the engine's certificate, and kplan always does".to_owned(),
            ));
        }
        let certificates = here.config.join("contexts/tls").join(&id).join("docker");
        let certificates = Some(certificates).filter(|dir| dir.is_dir());
        let host = if endpoint.host.is_empty() { "unix://" } else { &endpoint.host };
        let words = format!("{host} (the docker context `{name}`)");
        let at = parse(host, certificates, &format!("the docker context `{name}`"))?;
        Ok(Self { at, words })
    }

    /// A connection, which sends nothing yet.
    pub(super) fn open(&self, limit: Duration) -> Result<Docker, NoEngine> {
        let (seconds, version) = (limit.as_secs(), API_DEFAULT_VERSION);
        let docker = match &self.at {
            EngineAt::Socket(path) => {
                Docker::connect_with_unix(&path.to_string_lossy(), seconds, version)
            }
            EngineAt::Tcp(host) => Docker::connect_with_http(host, seconds, version),
            EngineAt::Tls(host, dir) => {
                let [key, own, ca] = ["key.pem", "cert.pem", "ca.pem"].map(|name| dir.join(name));
                Docker::connect_with_ssl(host, &key, &own, &ca, seconds, version)
            }
        };
        docker.map_err(|error| NoEngine::silent(self, error))
    }
}

/// Nothing is there; a path that may not be looked at counts as there.
fn is_missing(path: &Path) -> bool {
    path.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// Reads an address as the docker command does: without a scheme it is one of TCP.
fn parse(host: &str, certificates: Option<PathBuf>, by: &str) -> Result<EngineAt, NoEngine> {
    let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
    match scheme {
        "unix" => {
            let path = if rest.is_empty() { DEFAULT_SOCKET } else { rest };
            Ok(EngineAt::Socket(path.into()))
        }
        "tcp" | "http" | "https" => {
            let port = if certificates.is_some() { TLS_PORT } else { TCP_PORT };
            let address = with_port(rest.trim_end_matches('/'), port);
            Ok(match certificates {
                Some(dir) => EngineAt::Tls(address, dir),
                None => EngineAt::Tcp(address),
            })
        }
        _ => Err(NoEngine {
            what: format!("{by} names {host}: kplan cannot reach an engine over {scheme}"),
            help: "set DOCKER_HOST to a socket (unix://PATH) or to an address (tcp://HOST:PORT); \
                   `ssh -L /tmp/docker.sock:/var/run/docker.sock HOST` makes a socket of an engine \
                   behind ssh"
                .to_owned(),
        }),
    }
}

/// `HOST:PORT`, with what is missing.
fn with_port(address: &str, port: u16) -> String {
    let host = if address.is_empty() { "localhost" } else { address };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:{port}") }
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
