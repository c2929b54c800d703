//! ZooKeeper as a target: many faults are for brokers and controllers only.

use crate::source::{Span, Spanned};
use crate::value::Target;

/// The places where a target names ZooKeeper.
pub(super) fn named_by(target: &Spanned<Target>) -> Vec<Span> {
    match &target.value {
        Target::Several(all) => all.iter().flat_map(named_by).collect(),
        Target::AnyOf(inner) => named_by(inner),
        Target::Zookeeper => vec![target.span],
        _ => Vec::new(),
    }
}
