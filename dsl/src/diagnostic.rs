//! Diagnostics: what is wrong with a plan, where, and how to fix it.

use std::collections::BTreeSet;

use crate::source::Span;

mod codes;
mod help;
mod other_words;

pub use codes::Code;
pub use help::{Fix, Help};

/// The severity of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The plan cannot run.
    Error,
    /// Probably wrong; `# kplan: allow CODE` on the step silences it.
    Warning,
}

impl Severity {
    /// The word of the JSON form: `error` or `warning`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of mistake.
    pub code: Code,
    /// The scalar or key that is wrong.
    pub span: Span,
    /// What is wrong, one line without a full stop.
    pub message: String,
    /// A short label beside the marked text; may be empty.
    pub label: String,
    /// How to fix it.
    pub help: Option<String>,
    /// The correction that the help describes, for editors.
    pub fix: Option<Box<Fix>>,
    /// Other relevant places, each with a short text, such as the first of two equal names.
    pub related: Vec<(Span, String)>,
}

impl Diagnostic {
    /// A mistake at a place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        let (message, label) = (message.into(), String::new());
        Self { code, span, message, label, help: None, fix: None, related: Vec::new() }
    }

    /// Adds the label beside the marked text.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds the help, with its correction if it has one.
    pub fn help(mut self, help: impl Into<Help>) -> Self {
        let help = help.into();
        self.help = Some(help.text);
        self.fix = help.fix.map(Box::new).or(self.fix);
        self
    }

    /// Adds the help, if there is one.
    pub fn maybe_help(self, help: Option<impl Into<Help>>) -> Self {
        match help {
            Some(help) => self.help(help),
            None => self,
        }
    }

    /// Adds the correction.
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(Box::new(fix));
        self
    }

    /// Adds another relevant place.
    pub fn related(mut self, span: Span, words: impl Into<String>) -> Self {
        self.related.push((span, words.into()));
        self
    }

    /// Replaces secrets by stars.
    pub(crate) fn hide(&mut self, secrets: &BTreeSet<String>) {
        // The longest first, because a secret may be part of another.
        let mut secrets: Vec<&String> = secrets.iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let related = self.related.iter_mut().map(|(_, words)| words);
        let texts = [&mut self.message, &mut self.label].into_iter().chain(&mut self.help);
        for text in texts.chain(related) {
            for secret in &secrets {
                if text.contains(secret.as_str()) {
                    *text = text.replace(secret.as_str(), crate::visible::SECRET);
                }
            }
        }
        let shows = |secret: &&String| matches!(self.fix.as_deref(), Some(Fix::Replace { right, .. }) if right.contains(secret.as_str()));
        if secrets.iter().any(shows) {
            self.fix = None;
        }
    }

    /// Makes invisible characters of the plan's text visible, and puts each text on one line.
    pub(crate) fn show(&mut self) {
        let related = self.related.iter_mut().map(|(_, words)| words);
        let texts = [&mut self.message, &mut self.label].into_iter().chain(&mut self.help);
        texts
            .chain(related)
            .for_each(|text| *text = crate::visible::one_line_within(text, LONGEST));
    }

    /// The severity, which its code decides.
    pub const fn severity(&self) -> Severity {
        self.code.severity()
    }
}

/// The longest sentence of a diagnostic, in bytes.
const LONGEST: usize = 2_000;

/// The word of `known` that is nearest to `word`, if it is similar enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let scored =
        known.into_iter().map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k));
    let (distance, best) = scored.min_by_key(|(distance, _)| *distance)?;
    let longest = word.chars().count().max(best.chars().count());
    let near = distance <= (longest / 3).max(1) && distance < longest;
    near.then_some(best)
}

/// The known word that is meant: the one for a word of another tool, or the nearest.
pub(crate) fn meant<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    other_words::of_others(word, known.clone()).or_else(|| nearest(word, known))
}

/// A help text with the word that is meant, or with all known words if there are few.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<Help> {
    if let Some(near) = meant(word, known.clone()) {
        return Some(Help::did_you_mean(word, near));
    }
    let all: Vec<&str> = known.into_iter().collect();
    (!all.is_empty() && all.len() <= 14).then(|| format!("known here: {}", all.join(", ")).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_only_when_it_is_near() {
        assert_eq!(nearest("topci", ["topic", "name"]), Some("topic"));
        assert_eq!(nearest("Rate", ["rate", "acks"]), Some("rate"));
        assert_eq!(nearest("xyzzy", ["topic", "name"]), None);
        assert_eq!(nearest("a", ["b"]), None);
    }
}
