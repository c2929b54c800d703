//! The settings that a map of settings may have: of brokers, of topics, of clients.

use super::spots::{PlanSpot, SpotPart, Spots};
use crate::catalogue::{Catalogue, LibrarySetting, SettingEra, SettingOf, SettingsAt};
use crate::document::{Node, Scalar};
use crate::facts::Kind;
use crate::steps::{StartCluster, Verb};

/// Whose settings a map has.
pub(super) enum SettingsMapOf {
    /// Brokers or topics of a version of Kafka.
    Kafka(SettingOf, SettingsAt, String),
    /// Clients: `P`, `C`, or none for both.
    Library(Option<&'static str>),
}

/// Whose settings stand in a map, if it is one of settings.
pub(super) fn of_map(map: &PlanSpot<'_>, spots: &Spots<'_>) -> Option<SettingsMapOf> {
    // Users with their passwords are written as settings are.
    if !map.forms.is_settings() || map.key == "users" {
        return None;
    }
    let verb = map.verb?;
    Some(match Verb::facts_of(verb)?.kind {
        Kind::Cluster => kafka(SettingOf::Broker, map, spots),
        Kind::Topic => kafka(SettingOf::Topic, map, spots),
        _ => SettingsMapOf::Library(client_of(verb)),
    })
}

/// The kind of client that a step starts, in the letters of librdkafka's table: one that sends has `acks`, one that
/// reads and sends has `from` too.
fn client_of(verb: &str) -> Option<&'static str> {
    let fields = Verb::known(verb).map(|info| (info.fields)()).unwrap_or_default();
    let has = |key: &str| fields.iter().any(|field| field.key == key);
    match (has("acks"), has("from")) {
        (true, false) => Some("P"),
        (false, false) => Some("C"),
        _ => None,
    }
}

/// The settings of the version that the last cluster before a place has.
fn kafka(of: SettingOf, map: &PlanSpot<'_>, spots: &Spots<'_>) -> SettingsMapOf {
    let catalogue = Catalogue::of_kafka();
    let own = enclosing(map, spots).and_then(version);
    let before = spots.iter().take_while(|spot| spot.span.start < map.span.start);
    let before = before.filter_map(|spot| match spot.part {
        SpotPart::Key(_, value) if spot.verb == Some(spot.key) => version(value),
        _ => None,
    });
    let text = own.or_else(|| before.last()).unwrap_or_else(default_version);
    let at = catalogue.version_of(&text).unwrap_or_else(|| catalogue.newest());
    SettingsMapOf::Kafka(of, at, text)
}

fn enclosing<'d>(map: &PlanSpot<'d>, spots: &Spots<'d>) -> Option<&'d Node> {
    let around = spots.parent(map)?;
    match around.part {
        SpotPart::Holder(node) => Some(node),
        _ => None,
    }
}

/// The version in the arguments of a step that starts or upgrades brokers.
fn version(arguments: &Node) -> Option<String> {
    let version = arguments.get("version").or_else(|| arguments.get("to"))?;
    let text =
        version.scalar().filter(|scalar| !scalar.is_template()).map(|s: &Scalar| s.text.clone());
    text.filter(|text| Catalogue::of_kafka().version_of(text).is_some())
}

/// The version of a cluster that names none.
fn default_version() -> String {
    let fields = (StartCluster::INFO.fields)();
    let version = fields.into_iter().find(|field| field.key == "version");
    version.and_then(|field| field.default).unwrap_or_default().to_owned()
}

impl SettingsMapOf {
    /// The names of the settings, with their text.
    pub(super) fn all(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Kafka(of, at, _) => {
                at.names(*of).map(|name| (name, self.page(name).unwrap_or_default())).collect()
            }
            Self::Library(kind) => {
                let settings = Catalogue::of_librdkafka().settings.iter();
                let own = settings.filter(|(_, setting)| {
                    setting.of == "*" || kind.is_none_or(|kind| setting.of == kind)
                });
                own.map(|(name, setting)| (name.as_str(), library_page(name, setting))).collect()
            }
        }
    }

    /// The text about a setting.
    pub(super) fn page(&self, name: &str) -> Option<String> {
        match self {
            Self::Library(_) => {
                let setting = Catalogue::of_librdkafka().settings.get(name)?;
                Some(library_page(name, setting))
            }
            Self::Kafka(of, at, version) => {
                let setting = Catalogue::of_kafka().settings(*of).get(name)?;
                let mut text = format!("**`{name}`**: {}", setting.doc);
                match at.get(*of, name) {
                    Some(era) => text.push_str(&facts(era)),
                    None => {
                        let when = at.elsewhere(*of, name).unwrap_or_default();
                        text.push_str(&format!("\n\nKafka {version} has no such setting: {when}."));
                    }
                }
                Some(text)
            }
        }
    }

    /// The values that a setting takes, if they are words.
    pub(super) fn values(&self, name: &str) -> Vec<String> {
        match self {
            Self::Library(_) => {
                let setting = Catalogue::of_librdkafka().settings.get(name);
                let range = setting.map(|setting| setting.range.as_str()).unwrap_or_default();
                let words = range.split(',').map(str::trim);
                let plain = |word: &&str| {
                    word.starts_with(|c: char| c.is_ascii_alphabetic())
                        && word.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
                };
                words.filter(plain).map(str::to_owned).collect()
            }
            Self::Kafka(of, at, _) => {
                let Some(era) = at.get(*of, name) else { return Vec::new() };
                match era.kind {
                    crate::catalogue::SettingType::Boolean => vec!["true".into(), "false".into()],
                    _ => era.values.clone(),
                }
            }
        }
    }
}

/// What is known of a setting of Kafka in one version.
fn facts(era: &SettingEra) -> String {
    let mut lines = vec![format!("type: {}", format!("{:?}", era.kind).to_lowercase())];
    lines.extend(era.default.as_ref().map(|default| format!("default: `{default}`")));
    lines.extend(match (era.min, era.max) {
        (Some(min), Some(max)) => Some(format!("between {min} and {max}")),
        (Some(min), None) => Some(format!("at least {min}")),
        (None, Some(max)) => Some(format!("at most {max}")),
        (None, None) => None,
    });
    if !era.values.is_empty() {
        lines.push(format!("values: {}", era.values.join(", ")));
    }
    lines.extend(era.broker.as_ref().map(|broker| format!("default of brokers: `{broker}`")));
    lines.extend(era.dynamic.as_ref().map(|how| format!("can be changed at run time: {how}")));
    if era.deprecated {
        lines.push("deprecated".to_owned());
    }
    let mut text = String::from("\n");
    lines.iter().for_each(|line| text.push_str(&format!("\n- {line}")));
    text
}

fn library_page(name: &str, setting: &LibrarySetting) -> String {
    let mut text = format!("**`{name}`**: {}\n", setting.doc);
    if !setting.range.is_empty() {
        text.push_str(&format!("\n- values: {}", setting.range));
    }
    if !setting.default.is_empty() {
        text.push_str(&format!("\n- default: `{}`", setting.default));
    }
    text
}
