//! Writes meanings as pieces of a plan, short enough for one line.

use serde_json::Value;

use crate::visible;

/// The longest piece that is shown.
const LONGEST: usize = 160;

/// A meaning as YAML on one line: `{ partition: orders/0, is: 2 }`.
pub(super) fn flow(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    if text.chars().count() > LONGEST {
        let cut: String = text.chars().take(LONGEST).collect();
        return format!("{}...", cut.trim_end());
    }
    text
}

/// A condition as YAML: `lost: 0`.
pub(super) fn condition(word: &str, arguments: &Value) -> String {
    match arguments {
        Value::Object(map) if map.is_empty() => word.to_owned(),
        other => format!("{word}: {}", flow(other)),
    }
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Object(map) if map.len() == 1 && map.contains_key("is") => write(text, &map["is"]),
        Value::Object(map) if map.is_empty() => text.push_str("{}"),
        Value::Object(map) => {
            text.push_str("{ ");
            for (index, (key, value)) in map.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                text.push_str(&visible::one_line(key));
                text.push_str(": ");
                write(text, value);
            }
            text.push_str(" }");
        }
        Value::Array(all) => {
            text.push('[');
            for (index, value) in all.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write(text, value);
            }
            text.push(']');
        }
        Value::String(one) => text.push_str(&visible::one_line(one)),
        other => text.push_str(&other.to_string()),
    }
}
