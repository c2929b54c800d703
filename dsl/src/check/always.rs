//! `always`: rules, conditions that must hold all the time.

use crate::args::args;
use crate::conditions::{Condition, Conditions};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Kind, Node};
use crate::plan::Always;
use crate::read::Reader;
use crate::source::Spanned;
use crate::value::StepName;

args! {
    /// Conditions that must hold all the time, or from one step to another.
    ///
    /// A rule holds only if everything that it covers was judged. A condition about a moment, such as
    /// `brokers_alive`, is covered from the first check that could be judged (with `from`: from the end of that
    /// step); if a later check proves nothing or cannot be made, the rule is inconclusive, and the report shows the
    /// reason and the time. A condition that each check judges again from the beginning, such as `lost`, must be
    /// judged by the last check, which also requires that messages were sent while each fault was in effect. A rule
    /// whose conditions are always true judges nothing. A rule whose `from` or `to` step does not run never holds:
    /// it is inconclusive; if its `to` does not run, it is watched until the steps have ended.
    #[example("{ that: [{ brokers_alive: 2 }], from: outage, to: recovery }")]
    #[example("{ that: [{ progressing: { client: P, within: 30s } }], from: outage, to: recovery }")]
    pub struct AlwaysArgs("always") short "that" {
        /// The conditions, which must all hold.
        that: Conditions,
        /// The name of the step from whose end the rule applies.
        from: Option<Spanned<StepName>>,
        /// The name of the step until whose start the rule applies.
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
