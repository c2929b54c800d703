//! Texts about words, arguments and values, for completion and hover.

use crate::args::{FieldInfo, WordInfo};
use crate::conditions::Condition;
use crate::forms::Forms;
use crate::manual::{WordKind, page};
use crate::steps::Verb;

/// The page of a step or condition.
pub(super) fn of_word(word: &str) -> Option<String> {
    page(WordKind::Step, word).or_else(|| page(WordKind::Condition, word))
}

/// The declaration of a step or condition.
pub(super) fn info(word: &str) -> Option<&'static WordInfo> {
    let condition = || Condition::ALL.iter().copied().find(|info| info.word == word);
    Verb::known(word).or_else(condition)
}

/// The text about a key with the forms of its value.
pub(super) fn of_key(key: &str, value: &Forms) -> String {
    match value.word().filter(|word| *word == key) {
        Some(word) => of_word(word).unwrap_or_default(),
        None => {
            let doc = value.doc().unwrap_or_default();
            let default = value.default_text().map(|text| format!("\n\nDefault: `{text}`"));
            format!("**`{key}`**: {doc}{}", default.unwrap_or_default())
        }
    }
}

/// The text about an argument of a word.
pub(super) fn of_argument(word: &'static WordInfo, key: &str) -> Option<String> {
    let field: FieldInfo = (word.fields)().into_iter().find(|field| field.key == key)?;
    let text = field.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    let rest = match (field.required, field.default) {
        (true, _) => ", required".to_owned(),
        (false, Some(default)) => format!(", default `{default}`"),
        (false, None) => String::new(),
    };
    Some(format!("**`{key}`** of `{}`: {text}\n\n*{}*{rest}", word.word, field.expects))
}
