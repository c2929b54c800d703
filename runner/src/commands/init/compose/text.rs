//! The backend file and the first plan for the Kafka of a compose project.

use super::{BACKEND, project::KafkaOfProject};

/// The variables that a backend file may ask for.
pub const VARIABLES: [&str; 3] = ["KAFKA_CA", "KAFKA_USER", "KAFKA_PASSWORD"];

/// The text of [`BACKEND`]. `file` is the compose file, as the user named it.
pub fn backend_text(kafka: &KafkaOfProject, file: &str) -> String {
    let name = &kafka.name;
    let mut text = format!(
        "# yaml-language-server: $schema=backend.schema.json\n\
         # The Kafka of the docker compose project {name}.\n\
         #   docker compose -f {file} up --detach --wait\n\
         #   kplan run plans --backend external={BACKEND}\n\
         # The commands name the project's containers. A container is named after its project, and a project after its\n\
         # directory, unless the compose file has a `name`: give it the line `name: {name}`, then every checkout has them.\n\
         backend: v1\n"
    );
    let addresses: Vec<String> =
        kafka.brokers.values().map(|broker| quoted(&broker.address)).collect();
    text += &format!("bootstrap: [{}]\n", addresses.join(", "));
    text += &version(kafka);
    if !kafka.client.is_empty() {
        text += "client:\n";
        text.extend(
            kafka.client.iter().map(|(key, value)| format!("  {key}: {}\n", quoted(value))),
        );
    }
    let (first, again) = container(kafka);
    text += &format!(
        "commands:\n  \
         # docker does not restart a container that was killed so, whatever its restart policy is.\n  \
         kill: [docker, kill, --signal=KILL, {first}]\n  \
         # A graceful stop may take longer than the 10 s after which docker kills.\n  \
         stop: [docker, stop, -t, 120, {again}]\n  \
         start: [docker, start, {again}]\n  \
         pause: [docker, pause, {again}]\n  \
         resume: [docker, unpause, {again}]\n  \
         timeout: 90s\n"
    );
    text
}

/// A text of JSON is one of YAML.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn version(kafka: &KafkaOfProject) -> String {
    let image = &kafka.image;
    match &kafka.release {
        Some(release) => match &release.note {
            Some(note) => format!("version: {} # {note}\n", release.version),
            None => format!("version: {}\n", release.version),
        },
        None => format!(
            "# version: 4.1.1 # of Kafka: write the one that runs here, which `{image}` does not show\n"
        ),
    }
}

/// The container of a broker, in the first command and in the others.
fn container(kafka: &KafkaOfProject) -> (String, String) {
    let names: Vec<(u32, &str)> =
        kafka.brokers.iter().map(|(number, broker)| (*number, broker.container.as_str())).collect();
    if let [(_, only)] = names.as_slice() {
        return (quoted(only), quoted(only));
    }
    if let Some(pattern) = pattern(&names) {
        return (quoted(&pattern), quoted(&pattern));
    }
    let entries: Vec<String> =
        names.iter().map(|(number, name)| format!("{number}: '{name}'")).collect();
    let chosen = quoted(&format!("{{{{ {{{}}}[broker] }}}}", entries.join(", ")));
    (format!("&container {chosen}"), "*container".to_owned())
}

/// The template of which all names are made, if they differ only in the number of the broker.
fn pattern(names: &[(u32, &str)]) -> Option<String> {
    let (number, name) = names.first()?;
    let digits = number.to_string();
    let places =
        name.match_indices(&digits).map(|(at, _)| (&name[..at], &name[at + digits.len()..]));
    let mut fitting = places.filter(|(before, after)| {
        names.iter().all(|(number, name)| format!("{before}{number}{after}") == *name)
    });
    let (before, after) = fitting.next()?;
    Some(format!("{before}{{{{ broker }}}}{after}"))
}

/// The text of the first plan.
pub fn plan_text(kafka: &KafkaOfProject) -> String {
    let brokers = kafka.brokers.len();
    let mut cluster = format!("brokers: {brokers}");
    if let Some(release) = kafka.release.as_ref().filter(|_| kafka.zookeeper) {
        cluster += &format!(", version: {}, mode: zookeeper", release.version);
    }
    let template = match brokers {
        0..=2 => include_str!("few.yaml"),
        _ => include_str!("three.yaml"),
    };
    template.replace("@CLUSTER@", &cluster).replace("@REPLICAS@", &brokers.min(3).to_string())
}
