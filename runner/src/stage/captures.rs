//! What steps captured, for later expressions.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use serde_json::Value;

/// What is not known of a capture, by capture and word, and why.
pub type NotCaptured = BTreeMap<(String, String), String>;

/// The captured values, and what is not known of them.
#[derive(Default)]
pub struct Captures(Mutex<(BTreeMap<String, Value>, NotCaptured)>);

impl Captures {
    fn both(&self) -> MutexGuard<'_, (BTreeMap<String, Value>, NotCaptured)> {
        self.0.lock().expect("no holder panics")
    }

    /// Stores a step's captured value.
    pub fn set(&self, name: &str, value: Value) {
        self.both().0.insert(name.to_owned(), value);
    }

    /// Stores which words a step could not capture, and why: an inconclusive value of `record` is no value.
    pub fn set_unknown(&self, name: &str, words: BTreeMap<String, String>) {
        let unknown = &mut self.both().1;
        unknown.retain(|(capture, _), _| capture != name);
        unknown.extend(words.into_iter().map(|(word, why)| ((name.to_owned(), word), why)));
    }

    /// The unknown captured values, and why.
    pub fn unknown(&self) -> NotCaptured {
        self.both().1.clone()
    }

    /// All captured values.
    pub fn all(&self) -> BTreeMap<String, Value> {
        self.both().0.clone()
    }
}
