//! Manual pages: Markdown from the declarations of words and codes, and from `manual/plan.md`.

use std::fmt::Write;

use crate::args::{FieldInfo, WordInfo};
use crate::conditions::Condition;
use crate::diagnostic::{Code, Severity};
use crate::forms::Forms;
use crate::steps::COMMON;
use crate::steps::Verb;

mod structure;

/// The kind of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WordKind {
    /// A key of a plan or of every step, or a form of values.
    Structure,
    /// A verb of a step.
    Step,
    /// A condition.
    Condition,
    /// The code of a diagnostic.
    Code,
}

impl WordKind {
    /// Every kind, in the order of the manual.
    pub const ALL: [Self; 4] = [Self::Structure, Self::Step, Self::Condition, Self::Code];

    /// The heading of the chapter.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Structure => "The structure of a plan",
            Self::Step => "Steps",
            Self::Condition => "Conditions",
            Self::Code => "Diagnostics",
        }
    }

    /// The name of the chapter's file in docs/words.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Structure => "plan.md",
            Self::Step => "steps.md",
            Self::Condition => "conditions.md",
            Self::Code => "diagnostics.md",
        }
    }

    /// A sentence about the chapter.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Structure => {
                "The keys of a plan and of its steps, and the forms of values: templates, bounds, units, targets."
            }
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
    let pages: Vec<(&str, String, String)> = words()
        .into_iter()
        .filter(|(k, ..)| *k == kind)
        .map(|(_, word, summary)| (word, summary, page(kind, word).unwrap_or_default()))
        .collect();
    text.push_str("\n| | |\n|---|---|\n");
    for (word, summary, page) in &pages {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| [{word}](#{}) | {} |", anchor(page), cell(summary));
    }
    for (_, _, page) in &pages {
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
fn anchor(page: &str) -> String {
    let heading = page.lines().next().unwrap_or_default().trim_start_matches("# ");
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// All words with one sentence each, in the order of the manual.
pub fn words() -> Vec<(WordKind, &'static str, String)> {
    let structure = structure::pages().iter();
    let structure = structure.map(|p| (WordKind::Structure, p.word, p.summary()));
    let step = Verb::ALL.iter().map(|info| (WordKind::Step, info.word, info.summary()));
    let condition = Condition::ALL.iter();
    let condition = condition.map(|info| (WordKind::Condition, info.word, info.summary()));
    let code = Code::ALL.iter().map(|c| (WordKind::Code, c.text(), c.title().to_owned()));
    structure.chain(step).chain(condition).chain(code).collect()
}

/// The manual page of a word of this kind, as Markdown.
pub(crate) fn page(kind: WordKind, word: &str) -> Option<String> {
    match kind {
        WordKind::Structure => {
            structure::pages().iter().find(|p| p.word == word).map(|p| p.text.to_owned())
        }
        WordKind::Step => Verb::known(word).map(|info| word_page(info, kind)),
        WordKind::Condition => {
            Condition::ALL.iter().find(|info| info.word == word).map(|info| word_page(info, kind))
        }
        WordKind::Code => Code::parse(word).map(code_page),
    }
}

/// The manual page of a word, or of an argument of words, as Markdown; a word of several kinds has their pages one
/// after the other. `None` if the word is unknown.
pub fn manual(word: &str) -> Option<String> {
    let pages: Vec<String> = WordKind::ALL.into_iter().filter_map(|k| page(k, word)).collect();
    if pages.is_empty() { argument_page(word) } else { Some(pages.join("\n")) }
}

/// The words that take an argument of this name, with its text.
fn argument_page(key: &str) -> Option<String> {
    let (mut text, mut tables) = (String::new(), String::new());
    let steps = Verb::ALL.iter().map(|info| ("step", info));
    for (what, info) in steps.chain(Condition::ALL.iter().map(|info| ("condition", info))) {
        for field in (info.fields)().iter().filter(|field| field.key == key) {
            argument(&mut text, &format!("of `{}`", info.word), field, info.short);
            let forms = Forms::of_word(what, info.word);
            forms
                .iter()
                .for_each(|of| nested(&mut tables, &format!("{key} of {}", info.word), key, of));
        }
    }
    (!text.is_empty()).then(|| format!("# {key} (argument)\n\n{text}{tables}"))
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
        fields.iter().for_each(|f| argument(&mut page, &format!("`{}`", f.key), f, info.short));
    }
    if let Some(forms) = Forms::of_word(what, info.word) {
        fields.iter().for_each(|field| nested(&mut page, field.key, field.key, &forms));
    }
    if let Some(facts) = Verb::facts_of(info.word).filter(|_| kind == WordKind::Step) {
        page.push_str("\nBeside the verb: ");
        let common = COMMON.iter().map(|(key, _)| *key).filter(|key| facts.ends.allows(key));
        let common: Vec<String> = common.map(|key| format!("`{key}`")).collect();
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

fn argument(page: &mut String, called: &str, field: &FieldInfo, short: Option<&str>) {
    let default = match (field.required, field.default) {
        (true, _) => " (required)".to_owned(),
        (false, Some(default)) => format!(" (default `{default}`)"),
        (false, None) => String::new(),
    };
    let short = if short == Some(field.key) { " The short form sets this argument." } else { "" };
    let text = field.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    // Writing to a String cannot fail.
    let _ = writeln!(page, "- {called}{default}: {text}{short} *{}*", field.expects);
}

/// A table of the keys of an argument that is a map, or a list of maps. Bounds, and what has pages of its own, have
/// none.
fn nested(page: &mut String, path: &str, key: &str, of: &Forms) {
    let Some(value) = of.key(key) else { return };
    let (forms, is_list) = match value.item() {
        Some(item) => (item, true),
        None => (value, false),
    };
    let keys = forms.keys_beside(&[]);
    let is_bound = keys.iter().all(|(key, _)| crate::value::bound::KEYS.contains(key));
    if is_bound || forms.is_defined() {
        return;
    }
    let required = forms.required();
    let what = if is_list { "Each element of" } else { "The map" };
    // Writing to a String cannot fail.
    let _ = writeln!(page, "\n{what} `{path}`:\n\n| key | |\n|---|---|");
    for (key, forms) in &keys {
        let default = match forms.default_text() {
            Some(text) => format!(" (default `{text}`)"),
            None if required.contains(key) => " (required)".to_owned(),
            None => String::new(),
        };
        let text = forms.doc().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, "| `{key}`{default} | {} |", cell(&text));
    }
    for (key, _) in &keys {
        nested(page, &format!("{path}: {key}"), key, &forms);
    }
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
        for (kind, word, summary) in words() {
            let page = page(kind, word).unwrap_or_default();
            assert!(page.starts_with(&format!("# {word}")), "{word}");
            assert!(manual(word).is_some_and(|all| all.contains(&page)), "{word}");
            assert!(!summary.is_empty(), "{word}");
        }
        assert_eq!(manual("kil_broker"), None);
    }

    #[test]
    fn pages_read_well() {
        insta::assert_snapshot!(manual("kill_broker").unwrap_or_default());
        insta::assert_snapshot!(manual("W003").unwrap_or_default());
        insta::assert_snapshot!(manual("security").unwrap_or_default());
        insta::assert_snapshot!(page(WordKind::Step, "consume").unwrap_or_default());
    }
}
