//! The settings of brokers and topics that the checker knows.

use std::sync::LazyLock;

use super::Ground;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Spanned;
use crate::value::Settings;
use crate::words;

/// The setting that allows a replica that is not in sync to become leader.
pub const UNCLEAN: &str = "unclean.leader.election.enable";

/// Settings of topics (Kafka's documentation, "Topic Configs", 0.10 to 4.1).
static TOPIC: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::names(include_str!("topic-settings.txt")));

/// Settings of brokers that resilience plans use. A name that is almost one of them is a misspelling.
static BROKER: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::names(include_str!("broker-settings.txt")));

impl Ground<'_> {
    /// Reports topic settings that Kafka does not have, and a `min.insync.replicas` greater than the number of
    /// replicas.
    pub fn topic_settings(&mut self, config: &Settings, replicas: u32) {
        for (key, value) in &config.0 {
            if !TOPIC.contains(&key.as_str()) {
                let message = format!("topics have no setting `{key}`");
                let help = crate::diagnostic::did_you_mean(key, TOPIC.iter().copied());
                self.report(Diagnostic::new(Code::W014, key.span, message).maybe_help(help));
            }
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

    /// Reports broker settings that are almost spelt like a known one.
    pub fn broker_settings<'s>(&mut self, keys: impl Iterator<Item = &'s Spanned<String>>) {
        for key in keys {
            let known = BROKER.contains(&key.as_str()) || TOPIC.contains(&key.as_str());
            if let Some(near) =
                nearest(key, BROKER.iter().copied()).filter(|near| !known && is_slip(key, near))
            {
                let message = format!("kplan knows no broker setting `{key}`");
                let help = format!("did you mean `{near}`?");
                self.report(Diagnostic::new(Code::W014, key.span, message).help(help));
            }
        }
    }
}

/// True if a word differs from a known one by at most two typing errors.
fn is_slip(word: &str, known: &str) -> bool {
    strsim::damerau_levenshtein(word, known) <= 2
}
