//! Makes a plan from the document and one combination of the matrix.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use minijinja::Value;

use super::{Check, always, shown_params};
use crate::args::WordInfo;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Entry, Kind, Node};
use crate::follow;
use crate::matrix::Cell;
use crate::params::Declared;
use crate::plan::Plan;
use crate::read::{MapReader, Reader, Shape};
use crate::scope::Scope;
use crate::source::{FileId, Span, Spanned};
use crate::steps::{Finally, StartCluster, StartConsumer, StartProducer, read_steps};
use crate::template;
use crate::value::{External, read_programs};

/// The keys of a plan, with their text for the manual and the schema.
pub(crate) const KEYS: [(&str, &str); 13] = [
    ("plan", "The version of the language: `v1`."),
    ("name", "The plan's name in every report."),
    ("description", "A description of the plan in Markdown, shown by `explain` and in reports."),
    ("tags", "Words by which the command line selects plans."),
    (
        "params",
        "Parameters: values that the command line or the environment can set, with their defaults.",
    ),
    ("matrix", "The plan runs as one suite for each combination of these values."),
    ("timeout", "The time limit of all steps together; `finally` still runs after it."),
    ("defaults", "Default arguments of `start_producer`, `start_consumer` and `start_cluster`."),
    (
        "clients",
        "Clients of other programs, by name: `start_producer` and `start_consumer` start them by `client`.",
    ),
    (
        "external",
        "Topics and groups that programs outside the plan create and use: `topics` and `groups`.",
    ),
    ("steps", "The steps, which run in order."),
    ("always", "Conditions that must hold all the time."),
    ("finally", "Steps that run at the end, whatever happened before."),
];

const NAMES: &[&str] = &[
    "plan",
    "name",
    "description",
    "tags",
    "params",
    "matrix",
    "timeout",
    "defaults",
    "clients",
    "external",
    "steps",
    "always",
    "finally",
];

/// The timeout of a plan that does not set one.
const TIMEOUT: &str = "30m";

impl Check<'_> {
    /// Reads the plan with one combination of the matrix.
    pub(super) fn cell(
        &mut self,
        path: &Path,
        file: FileId,
        document: &Arc<Node>,
        base: &Scope,
        cell: &Cell,
        params: &[(&Declared, Option<&Value>)],
    ) -> Option<Plan> {
        let mut reader = self.reader(base.clone());
        reader.place.files.push(file);
        let mut scope = scope_of(base, cell, params, &mut reader);
        let mut defaults = defaults_of(document, &mut reader);
        if let Some(version) = &self.options.backend.version {
            set_default_version(&mut defaults, version, document.span);
        }
        scope.set_defaults(Arc::new(defaults));
        reader.scope = Arc::new(scope.clone());
        if let Some(node) = document.get("clients") {
            scope.add_programs(read_programs(node, &mut reader));
            reader.scope = Arc::new(scope);
        }
        let mut plan = read_plan(path, document, cell, params, &mut reader);
        self.diagnostics.extend(reader.into_diagnostics());
        if let Some(plan) = &mut plan {
            self.meaning(plan);
        }
        plan
    }

    /// Checks the plan as a whole, beyond its single parts.
    fn meaning(&mut self, plan: &mut Plan) {
        let backend = &self.options.backend;
        self.diagnostics.extend(follow::check_needs(plan, backend));
        self.diagnostics.extend(follow::check_measured(plan, &self.library));
        let (found, existing) = follow::check(plan, backend, &self.library);
        self.diagnostics.extend(found);
        plan.existing = existing;
        self.diagnostics.extend(self.options.pass.run(plan));
    }
}

/// Parameters and matrix values, by their own names and as members of `params` and `matrix`.
pub(super) fn scope_of(
    base: &Scope,
    cell: &Cell,
    params: &[(&Declared, Option<&Value>)],
    reader: &mut Reader,
) -> Scope {
    let mut scope = base.clone();
    let mut all = BTreeMap::new();
    for (declared, value) in params {
        let name = &declared.name.value;
        let in_cell = cell.iter().find(|(k, _)| k.value == *name).map(|(_, v)| v);
        match in_cell.or(*value) {
            Some(value) => {
                if declared.secret {
                    scope.mark_secret(name, template::texts(value));
                }
                all.insert(name.clone(), value.clone());
            }
            None => {
                scope.define_late(name.as_str());
                if declared.broken {
                    continue;
                }
                let message = format!("parameter `{name}` has no value");
                let help = format!("set it with --param {name}=VALUE");
                reader.push(Diagnostic::new(Code::E040, declared.name.span, message).help(help));
            }
        }
    }
    for (key, value) in cell {
        scope.define(key.as_str(), value.clone());
    }
    let pairs = cell.iter().map(|(k, v)| (k.value.clone(), v.clone()));
    scope.define("matrix", template::map(pairs));
    scope.define("params", template::map(all));
    scope
}

/// The step whose default arguments stand under this key of `defaults`.
pub(crate) fn word_of_defaults(key: &str) -> Option<&'static WordInfo> {
    match key {
        "producer" => Some(&StartProducer::INFO),
        "consumer" => Some(&StartConsumer::INFO),
        "cluster" => Some(&StartCluster::INFO),
        _ => None,
    }
}

/// The plan's default arguments by step word.
fn defaults_of(document: &Node, reader: &mut Reader) -> BTreeMap<&'static str, Node> {
    let mut all = BTreeMap::new();
    let Some(defaults) = document.get("defaults") else { return all };
    let Some(entries) = defaults.map() else {
        let message = format!("expected a map, found {}", defaults.describe());
        reader.push(Diagnostic::new(Code::E012, defaults.span, message));
        return all;
    };
    for entry in entries {
        let Some(info) = word_of_defaults(&entry.key) else {
            reader.unknown_key(&entry.key, &["producer", "consumer", "cluster"], "`defaults`");
            continue;
        };
        let known: Vec<&str> = (info.fields)().iter().map(|f| f.key).collect();
        for argument in entry.value.map().unwrap_or_default() {
            if !known.contains(&argument.key.as_str()) {
                reader.unknown_key(&argument.key, &known, &format!("`{}`", info.word));
            }
        }
        if entry.value.map().is_none() {
            let message = format!("expected a map, found {}", entry.value.describe());
            reader.push(Diagnostic::new(Code::E012, entry.value.span, message));
        }
        all.insert(info.word, entry.value.clone());
    }
    all
}

/// Gives clusters without `version` that of an existing cluster.
fn set_default_version(defaults: &mut BTreeMap<&'static str, Node>, version: &str, span: Span) {
    let own = defaults.remove(StartCluster::INFO.word);
    let mut entries = own.as_ref().and_then(Node::map).unwrap_or_default().to_vec();
    if entries.iter().all(|entry| entry.key.value != "version") {
        let key = Spanned::new("version".to_owned(), span);
        entries.push(Entry { key, value: Node::rendered(version.to_owned(), span) });
    }
    defaults.insert(StartCluster::INFO.word, Node { span, kind: Kind::Map(entries) });
}

fn read_plan(
    path: &Path,
    document: &Node,
    cell: &Cell,
    params: &[(&Declared, Option<&Value>)],
    reader: &mut Reader,
) -> Option<Plan> {
    let shape = Shape { word: "plan", keys: NAMES, short: None, short_keys: &[] };
    let mut map = reader.open(document, &shape, None)?;
    for handled in ["plan", "params", "matrix", "defaults", "clients"] {
        map.node(handled);
    }
    let name: Option<Spanned<String>> = early(&mut map, "name", reader);
    if let Some(empty) = name.as_ref().filter(|n| n.trim().is_empty()) {
        reader.push(Diagnostic::new(Code::E015, empty.span, "the plan's name is empty"));
    }
    let description: Option<Option<String>> = map.field("description", reader);
    let tags: Option<Option<Vec<String>>> = map.field("tags", reader);
    let timeout: Option<Spanned<Duration>> = map.field_or("timeout", reader, TIMEOUT);
    reader.must_last("timeout", timeout.as_ref(), None);
    let external: Option<Option<External>> = map.field("external", reader);
    let steps = match map.node("steps") {
        Some(node) => read_steps(node, reader),
        None => {
            let message = "the plan has no `steps`";
            reader.push(Diagnostic::new(Code::E011, map.span(), message));
            None
        }
    };
    let always = map.node("always").map(|node| always::read(node, reader));
    let finally = map.node("finally").map(|node| {
        reader.place.path.push("finally".to_owned());
        let finally = read_steps(node, reader);
        reader.place.path.pop();
        finally
    });
    map.finish(reader);
    let mut finally = finally.unwrap_or_else(|| Some(Vec::new()))?;
    finally.append(&mut reader.take_left::<Finally>().0);
    Some(Plan {
        name: name?,
        path: path.to_owned(),
        cell: cell.iter().map(|(k, v)| (k.value.clone(), template::written(v))).collect(),
        description: description?,
        tags: tags?.unwrap_or_default(),
        params: shown_params(params, cell),
        timeout: timeout?,
        existing: None,
        external: external?,
        steps: steps?,
        always: always.unwrap_or_else(|| Some(Vec::new()))?,
        finally,
        sources: Arc::default(),
        secrets: Arc::default(),
    })
}

/// Reads a key that must be known before the run.
fn early<T: crate::read::FromNode>(
    map: &mut MapReader<'_>,
    key: &'static str,
    reader: &mut Reader,
) -> Option<T> {
    let mistakes = reader.mistakes();
    let value = map.field(key, reader);
    if value.is_none() && reader.mistakes() == mistakes {
        let message = format!("`{key}` must be known before the run starts");
        reader.push(Diagnostic::new(Code::E034, map.span_of(key), message));
    }
    value
}
