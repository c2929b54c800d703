//! `always`: conditions that must hold all the time.

use crate::args::args;
use crate::conditions::{Condition, Conditions};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Kind, Node};
use crate::plan::Always;
use crate::read::Reader;
use crate::source::Spanned;
use crate::value::StepName;

args! {
    /// Conditions that must hold from one step to another.
    ///
    /// A rule holds if all that it covers was judged. What is asked of a moment, such as `brokers_alive`,
    /// is covered from the first look that could be judged (with `from`: from the end of that step); a
    /// look after it that proves nothing, or that fails, makes the rule inconclusive, with its reason and
    /// its time. What a later look judges again from the beginning, such as `lost`, must be judged by the
    /// last one, which also asks whether anything was sent while each fault was in effect. A rule whose
    /// conditions are always true judges nothing. One whose `from` or `to` does not run never holds: it is
    /// inconclusive, and without its `to` it is watched until the steps are done.
    #[example("{ that: [{ brokers_alive: 2 }], from: outage, to: recovery }")]
    #[example("{ that: [{ progressing: { client: P, within: 30s } }], from: outage, to: recovery }")]
    pub struct AlwaysArgs("always") short "that" {
        /// What must hold.
        that: Conditions,
        /// From the end of this step, by its name.
        from: Option<Spanned<StepName>>,
        /// Until this step begins, by its name.
        to: Option<Spanned<StepName>>,
    }
}

/// Reads a list of conditions, of which each may be a map with `that`, or one such map.
pub(super) fn read(node: &Node, reader: &mut Reader) -> Option<Vec<Always>> {
    let nodes = match &node.kind {
        Kind::Seq(nodes) => nodes.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let all: Vec<Option<Always>> = nodes.iter().map(|node| one(node, reader)).collect();
    all.into_iter().collect()
}

fn one(node: &Node, reader: &mut Reader) -> Option<Always> {
    let mistakes = reader.mistakes();
    let spanned = node.get("that").is_some();
    let (always, late) = reader.watching_late(|reader| {
        if spanned {
            return reader.read::<AlwaysArgs>(node);
        }
        let condition: Condition = reader.read(node)?;
        let that = Conditions(vec![Spanned::new(condition, node.span)]);
        Some(AlwaysArgs { that, from: None, to: None })
    });
    if late && reader.mistakes() == mistakes {
        let message = "conditions of `always` must be known before the run starts";
        reader.push(Diagnostic::new(Code::E034, node.span, message));
    }
    let AlwaysArgs { that, from, to } = always?;
    that.must_be_judged(reader);
    Some(Always { span: Spanned::new((), node.span), that, from, to })
}
