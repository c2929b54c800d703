//! What is said about a place of a plan.

use super::file::EditorFile;
use super::names::NameUse;
use super::pages;
use super::settings;
use super::spots::{PlanSpot, SpotPart, Spots};
use super::states::{self, PlanStates};
use crate::document::Node;
use crate::read::FromNode as _;
use crate::source::Span;
use crate::value::Target;

/// What is said about a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoverText {
    /// The place.
    pub span: Span,
    /// What is said: Markdown.
    pub text: String,
    /// The text with templates that stands there, whose values depend on the matrix.
    pub template: Option<String>,
}

/// What is said about a byte of the first file. The other files belong to the same plan.
pub fn hover(files: &[&EditorFile], byte: u32, known: Option<&PlanStates>) -> Option<HoverText> {
    let file = files.first()?;
    let spots = Spots::of(file.root()?);
    let spot = spots.at(byte)?;
    let mut texts = Vec::new();
    let mut template = None;
    match spot.part {
        SpotPart::Key(key, value) => {
            texts.extend(of_key(key, spot, &spots));
            texts.extend(of_target(file, spot, key, value, byte, known));
        }
        SpotPart::Scalar(scalar) => {
            let text = scalar.text.as_str();
            if scalar.is_template() || spot.forms.names() == Some("expression") {
                template = Some(text.to_owned());
            } else {
                texts.extend(of_word(text, spot, &spots));
                let value = Node::rendered(text.to_owned(), spot.span);
                texts.extend(of_target(file, spot, text, &value, byte, known));
            }
        }
        SpotPart::Holder(_) => return None,
    }
    texts.extend(file.name_at(byte).and_then(|name| of_name(files, name)));
    if texts.is_empty() && template.is_none() {
        return None;
    }
    Some(HoverText { span: spot.span, text: texts.join("\n\n---\n\n"), template })
}

fn of_key(key: &str, spot: &PlanSpot<'_>, spots: &Spots<'_>) -> Option<String> {
    if spot.forms.word() == Some(key) {
        return pages::of_word(key);
    }
    let map = spots.parent(spot)?;
    if let Some(settings) = settings::of_map(map, spots) {
        return settings.page(key);
    }
    let argument = map.forms.word().and_then(pages::info).and_then(|w| pages::of_argument(w, key));
    let declared = || spot.forms.doc().map(|_| pages::of_key(key, &spot.forms));
    argument.or_else(declared)
}

/// The text about a word that is a value, such as a step without arguments or an element of an enumeration.
fn of_word(text: &str, spot: &PlanSpot<'_>, spots: &Spots<'_>) -> Option<String> {
    if let Some(settings) = spots.parent(spot).and_then(|map| settings::of_map(map, spots)) {
        return settings.page(spot.key);
    }
    let listed = spot.forms.words().into_iter().find(|(word, _)| *word == text)?;
    match listed.1 {
        Some(meaning) => Some(format!("**`{text}`**: {meaning}")),
        None => pages::of_word(text),
    }
}

/// Which brokers a target can mean here.
fn of_target(
    file: &EditorFile,
    spot: &PlanSpot<'_>,
    word: &str,
    value: &Node,
    byte: u32,
    known: Option<&PlanStates>,
) -> Option<String> {
    let in_key = Target::MAP_KEYS.contains(&spot.key);
    let is_word = spot.forms.meaning(word).is_some() && spot.forms.names() == Some("broker");
    if !in_key && !is_word {
        return None;
    }
    let text = value.scalar().map(|scalar| scalar.text.as_str()).unwrap_or_default();
    let key = if in_key { spot.key } else { word };
    states::candidates(known?.before(file.path(), byte)?, key, text)
}

/// Where a name is made.
fn of_name(files: &[&EditorFile], name: &NameUse) -> Option<String> {
    let made = files.iter().find_map(|file| {
        let same =
            |other: &&NameUse| other.defines && other.kind == name.kind && other.name == name.name;
        file.names().iter().find(same).map(|other| (*file, other))
    });
    let (file, other) = made.filter(|(_, other)| other.span != name.span || !name.defines)?;
    let source = file.source();
    let line = source.line(other.span.start);
    let path = file.path().file_name().unwrap_or_default().to_string_lossy();
    let text = source.lines(line, line).trim();
    Some(format!(
        "The {} `{}`, {path} line {line}:\n\n```yaml\n{text}\n```",
        name.kind.word(),
        name.name
    ))
}
