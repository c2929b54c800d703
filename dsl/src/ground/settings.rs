//! Settings of brokers and topics, as far as the checker knows them.

use std::sync::LazyLock;

use super::Ground;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Spanned;
use crate::value::Settings;
use crate::words;

/// Whether a replica that is not in sync may lead.
pub const UNCLEAN: &str = "unclean.leader.election.enable";

/// Settings of topics (Kafka's documentation, "Topic Configs", 0.10 to 4.1).
static TOPIC: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::names(include_str!("topic-settings.txt")));

/// Settings of brokers that resilience plans use: a name that is nearly one of them is a mistake.
static BROKER: LazyLock<Vec<&str>> =
    LazyLock::new(|| words::names(include_str!("broker-settings.txt")));

impl Ground<'_> {
    /// Tells settings of a topic that Kafka does not have, and more in-sync replicas than replicas.
    pub fn topic_settings(&mut self, config: &Settings, replicas: u32) {
        for (key, value) in &config.0 {
            if !TOPIC.contains(&key.as_str()) {
                let message = format!("topics have no setting `{key}`");
                let help = crate::diagnostic::did_you_mean(key, TOPIC.iter().copied());
                self.tell(Diagnostic::new(Code::W014, key.span, message).maybe_help(help));
            }
            let wanted: Option<u32> = value.parse().ok();
            if key.value == "min.insync.replicas" && wanted.is_some_and(|n| n > replicas) {
                let message =
                    format!("min.insync.replicas is {value}, but the topic has {replicas} replicas");
                let help = "no write with `acks: all` can succeed";
                self.tell(Diagnostic::new(Code::W006, value.span, message).help(help));
            }
        }
    }

    /// Tells settings of brokers that are nearly one that is known.
    pub fn broker_settings<'s>(&mut self, keys: impl Iterator<Item = &'s Spanned<String>>) {
        for key in keys {
            let known = BROKER.contains(&key.as_str()) || TOPIC.contains(&key.as_str());
            if let Some(near) =
                nearest(key, BROKER.iter().copied()).filter(|near| !known && is_slip(key, near))
            {
                let message = format!("kplan knows no broker setting `{key}`");
                let help = format!("did you mean `{near}`?");
                self.tell(Diagnostic::new(Code::W014, key.span, message).help(help));
            }
        }
    }
}

/// True if a word differs from a known one by no more than two slips of the pen.
fn is_slip(word: &str, known: &str) -> bool {
    strsim::damerau_levenshtein(word, known) <= 2
}
