//! Values as text in YAML's form: used by templates inside a text, and in labels of matrix combinations.

use std::collections::BTreeSet;

use minijinja::Value;
use minijinja::value::ValueKind;

/// Whole numbers up to here are exact in a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The value as a plan would write it: `true`, not `True`; `null`, not `None`. The quotient of two whole
/// numbers that is whole is written as one: `{{ seconds / 2 }}s` is `5s`.
pub(crate) fn text(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => String::new(),
        ValueKind::None => "null".to_owned(),
        ValueKind::Bool => value.is_true().to_string(),
        ValueKind::Number => number(value),
        ValueKind::Seq | ValueKind::Iterable => {
            let all = value.try_iter().into_iter().flatten();
            let all: Vec<String> = all.map(|inner| inside(&inner)).collect();
            format!("[{}]", all.join(", "))
        }
        ValueKind::Map => {
            let keys = value.try_iter().into_iter().flatten();
            let pair = |key: Value| {
                let of_key = value.get_item(&key).unwrap_or_default();
                format!("{}: {}", inside(&key), inside(&of_key))
            };
            format!("{{{}}}", keys.map(pair).collect::<Vec<_>>().join(", "))
        }
        _ => value.to_string(),
    }
}

/// The texts and numbers in a value, which make a secret. Booleans cannot be hidden by stars.
pub(crate) fn texts(value: &Value) -> BTreeSet<String> {
    let inner = || value.try_iter().into_iter().flatten();
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => inner().flat_map(|inner| texts(&inner)).collect(),
        ValueKind::Map => {
            let of_key = inner().filter_map(|key| value.get_item(&key).ok());
            of_key.flat_map(|inner| texts(&inner)).collect()
        }
        ValueKind::String | ValueKind::Number => {
            Some(text(value)).filter(|text| !text.is_empty()).into_iter().collect()
        }
        _ => BTreeSet::new(),
    }
}

/// Texts inside a list or map stand in quotes.
fn inside(value: &Value) -> String {
    match value.as_str() {
        Some(inner) => format!("{inner:?}"),
        None => text(value),
    }
}

fn number(value: &Value) -> String {
    match f64::try_from(value.clone()) {
        Ok(float) if !value.is_integer() && float.fract() == 0.0 && float.abs() < EXACT => {
            format!("{float:.0}")
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_yaml_writes_them() {
        let list = Value::from(vec![Value::from(true), Value::from("a"), Value::from(())]);
        let map = Value::from(std::collections::BTreeMap::from([("k", Value::from(false))]));
        let written =
            [Value::from(true), Value::from(2.5), Value::from(5.0), Value::from(7), list, map];
        assert_eq!(
            written.each_ref().map(text),
            ["true", "2.5", "5", "7", "[true, \"a\", null]", "{\"k\": false}"]
        );
        assert_eq!(text(&Value::from("True")), "True");
    }
}
