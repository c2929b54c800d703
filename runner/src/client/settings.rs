//! librdkafka's settings of each client: kplan's defaults, which the plan can override and the
//! report shows, and the settings that kplan sets itself, which the checker refuses in a plan.

use indexmap::IndexMap;
use kplan_dsl::{
    value::{CommitMode, GroupProtocol, Isolation},
    visible::SECRET,
};

use super::routes::Routes;
use super::spec::{Common, ConsumerSpec, ProducerSpec};

/// Which clients a default is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Producer,
    Consumer,
    Both,
    /// The producing half of copiers.
    Copier,
}

/// A setting whose default differs from librdkafka's.
#[derive(Clone, Copy, Debug)]
pub struct Default {
    pub role: Role,
    /// librdkafka's name.
    pub key: &'static str,
    /// kplan's value.
    pub value: &'static str,
    /// Why it differs from librdkafka's.
    pub why: &'static str,
}

const fn default(role: Role, key: &'static str, value: &'static str, why: &'static str) -> Default {
    Default { role, key, value, why }
}

/// kplan's defaults; a plan's `config` overrides each of them.
pub const DEFAULTS: &[Default] = &[
    default(
        Role::Both,
        "statistics.interval.ms",
        "200",
        "`connected` is judged from the connections' statistics",
    ),
    default(
        Role::Producer,
        "queue.buffering.max.kbytes",
        "65536",
        "bounds the client's memory (librdkafka: 1 GiB)",
    ),
    default(
        Role::Consumer,
        "session.timeout.ms",
        "10000",
        "a killed member blocks its group that long (librdkafka: 45 s)",
    ),
    default(
        Role::Producer,
        "max.in.flight.requests.per.connection",
        "5",
        "as Java's producer: without a limit a slow broker gets ever more requests of one message each \
         instead of fewer, larger ones (librdkafka: 1,000,000)",
    ),
    default(
        Role::Consumer,
        "queued.max.messages.kbytes",
        "16384",
        "bounds the client's memory (librdkafka: 64 MiB)",
    ),
    default(
        Role::Consumer,
        "fetch.queue.backoff.ms",
        "10",
        "a full queue is drained in milliseconds, and would then stay empty (librdkafka: 1 s)",
    ),
    default(
        Role::Copier,
        "connections.max.idle.ms",
        "5000",
        "librdkafka asks three times for a group's coordinator, and again only when the state of a \
         connection changes: with idle connections a transaction's positions would wait forever \
         (librdkafka: 0, never idle)",
    ),
    default(
        Role::Consumer,
        "check.crcs",
        "true",
        "damage by the transport must not count as Kafka's",
    ),
];

/// The producer's settings in effect.
pub fn producer(spec: &ProducerSpec) -> IndexMap<String, String> {
    let mut settings = base(&spec.common, Role::Producer);
    let mut set = |key: &str, value: &str| settings.insert(key.to_owned(), value.to_owned());
    if let Some(compression) = &spec.compression {
        set("compression.type", compression);
    }
    merge(&mut settings, &spec.common);
    let mut set = |key: &str, value: &str| settings.insert(key.to_owned(), value.to_owned());
    set("acks", spec.acks.text());
    if spec.idempotent || spec.transactional.is_some() {
        set("enable.idempotence", "true");
    }
    if spec.transactional.is_some() {
        set("transactional.id", &transactional_id(&spec.common.run, &spec.common.name));
    }
    settings
}

/// The consumer's settings in effect.
pub fn consumer(spec: &ConsumerSpec) -> IndexMap<String, String> {
    let mut settings = base(&spec.common, Role::Consumer);
    if spec.protocol == GroupProtocol::Consumer {
        // The broker decides, and librdkafka refuses it.
        settings.shift_remove("session.timeout.ms");
    }
    merge(&mut settings, &spec.common);
    let mut set = |key: &str, value: &str| settings.insert(key.to_owned(), value.to_owned());
    set("group.id", &spec.group);
    if let Some(instance) = instance_of(&spec.instances, &spec.common) {
        set("group.instance.id", instance);
    }
    if spec.protocol == GroupProtocol::Consumer {
        set("group.protocol", "consumer");
    }
    set("isolation.level", spec.isolation.text());
    set("enable.auto.commit", if spec.commit == CommitMode::Auto { "true" } else { "false" });
    set("enable.auto.offset.store", "false");
    // An error, which the client answers with a reset of its own that it records.
    set("auto.offset.reset", "error");
    set("enable.partition.eof", "true");
    settings
}

/// The transactional id of a client.
pub fn transactional_id(run: &str, client: &str) -> String {
    format!("kplan-{run}-{client}")
}

/// The static name of a member: the same in every life.
pub fn instance_of<'i>(instances: &'i [String], common: &Common) -> Option<&'i str> {
    instances.get(usize::from(common.member).checked_sub(1)?).map(String::as_str)
}

/// Further defaults of a copier's producing half; the plan's settings override them.
pub fn copiers(mut common: Common) -> Common {
    for default in DEFAULTS.iter().filter(|d| d.role == Role::Copier) {
        common.config.entry(default.key.to_owned()).or_insert_with(|| default.value.to_owned());
    }
    common
}

/// The settings of the reader of a service's output: as the audit's reader of committed messages. It reads on where a
/// log begins, finds a new leader soon, and connects again soon after a broker was down.
pub fn derived_reader(common: &Common) -> IndexMap<String, String> {
    let mut settings = log_reader(common, Isolation::ReadCommitted);
    let values = [
        ("auto.offset.reset", "earliest"),
        ("reconnect.backoff.ms", "50"),
        ("reconnect.backoff.max.ms", "500"),
        ("topic.metadata.refresh.interval.ms", "1000"),
        ("socket.timeout.ms", "5000"),
        ("statistics.interval.ms", "0"),
    ];
    settings.extend(values.map(|(key, value)| (key.to_owned(), value.to_owned())));
    settings
}

/// The settings of the audit's reader; nothing of the plan's clients but the cluster's security.
pub fn log_reader(common: &Common, isolation: Isolation) -> IndexMap<String, String> {
    let mut settings = base(common, Role::Consumer);
    merge(&mut settings, common);
    let values = [
        ("isolation.level", isolation.text()),
        ("check.crcs", "true"),
        ("auto.offset.reset", "error"),
        ("enable.partition.eof", "true"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("fetch.message.max.bytes", "4194304"),
        ("queued.max.messages.kbytes", "16384"),
        ("fetch.wait.max.ms", "50"),
        ("fetch.error.backoff.ms", "100"),
    ];
    for (key, value) in values {
        settings.insert(key.to_owned(), value.to_owned());
    }
    settings.shift_remove("session.timeout.ms");
    settings
}

/// Settings as reports show them, without credentials.
pub fn shown(mut settings: IndexMap<String, String>) -> IndexMap<String, String> {
    for (key, value) in &mut settings {
        let secret =
            key.ends_with("password") || key.ends_with("secret") || key.ends_with("key.pem");
        if secret || key == "sasl.jaas.config" {
            SECRET.clone_into(value);
        }
    }
    settings
}

fn base(common: &Common, role: Role) -> IndexMap<String, String> {
    let mut settings: IndexMap<String, String> = DEFAULTS
        .iter()
        .filter(|d| d.role == role || d.role == Role::Both)
        .map(|d| (d.key.to_owned(), d.value.to_owned()))
        .collect();
    settings.insert("client.id".into(), format!("kplan-{}", common.file_stem()));
    settings
}

/// Applies the plan's and the cluster's settings over the defaults; then those that only kplan sets.
fn merge(settings: &mut IndexMap<String, String>, common: &Common) {
    settings.extend(common.config.iter().map(|(key, value)| (key.clone(), value.clone())));
    let routed = common.routes.as_ref().map(Routes::bootstrap);
    let bootstrap = routed.unwrap_or_else(|| common.bootstrap.clone());
    settings.insert("bootstrap.servers".into(), bootstrap);
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::{Common, DEFAULTS, Isolation, derived_reader, log_reader};

    fn settings(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn librdkafka_takes_every_default() {
        for default in DEFAULTS {
            let answer = crate::client::raw::ask::takes(default.key, default.value);
            assert!(answer.is_ok(), "{}: {answer:?}", default.key);
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = super::shown(settings(&[
            ("sasl.username", "alice"),
            ("sasl.password", "wonderland"),
            ("ssl.key.password", "x"),
        ]));
        assert_eq!(shown["sasl.username"], "alice");
        assert_eq!(
            (shown["sasl.password"].as_str(), shown["ssl.key.password"].as_str()),
            ("***", "***")
        );
    }

    #[test]
    fn what_kplan_keeps_to_itself_is_its_own_even_against_the_plan() {
        let common = Common::of_test(settings(&[
            ("enable.auto.offset.store", "true"),
            ("session.timeout.ms", "7000"),
        ]));
        let reader = log_reader(&common, Isolation::ReadUncommitted);
        for (key, value) in [
            ("isolation.level", "read_uncommitted"),
            ("check.crcs", "true"),
            ("auto.offset.reset", "error"),
            // A delivery is recorded before its offset is stored; the audit stores and commits none.
            ("enable.auto.offset.store", "false"),
            ("enable.auto.commit", "false"),
        ] {
            assert_eq!(reader[key], value, "{key}");
        }
        assert!(!reader.contains_key("group.id"), "the audit is in no group");
        let derived = derived_reader(&common);
        assert_eq!(derived["isolation.level"], "read_committed", "what is aborted is not done");
        assert!(derived.len() > 5, "{derived:?}");
        for (key, value) in derived.into_iter().filter(|(key, _)| key != "bootstrap.servers") {
            let answer = crate::client::raw::ask::takes(&key, &value);
            assert!(answer.is_ok(), "{key}: {answer:?}");
        }
        let default = |key| DEFAULTS.iter().find(|d| d.key == key).map(|d| d.value);
        assert_eq!(default("session.timeout.ms"), Some("10000"));
    }
}
