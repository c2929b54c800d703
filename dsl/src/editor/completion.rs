//! What can be typed at a place of a plan.

use std::collections::BTreeSet;

use super::file::EditorFile;
use super::lenient::{self, MARK, MarkedText};
use super::names::NameKind;
use super::offered::{brokers, names};
use super::pages;
use super::settings;
use super::spots::{PlanSpot, SpotPart, Spots};
use crate::document::Entry;
use crate::forms::Forms;
use crate::source::{FileId, Span};
use crate::steps::Verb;

/// What a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateKind {
    /// A step or a condition.
    Word,
    /// A key of a map.
    Argument,
    /// A setting of Kafka or of its client.
    Setting,
    /// One of the words that a value may be.
    Value,
    /// A name of the plan.
    Name(NameKind),
}

/// Something that can be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The text that is shown.
    pub label: String,
    /// The text that is inserted.
    pub insert: String,
    /// What it is.
    pub kind: CandidateKind,
    /// A few words beside it.
    pub detail: String,
    /// Its documentation: Markdown.
    pub doc: String,
}

/// Candidates with the place of the text that they replace.
#[derive(Debug, Clone, Default)]
pub struct Candidates {
    /// The place of what is typed so far.
    pub replaces: Span,
    /// The candidates.
    pub all: Vec<Candidate>,
}

/// What can be typed at a byte of the first file. The other files belong to the same plan.
pub fn complete(files: &[&EditorFile], byte: u32) -> Candidates {
    let Some(file) = files.first() else { return Candidates::default() };
    let text = file.source().text();
    let at = text.floor_char_boundary((byte as usize).min(text.len()));
    if let Some(found) = in_template(files, &text[..at]) {
        return found;
    }
    let Some(MarkedText { source, root }) = lenient::marked(text, at) else {
        return Candidates::default();
    };
    let spots = Spots::of(&root);
    let marked = |spot: &&PlanSpot<'_>| match spot.part {
        SpotPart::Key(key, _) => key.contains(MARK),
        SpotPart::Scalar(scalar) => scalar.text.contains(MARK),
        SpotPart::Holder(_) => false,
    };
    let Some(spot) = spots.iter().find(marked) else { return Candidates::default() };
    let written = match spot.part {
        SpotPart::Key(key, _) => key,
        SpotPart::Scalar(scalar) => scalar.text.as_str(),
        SpotPart::Holder(_) => "",
    };
    let typed = written.split(MARK).next().unwrap_or_default();
    let start = u32::try_from(at - typed.len().min(at)).unwrap_or(0);
    let end = u32::try_from(at).unwrap_or(u32::MAX);
    let replaces = Span { file: FileId::default(), start, end };
    let all = match spot.part {
        SpotPart::Key(..) => of_key(spot, &spots),
        _ => of_value(files, spot, &spots, source.text()),
    };
    Candidates { replaces, all: distinct(all) }
}

fn distinct(all: Vec<Candidate>) -> Vec<Candidate> {
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|candidate| seen.insert(candidate.label.clone())).collect()
}

/// The values of templates, if the text before the cursor ends inside one.
fn in_template(files: &[&EditorFile], before: &str) -> Option<Candidates> {
    let line = before.rsplit('\n').next()?;
    let inside = line.rsplit_once("{{").map(|(_, inside)| inside)?;
    if inside.contains("}}") {
        return None;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let typed = inside.len() - inside.trim_end_matches(is_part).len();
    let lead = inside[..inside.len() - typed].trim_end();
    let end = u32::try_from(before.len()).unwrap_or(u32::MAX);
    let start = end - u32::try_from(typed).unwrap_or(0);
    let value = |label: &str, detail: &str| Candidate {
        label: label.to_owned(),
        insert: label.to_owned(),
        kind: CandidateKind::Name(NameKind::Value),
        detail: detail.to_owned(),
        doc: String::new(),
    };
    let own = files.first().map(|file| file.names()).unwrap_or_default();
    let local = || own.iter().filter(|name| name.local).map(|name| value(&name.name, "parameter"));
    let all = match lead.strip_suffix('.') {
        Some(root) if root.ends_with("run") => {
            vec![value("id", "the id of the run"), value("seed", "the seed of the run")]
        }
        Some(root) if root.ends_with("params") || root.ends_with("matrix") => local().collect(),
        Some(_) => Vec::new(),
        None => {
            let taken = files.iter().flat_map(|file| file.names());
            let taken = taken.filter(|n| n.kind == NameKind::Value && n.defines && !n.local);
            let taken = taken.map(|name| value(&name.name, "result of a step"));
            let run = [value("run", "`run.id` and `run.seed`"), value("env", "the environment")];
            local().chain(taken).chain(run).collect()
        }
    };
    let replaces = Span { file: FileId::default(), start, end };
    Some(Candidates { replaces, all: distinct(all) })
}

/// The keys that a map may have beside those that it has.
fn of_key(spot: &PlanSpot<'_>, spots: &Spots<'_>) -> Vec<Candidate> {
    let Some(map) = spots.parent(spot) else { return Vec::new() };
    let own = match map.part {
        SpotPart::Holder(node) => node.map().unwrap_or_default(),
        _ => &[],
    };
    if let Some(settings) = settings::of_map(map, spots) {
        let all = settings.all().into_iter();
        return all
            .filter(|(name, _)| own.iter().all(|entry| entry.key.value != *name))
            .map(|(name, doc)| Candidate {
                label: name.to_owned(),
                insert: format!("{name}: "),
                kind: CandidateKind::Setting,
                detail: String::new(),
                doc,
            })
            .collect();
    }
    let keys = keys(&map.forms, own);
    let numbers = map.forms.key_names() == Some("broker");
    let brokers = if numbers { brokers(spots) } else { Vec::new() };
    keys.into_iter()
        .chain(
            brokers
                .into_iter()
                .map(|broker| Candidate { insert: format!("{}: ", broker.label), ..broker }),
        )
        .collect()
}

/// The keys of forms, without those of a map's entries. A step has one verb.
fn keys(forms: &Forms, own: &[Entry]) -> Vec<Candidate> {
    let has_verb = own.iter().any(|entry| Verb::known(&entry.key).is_some());
    let names = own.iter().map(|entry| entry.key.as_str());
    let names: Vec<&str> = names.filter(|name| !name.contains(MARK)).collect();
    let all = forms.keys_beside(&names).into_iter();
    let all = all.filter(|(key, _)| !(forms.is_step() && has_verb && Verb::known(key).is_some()));
    let required = forms.required();
    let mut found: Vec<Candidate> = all
        .map(|(key, value)| {
            let is_word = value.word() == Some(key);
            Candidate {
                label: key.to_owned(),
                insert: format!("{key}: "),
                kind: if is_word { CandidateKind::Word } else { CandidateKind::Argument },
                detail: detail(key, &value, &required),
                doc: pages::of_key(key, &value),
            }
        })
        .collect();
    // Required keys are offered first.
    found.sort_by_key(|candidate| !required.contains(&candidate.label.as_str()));
    found
}

fn detail(key: &str, value: &Forms, required: &[&str]) -> String {
    match value.default_text() {
        _ if required.contains(&key) => "required".to_owned(),
        Some(default) => format!("default {default}"),
        None => String::new(),
    }
}

/// The values that a scalar may have, and the keys of the map that may stand there instead.
fn of_value(
    files: &[&EditorFile],
    spot: &PlanSpot<'_>,
    spots: &Spots<'_>,
    text: &str,
) -> Vec<Candidate> {
    let around = spots.parent(spot);
    if let Some(found) = around.and_then(|map| setting_values(spot, map, spots)) {
        return found;
    }
    let words = spot.forms.words().into_iter().map(|(word, meaning)| Candidate {
        label: word.to_owned(),
        insert: word.to_owned(),
        kind: if Verb::known(word).is_some() { CandidateKind::Word } else { CandidateKind::Value },
        detail: String::new(),
        doc: meaning.map(str::to_owned).unwrap_or_else(|| pages::of_word(word).unwrap_or_default()),
    });
    let mut all: Vec<Candidate> = words.collect();
    all.extend(spot.forms.names().map(|what| names(files, what, spots)).unwrap_or_default());
    all.extend(spot.forms.examples().into_iter().map(|example| Candidate {
        label: example.to_owned(),
        insert: example.to_owned(),
        kind: CandidateKind::Value,
        detail: String::new(),
        doc: String::new(),
    }));
    // On a line of its own a map may begin without braces.
    let own_line = text[..spot.span.start as usize].rsplit('\n').next().unwrap_or_default();
    let alone = own_line.trim_matches([' ', '-']).is_empty();
    for candidate in keys(&spot.forms, &[]) {
        let known = all.iter().position(|other| other.label == candidate.label);
        // A step that needs no arguments is offered as a bare word.
        if known.is_none() {
            let insert = match alone {
                true => candidate.insert.clone(),
                false => format!("{{ {}: }}", candidate.label),
            };
            all.push(Candidate { insert, ..candidate });
        }
    }
    all
}

/// The values of a setting.
fn setting_values(
    spot: &PlanSpot<'_>,
    map: &PlanSpot<'_>,
    spots: &Spots<'_>,
) -> Option<Vec<Candidate>> {
    let settings = settings::of_map(map, spots)?;
    let values = settings.values(spot.key).into_iter();
    let doc = settings.page(spot.key).unwrap_or_default();
    Some(
        values
            .map(|value| Candidate {
                label: value.clone(),
                insert: value,
                kind: CandidateKind::Value,
                detail: String::new(),
                doc: doc.clone(),
            })
            .collect(),
    )
}
