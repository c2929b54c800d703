//! The parts of the JSON Schema of plans (draft 07), made from the declarations that also read plans.

use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

/// The schema of a value that may also be a template.
pub(crate) fn or_template(schema: Schema) -> Schema {
    if takes_any_text(schema.as_value()) {
        return schema;
    }
    let template = json!({ "type": "string", "pattern": "\\{\\{" });
    match schema.as_value().get("anyOf").and_then(Value::as_array) {
        Some(forms) if schema.as_value().as_object().is_some_and(|o| o.len() == 1) => {
            let mut forms = forms.clone();
            forms.push(template);
            json_schema!({ "anyOf": forms })
        }
        _ => json_schema!({ "anyOf": [schema, template] }),
    }
}

/// True if the schema accepts every text or every value.
fn takes_any_text(schema: &Value) -> bool {
    let Some(object) = schema.as_object() else { return true };
    let text =
        |v: &Value| v == "string" || v.as_array().is_some_and(|a| a.contains(&json!("string")));
    object.is_empty()
        || (object.get("type").is_some_and(text) && !object.contains_key("pattern"))
        || object.contains_key("$ref")
}

/// What the editor's part of this crate needs to know of a value, beside the schema that is published.
pub(crate) mod note {
    /// What the value names: `topic`, `client`, or what else has names.
    pub(crate) const NAMES: &str = "x-names";
    /// The meaning of each word that the value may be.
    pub(crate) const MEANINGS: &str = "x-meanings";
    /// The value is a map of settings.
    pub(crate) const SETTINGS: &str = "x-settings";
    /// The declared word whose arguments these are.
    pub(crate) const WORD: &str = "x-word";

    /// The schema without these notes.
    pub(crate) fn removed(mut schema: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match &mut schema {
            Value::Object(map) => {
                map.retain(|key, _| !key.starts_with("x-"));
                map.values_mut().for_each(|inner| *inner = removed(inner.take()));
            }
            Value::Array(all) => all.iter_mut().for_each(|inner| *inner = removed(inner.take())),
            _ => {}
        }
        schema
    }
}

/// The schema of a value that names something.
pub(crate) fn naming(mut schema: Schema, what: &str) -> Schema {
    schema.insert(note::NAMES.to_owned(), what.into());
    schema
}

/// A property with its text and default.
pub(crate) fn described(schema: Schema, doc: &str, default: Option<&str>) -> Schema {
    let mut schema = or_template(schema);
    if schema.as_value().get("$ref").is_some() {
        // Draft 07 ignores all keywords beside a reference.
        schema = json_schema!({ "allOf": [schema] });
    }
    let text = doc.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned();
    schema.insert("description".to_owned(), text.into());
    if let Some(default) = default {
        schema.insert("default".to_owned(), default_value(default));
    }
    schema
}

/// A default as a JSON value of its type.
fn default_value(text: &str) -> Value {
    match (text.parse::<u64>(), text) {
        (Ok(number), _) => number.into(),
        (_, "true") => true.into(),
        (_, "false") => false.into(),
        _ => text.into(),
    }
}

/// The schema of a word's argument: the map, the short form, nothing.
pub(crate) fn word(
    properties: Vec<(&'static str, Schema)>,
    required: Vec<&str>,
    short: Option<Schema>,
) -> Schema {
    let names: Map<String, Value> =
        properties.into_iter().map(|(key, schema)| (key.to_owned(), schema.to_value())).collect();
    let mut object = json!({
        "type": "object",
        "properties": names,
        "additionalProperties": false,
    });
    let bare = required.is_empty();
    if !bare {
        object["required"] = json!(required);
    }
    let mut forms = vec![object];
    if let Some(mut short) = short {
        short.remove("description");
        short.remove("default");
        forms.insert(0, short.to_value());
    }
    if bare {
        forms.push(json!({ "type": "null" }));
    }
    if forms.len() == 1 {
        Schema::try_from(forms.remove(0)).unwrap_or_default()
    } else {
        json_schema!({ "anyOf": forms })
    }
}

/// The schema of a word's argument with its manual text.
pub(crate) fn argument(doc: &str, schema: Schema) -> Schema {
    let mut schema = if schema.as_value().get("$ref").is_some() {
        json_schema!({ "allOf": [schema] })
    } else {
        schema
    };
    schema.insert("description".to_owned(), doc.trim().into());
    schema
}
