//! The JSON Schema (draft 07) of a whole file, plan or fragment.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::args::WordInfo;
use crate::check::{AlwaysArgs, KEYS};
use crate::conditions::Condition;
use crate::document::{Node, json_of};
use crate::facts::Kind;
use crate::params::ParamArgs;
use crate::read::FromNode;
use crate::schema::{argument, described, note, or_template};
use crate::steps::{COMMON, StartCluster, StartConsumer, StartProducer, Verb};
use crate::value::{
    CaptureName, ExpectedError, Expression, External, ProgramArgs, StepName, text_schema,
};

/// The JSON Schema (draft 07) of plans and fragments.
///
/// Every value may also be a template. One object has every verb as a property, because editors complete and
/// explain it better than alternatives. The checker, not the schema, ensures that a step has exactly one verb.
pub fn plan_schema() -> Value {
    note::removed(noted_schema())
}

/// The schema with the notes that editors need.
pub(crate) fn noted_schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let step = step(&mut generator);
    let always = always(&mut generator);
    let properties = properties(&mut generator, &always);
    let mut definitions = generator.take_definitions(true);
    definitions.insert("step".to_owned(), step);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "kplan plan",
        "description": "A resilience plan for Kafka, or a fragment that plans include.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "if": { "required": ["fragment"] },
        "then": { "required": ["fragment"] },
        "else": { "required": ["plan", "name", "steps"] },
        "definitions": definitions,
    })
}

/// The schema as the text of its file.
pub fn plan_schema_text() -> String {
    format!("{:#}\n", plan_schema())
}

fn properties(generator: &mut SchemaGenerator, always: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    for (key, doc) in KEYS {
        let mut schema = match key {
            "plan" => json!({ "enum": ["v1"] }),
            "params" => params(generator),
            "matrix" => matrix(),
            "defaults" => defaults(generator),
            "clients" => clients(generator),
            "external" => External::schema(generator).to_value(),
            "steps" | "finally" => {
                json!({ "type": "array", "items": { "$ref": "#/definitions/step" } })
            }
            "always" => always.clone(),
            "tags" => json!({ "type": "array", "items": text_schema() }),
            "timeout" => {
                described(std::time::Duration::schema(generator), doc, Some("30m")).to_value()
            }
            _ => text_schema().to_value(),
        };
        schema["description"] = doc.into();
        all.insert(key.to_owned(), schema);
    }
    let fragment = "The version of the language, in a file that plans include: `v1`.";
    all.insert("fragment".to_owned(), json!({ "enum": ["v1"], "description": fragment }));
    all
}

fn params(generator: &mut SchemaGenerator) -> Value {
    let full = ParamArgs::schema(generator);
    json!({
        "type": ["object", "null"],
        "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
        "additionalProperties": { "anyOf": [
            { "type": ["string", "number", "boolean", "array"] },
            full,
        ] },
    })
}

fn clients(generator: &mut SchemaGenerator) -> Value {
    let one = ProgramArgs::schema(generator);
    json!({ "type": "object", "additionalProperties": one })
}

fn matrix() -> Value {
    let cells = json!({ "type": "array", "items": { "type": "object", "minProperties": 1 } });
    json!({
        "type": "object",
        "properties": { "include": cells, "exclude": cells },
        "additionalProperties": { "type": "array", "minItems": 1 },
    })
}

/// The arguments of the words that have defaults, none of them required.
fn defaults(generator: &mut SchemaGenerator) -> Value {
    let mut all = Map::new();
    for (key, mut schema) in [
        ("producer", StartProducer::schema(generator).to_value()),
        ("consumer", StartConsumer::schema(generator).to_value()),
        ("cluster", StartCluster::schema(generator).to_value()),
    ] {
        // The form of the argument that is a map.
        let forms = schema.get("anyOf").and_then(Value::as_array).cloned().unwrap_or_default();
        if let Some(map) = forms.into_iter().find(|f| f.get("properties").is_some()) {
            schema = map;
        }
        if let Some(object) = schema.as_object_mut() {
            object.remove("required");
        }
        all.insert(key.to_owned(), schema);
    }
    json!({ "type": "object", "properties": all, "additionalProperties": false })
}

fn always(generator: &mut SchemaGenerator) -> Value {
    let condition = Condition::schema(generator);
    let between = AlwaysArgs::schema(generator);
    let map = between.as_value().get("anyOf").and_then(Value::as_array);
    let map = map.and_then(|f| f.iter().find(|f| f.get("properties").is_some()).cloned());
    let map = map.unwrap_or_else(|| between.to_value());
    json!({ "anyOf": [
        { "type": "array", "items": { "anyOf": [condition, map] } },
        map,
    ] })
}

fn step(generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    let mut snippets = Vec::new();
    let mut bare = Vec::new();
    for (info, schema) in Verb::schemas(generator) {
        let holds_steps = Verb::facts_of(info.word).is_some_and(|f| f.kind == Kind::Flow);
        let alone = (info.fields)().iter().all(|f| !f.required) && !holds_steps;
        if alone && info.short.is_none() {
            bare.push(info.word);
        }
        snippets.extend(info.examples.iter().filter_map(|e| snippet(info, e)));
        let mut schema = argument(info.doc, schema).to_value();
        let examples: Vec<Value> = info.examples.iter().filter_map(|e| value_of(info, e)).collect();
        schema["examples"] = examples.into();
        schema[note::WORD] = info.word.into();
        properties.insert(info.word.to_owned(), schema);
    }
    for (key, doc) in COMMON {
        properties.insert(key.to_owned(), common(generator, key, doc).to_value());
    }
    json!({
        "description": "One step: exactly one verb, and the keys that every step may have.",
        "type": ["object", "string"],
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
        "if": { "type": "string" },
        "then": { "anyOf": [{ "enum": bare }, { "pattern": "\\{\\{" }] },
        "defaultSnippets": snippets,
    })
}

fn common(generator: &mut SchemaGenerator, key: &str, doc: &str) -> Schema {
    let schema = match key {
        "timeout" => std::time::Duration::schema(generator),
        "optional" => bool::schema(generator),
        "when" => Expression::schema(generator),
        "expect_error" => or_template(ExpectedError::schema(generator)),
        "name" => StepName::schema(generator),
        "capture" => CaptureName::schema(generator),
        _ => String::schema(generator),
    };
    described(schema, doc, None)
}

/// An example as an editor inserts it.
fn snippet(info: &WordInfo, example: &str) -> Option<Value> {
    let node = parsed(example)?;
    let body = json_of(&node);
    Some(json!({ "label": example, "description": info.summary(), "body": body }))
}

/// The argument in an example of a word.
fn value_of(info: &WordInfo, example: &str) -> Option<Value> {
    parsed(example)?.get(info.word).map(json_of)
}

fn parsed(text: &str) -> Option<Node> {
    crate::document::parse(text, crate::FileId::default(), &crate::document::Limits::default()).ok()
}
