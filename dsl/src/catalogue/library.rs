//! The settings of librdkafka.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The settings of librdkafka.
#[derive(Debug, Default, Deserialize)]
pub struct LibrarySettings {
    /// The version of the library.
    pub version: String,
    /// Each setting, by name.
    pub settings: BTreeMap<String, LibrarySetting>,
}

/// A setting of librdkafka.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LibrarySetting {
    /// The clients that it is for: `*`, `C` (consumers) or `P` (producers).
    pub of: String,
    /// The range or the words that it takes, as the library shows them.
    pub range: String,
    /// The default, as the library shows it.
    pub default: String,
    /// The first sentence of its documentation.
    pub doc: String,
}
