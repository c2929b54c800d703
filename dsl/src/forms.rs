//! What may stand at a place of a plan: the alternatives of the schema that the declarations of words make.

use std::sync::LazyLock;

use serde_json::Value;

use crate::publish::noted_schema;
use crate::schema::note;

static SCHEMA: LazyLock<Value> = LazyLock::new(noted_schema);

/// The deepest chain of references and alternatives.
const DEEPEST: usize = 12;

/// The alternatives for one value, with what is said about it as a whole first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Forms(Vec<&'static Value>);

impl Forms {
    /// The forms of a whole file.
    pub(crate) fn of_file() -> Self {
        Self::of(&SCHEMA)
    }

    /// The forms of the argument of a step or condition.
    pub(crate) fn of_word(kind: &str, word: &str) -> Option<Self> {
        SCHEMA.pointer(&format!("/definitions/{kind}")).map(Self::of)?.key(word)
    }

    fn of(schema: &'static Value) -> Self {
        let mut all = Self::default();
        all.add(schema, 0);
        all
    }

    fn add(&mut self, schema: &'static Value, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
            let meant = SCHEMA.pointer(pointer.trim_start_matches('#'));
            meant.into_iter().for_each(|meant| self.add(meant, depth + 1));
            return;
        }
        self.0.push(schema);
        for key in ["anyOf", "allOf"] {
            let inner = schema.get(key).and_then(Value::as_array);
            inner.into_iter().flatten().for_each(|inner| self.add(inner, depth + 1));
        }
        schema.get("then").into_iter().for_each(|inner| self.add(inner, depth + 1));
    }

    fn union(found: impl Iterator<Item = &'static Value>) -> Option<Self> {
        let mut all = Self::default();
        found.for_each(|schema| all.add(schema, 0));
        (!all.0.is_empty()).then_some(all)
    }

    /// The forms of a key's value.
    pub(crate) fn key(&self, key: &str) -> Option<Self> {
        let named = self.0.iter().filter_map(|form| form.get("properties")?.get(key));
        Self::union(named).or_else(|| {
            let other = self.0.iter().filter_map(|form| form.get("additionalProperties"));
            Self::union(other.filter(|other| other.is_object()))
        })
    }

    /// The forms of a list's elements.
    pub(crate) fn item(&self) -> Option<Self> {
        Self::union(self.0.iter().filter_map(|form| form.get("items")))
    }

    /// The keys that a map may have beside those that it has, each once, with the forms of their values. Of several
    /// forms of a map, those count that have the keys which are there.
    pub(crate) fn keys_beside(&self, own: &[&str]) -> Vec<(&'static str, Self)> {
        let maps = || self.0.iter().filter_map(|form| Some((*form, form.get("properties")?)));
        let fits = |keys: &Value| own.iter().all(|key| keys.get(key).is_some());
        let is_full = |form: &Value| {
            let most = form.get("maxProperties").and_then(Value::as_u64);
            most.is_some_and(|most| most <= own.len() as u64)
        };
        let none_fits = !maps().any(|(_, keys)| fits(keys));
        let fitting = maps().filter(|(form, keys)| !is_full(form) && (none_fits || fits(keys)));
        let mut all: Vec<(&'static str, Self)> = Vec::new();
        for (key, _) in fitting.filter_map(|(_, keys)| keys.as_object()).flatten() {
            let there = own.contains(&key.as_str()) || all.iter().any(|(known, _)| known == key);
            all.extend(self.key(key).filter(|_| !there).map(|forms| (key.as_str(), forms)));
        }
        all
    }

    /// The keys that a map must have.
    pub(crate) fn required(&self) -> Vec<&'static str> {
        let lists = self.0.iter().filter_map(|form| form.get("required")?.as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    }

    /// The words that a scalar may be, with their meaning as far as one is declared.
    pub(crate) fn words(&self) -> Vec<(&'static str, Option<&'static str>)> {
        let mut all: Vec<(&'static str, Option<&'static str>)> = Vec::new();
        let truth = self.0.iter().any(|form| form.get("type").is_some_and(|t| t == "boolean"));
        let lists = self.0.iter().filter_map(|form| form.get("enum")?.as_array());
        let listed = lists.flatten().filter_map(Value::as_str);
        for word in listed.chain(["true", "false"].into_iter().filter(|_| truth)) {
            if all.iter().all(|(known, _)| *known != word) {
                all.push((word, self.meaning(word)));
            }
        }
        all
    }

    /// The declared meaning of a word that the value may be.
    pub(crate) fn meaning(&self, word: &str) -> Option<&'static str> {
        self.0.iter().find_map(|form| form.get(note::MEANINGS)?.get(word)?.as_str())
    }

    /// What the value names.
    pub(crate) fn names(&self) -> Option<&'static str> {
        self.0.iter().find_map(|form| form.get(note::NAMES)?.as_str())
    }

    /// What the keys of the map name.
    pub(crate) fn key_names(&self) -> Option<&'static str> {
        self.0.iter().find_map(|form| form.get("propertyNames")?.get(note::NAMES)?.as_str())
    }

    /// True for a map of settings.
    pub(crate) fn is_settings(&self) -> bool {
        self.0.iter().any(|form| form.get(note::SETTINGS).is_some())
    }

    /// The declared word whose arguments these are.
    pub(crate) fn word(&self) -> Option<&'static str> {
        self.0.iter().find_map(|form| form.get(note::WORD)?.as_str())
    }

    /// What is said about the value.
    pub(crate) fn doc(&self) -> Option<&'static str> {
        self.0.iter().find_map(|form| form.get("description")?.as_str())
    }

    /// The default, as it would be written.
    pub(crate) fn default_text(&self) -> Option<String> {
        let default = self.0.iter().find_map(|form| form.get("default"))?;
        Some(default.as_str().map_or_else(|| default.to_string(), str::to_owned))
    }

    /// Values that are good to begin with.
    pub(crate) fn examples(&self) -> Vec<&'static str> {
        let lists = self.0.iter().filter_map(|form| form.get("examples")?.as_array());
        lists.flatten().filter_map(Value::as_str).collect()
    }

    /// True if this may be one step.
    pub(crate) fn is_step(&self) -> bool {
        static STEP: LazyLock<Option<&'static Value>> =
            LazyLock::new(|| SCHEMA.pointer("/definitions/step"));
        STEP.is_some_and(|step| self.0.iter().any(|form| std::ptr::eq(*form, step)))
    }

    /// True if this may be one of the definitions that have pages of their own.
    pub(crate) fn is_defined(&self) -> bool {
        let all = SCHEMA.get("definitions").and_then(Value::as_object);
        let mut all = all.into_iter().flat_map(|all| all.values());
        all.any(|definition| self.0.iter().any(|form| std::ptr::eq(*form, definition)))
    }
}
