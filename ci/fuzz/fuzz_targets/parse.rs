//! Any bytes as YAML: a tree whose places lie inside the text, or one diagnostic.

#![no_main]

use kplan_dsl::document::{Kind, Limits, Node, parse};
use kplan_dsl::{FileId, json_of};
use libfuzzer_sys::fuzz_target;

fn places_are_inside(node: &Node, text: &str) {
    assert!(text.get(node.span.range()).is_some(), "{:?} is no part of the text", node.span);
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Seq(nodes) => nodes.iter().for_each(|n| places_are_inside(n, text)),
        Kind::Map(entries) => entries.iter().for_each(|e| {
            assert!(text.get(e.key.span.range()).is_some(), "{:?} is no key", e.key.span);
            places_are_inside(&e.value, text);
        }),
    }
}

fuzz_target!(|text: &str| {
    if let Ok(node) = parse(text, FileId::default(), &Limits::default()) {
        places_are_inside(&node, text);
        let _ = json_of(&node);
    }
});
