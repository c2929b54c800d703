//! Manual pages: Markdown from the declarations of words and codes.

use std::fmt::Write;

use crate::args::{FieldInfo, WordInfo};
use crate::conditions::Condition;
use crate::diagnostic::{Code, Severity};
use crate::steps::COMMON;
use crate::steps::Verb;

/// The kind of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WordKind {
    /// A verb of a step.
    Step,
    /// A condition.
    Condition,
    /// The code of a diagnostic.
    Code,
}

impl WordKind {
    /// Every kind, in the order of the manual.
    pub const ALL: [Self; 3] = [Self::Step, Self::Condition, Self::Code];

    /// The heading of the chapter.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Step => "Steps",
            Self::Condition => "Conditions",
            Self::Code => "Diagnostics",
        }
    }

    /// A sentence about the chapter.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Step => "A step is a map with exactly one of these verbs.",
            Self::Condition => {
                "The same conditions are used by `wait`, `assert`, `always`, `record` and the `keep` of `chaos`."
            }
            Self::Code => {
                "The diagnostics of `kplan check`. Codes of errors begin with E, codes of warnings with W."
            }
        }
    }
}

/// The chapter of the manual with the pages of all words of a kind, as Markdown.
pub fn chapter(kind: WordKind) -> String {
    let mut text = format!("# {}\n\n{}\n", kind.title(), kind.about());
    let all = words();
    let of_kind: Vec<_> = all.iter().filter(|(k, ..)| *k == kind).collect();
    text.push_str("\n| | |\n|---|---|\n");
    for (_, word, summary) in &of_kind {
        // Writing to a String cannot fail.
        let _ =
            writeln!(text, "| [{word}](#{}) | {} |", anchor(word, summary, kind), cell(summary));
    }
    for (_, word, _) in &of_kind {
        let page = manual(word).unwrap_or_default();
        let mut code = false;
        text.push('\n');
        for line in page.lines() {
            code ^= line.starts_with("```");
            // The pages become sections of the chapter.
            text.push_str(if line.starts_with('#') && !code { "#" } else { "" });
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Escapes a sentence for a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The anchor that Markdown renderers make from a page's heading.
fn anchor(word: &str, summary: &str, kind: WordKind) -> String {
    let heading = match kind {
        WordKind::Step => format!("{word} (step)"),
        WordKind::Condition => format!("{word} (condition)"),
        WordKind::Code => format!("{word}: {summary}"),
    };
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// All words with one sentence each, in the order of the manual.
pub fn words() -> Vec<(WordKind, &'static str, String)> {
    let step = Verb::ALL.iter().map(|info| (WordKind::Step, info.word, info.summary()));
    let condition = Condition::ALL.iter();
    let condition = condition.map(|info| (WordKind::Condition, info.word, info.summary()));
    let code = Code::ALL.iter().map(|c| (WordKind::Code, c.text(), c.title().to_owned()));
    step.chain(condition).chain(code).collect()
}

/// The manual page of a step, condition or code, as Markdown; `None` if the word is unknown.
pub fn manual(word: &str) -> Option<String> {
    if let Some(code) = Code::parse(word) {
        return Some(code_page(code));
    }
    let step = Verb::ALL.iter().find(|info| info.word == word);
    let condition = Condition::ALL.iter().find(|info| info.word == word);
    match (step, condition) {
        (Some(info), _) => Some(word_page(info, WordKind::Step)),
        (None, Some(info)) => Some(word_page(info, WordKind::Condition)),
        (None, None) => None,
    }
}

fn code_page(code: Code) -> String {
    let kind = match code.severity() {
        Severity::Error => "error: the plan cannot run",
        Severity::Warning => "warning: probably wrong",
    };
    let mut page = format!("# {code}: {}\n\n*{kind}*\n\n{}", code.title(), paragraphs(code.page()));
    if code.severity() == Severity::Warning {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "\nIf it is intended: `# kplan: allow {code}` on the step's line, or above it, silences the warning."
        );
    }
    page
}

fn word_page(info: &WordInfo, kind: WordKind) -> String {
    let what = if kind == WordKind::Step { "step" } else { "condition" };
    let mut page = format!("# {} ({what})\n\n{}", info.word, paragraphs(info.doc));
    let fields = (info.fields)();
    if !fields.is_empty() {
        page.push_str("\n## Arguments\n\n");
        fields.iter().for_each(|field| argument(&mut page, field, info.short));
    }
    if kind == WordKind::Step {
        page.push_str("\nBeside the verb: ");
        let common: Vec<String> = COMMON.iter().map(|(key, _)| format!("`{key}`")).collect();
        page.push_str(&crate::words::list(&common));
        page.push_str(".\n");
    }
    page.push_str("\n## Examples\n\n```yaml\n");
    for example in info.examples {
        page.push_str("- ");
        page.push_str(example);
        page.push('\n');
    }
    page.push_str("```\n");
    page
}

fn argument(page: &mut String, field: &FieldInfo, short: Option<&str>) {
    let default = match (field.required, field.default) {
        (true, _) => " (required)".to_owned(),
        (false, Some(default)) => format!(" (default `{default}`)"),
        (false, None) => String::new(),
    };
    let short = if short == Some(field.key) { " The short form sets this argument." } else { "" };
    let text = field.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    // Writing to a String cannot fail.
    let _ = writeln!(page, "- `{}`{default}: {text}{short} *{}*", field.key, field.expects);
}

/// The text of doc comments, with each paragraph on one line.
fn paragraphs(doc: &str) -> String {
    let mut text = String::new();
    for paragraph in doc.split("\n\n").flat_map(|p| p.split("\n \n")) {
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.is_empty() {
            text.push_str(&line);
            text.push_str("\n\n");
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_a_page() {
        for (_, word, summary) in words() {
            let page = manual(word).unwrap_or_default();
            assert!(page.starts_with(&format!("# {word}")), "{word}");
            assert!(!summary.is_empty(), "{word}");
        }
        assert_eq!(manual("kil_broker"), None);
    }

    #[test]
    fn pages_read_well() {
        insta::assert_snapshot!(manual("kill_broker").unwrap_or_default());
        insta::assert_snapshot!(manual("W003").unwrap_or_default());
    }
}
