//! The names in a document: where each is made and where it is used.

use super::spots::{PlanSpot, SpotPart, Spots};
use crate::document::{Node, Scalar};
use crate::source::{Source, Span};
use crate::steps::{CreateTopic, Verb};
use crate::template;
use crate::value::{self, BUILT_IN};

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameKind {
    /// A topic.
    Topic,
    /// A producer, consumer, copier or service.
    Client,
    /// A consumer group.
    Group,
    /// A step with a `name`.
    Step,
    /// A user of the cluster.
    User,
    /// A client of another program, of the plan's `clients`.
    Program,
    /// A value in templates: a parameter, a name of the matrix, a capture, an element of `repeat`.
    Value,
}

impl NameKind {
    /// The kind in words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Client => "client",
            Self::Group => "group",
            Self::Step => "step",
            Self::User => "user",
            Self::Program => "client program",
            Self::Value => "value",
        }
    }

    /// Why a text cannot be such a name.
    pub(super) fn refuses(self, text: &str) -> Option<String> {
        if self == Self::Value {
            return value::is_template_name(text).err().map(|wrong| wrong.message);
        }
        let more = if matches!(self, Self::Step | Self::Group) { " " } else { "" };
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c) || more.contains(c);
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let good = begins && text.chars().all(fits) && text.trim() == text && text.len() <= 249;
        (!good).then(|| {
            let also = if more.is_empty() { "" } else { " and spaces" };
            format!(
                "`{text}` cannot be the name of a {}: use letters, digits, `.`, `_`, `-`{also}",
                self.word()
            )
        })
    }
}

/// A name at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameUse {
    /// What it stands for.
    pub kind: NameKind,
    /// The name.
    pub name: String,
    /// Its place, without what is written around it.
    pub span: Span,
    /// True where it is made.
    pub defines: bool,
    /// True for a value that only this file has: a parameter or a name of the matrix.
    pub local: bool,
    /// The file, as written in the plan, whose parameter this is.
    pub of_file: Option<String>,
    /// The number of partitions or members that it has.
    pub extent: Option<u32>,
}

/// All names of a document.
pub(super) fn of(spots: &Spots<'_>, source: &Source) -> Vec<NameUse> {
    let mut all = Vec::new();
    for spot in spots.iter() {
        match spot.part {
            SpotPart::Key(key, _) => of_key(key, spot, spots, &mut all),
            SpotPart::Scalar(scalar) => of_scalar(scalar, spot, spots, source, &mut all),
            SpotPart::Holder(_) => {}
        }
    }
    all
}

fn name(kind: NameKind, name: &str, span: Span) -> NameUse {
    let name = name.to_owned();
    NameUse { kind, name, span, defines: false, local: false, of_file: None, extent: None }
}

fn of_key(key: &str, spot: &PlanSpot<'_>, spots: &Spots<'_>, all: &mut Vec<NameUse>) {
    let Some(map) = spots.parent(spot) else { return };
    let around = spots.parent(map);
    let top = around.is_some_and(|around| around.parent.is_none());
    let made = |kind| NameUse { defines: true, ..name(kind, key, spot.span) };
    match map.key {
        "params" if spot.verb == Some("include") => {
            let file = around.and_then(|around| match around.part {
                SpotPart::Holder(node) => node.get("file").and_then(Node::scalar),
                _ => None,
            });
            let of_file = file.map(|file| file.text.clone());
            all.push(NameUse { of_file, ..name(NameKind::Value, key, spot.span) });
        }
        "params" if top => all.push(NameUse { local: true, ..made(NameKind::Value) }),
        "matrix" if top && !matches!(key, "include" | "exclude") => {
            all.push(NameUse { local: true, ..made(NameKind::Value) });
        }
        "include" | "exclude" if map.verb.is_none() => {
            all.push(NameUse { local: true, ..name(NameKind::Value, key, spot.span) });
        }
        "clients" if top => all.push(made(NameKind::Program)),
        "users" if map.forms.is_settings() => all.push(made(NameKind::User)),
        _ => {}
    }
}

fn of_scalar(
    scalar: &Scalar,
    spot: &PlanSpot<'_>,
    spots: &Spots<'_>,
    source: &Source,
    all: &mut Vec<NameUse>,
) {
    let names = spot.forms.names();
    let text = scalar.text.as_str();
    if scalar.is_template() || names == Some("expression") {
        for (found, range) in template::names(text, names == Some("expression")) {
            let span = source.inside(spot.span, text, range);
            all.push(name(NameKind::Value, found, span));
        }
        return;
    }
    let whole = |kind| name(kind, text, source.inside(spot.span, text, 0..text.len()));
    let part = |kind, end: usize| name(kind, &text[..end], source.inside(spot.span, text, 0..end));
    // What others made is made where the plan says that it exists.
    let map = spots.parent(spot);
    let around = [map, map.and_then(|list| spots.parent(list))];
    let is_external = around.into_iter().flatten().any(|map| map.key == "external");
    let is_name = argument(spot) == Some("name");
    let found = match names {
        Some("topic") => NameUse {
            defines: is_external || is_name && spot.verb == Some(CreateTopic::INFO.word),
            extent: extent(spot, spots, "partitions"),
            ..whole(NameKind::Topic)
        },
        Some("client") => NameUse {
            defines: is_name,
            extent: extent(spot, spots, "members"),
            ..whole(NameKind::Client)
        },
        Some("partition") => match text.rfind('/') {
            Some(slash) => part(NameKind::Topic, slash),
            None => return,
        },
        Some("member") => part(NameKind::Client, text.find('/').unwrap_or(text.len())),
        Some("group") => {
            NameUse { defines: is_external || beside_client(spot, spots), ..whole(NameKind::Group) }
        }
        Some("step") => NameUse { defines: spot.key == "name", ..whole(NameKind::Step) },
        Some("user") => whole(NameKind::User),
        Some("program") if text != BUILT_IN => whole(NameKind::Program),
        Some("value") => NameUse { defines: true, ..whole(NameKind::Value) },
        _ => return,
    };
    if !found.name.is_empty() {
        all.push(found);
    }
}

/// The argument that a scalar sets, also by the short form.
fn argument<'s>(spot: &PlanSpot<'s>) -> Option<&'s str> {
    match spot.verb {
        Some(verb) if verb == spot.key => Verb::known(verb).and_then(|info| info.short),
        _ => Some(spot.key),
    }
}

/// The value of a number beside a name, or its default.
fn extent(spot: &PlanSpot<'_>, spots: &Spots<'_>, key: &str) -> Option<u32> {
    let map = spots.parent(spot)?;
    let written = match map.part {
        SpotPart::Holder(node) => node.get(key).and_then(Node::scalar),
        _ => None,
    };
    match written {
        Some(scalar) => scalar.text.parse().ok(),
        None => map.forms.key(key)?.default_text()?.parse().ok(),
    }
}

/// True for the group of a client that a step starts.
fn beside_client(spot: &PlanSpot<'_>, spots: &Spots<'_>) -> bool {
    let map = spots.parent(spot).filter(|_| spot.key == "group");
    map.and_then(|map| map.forms.key("name")?.names()) == Some("client")
}
