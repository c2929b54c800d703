//! Every key and value of a document, with what may stand at its place.

use crate::check::word_of_defaults;
use crate::document::{Kind, Node, Scalar};
use crate::forms::Forms;
use crate::source::Span;
use crate::steps::Verb;

/// A key or a value of a document.
#[derive(Debug, Clone)]
pub(crate) struct PlanSpot<'d> {
    /// Its place.
    pub span: Span,
    /// What it is.
    pub part: SpotPart<'d>,
    /// What may stand here; for a key, as its value.
    pub forms: Forms,
    /// The spot that contains it: its map or list.
    pub parent: Option<usize>,
    /// The key to which it belongs: itself, or the one whose value it is in.
    pub key: &'d str,
    /// The step's verb around it.
    pub verb: Option<&'static str>,
}

/// What a spot is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SpotPart<'d> {
    /// A key, with its value.
    Key(&'d str, &'d Node),
    /// A single value.
    Scalar(&'d Scalar),
    /// A list or map.
    Holder(&'d Node),
}

/// All spots of a document, each behind the one that contains it.
#[derive(Debug, Default)]
pub(crate) struct Spots<'d>(Vec<PlanSpot<'d>>);

impl<'d> Spots<'d> {
    /// The spots of a document.
    pub(crate) fn of(root: &'d Node) -> Self {
        let mut all = Self::default();
        let around = SpotAround { parent: None, key: "", verb: None };
        all.add(root, Forms::of_file(), around);
        all
    }

    /// All of them.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, PlanSpot<'d>> {
        self.0.iter()
    }

    /// The spot that contains another one.
    pub(crate) fn parent(&self, spot: &PlanSpot<'d>) -> Option<&PlanSpot<'d>> {
        spot.parent.and_then(|parent| self.0.get(parent))
    }

    /// The innermost key or scalar at a byte.
    pub(crate) fn at(&self, byte: u32) -> Option<&PlanSpot<'d>> {
        let holds = |spot: &&PlanSpot<'d>| {
            let leaf = !matches!(spot.part, SpotPart::Holder(_));
            leaf && spot.span.start <= byte && byte <= spot.span.end
        };
        self.0.iter().rev().find(holds)
    }

    fn add(&mut self, node: &'d Node, forms: Forms, around: SpotAround<'d>) {
        let SpotAround { parent, key, verb } = around;
        let index = self.0.len();
        let part = match &node.kind {
            Kind::Scalar(scalar) => SpotPart::Scalar(scalar),
            _ => SpotPart::Holder(node),
        };
        self.0.push(PlanSpot { span: node.span, part, forms: forms.clone(), parent, key, verb });
        let inside = SpotAround { parent: Some(index), key, verb };
        match &node.kind {
            Kind::Scalar(_) => {}
            Kind::Seq(nodes) => {
                let item = forms.item().unwrap_or_default();
                nodes.iter().for_each(|node| self.add(node, item.clone(), inside));
            }
            Kind::Map(entries) => {
                for entry in entries {
                    let key = entry.key.as_str();
                    let value = forms.key(key).unwrap_or_default();
                    let verb = match value.word().and_then(Verb::known) {
                        Some(info) if info.word == key => Some(info.word),
                        _ if around.key == "defaults" => {
                            word_of_defaults(key).map(|info| info.word).or(verb)
                        }
                        _ => verb,
                    };
                    let part = SpotPart::Key(key, &entry.value);
                    let inside = SpotAround { parent: Some(index), key, verb };
                    let span = entry.key.span;
                    self.0.push(PlanSpot {
                        span,
                        part,
                        forms: value.clone(),
                        parent: Some(index),
                        key,
                        verb,
                    });
                    // The place of a value that was not written is its key's.
                    if entry.value.span != span {
                        self.add(&entry.value, value, inside);
                    }
                }
            }
        }
    }
}

/// What is known around a value.
#[derive(Debug, Clone, Copy)]
struct SpotAround<'d> {
    parent: Option<usize>,
    key: &'d str,
    verb: Option<&'static str>,
}
