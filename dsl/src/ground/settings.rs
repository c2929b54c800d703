//! What is wrong with the settings of brokers and topics, by the catalogue.

use super::Ground;
use crate::catalogue::{Catalogue, SettingOf, SettingsAt};
use crate::diagnostic::{Code, Diagnostic, Help, nearest};
use crate::source::Spanned;
use crate::value::{MetadataMode, Settings};

/// The setting that allows a replica that is not in sync to become leader.
pub const UNCLEAN: &str = "unclean.leader.election.enable";

/// Beginnings of settings that brokers hand on to what they load: listeners, authorizers, metrics, remote storage.
const HANDED_ON: [&str; 11] = [
    "listener.name.",
    "config.providers.",
    "authorizer.",
    "super.users",
    "allow.everyone.if.no.acl.found",
    "client.quota.callback.",
    "metrics.jmx.",
    "kafka.metrics.",
    "kafka.csv.metrics.",
    "rlmm.config.",
    "rsm.config.",
];

/// Beginnings of the settings that brokers of a cluster with ZooKeeper ignore.
const ONLY_KRAFT: [&str; 8] = [
    "controller.quorum.",
    "controller.listener.names",
    "metadata.log.",
    "metadata.max.",
    "broker.heartbeat.interval.ms",
    "broker.session.timeout.ms",
    "initial.broker.registration.timeout.ms",
    "early.start.listeners",
];

/// The settings that only running brokers have.
const ONLY_DYNAMIC: [&str; 3] = [
    "leader.replication.throttled.rate",
    "follower.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
];

/// The settings that a step gives to brokers or topics, and what they are checked against.
struct Given<'g> {
    of: SettingOf,
    at: SettingsAt,
    /// Kafka, with its version: `Kafka 3.9.1`.
    kafka: String,
    /// False if nobody knows what runs: another image, an unknown version, a cluster that others started.
    sure: bool,
    /// How the cluster keeps its metadata, if that is known.
    mode: Option<MetadataMode>,
    /// True if the brokers run already.
    running: bool,
    /// Settings that hold unless these say otherwise.
    common: &'g Settings,
    own: &'g Settings,
}

impl Ground<'_> {
    /// Reports what Kafka would refuse or ignore in the settings of a topic, and a `min.insync.replicas` greater than
    /// the number of replicas.
    pub fn topic_settings(&mut self, config: &Settings, replicas: u32) {
        self.kafka_settings(SettingOf::Topic, &Settings::default(), config);
        for (key, value) in &config.0 {
            let wanted: Option<u32> = value.parse().ok();
            if key.value == "min.insync.replicas" && wanted.is_some_and(|n| n > replicas) {
                let message = format!(
                    "min.insync.replicas is {value}, but the topic has {replicas} replicas"
                );
                let help = "no write with `acks: all` can succeed";
                self.report(Diagnostic::new(Code::W006, value.span, message).help(help));
            }
        }
    }

    /// Reports what Kafka would refuse or ignore in the settings of brokers: those of all brokers (`common`), and
    /// those of one (`own`).
    pub fn broker_settings(&mut self, common: &Settings, own: &Settings) {
        self.kafka_settings(SettingOf::Broker, common, own);
    }

    /// Reports what running brokers would refuse or ignore of these settings. The other settings of the brokers are
    /// not known here, so that values which are refused together are not found.
    pub fn dynamic_settings(&mut self, config: &Settings) {
        let common = Settings::default();
        let given = Given { running: true, ..self.given(SettingOf::Broker, &common, config) };
        let new = config.0.iter().filter(|(key, _)| !ONLY_DYNAMIC.contains(&key.as_str()));
        let wrong = new.filter_map(|(key, value)| {
            let name = given.name(key).or_else(|| given.fixed(key));
            name.or_else(|| given.value(key, value).filter(|_| value.value != Settings::DEFAULT))
        });
        let wrong: Vec<Diagnostic> = wrong.collect();
        wrong.into_iter().for_each(|wrong| self.report(wrong));
    }

    fn kafka_settings(&mut self, of: SettingOf, common: &Settings, own: &Settings) {
        if own.is_empty() {
            return;
        }
        let given = self.given(of, common, own);
        for (key, value) in &own.0 {
            if let Some(wrong) = given.name(key).or_else(|| given.value(key, value)) {
                self.report(wrong);
            }
        }
        given.combinations().into_iter().for_each(|wrong| self.report(wrong));
    }

    fn given<'g>(&self, of: SettingOf, common: &'g Settings, own: &'g Settings) -> Given<'g> {
        let catalogue = Catalogue::of_kafka();
        let cluster = self.state.cluster.as_ref().filter(|_| !self.state.external);
        let known = cluster.and_then(|cluster| catalogue.version(&cluster.version));
        Given {
            of,
            kafka: match cluster {
                Some(cluster) => format!("Kafka {}", cluster.version),
                None => "Kafka".to_owned(),
            },
            sure: known.is_some() && cluster.is_some_and(|cluster| cluster.stock),
            mode: cluster.map(|cluster| cluster.mode),
            running: false,
            at: known.unwrap_or_else(|| catalogue.newest()),
            common,
            own,
        }
    }
}

impl Given<'_> {
    /// An error if Kafka certainly refuses it, else a warning.
    fn refused(&self) -> Code {
        if self.sure { Code::E019 } else { Code::W014 }
    }

    /// What is wrong with a setting's name.
    fn name(&self, key: &Spanned<String>) -> Option<Diagnostic> {
        let handed_on = HANDED_ON.iter().any(|beginning| key.starts_with(beginning));
        if self.of == SettingOf::Broker && handed_on {
            return None;
        }
        if self.at.get(self.of, key).is_some() {
            return self.of_the_other_mode(key);
        }
        // Where it is not known what runs, any version's names may be right.
        let elsewhere = self.at.elsewhere(self.of, key);
        if elsewhere.is_some() && !self.sure {
            return None;
        }
        let (word, others) = (self.of.word(), self.of.other());
        let mut kafka = format!("{} has", self.kafka);
        let (message, help) = if elsewhere.is_some() {
            (format!("{kafka} no {word} setting `{key}`"), elsewhere.map(Help::from))
        } else if self.at.has_or_had(others, key) {
            let message = format!("`{key}` is a setting of {}s, not of {word}s", others.word());
            (message, Some(self.meant(key)))
        } else {
            let near = nearest(key, self.at.names(self.of));
            let help = near.map(|near| Help::did_you_mean(key.as_str(), near));
            let unsure = "it may be right: kplan does not know the settings of what runs here";
            if !self.sure {
                "kplan knows".clone_into(&mut kafka);
            }
            let help = help.or_else(|| (!self.sure).then(|| unsure.into()));
            (format!("{kafka} no {word} setting `{key}`"), help)
        };
        // Brokers ignore settings that they do not know; topics with such settings are refused.
        let (code, message) = match self.of {
            SettingOf::Broker if self.running => (self.refused(), message),
            SettingOf::Broker if self.sure => (Code::W014, format!("{message}: brokers ignore it")),
            SettingOf::Broker => (Code::W014, message),
            SettingOf::Topic => (self.refused(), message),
        };
        Some(Diagnostic::new(code, key.span, message).maybe_help(help))
    }

    /// What is wrong with a setting that only clusters with ZooKeeper use, or only those without.
    fn of_the_other_mode(&self, key: &Spanned<String>) -> Option<Diagnostic> {
        let of_kraft = || ONLY_KRAFT.iter().any(|beginning| key.starts_with(beginning));
        let why = match self.mode.filter(|_| self.of == SettingOf::Broker)? {
            MetadataMode::Kraft if key.starts_with("zookeeper.") => "this cluster has no ZooKeeper",
            MetadataMode::Zookeeper if of_kraft() => "this cluster keeps its metadata in ZooKeeper",
            _ => return None,
        };
        let message = format!("`{key}` has no effect: {why}");
        let help = match key.as_str() {
            "zookeeper.session.timeout.ms" => Help::instead(
                "in KRaft mode it is `broker.session.timeout.ms`".to_owned(),
                key,
                "broker.session.timeout.ms",
            )
            .into(),
            "broker.session.timeout.ms" => Help::instead(
                "with ZooKeeper it is `zookeeper.session.timeout.ms`".to_owned(),
                key,
                "zookeeper.session.timeout.ms",
            )
            .into(),
            _ => None,
        };
        Some(Diagnostic::new(Code::W014, key.span, message).maybe_help(help))
    }

    /// What is wrong with a setting that brokers read only when they start.
    fn fixed(&self, key: &Spanned<String>) -> Option<Diagnostic> {
        self.at.get(self.of, key).filter(|era| !era.is_dynamic())?;
        let message = format!("{} cannot change `{key}` while brokers run", self.kafka);
        let help = match self.at.dynamic_since(key) {
            Some(since) => format!("Kafka {since} is the first version that can"),
            None => "set it in the `config` or `broker_config` of `start_cluster`".to_owned(),
        };
        Some(Diagnostic::new(self.refused(), key.span, message).help(help))
    }

    /// What to write instead of a broker's setting on a topic, or the reverse.
    fn meant(&self, key: &str) -> Help {
        match self.of {
            SettingOf::Topic => match self.at.topic_setting(key) {
                Some(name) => {
                    Help::instead(format!("the setting of topics is `{name}`"), key, name)
                }
                None => "set it in the `config` of `start_cluster`".into(),
            },
            SettingOf::Broker => {
                let era = self.at.get(SettingOf::Topic, key);
                match era.and_then(|era| era.broker.as_ref()) {
                    Some(name) => Help::instead(format!("for all topics, set `{name}`"), key, name),
                    None => "set it in the `config` of `create_topic`".into(),
                }
            }
        }
    }

    /// What is wrong with a setting's value.
    fn value(&self, key: &Spanned<String>, value: &Spanned<String>) -> Option<Diagnostic> {
        let settings = Catalogue::of_kafka().settings(self.of);
        let newest = || settings.get(key.as_str()).and_then(|setting| setting.newest());
        let era = self.at.get(self.of, key).or_else(newest)?;
        let broken = era.refuses(value)?;
        let message = format!("`{key}` {}, not `{value}`", broken.must);
        let help = broken.nearest.map(|near| Help::did_you_mean(value.as_str(), near));
        Some(Diagnostic::new(self.refused(), value.span, message).maybe_help(help))
    }

    /// The combinations that Kafka refuses, each at the last of the plan's settings in it.
    fn combinations(&self) -> Vec<Diagnostic> {
        let given =
            |name: &str| self.own.get(name).or_else(|| self.common.get(name)).map(str::to_owned);
        let place = |name: &str| self.own.0.iter().find(|(key, _)| key.value == name);
        let mut all = Vec::new();
        for broken in self.at.combinations(self.of, &given) {
            let [low, high] = broken.values;
            let (lower, upper) = (broken.lower, broken.upper);
            let mut places: Vec<_> = [place(lower), place(upper)].into_iter().flatten().collect();
            places.sort_by_key(|(key, _)| key.span.start);
            // Where the settings of all brokers break it already, it is reported there.
            let Some((_, value)) = places.pop() else { continue };
            let preset = if given(upper).is_some() { "" } else { " by default" };
            let message = format!(
                "{} refuses these values together: `{lower}` is {low}{}, and must be {} `{upper}`, which is {high}{preset}",
                self.kafka,
                if given(lower).is_some() { "" } else { " by default" },
                broken.must,
            );
            let mut wrong = Diagnostic::new(self.refused(), value.span, message);
            if let Some((key, _)) = places.pop() {
                wrong = wrong.related(key.span, "together with this");
            }
            all.push(wrong);
        }
        all
    }
}
