//! Bounds of conditions: `is` (short: the bare value), `at_most`, `at_least`, `between`.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::args::{FieldGroup, FieldInfo, Weight};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Node;
use crate::meaning::{GroupMeaning, Meaning, put};
use crate::read::{FromNode, MapReader, Reader};
use crate::schema::{described, or_template};

/// A type of values that can be bounded.
pub trait Amount: FromNode + Copy + PartialOrd + std::fmt::Debug {
    /// The least and the greatest possible value.
    const RANGE: (Self, Self);

    /// The text of a value, as in a plan.
    fn text(self) -> String;
}

impl Amount for u64 {
    const RANGE: (Self, Self) = (Self::MIN, Self::MAX);

    fn text(self) -> String {
        self.to_string()
    }
}

impl Amount for Duration {
    const RANGE: (Self, Self) = (Self::ZERO, Self::MAX);

    fn text(self) -> String {
        super::duration_text(self)
    }
}

/// A bound of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound<T> {
    /// Exactly this value.
    Is(T),
    /// This value or less.
    AtMost(T),
    /// This value or more.
    AtLeast(T),
    /// Between these values, both included.
    Between(T, T),
}

impl<T: Amount> Bound<T> {
    /// True if the value is within the bound.
    pub fn holds(&self, value: T) -> bool {
        match *self {
            Self::Is(n) => value == n,
            Self::AtMost(n) => value <= n,
            Self::AtLeast(n) => value >= n,
            Self::Between(low, high) => low <= value && value <= high,
        }
    }

    /// True if every possible value is within the bound, so that the bound judges nothing.
    pub fn always_holds(&self) -> bool {
        let (least, greatest) = T::RANGE;
        match *self {
            Self::Is(_) => false,
            Self::AtMost(n) => n >= greatest,
            Self::AtLeast(n) => n <= least,
            Self::Between(low, high) => low <= least && high >= greatest,
        }
    }

    /// The least value that is within the bound, if it has one.
    pub const fn least(&self) -> Option<T> {
        match *self {
            Self::Is(n) | Self::AtLeast(n) | Self::Between(n, _) => Some(n),
            Self::AtMost(_) => None,
        }
    }

    /// The greatest value that is within the bound, if it has one.
    pub const fn most(&self) -> Option<T> {
        match *self {
            Self::Is(n) | Self::AtMost(n) | Self::Between(_, n) => Some(n),
            Self::AtLeast(_) => None,
        }
    }
}

impl Bound<u64> {
    /// True if the noun after it is singular: `at least 1 message`.
    pub const fn is_of_one(&self) -> bool {
        let (Self::Is(n) | Self::AtMost(n) | Self::AtLeast(n) | Self::Between(_, n)) = *self;
        n == 1
    }

    /// The bound with its noun: `3 messages`, `at least 1 message`.
    pub fn of(&self, one: &str) -> String {
        format!("{self} {one}{}", if self.is_of_one() { "" } else { "s" })
    }
}

impl<T: Amount> std::fmt::Display for Bound<T> {
    /// The bound as part of a sentence: `3`, `at most 60s`, `between 1 and 3`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Is(n) => f.write_str(&n.text()),
            Self::AtMost(n) => write!(f, "at most {}", n.text()),
            Self::AtLeast(n) => write!(f, "at least {}", n.text()),
            Self::Between(low, high) => write!(f, "between {} and {}", low.text(), high.text()),
        }
    }
}

pub(crate) const KEYS: &[&str] = &["is", "at_most", "at_least", "between"];
const DOCS: [&str; 4] = [
    "Exactly this value. A bare value means the same.",
    "This value or less.",
    "This value or more.",
    "A list of two values: at least the first and at most the second.",
];

/// The bound in the keys of a condition; `None` if there is none.
pub type BoundGroup<T> = Option<Bound<T>>;

impl<T: Amount> FieldGroup for Option<Bound<T>> {
    const KEYS: &'static [&'static str] = KEYS;

    fn from_fields(map: &mut MapReader<'_>, reader: &mut Reader) -> Option<Self> {
        let given: Vec<&'static str> = KEYS.iter().copied().filter(|k| map.has(k)).collect();
        let before = reader.mistakes();
        let is: Option<Option<T>> = map.field("is", reader);
        let at_most: Option<Option<T>> = map.field("at_most", reader);
        let at_least: Option<Option<T>> = map.field("at_least", reader);
        let between: Option<Option<Vec<T>>> = map.field("between", reader);
        if given.len() > 1 {
            let message =
                format!("a condition takes one bound, but this one has {}", given.join(" and "));
            let both = given.as_slice() == ["at_most", "at_least"];
            let help = if both { "write `between: [low, high]`" } else { "remove all but one" };
            let span = map.span_of(given[1]);
            reader.push(Diagnostic::new(Code::E016, span, message).help(help));
        }
        let pair = match between? {
            Some(pair) => Some(two(&pair, map.span_of("between"), reader)?),
            None => None,
        };
        let (is, at_most, at_least) = (is?, at_most?, at_least?);
        if reader.mistakes() > before {
            return None;
        }
        let bound =
            is.map(Bound::Is).or(at_most.map(Bound::AtMost)).or(at_least.map(Bound::AtLeast));
        Some(bound.or(pair))
    }

    fn fields() -> Vec<FieldInfo> {
        let info = |(key, doc): (&&'static str, &'static str)| FieldInfo {
            key,
            doc,
            default: None,
            expects: if *key == "between" { "a list of two" } else { T::EXPECTS },
            required: false,
            weight: Weight::Neutral,
        };
        KEYS.iter().zip(DOCS).map(info).collect()
    }

    fn properties(generator: &mut SchemaGenerator) -> Vec<(&'static str, Schema)> {
        let one = T::schema(generator);
        let leaf = or_template(one.clone());
        let pair = json_schema!({ "type": "array", "items": leaf, "minItems": 2, "maxItems": 2 });
        let schemas = [one.clone(), one.clone(), one, pair];
        let documented = KEYS.iter().zip(schemas).zip(DOCS);
        documented.map(|((key, schema), doc)| (*key, described(schema, doc, None))).collect()
    }
}

fn two<T: Amount>(pair: &[T], span: crate::Span, reader: &mut Reader) -> Option<Bound<T>> {
    match pair {
        [low, high] if low <= high => Some(Bound::Between(*low, *high)),
        [low, high] => {
            let message = format!(
                "no value is between {} and {}: the first is greater",
                low.text(),
                high.text()
            );
            let help = format!("write `between: [{}, {}]`", high.text(), low.text());
            reader.push(Diagnostic::new(Code::E015, span, message).help(help));
            None
        }
        _ => {
            let message = format!("`between` takes two values, not {}", pair.len());
            reader.push(Diagnostic::new(Code::E015, span, message));
            None
        }
    }
}

impl<T: Amount> FromNode for Bound<T> {
    const EXPECTS: &'static str = "a value, or a bound such as `{at_most: ...}`";
    const MAP_KEYS: &'static [&'static str] = KEYS;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        if node.map().is_none() {
            return reader.read(node).map(Self::Is);
        }
        let shape =
            crate::read::Shape { word: "a bound", keys: KEYS, short: None, short_keys: &[] };
        let mut map = reader.open(node, &shape, None)?;
        let bound = Option::<Self>::from_fields(&mut map, reader);
        let mistakes = reader.mistakes();
        map.finish(reader);
        let bound = bound?;
        if bound.is_none() && reader.mistakes() == mistakes {
            let message = "a bound needs `is`, `at_most`, `at_least` or `between`";
            reader.push(Diagnostic::new(Code::E016, node.span, message));
        }
        bound
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let one = T::schema(generator);
        let properties: Map<_, _> = Option::<Self>::properties(generator)
            .into_iter()
            .map(|(key, schema)| (key.to_owned(), schema.to_value()))
            .collect();
        json_schema!({ "anyOf": [
            one,
            {
                "type": "object",
                "properties": properties,
                "additionalProperties": false,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ] })
    }
}

impl<T: Amount + Meaning> GroupMeaning for Option<Bound<T>> {
    fn add_to(&self, map: &mut Map<String, Value>) {
        match self {
            None => {}
            Some(Bound::Is(n)) => put(map, "is", n.meaning()),
            Some(Bound::AtMost(n)) => put(map, "at_most", n.meaning()),
            Some(Bound::AtLeast(n)) => put(map, "at_least", n.meaning()),
            Some(Bound::Between(a, b)) => {
                put(map, "between", vec![a.meaning(), b.meaning()].into())
            }
        }
    }
}

impl<T: Amount + Meaning> Meaning for Bound<T> {
    fn meaning(&self) -> Value {
        let mut map = Map::new();
        Some(*self).add_to(&mut map);
        Value::Object(map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_named_in_the_singular_whatever_the_bound() {
        let all = [Bound::Is(1), Bound::AtMost(1), Bound::AtLeast(1), Bound::Between(0, 1)];
        for bound in all {
            assert!(bound.of("message").ends_with("1 message"), "{bound}");
        }
        for bound in [Bound::Is(0), Bound::AtMost(2), Bound::AtLeast(0), Bound::Between(1, 2)] {
            assert!(bound.of("message").ends_with(" messages"), "{bound}");
        }
    }

    #[test]
    fn a_bound_that_nothing_can_break_is_known() {
        assert!(Bound::AtLeast(0_u64).always_holds());
        assert!(Bound::AtMost(u64::MAX).always_holds());
        assert!(Bound::Between(0, u64::MAX).always_holds());
        assert!(Bound::AtLeast(Duration::ZERO).always_holds());
        for bound in [Bound::Is(0_u64), Bound::AtLeast(1), Bound::AtMost(0), Bound::Between(0, 9)] {
            assert!(!bound.always_holds(), "{bound}");
        }
    }

    #[test]
    fn bounds_include_their_ends() {
        assert!(Bound::Between(1_u64, 3).holds(1) && Bound::Between(1_u64, 3).holds(3));
        assert!(!Bound::Between(1_u64, 3).holds(4) && !Bound::Between(1_u64, 3).holds(0));
        assert!(Bound::AtMost(2_u64).holds(2) && !Bound::AtMost(2_u64).holds(3));
        assert!(Bound::AtLeast(2_u64).holds(2) && !Bound::AtLeast(2_u64).holds(1));
        assert!(Bound::Is(0_u64).holds(0) && !Bound::Is(0_u64).holds(1));
        assert_eq!(Bound::AtMost(Duration::from_secs(90)).to_string(), "at most 1m30s");
    }
}
