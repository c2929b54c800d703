//! Explains in plain words what a plan will do, for readers who do not know kplan.
//!
//! The suites of a checked plan become [`minutes::Minutes`] with a [`timeline::Timeline`], and each format is a
//! function of these.

use crate::plan::Plan;
use crate::visible;

mod lanes;
mod markdown;
mod mermaid;
mod minutes;
mod sentence;
mod text;
mod timeline;

/// The formats of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainFormat {
    /// For the terminal.
    Text,
    /// For a pull request or a wiki page.
    Markdown,
    /// The timeline alone, as a Mermaid diagram.
    Mermaid,
}

/// Explains a plan by its suites: the first in full, and the differences of the others. Empty without suites.
pub fn explain(suites: &[Plan], format: ExplainFormat) -> String {
    let Some(minutes) = minutes::Minutes::of(suites) else { return String::new() };
    let shown = match format {
        ExplainFormat::Text => text::render(&minutes),
        ExplainFormat::Markdown => markdown::render(&minutes),
        ExplainFormat::Mermaid => mermaid::render(&minutes),
    };
    suites.iter().fold(shown, |shown, plan| plan.without_secrets(&shown))
}

impl Plan {
    /// Replaces secrets by stars: the values of secret parameters and of environment variables.
    pub fn without_secrets(&self, text: &str) -> String {
        let mut secrets: Vec<&String> = self.secrets.iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.into_iter().fold(text.to_owned(), |text, secret| {
            // The text has been made safe to show before: see `visible`.
            let forms =
                [secret.clone(), visible::visible(secret).into_owned(), visible::one_line(secret)];
            let forms = forms.iter().filter(|form| !form.trim().is_empty());
            forms.fold(text, |text, form| text.replace(form, visible::SECRET))
        })
    }
}

/// The text with a capital at its beginning.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}
