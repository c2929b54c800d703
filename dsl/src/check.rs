//! Checks a text and makes [`Plan`]s from it, which is the only way to make one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::Value;

use crate::backend::Abilities;
use crate::conditions::Condition;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::Node;
use crate::follow;
use crate::library::{Disk, Files, Library, Loaded};
use crate::matrix::Cell;
use crate::params::{self, Declared};
use crate::plan::{Param, Plan};
use crate::read::Reader;
use crate::scope::{EnvNames, Scope};
use crate::source::{FileId, Source, Sources, Span, Spanned};
use crate::template;
use crate::visible::secret_forms;

mod always;
mod captured;
mod cell;
mod comparisons;
mod part;
mod pin;
mod prepared;
mod secrets;
mod unused;
mod values;

pub(crate) use always::AlwaysArgs;
pub(crate) use cell::{KEYS, word_of_defaults};
pub use part::check_part;
pub use values::{CellValue, template_values};

/// A parameter's value that is set outside the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The parameter.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// Where it was set, for messages: `--param`, `KPLAN_PARAM_ACKS`.
    pub origin: String,
    /// True if the plan need not have this parameter, as for values of the environment.
    pub optional: bool,
}

/// How plans are checked.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the clusters' backend can do.
    pub backend: Abilities,
    /// Values of parameters. Later values override earlier ones.
    pub params: Vec<Override>,
    /// A file with values of parameters, which `params` overrides.
    pub params_file: Option<PathBuf>,
    /// The environment variables that templates may read.
    pub env: EnvNames,
    /// Whether `run` steps are allowed.
    pub allow_run: bool,
    /// Images that plans may name, with `*` for any text; without a list any image.
    pub images: Option<Vec<String>>,
    /// Hosts besides this machine to which plans may send HTTP requests; without a list any host.
    pub http_hosts: Option<Vec<String>>,
    /// The greatest number of brokers of a cluster; without it, the limit of the language.
    pub most_brokers: Option<u32>,
    /// A check that only the program that uses this crate can make.
    pub pass: Pass,
}

/// The result of a check.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The suites, one for each combination of the matrix; none if there is an error.
    pub suites: Vec<Plan>,
    /// All diagnostics, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub sources: Arc<Sources>,
    /// Secrets, which must never be shown: values of secret parameters and of environment variables. The
    /// diagnostics do not contain them.
    pub secrets: BTreeSet<String>,
}

impl Checked {
    /// True if the plan cannot run because of an error.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity() == Severity::Error)
    }
}

/// Checks a file.
pub fn check_file(path: &Path, options: &Options) -> Checked {
    check_with(path, options, Box::new(Disk))
}

/// Checks a file that is read from `files`.
pub fn check_with(path: &Path, options: &Options, files: Box<dyn Files>) -> Checked {
    let library = Arc::new(Library::new(files));
    let loaded = library.load(path, None);
    Check::new(library, options).run(path, loaded)
}

/// Checks a text as if it stood in a file of this path.
pub fn check_text(path: &Path, text: &str, options: &Options) -> Checked {
    let library = Arc::new(Library::new(Box::new(Disk)));
    let loaded = library.add(path, text);
    Check::new(library, options).run(path, loaded)
}

type Tell = dyn Fn(&Plan) -> Vec<Diagnostic> + Send + Sync;

/// An additional pass over each plan, for checks that only the program that uses this crate can make, such as
/// settings that its clients refuse. It also runs on plans with other mistakes.
#[derive(Clone, Default)]
pub struct Pass(Option<Arc<Tell>>);

impl Pass {
    /// A pass.
    pub fn new(check: impl Fn(&Plan) -> Vec<Diagnostic> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(check)))
    }

    fn run(&self, plan: &Plan) -> Vec<Diagnostic> {
        self.0.as_ref().map(|check| check(plan)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Pass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Pass").field(&self.0.is_some()).finish()
    }
}

/// One check of one plan.
struct Check<'o> {
    library: Arc<Library>,
    options: &'o Options,
    diagnostics: Vec<Diagnostic>,
    secrets: BTreeSet<String>,
}

/// After this number of errors no further combination of the matrix is read.
const ENOUGH_ERRORS: usize = 300;

/// A parameter's value that is set outside the plan, with its place.
struct Given {
    name: Spanned<String>,
    value: GivenValue,
    optional: bool,
}

enum GivenValue {
    Text(Spanned<String>),
    Node(Node),
}

impl<'o> Check<'o> {
    fn new(library: Arc<Library>, options: &'o Options) -> Self {
        let secrets = options.env.allowed.values().filter(|v| !v.is_empty()).cloned().collect();
        Self { library, options, diagnostics: Vec::new(), secrets }
    }

    fn run(mut self, path: &Path, loaded: Loaded) -> Checked {
        let mut suites = Vec::new();
        match loaded {
            Ok((file, document)) => suites = self.plan(path, file, &document).unwrap_or_default(),
            Err(diagnostic) => self.diagnostics.push(diagnostic),
        }
        self.diagnostics.extend(self.library.problems());
        self.nothing_judged(&suites);
        self.finish(suites)
    }

    /// The result, from what was found so far.
    fn finish(mut self, mut suites: Vec<Plan>) -> Checked {
        self.secrets.extend(self.library.secrets());
        self.secrets = self.secrets.iter().flat_map(|secret| secret_forms(secret)).collect();
        let sources = Arc::new(self.library.sources());
        let mut diagnostics = settle(self.diagnostics, &sources);
        diagnostics.iter_mut().for_each(|d| {
            d.hide(&self.secrets);
            d.show();
        });
        let failed = diagnostics.iter().any(|d| d.severity() == Severity::Error);
        if failed {
            suites.clear();
        }
        let secrets = Arc::new(self.secrets.clone());
        for suite in &mut suites {
            suite.sources = Arc::clone(&sources);
            suite.secrets = Arc::clone(&secrets);
        }
        Checked { suites, diagnostics, sources, secrets: self.secrets }
    }

    fn plan(&mut self, path: &Path, file: FileId, document: &Arc<Node>) -> Option<Vec<Plan>> {
        self.version(document)?;
        let prepared = self.prepared(document);
        let params = prepared.params();
        let (scope, cells) = (&prepared.scope, &prepared.cells);
        let mut suites = Vec::with_capacity(cells.len());
        for cell in cells {
            suites.push(self.cell(path, file, document, scope, cell, &params));
            // Further combinations mostly repeat the same mistakes, so they are not read.
            let errors = self.diagnostics.iter().filter(|d| d.severity() == Severity::Error);
            if errors.count() > ENOUGH_ERRORS {
                break;
            }
        }
        if !self.diagnostics.iter().any(|d| d.severity() == Severity::Error) {
            self.diagnostics.extend(captured::errors(document, &self.library));
            self.diagnostics.extend(unused::warnings(document));
        }
        suites.into_iter().collect()
    }

    /// Reports suites that will end inconclusive, if there is no error.
    fn nothing_judged(&mut self, suites: &[Plan]) {
        if self.diagnostics.iter().any(|d| d.severity() == Severity::Error) {
            return;
        }
        let idle = |plan: &Plan| follow::proves_nothing(plan).map(|why| (plan.cell_label(), why));
        let all: Vec<_> = suites.iter().filter_map(idle).collect();
        let (Some((label, why)), Some(plan)) = (all.first(), suites.first()) else { return };
        let which = match label {
            Some(label) if all.len() < suites.len() => format!("with {label} "),
            _ => String::new(),
        };
        let message = format!("{which}{why}, so it will end inconclusive");
        let help = "add an `assert` of what must hold at the end, such as `- assert: [lost: 0]`";
        self.diagnostics.push(Diagnostic::new(Code::W020, plan.name.span, message).help(help));
    }

    fn reader(&self, scope: Scope) -> Reader {
        Reader::new(Arc::new(scope), Arc::clone(&self.library), None, Condition::is_word)
    }

    /// Reports a document that is not a plan of this version of the language.
    fn version(&mut self, document: &Node) -> Option<()> {
        let version = document.get("plan");
        let text = version.and_then(Node::scalar).map(|s| s.text.as_str());
        if text == Some("v1") {
            return Some(());
        }
        let span = version.map_or(Span { end: document.span.start, ..document.span }, |n| n.span);
        let (message, help) = match text {
            _ if document.get("fragment").is_some() => (
                "this file is a fragment: it is included by a plan and cannot be run alone"
                    .to_owned(),
                None,
            ),
            Some(other) => {
                (format!("unknown language version `{other}`"), Some("write `plan: v1`"))
            }
            None => ("this file is not a plan: it does not begin with `plan: v1`".to_owned(), None),
        };
        let diagnostic = Diagnostic::new(Code::E006, span, message);
        self.diagnostics.push(diagnostic.maybe_help(help.map(str::to_owned)));
        None
    }

    /// All values that are set outside the plan, those with the highest priority last.
    fn given(&mut self, declared: &[Declared]) -> Vec<Given> {
        let mut all = Vec::new();
        if let Some(path) = &self.options.params_file {
            match self.library.load(path, None) {
                Ok((_, node)) => match node.map() {
                    Some(entries) => all.extend(entries.iter().map(|e| Given {
                        name: e.key.clone(),
                        value: GivenValue::Node(e.value.clone()),
                        optional: false,
                    })),
                    None => {
                        let message = "a parameter file must be a map from names to values";
                        self.diagnostics.push(Diagnostic::new(Code::E012, node.span, message));
                    }
                },
                Err(diagnostic) => self.diagnostics.push(diagnostic),
            }
        }
        for param in &self.options.params {
            let secret = declared.iter().any(|d| d.secret && d.name.value == param.name);
            let shown = if secret { crate::visible::SECRET } else { &param.value };
            let text = format!("{}={shown}", param.name);
            let length = |s: &str| u32::try_from(s.len()).unwrap_or(u32::MAX);
            let (name_end, end) = (length(&param.name), length(&text));
            let file = self.library.note(Source::new(&param.origin, text));
            let name = Spanned::new(param.name.clone(), Span { file, start: 0, end: name_end });
            let value = Spanned::new(
                param.value.clone(),
                Span { file, start: name_end.saturating_add(1), end },
            );
            all.push(Given { name, value: GivenValue::Text(value), optional: param.optional });
        }
        all
    }
}

/// The names of parameters and of the matrix, as if all of them were correct.
fn named(document: &Node) -> Vec<String> {
    let params = document.get("params").and_then(Node::map).unwrap_or_default();
    let params = params.iter().map(|e| e.key.value.clone());
    params.chain(axes(document.get("matrix"))).collect()
}

/// The names that have values in the matrix.
fn axes(matrix: Option<&Node>) -> BTreeSet<String> {
    let entries = |node: Option<&Node>| node.and_then(Node::map).unwrap_or_default().to_vec();
    let cells = matrix.and_then(|m| m.get("include")).and_then(Node::seq).unwrap_or_default();
    let axes = entries(matrix).into_iter().filter(|e| e.key.value != "include");
    let axes = axes.filter(|e| e.key.value != "exclude");
    let included = cells.iter().flat_map(|cell| entries(Some(cell)));
    axes.chain(included).map(|e| e.key.value).collect()
}

/// The value of each parameter. A value that is set for a name of the matrix is checked where the matrix is pinned
/// to it: it is always allowed if the matrix has it.
fn values_of(
    declared: &[Declared],
    given: &[Given],
    axes: &BTreeSet<String>,
    reader: &mut Reader,
) -> Vec<Option<Value>> {
    let mut values = Vec::with_capacity(declared.len());
    for param in declared {
        let from_outside = given.iter().rev().find(|g| g.name.value == param.name.value);
        let value = match from_outside.map(|g| &g.value) {
            Some(GivenValue::Text(text)) => Some((param.of_text(text), text.span)),
            Some(GivenValue::Node(node)) => params::value_of(node, reader).map(|v| (v, node.span)),
            None => None,
        };
        let accepted = value.filter(|(value, span)| match param.accept(value, *span) {
            Ok(()) => true,
            Err(wrong) => {
                if !axes.contains(&param.name.value) {
                    reader.push(wrong);
                }
                false
            }
        });
        values.push(accepted.map(|(v, _)| v).or_else(|| param.default.clone()));
    }
    values
}

/// The parameters as they are shown in a suite.
fn shown_params(params: &[(&Declared, Option<&Value>)], cell: &Cell) -> Vec<Param> {
    let shown = params.iter().map(|(declared, value)| {
        let in_cell = cell.iter().find(|(k, _)| k.value == declared.name.value).map(|(_, v)| v);
        Param {
            name: declared.name.value.clone(),
            value: in_cell.or(*value).map(template::written).unwrap_or_default(),
            secret: declared.secret,
            description: declared.description.clone(),
            default: declared.default.as_ref().map(template::written),
            kind: declared.kind(),
            one_of: declared.one_of.iter().map(template::written).collect(),
        }
    });
    shown.collect()
}

/// Reports the same mistake of several combinations once, leaves out warnings that the plan allows, and sorts by
/// the order of the files.
pub(crate) fn settle(mut diagnostics: Vec<Diagnostic>, sources: &Sources) -> Vec<Diagnostic> {
    let mut allowed: BTreeMap<FileId, Vec<(u32, Vec<Code>)>> = BTreeMap::new();
    diagnostics.sort_by_key(|d| (d.span.file, d.span.start, d.span.end, d.code));
    let mut kept: Vec<Diagnostic> = Vec::with_capacity(diagnostics.len());
    for diagnostic in diagnostics {
        let same = |k: &&Diagnostic| k.span == diagnostic.span && k.code == diagnostic.code;
        let twice = kept.iter().rev().take_while(same).any(|k| k.message == diagnostic.message);
        let warning = diagnostic.severity() == Severity::Warning;
        let silenced = warning && is_allowed(&diagnostic, sources, &mut allowed);
        if !twice && !silenced {
            kept.push(diagnostic);
        }
    }
    kept
}

/// True if a comment such as `# kplan: allow W003` is on the line of the warning or on the line above its step.
fn is_allowed(
    diagnostic: &Diagnostic,
    sources: &Sources,
    allowed: &mut BTreeMap<FileId, Vec<(u32, Vec<Code>)>>,
) -> bool {
    let Some(source) = sources.get(diagnostic.span.file) else { return false };
    let marks = allowed.entry(diagnostic.span.file).or_insert_with(|| marks_of(source));
    let line = source.line(diagnostic.span.start);
    marks.iter().any(|(at, codes)| {
        (*at == line || covers(source, *at, line)) && codes.contains(&diagnostic.code)
    })
}

/// True if a comment on line `at` is on, or directly above, the step that contains `line`.
fn covers(source: &Source, at: u32, line: u32) -> bool {
    let indent = |l: u32| {
        let text = source.lines(l, l);
        (!text.trim().is_empty()).then(|| text.len() - text.trim_start().len())
    };
    let dashed = |l: u32| source.lines(l, l).trim_start().starts_with("- ");
    let is_comment = |l: u32| source.lines(l, l).trim_start().starts_with('#');
    if at > line {
        return false;
    }
    let start = if is_comment(at) { at + 1 } else { at };
    if !dashed(start) {
        return false;
    }
    let outer = indent(start).unwrap_or(0);
    start <= line && (start + 1..=line).all(|l| indent(l).is_none_or(|i| i > outer))
}

fn marks_of(source: &Source) -> Vec<(u32, Vec<Code>)> {
    let mut marks = Vec::new();
    for (line, text) in (1..).zip(source.text().lines()) {
        if let Some((_, codes)) = text.split_once("# kplan: allow ") {
            let codes = codes.split([',', ' ']).filter_map(Code::parse).collect();
            marks.push((line, codes));
        }
    }
    marks
}
