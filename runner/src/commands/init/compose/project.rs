//! The Kafka brokers of a compose project, and how this machine reaches them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::Value;

use super::release::{ImageRelease, release_of};

mod listeners;

/// What kplan reads of a project's configuration.
#[derive(Debug, Deserialize)]
pub struct ComposeProject {
    name: String,
    #[serde(default)]
    services: BTreeMap<String, ComposeService>,
}

#[derive(Debug, Deserialize)]
struct ComposeService {
    image: Option<String>,
    container_name: Option<String>,
    network_mode: Option<String>,
    command: Option<Value>,
    entrypoint: Option<Value>,
    scale: Option<u32>,
    #[serde(default)]
    environment: BTreeMap<String, Option<String>>,
    #[serde(default)]
    ports: Vec<ComposePort>,
    #[serde(default)]
    volumes: Vec<MountedVolume>,
    deploy: Option<Deployment>,
}

#[derive(Debug, Deserialize)]
struct ComposePort {
    host_ip: Option<String>,
    /// A number, or a range from which docker takes one.
    published: Option<String>,
    target: u16,
}

#[derive(Debug, Deserialize)]
struct MountedVolume {
    target: String,
}

#[derive(Debug, Deserialize)]
struct Deployment {
    replicas: Option<u32>,
}

/// The Kafka of a project.
#[derive(Debug)]
pub struct KafkaOfProject {
    /// The project's name.
    pub name: String,
    /// Its brokers, by number.
    pub brokers: BTreeMap<u32, ComposeBroker>,
    /// librdkafka's settings that their listeners need.
    pub client: Vec<(&'static str, String)>,
    pub zookeeper: bool,
    /// The release of Kafka, if the images show one.
    pub release: Option<ImageRelease>,
    /// The image of the first broker.
    pub image: String,
}

/// A service that is a broker.
#[derive(Debug)]
pub struct ComposeBroker {
    /// `HOST:PORT` of a listener that this machine reaches.
    pub address: String,
    pub container: String,
}

/// A broker, and what must be the same for all brokers.
struct OneBroker {
    number: u32,
    broker: ComposeBroker,
    client: Vec<(&'static str, String)>,
}

impl KafkaOfProject {
    /// Finds the brokers. The error names every service that kplan cannot test, and what to change.
    pub fn find(project: &ComposeProject) -> anyhow::Result<Self> {
        let found: Vec<(&str, &ComposeService)> = project
            .services
            .iter()
            .filter(|(_, service)| service.is_broker())
            .map(|(name, service)| (name.as_str(), service))
            .collect();
        let Some((first, service)) = found.first() else {
            return Err(no_kafka(project));
        };
        let mut wrong = Vec::new();
        let (mut brokers, mut client) = (BTreeMap::new(), None);
        for (name, service) in &found {
            match service.broker(&project.name, name) {
                Ok(one) if *client.get_or_insert_with(|| one.client.clone()) != one.client => {
                    wrong.push(format!(
                        "service {name}: its clients need other settings than those of {first}"
                    ));
                }
                Ok(one) => {
                    if brokers.insert(one.number, one.broker).is_some() {
                        wrong.push(format!(
                            "service {name}: another service is broker {}, too",
                            one.number
                        ));
                    }
                }
                Err(why) => wrong.push(format!("service {name}: {why}")),
            }
        }
        let zookeeper = service.setting("zookeeper.connect").is_some() && service.roles().is_none();
        let images: BTreeSet<Option<&str>> =
            found.iter().map(|(_, s)| s.image.as_deref()).collect();
        let image = service.image.clone().unwrap_or_default();
        let release = if images.len() == 1 { release_of(&image) } else { None };
        if zookeeper && release.is_none() {
            wrong.push(format!(
                "service {first}: the tag of the image `{image}` shows no version of Kafka, which a plan for a cluster with \
                 ZooKeeper must name: use a tag with a version, the same for all brokers"
            ));
        }
        if wrong.iter().any(|why| why.contains(listeners::UNREACHABLE)) {
            wrong.push(listeners::PUBLISH.to_owned());
        }
        if !wrong.is_empty() {
            return Err(anyhow!("{}", wrong.join("\n")));
        }
        let client = client.unwrap_or_default();
        Ok(Self { name: project.name.clone(), brokers, client, zookeeper, release, image })
    }
}

fn no_kafka(project: &ComposeProject) -> anyhow::Error {
    let names: Vec<&str> = project.services.keys().map(String::as_str).collect();
    anyhow!(
        "no service of this project is a Kafka broker: kplan looks for KAFKA_ADVERTISED_LISTENERS or \
         KAFKA_CFG_ADVERTISED_LISTENERS in `environment`; the services are {}",
        names.join(", ")
    )
}

impl ComposeService {
    /// A setting of Kafka, as the images read it from the environment: those of Apache and Confluent as `KAFKA_NODE_ID`,
    /// those of Bitnami as `KAFKA_CFG_NODE_ID`.
    fn setting(&self, name: &str) -> Option<&str> {
        let name = name.replace('.', "_").to_uppercase();
        let variables = [format!("KAFKA_CFG_{name}"), format!("KAFKA_{name}")];
        let values = variables.iter().filter_map(|name| self.environment.get(name)?.as_deref());
        values.map(str::trim).find(|value| !value.is_empty())
    }

    fn roles(&self) -> Option<&str> {
        self.setting("process.roles")
    }

    fn is_broker(&self) -> bool {
        match self.roles() {
            Some(roles) => roles.split(',').any(|role| role.trim() == "broker"),
            None => {
                self.setting("advertised.listeners").is_some()
                    || self.setting("listeners").is_some()
                    || self.has_defaults()
            }
        }
    }

    /// Apache's image without any setting: then it has those of `docker/server.properties` in Kafka's sources, and is
    /// broker 1, which advertises `localhost:9092`.
    fn has_defaults(&self) -> bool {
        let image = self.image.as_deref().unwrap_or_default();
        let name = image.split([':', '@']).next().unwrap_or_default();
        let given = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null());
        matches!(name, "apache/kafka" | "apache/kafka-native")
            && !self.environment.keys().any(|name| name.starts_with("KAFKA_"))
            && !self.volumes.iter().any(|volume| volume.target.starts_with("/mnt/shared/config"))
            && !given(&self.command)
            && !given(&self.entrypoint)
    }

    fn broker(&self, project: &str, name: &str) -> Result<OneBroker, String> {
        let copies = self.deploy.as_ref().and_then(|deploy| deploy.replicas).or(self.scale);
        if let Some(copies) = copies.filter(|copies| *copies != 1) {
            return Err(format!(
                "it has {copies} containers: give each broker a service of its own"
            ));
        }
        let number = match self.setting("node.id").or_else(|| self.setting("broker.id")) {
            Some(text) => text.parse().ok(),
            None => self.has_defaults().then_some(1),
        };
        let number = number.ok_or(
            "its environment does not give the broker's number: set KAFKA_NODE_ID (with ZooKeeper KAFKA_BROKER_ID)",
        )?;
        let listener = self.listener_from_here()?;
        let container =
            self.container_name.clone().unwrap_or_else(|| format!("{project}-{name}-1"));
        Ok(OneBroker {
            number,
            broker: ComposeBroker { address: listener.address(), container },
            client: self.client(&listener)?,
        })
    }
}
