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

    /// Why the value of an expression is unknown, if it may need an unknown value of a capture.
    pub fn unknown_in(&self, expression: &str) -> Option<String> {
        rests_on_unknown(expression, &self.both().1)
    }

    /// All captured values.
    pub fn all(&self) -> BTreeMap<String, Value> {
        self.both().0.clone()
    }
}

/// Why the value of an expression is unknown, if it may need an unknown value of a capture. Only `capture.word` with a known
/// word is certain not to.
fn rests_on_unknown(text: &str, unknown: &NotCaptured) -> Option<String> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let word = |text: &str| -> String { text.chars().take_while(|c| part(*c)).collect() };
    unknown.iter().find_map(|((capture, missing), why)| {
        let uses = text.match_indices(capture.as_str()).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let rest = &text[at + capture.len()..];
            let whole = !before.is_some_and(|c| part(c) || c == '.') && word(rest).is_empty();
            let needed = rest.trim_start().strip_prefix('.').map(|rest| word(rest.trim_start()));
            whole && needed.is_none_or(|needed| needed == *missing)
        });
        uses.then(|| format!("{capture}.{missing} is not known: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::rests_on_unknown;

    #[test]
    fn an_expression_on_what_is_not_known_is_not_judged() {
        let unknown = [(("before".to_owned(), "lost".to_owned()), "no traffic".to_owned())].into();
        for text in [
            "{{ before.lost.total == 0 }}",
            "{{ before . lost | default(0) == 0 }}",
            "{{ before['lost'] == 0 }}",
            "{{ before | length == 1 }}",
            "{{ after.acked > 1 and before.lost.total < after.lost.total }}",
        ] {
            let why = rests_on_unknown(text, &unknown);
            assert_eq!(why.as_deref(), Some("before.lost is not known: no traffic"), "{text}");
        }
        for text in ["{{ before.acked.total > 0 }}", "{{ not_before.lost > 0 }}", "{{ x.before }}"]
        {
            assert_eq!(rests_on_unknown(text, &unknown), None, "{text}");
        }
    }
}
