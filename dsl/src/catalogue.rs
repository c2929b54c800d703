//! What is known of the settings of Kafka's brokers and topics, by version, and of the names of client settings.
//! `kafka.json` is made by `ci/settings` from the released jars; `librdkafka.json` by a test of the runner from the
//! table that the linked library prints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::Deserialize;

use crate::value::{FromText, KafkaVersion};

mod java;
mod library;
mod values;

pub use java::librdkafka_instead;
pub use library::{LibrarySetting, LibrarySettings};
pub use values::{BrokenCombination, BrokenValue};

static KAFKA: LazyLock<Catalogue> = LazyLock::new(|| {
    serde_json::from_str(include_str!("catalogue/kafka.json")).unwrap_or_default()
});
static LIBRDKAFKA: LazyLock<LibrarySettings> = LazyLock::new(|| {
    serde_json::from_str(include_str!("catalogue/librdkafka.json")).unwrap_or_default()
});

/// Whose a setting of Kafka is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingOf {
    /// A setting of brokers.
    Broker,
    /// A setting of topics.
    Topic,
}

impl SettingOf {
    /// `broker` or `topic`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Topic => "topic",
        }
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Broker => Self::Topic,
            Self::Topic => Self::Broker,
        }
    }
}

/// The settings of Kafka in every version.
#[derive(Debug, Default, Deserialize)]
pub struct Catalogue {
    /// The versions that were read, oldest first, one of each minor version.
    pub versions: Vec<String>,
    broker: BTreeMap<String, KnownSetting>,
    topic: BTreeMap<String, KnownSetting>,
    producer: BTreeMap<String, KnownSetting>,
    consumer: BTreeMap<String, KnownSetting>,
    /// Two settings of which one must not exceed the other, by `broker LOWER UPPER` or `topic LOWER UPPER`.
    combinations: BTreeMap<String, Combination>,
}

/// A setting in all versions that have it.
#[derive(Debug, Default, Deserialize)]
pub struct KnownSetting {
    /// The first sentence of its documentation, in the newest version that has it.
    #[serde(default)]
    pub doc: String,
    /// What held from version to version, oldest first.
    pub eras: Vec<SettingEra>,
}

/// What holds of a setting in neighbouring versions.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SettingEra {
    /// The first minor version: `3.9`.
    pub since: String,
    /// The last minor version; none if the newest version still has it.
    pub until: Option<String>,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: SettingType,
    /// Its default, if it has one.
    pub default: Option<String>,
    /// The least number.
    pub min: Option<f64>,
    /// The greatest number.
    pub max: Option<f64>,
    /// A number that is taken besides.
    pub or: Option<f64>,
    /// The words that it takes, if they are known.
    pub values: Vec<String>,
    /// Whether upper and lower case are the same in these words.
    pub any_case: bool,
    /// Numbers in the range that brokers refuse all the same.
    pub refused: Vec<f64>,
    /// How it can be changed at run time: `per-broker`, `cluster-wide` or `read-only`. Settings of topics can always
    /// be changed.
    pub dynamic: Option<String>,
    /// Whether its documentation calls it deprecated.
    pub deprecated: bool,
    /// The setting of brokers that is the default of this setting of topics.
    pub broker: Option<String>,
}

/// The type of a setting's value, by Kafka's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingType {
    /// `true` or `false`.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A whole number of 16 bits.
    Short,
    /// A number.
    Double,
    /// Texts separated by commas.
    List,
    /// A text.
    #[default]
    String,
    /// A text that is not shown.
    Password,
    /// The name of a class of Java.
    Class,
}

#[derive(Debug, Deserialize)]
struct Combination {
    eras: Vec<CombinationEra>,
}

#[derive(Debug, Deserialize)]
#[serde(default)]
#[derive(Default)]
struct CombinationEra {
    since: String,
    until: Option<String>,
    /// The lower one must be less than the upper one: they must not be equal.
    less: bool,
    /// An upper one of 0 means no limit.
    unless_zero: bool,
}

/// The numbers of the minor version: `[0, 10, 1]` of 0.10.1.1, `[3, 9]` of 3.9.1.
fn minor(numbers: &[u32]) -> &[u32] {
    let length = if numbers.first() == Some(&0) { 3 } else { 2 };
    numbers.get(..length).unwrap_or(numbers)
}

/// The numbers of a version in the catalogue.
fn numbers(text: &str) -> Vec<u32> {
    text.split('.').filter_map(|part| part.parse().ok()).collect()
}

fn covers(since: &str, until: Option<&str>, version: &[u32]) -> bool {
    numbers(since).as_slice() <= version
        && until.is_none_or(|until| version <= numbers(until).as_slice())
}

impl Catalogue {
    /// What is known of Kafka's settings.
    pub fn of_kafka() -> &'static Self {
        &KAFKA
    }

    /// What is known of librdkafka's settings.
    pub fn of_librdkafka() -> &'static LibrarySettings {
        &LIBRDKAFKA
    }

    /// The settings of brokers or of topics, by name.
    pub fn settings(&self, of: SettingOf) -> &BTreeMap<String, KnownSetting> {
        match of {
            SettingOf::Broker => &self.broker,
            SettingOf::Topic => &self.topic,
        }
    }

    /// The names that settings of Java's producers and consumers have or had.
    pub fn java_names(&self) -> BTreeSet<&str> {
        self.producer.keys().chain(self.consumer.keys()).map(String::as_str).collect()
    }

    /// This version, if its settings are known: a released one, of a minor version that was read.
    pub fn version(&'static self, version: &KafkaVersion) -> Option<SettingsAt> {
        let wanted = minor(version.numbers());
        let known = self.versions.iter().any(|read| minor(&numbers(read)) == wanted);
        (known && version.is_released_form())
            .then(|| SettingsAt { catalogue: self, minor: wanted.to_vec() })
    }

    /// The version of this text, if its settings are known.
    pub fn version_of(&'static self, text: &str) -> Option<SettingsAt> {
        KafkaVersion::from_text(text).ok().and_then(|version| self.version(&version))
    }

    /// The newest version, which stands for unknown ones.
    pub fn newest(&'static self) -> SettingsAt {
        let newest = self.versions.last().map(|newest| numbers(newest)).unwrap_or_default();
        SettingsAt { catalogue: self, minor: minor(&newest).to_vec() }
    }
}

impl SettingEra {
    /// True if it can be changed while a broker runs.
    pub fn is_dynamic(&self) -> bool {
        self.is_cluster_wide() || self.dynamic.as_deref() == Some("per-broker")
    }

    /// True if it can be changed while brokers run, for all of them by one value.
    pub fn is_cluster_wide(&self) -> bool {
        self.dynamic.as_deref() == Some("cluster-wide")
    }
}

impl KnownSetting {
    /// What holds in a minor version, if that has the setting.
    fn at(&self, version: &[u32]) -> Option<&SettingEra> {
        self.eras.iter().find(|era| covers(&era.since, era.until.as_deref(), version))
    }

    /// What held most recently.
    pub fn newest(&self) -> Option<&SettingEra> {
        self.eras.last()
    }
}

/// The settings of one version.
#[derive(Debug, Clone)]
pub struct SettingsAt {
    catalogue: &'static Catalogue,
    minor: Vec<u32>,
}

impl SettingsAt {
    /// A setting, if this version has it.
    pub fn get(&self, of: SettingOf, name: &str) -> Option<&'static SettingEra> {
        self.catalogue.settings(of).get(name).and_then(|setting| setting.at(&self.minor))
    }

    /// The names of this version's settings. Kafka's own tests have some that no plan means.
    pub fn names(&self, of: SettingOf) -> impl Iterator<Item = &'static str> + Clone {
        let settings = self.catalogue.settings(of).iter();
        let minor = self.minor.clone();
        let meant =
            |name: &str| !["internal.", "unstable.", "__"].iter().any(|p| name.starts_with(p));
        let here =
            settings.filter(move |(name, setting)| meant(name) && setting.at(&minor).is_some());
        here.map(|(name, _)| name.as_str())
    }

    /// When a setting of other versions came or went: `it came with Kafka 4.0`.
    pub fn elsewhere(&self, of: SettingOf, name: &str) -> Option<String> {
        let eras = &self.catalogue.settings(of).get(name)?.eras;
        let before = eras.iter().rev().find_map(|era| {
            era.until.as_deref().filter(|until| numbers(until).as_slice() < self.minor.as_slice())
        });
        let after = eras.iter().find(|era| numbers(&era.since).as_slice() > self.minor.as_slice());
        match (before, after) {
            (Some(last), _) => Some(format!("Kafka {last} was the last version that had it")),
            (None, Some(era)) => {
                Some(format!("Kafka {} is the first version that has it", era.since))
            }
            (None, None) => None,
        }
    }

    /// The first later version in which running brokers can be given another value: `1.1`.
    pub fn dynamic_since(&self, name: &str) -> Option<&'static str> {
        let eras = &self.catalogue.settings(SettingOf::Broker).get(name)?.eras;
        let later = |era: &&SettingEra| numbers(&era.since).as_slice() > self.minor.as_slice();
        eras.iter().filter(later).find(|era| era.is_dynamic()).map(|era| era.since.as_str())
    }

    /// Whether any version has a setting of this name.
    pub fn has_or_had(&self, of: SettingOf, name: &str) -> bool {
        self.catalogue.settings(of).contains_key(name)
    }

    /// The setting of topics whose default this setting of brokers is.
    pub fn topic_setting(&self, broker: &str) -> Option<&'static str> {
        let found = self.catalogue.topic.iter().find(|(_, setting)| {
            setting.at(&self.minor).is_some_and(|era| era.broker.as_deref() == Some(broker))
        });
        found.map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests;
