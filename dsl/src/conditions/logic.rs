//! `all`, `any`, `not`: conditions made of conditions.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::{Condition, ConditionWord, Conditions, Judgeable, Shows};
use crate::args::WordInfo;
use crate::document::Node;
use crate::facts::{ConditionFacts, Weighs};
use crate::ground::Ground;
use crate::read::{FromNode, Reader};
use crate::source::{Span, Spanned};

macro_rules! logic {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident($word:literal, $example:literal), ($says:literal, $clause:literal), $weighs:expr,
        constant $constant:path, shows $shows:path;
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name(pub Conditions);

        impl $name {
            /// The documentation of the word.
            pub const INFO: WordInfo = WordInfo {
                word: $word,
                doc: concat!($($doc, "\n"),+),
                examples: &[$example],
                fields: Vec::new,
                short: None,
            };
        }

        impl FromNode for $name {
            const EXPECTS: &'static str = "a list of conditions";

            fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
                if $word == "not" && node.map().is_some() {
                    let one: Option<Condition> = reader.read(node);
                    return one.map(|c| Self(Conditions(vec![Spanned::new(c, node.span)])));
                }
                reader.read(node).map(Self)
            }

            fn schema(generator: &mut SchemaGenerator) -> Schema {
                let one = Condition::schema(generator);
                let list = json_schema!({ "type": "array", "items": one, "minItems": 1 });
                if $word == "not" { json_schema!({ "anyOf": [list, one] }) } else { list }
            }
        }

        impl crate::meaning::Meaning for $name {
            fn meaning(&self) -> serde_json::Value {
                self.0.meaning()
            }
        }

        impl crate::args::Arguments for $name {
            fn parts<'p>(&'p self, show: &mut dyn FnMut(&'p dyn std::any::Any)) {
                show(&self.0);
            }
        }

        impl ConditionWord for $name {
            const FACTS: ConditionFacts = ConditionFacts { weighs: $weighs, ..ConditionFacts::NONE };

            fn explain(&self) -> String {
                let all: Vec<String> = self.0.iter().map(|c| c.explain()).collect();
                format!("{} ({})", $says, all.join("; "))
            }

            fn clause(&self) -> String {
                let all: Vec<String> = self.0.iter().map(|c| c.clause()).collect();
                format!("{}: {}", $clause, all.join("; "))
            }

            fn judged(&self) -> Judgeable {
                Judgeable::Plain
            }

            fn constant(&self) -> Option<bool> {
                let known: Vec<Option<bool>> = self.0.iter().map(|c| c.constant()).collect();
                $constant(&known)
            }

            fn constant_help(&self) -> &'static str {
                "write conditions whose result depends on the run, such as `lost: 0`"
            }

            // The conditions in it that must hold are followed separately.
            fn follow(&self, _: Span, _: &mut Ground<'_>) {}

            fn shows(&self, ground: &Ground<'_>) -> Shows {
                let inner: Vec<Shows> = self.0.iter().map(|c| c.shows(ground)).collect();
                $shows(&inner)
            }
        }
    )+};
}

logic! {
    /// All of these conditions hold.
    All("all", "all: [{ lost: 0 }, { phantom: 0 }]"), ("all of", "all of these conditions hold"), Weighs::All,
    constant every, shows nothing;
    /// At least one of these conditions holds.
    Any("any", "any: [{ controller: 1 }, { controller: 2 }]"),
    ("any of", "at least one of these conditions holds"), Weighs::Any,
    constant any, shows nothing;
    /// At least one of these conditions does not hold.
    Not("not", "not: [{ brokers_alive: 3 }]"), ("not", "these conditions do not all hold"), Weighs::Not,
    constant not_every, shows not_so;
}

fn every(known: &[Option<bool>]) -> Option<bool> {
    if known.contains(&Some(false)) {
        return Some(false);
    }
    known.iter().all(|k| *k == Some(true)).then_some(true)
}

fn any(known: &[Option<bool>]) -> Option<bool> {
    if known.contains(&Some(true)) {
        return Some(true);
    }
    known.iter().all(|k| *k == Some(false)).then_some(false)
}

fn not_every(known: &[Option<bool>]) -> Option<bool> {
    every(known).map(|known| !known)
}

const fn nothing(_: &[Shows]) -> Shows {
    Shows::Nothing
}

/// Any fault can stop the progress of clients; only a fault of brokers can keep a broker away.
fn not_so(inner: &[Shows]) -> Shows {
    let clients = |shows: &Shows| matches!(shows, Shows::Work | Shows::Contact);
    if inner.iter().all(clients) {
        Shows::Standstill
    } else if inner.iter().all(|shows| clients(shows) || *shows == Shows::Return) {
        Shows::Damage
    } else {
        Shows::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{Count, Lost};
    use crate::value::Bound;

    fn lost(bound: Bound<u64>) -> Condition {
        Condition::Lost(Lost { count: Count { bound: Some(bound), ..Count::default() } })
    }

    fn list(all: &[Condition]) -> Conditions {
        Conditions(all.iter().map(|c| Spanned::new(c.clone(), Span::default())).collect())
    }

    #[test]
    fn what_nothing_can_break_is_known_through_all_any_and_not() {
        let (sure, open) = (lost(Bound::AtLeast(0)), lost(Bound::Is(0)));
        assert_eq!((sure.constant(), open.constant()), (Some(true), None));
        let all = |inner: &[Condition]| Condition::All(All(list(inner))).constant();
        let some = |inner: &[Condition]| Condition::Any(Any(list(inner))).constant();
        let not = |inner: &[Condition]| Condition::Not(Not(list(inner))).constant();
        assert_eq!(all(&[sure.clone(), sure.clone()]), Some(true));
        assert_eq!(all(&[sure.clone(), open.clone()]), None);
        assert_eq!(some(&[open.clone(), sure.clone()]), Some(true));
        assert_eq!(some(&[open.clone(), open.clone()]), None);
        assert_eq!(not(std::slice::from_ref(&sure)), Some(false));
        assert_eq!(not(&[open]), None);
        let never = Condition::Not(Not(list(&[sure])));
        assert_eq!(not(&[never]), Some(true));
    }

    #[test]
    fn an_expression_without_what_only_the_run_knows_is_known() {
        let text = "plan: v1\nname: x\nsteps:\n  - start_cluster: { brokers: 1 }\n  - assert:\n      \
                    - expr: true\n      - expr: \"{{ 1 > 2 }}\"\n      - expr: \"{{ run.seed > 2 }}\"\n";
        let checked = crate::check_text("p.yaml".as_ref(), text, &crate::Options::default());
        let steps = &checked.suites[0].steps;
        let Some(crate::Verb::Assert(it)) = steps[1].verb() else { panic!("an assert") };
        let known: Vec<Option<bool>> = it.that.iter().map(|c| c.constant()).collect();
        assert_eq!(known, [Some(true), Some(false), None]);
    }
}
