//! Masks secret values: the only place where they are replaced by stars.
//!
//! Secret are the parameters that a plan marks as `secret`, the environment variables that `--allow-env`
//! names, and the passwords that kplan generates. Everything that this process writes (events, and so every report;
//! logs of brokers and clients; the terminal) goes through [`mask`] or [`masked`]. The list belongs to the
//! process: a client process reads it from its standard input.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
};

use kplan_dsl::visible::{SECRET, secret_forms};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

static KNOWN: RwLock<Secrets> = RwLock::new(Secrets { values: Vec::new() });

/// Lines of a multi-line secret that are at least this long are secret by themselves.
const LONG_LINE: usize = 8;

/// Keys of kplan's own whose values are needed to read an event: they never contain text of a plan.
const OWN: &[&str] = &[
    "at", "backend", "dir", "event", "holds", "id", "kind", "kplan", "phase", "run", "state",
    "step", "suite", "verb", "verdict",
];
/// Maps whose keys are a plan's words; all other keys are kplan's.
const MAPS: &[&str] = &["params", "settings", "sources", "values"];

/// Some values, the longest first: one may be part of another.
#[derive(Default)]
struct Secrets {
    values: Vec<String>,
}

/// From now on this value is masked. An empty value is no secret.
pub fn hide(value: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add(value);
}

/// Everything that is hidden, for a client process.
pub fn all() -> Vec<String> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).values.clone()
}

/// A text with stars in place of every secret.
pub fn mask(text: &str) -> Cow<'_, str> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).mask(text)
}

/// What a program wrote, likewise.
pub fn mask_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    if KNOWN.read().unwrap_or_else(PoisonError::into_inner).values.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    match mask(&text) {
        Cow::Borrowed(_) => Cow::Borrowed(bytes),
        Cow::Owned(masked) => Cow::Owned(masked.into_bytes()),
    }
}

/// A value that is masked text by text and then read again.
pub trait Masked: Serialize + DeserializeOwned {
    /// The replacement, with this text, if it cannot be read again.
    fn replaced(&self, text: String) -> Self;
}

/// An event with stars in place of every secret.
pub fn masked<T: Masked>(event: T) -> T {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).masked(event)
}

impl Secrets {
    fn add(&mut self, value: &str) {
        let mut all: BTreeSet<String> = self.values.drain(..).collect();
        let mut one = |text: &str| {
            if !text.trim().is_empty() && text != SECRET {
                for text in secret_forms(text) {
                    all.extend([escaped(&text), properties(&text), in_address(&text), text]);
                }
            }
        };
        one(value);
        value.lines().filter(|line| line.len() >= LONG_LINE).for_each(&mut one);
        self.values = all.into_iter().collect();
        self.values.sort_by_key(|v| std::cmp::Reverse(v.len()));
    }

    fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for value in &self.values {
            if masked.contains(value.as_str()) {
                masked = Cow::Owned(masked.replace(value.as_str(), SECRET));
            }
        }
        masked
    }

    fn masked<T: Masked>(&self, event: T) -> T {
        if self.values.is_empty() {
            return event;
        }
        let Ok(before) = serde_json::to_value(&event) else { return event };
        let mut value = before.clone();
        self.mask_value(&mut value, false);
        if value == before {
            return event;
        }
        // Only kplan's own words decide whether an event can be read, and those were left alone.
        serde_json::from_value(value).unwrap_or_else(|_| {
            event.replaced(
                "an event is not shown because it cannot be shown without a secret".to_owned(),
            )
        })
    }

    fn mask_value(&self, value: &mut Value, plans_keys: bool) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.mask(text) {
                    *text = masked;
                }
            }
            Value::Array(all) => all.iter_mut().for_each(|v| self.mask_value(v, false)),
            Value::Object(map) => {
                for (key, mut value) in std::mem::take(map) {
                    let own = !plans_keys && OWN.contains(&key.as_str());
                    if !(own && value.is_string()) {
                        self.mask_value(&mut value, !plans_keys && MAPS.contains(&key.as_str()));
                    }
                    let key = if plans_keys { self.mask(&key).into_owned() } else { key };
                    map.insert(key, value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// The value as in an address (percent-encoded).
fn in_address(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into())
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// The value as between quotes in messages.
fn escaped(text: &str) -> String {
    let quoted = format!("{text:?}");
    quoted[1..quoted.len() - 1].to_owned()
}

/// The value as in a broker's configuration.
fn properties(text: &str) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(b'\\') => out.push_str("\\\\"),
            Ok(byte @ b' '..=b'~') => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\u{unit:04x}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::event::{Event, Finding, Holds, LaneState, SettingsOf, Stamped, StepEnded, Verdict};

    fn secrets(values: &[&str]) -> Secrets {
        let mut all = Secrets::default();
        values.iter().for_each(|v| all.add(v));
        all
    }

    fn stamped(event: Event) -> Stamped {
        Stamped { at: jiff::Timestamp::UNIX_EPOCH, mono_us: 7, suite: Some(3), event }
    }

    #[test]
    fn the_longest_goes_first_and_nothing_is_no_secret() {
        let all = secrets(&["", "  ", "horse", "correct horse"]);
        assert_eq!(all.mask("a correct horse, a horse, an ox"), "a ***, a ***, an ox");
        assert!(matches!(secrets(&[""]).mask("text"), Cow::Borrowed("text")));
    }

    #[test]
    fn a_secret_is_found_in_every_way_it_is_written() {
        let all = secrets(&["a\"b\\é", "-----\nMIIEvQIBADAN\n"]);
        for text in ["x a\"b\\é y", "{:?} \"a\\\"b\\\\é\"", "key=a\"b\\\\\\u00e9", "MIIEvQIBADAN"]
        {
            assert!(all.mask(text).contains(SECRET), "{text}");
        }
        assert_eq!(all.mask("-----"), "-----");
    }

    #[test]
    fn what_an_event_says_is_masked_and_it_is_read_again_whatever_is_secret() {
        // Words that kplan itself writes into events are the worst that a secret can be.
        let all = secrets(&[
            "event", "failed", "text", "up", "settings", "suite", "passed", "3", "broker 2", "no",
            "why",
        ]);
        let finding = Finding {
            condition: "lost: failed".to_owned(),
            line: 3,
            holds: Holds::No,
            expected: "text".to_owned(),
            found: "up".to_owned(),
            evidence: vec!["settings".to_owned()],
            after_ms: None,
        };
        let ended = StepEnded {
            step: "3".into(),
            verdict: Verdict::Failed,
            took_ms: 33,
            findings: vec![finding],
            reason: Some("it failed".to_owned()),
            optional: false,
            timed_out: false,
            cause: None,
        };
        let Event::StepEnded(masked) = all.masked(stamped(Event::StepEnded(Box::new(ended)))).event
        else {
            panic!("another event")
        };
        assert_eq!(
            (masked.step.to_string().as_str(), masked.verdict, masked.took_ms),
            ("3", Verdict::Failed, 33)
        );
        assert_eq!(masked.reason.as_deref(), Some("it ***"));
        assert_eq!(masked.findings[0].condition, "lost: ***");
        assert_eq!(masked.findings[0].evidence, ["***"]);
        let node = Event::Node { node: "broker 2".into(), state: LaneState::Up, why: "why".into() };
        assert!(
            matches!(all.masked(stamped(node)).event, Event::Node { state: LaneState::Up, why, .. } if why.words == SECRET)
        );
        let settings = IndexMap::from([("event".to_owned(), "up".to_owned())]);
        let event = Event::Configured { who: SettingsOf::Node("text".into()), settings };
        let Event::Configured { settings, who, .. } = all.masked(stamped(event)).event else {
            panic!("another event")
        };
        assert_eq!((who.to_string().as_str(), settings["***"].as_str()), ("***", "***"));
    }
}
