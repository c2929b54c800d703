//! Text to plans: the only way to make a [`Plan`].

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
use crate::matrix::{self, Cell};
use crate::params::{self, Declared};
use crate::plan::{Param, Plan};
use crate::read::Reader;
use crate::scope::{EnvNames, Limits, Scope};
use crate::source::{FileId, Source, Sources, Span, Spanned};
use crate::template;
use crate::visible::secret_forms;

mod always;
mod cell;
mod comparisons;
mod pin;
mod secrets;

pub(crate) use always::AlwaysArgs;
pub(crate) use cell::KEYS;

/// A parameter's value from outside the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The parameter.
    pub name: String,
    /// Its value, as text.
    pub value: String,
    /// Where it was given, for messages: `--param`, `KPLAN_PARAM_ACKS`.
    pub origin: String,
    /// True if a plan without this parameter is no mistake, as for the environment.
    pub optional: bool,
}

/// How plans are checked.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the clusters' backend can do.
    pub backend: Abilities,
    /// Values of parameters; later ones beat earlier ones.
    pub params: Vec<Override>,
    /// A file with values of parameters; beaten by `params`.
    pub params_file: Option<PathBuf>,
    /// The environment variables that templates may read.
    pub env: EnvNames,
    /// Whether `run` steps are allowed.
    pub allow_run: bool,
    /// Images that plans may name, `*` for any text; without it any.
    pub images: Option<Vec<String>>,
    /// The most brokers that a cluster may have; without it as many as the language allows.
    pub most_brokers: Option<u32>,
    /// What only the program around this crate can tell.
    pub pass: Pass,
}

/// What came of a check.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The suites, one for each combination of the matrix; none if there is an error.
    pub suites: Vec<Plan>,
    /// Everything that is wrong, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read.
    pub sources: Arc<Sources>,
    /// What must never be shown: values of secret parameters and of environment variables. The
    /// diagnostics do not show it.
    pub secrets: BTreeSet<String>,
}

impl Checked {
    /// True if something makes the plan impossible to run.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity() == Severity::Error)
    }
}

/// Checks a file.
pub fn check_file(path: &Path, options: &Options) -> Checked {
    check_with(path, options, Box::new(Disk))
}

/// Checks a file that lies with others wherever `files` says.
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

/// One more pass over each plan, for what only the program around this crate can tell, such as the settings
/// that its clients refuse. It is asked for plans too in which something else is wrong.
#[derive(Clone, Default)]
pub struct Pass(Option<Arc<Tell>>);

impl Pass {
    /// A pass.
    pub fn new(tell: impl Fn(&Plan) -> Vec<Diagnostic> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    fn tell(&self, plan: &Plan) -> Vec<Diagnostic> {
        self.0.as_ref().map(|tell| tell(plan)).unwrap_or_default()
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

/// With so many errors no further combination of the matrix is read.
const ENOUGH_ERRORS: usize = 300;

/// A parameter's value from outside, with a place to point at.
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
        let mut base = Scope::default();
        base.set_env(Arc::new(self.options.env.clone()));
        base.set_limits(Limits {
            allow_run: self.options.allow_run,
            images: self.options.images.clone(),
            brokers: self.options.most_brokers,
        });
        let mut reader = self.reader(base.clone());
        let declared = match document.get("params") {
            Some(node) => params::declared(node, &mut reader),
            None => Some(Vec::new()),
        };
        let given = self.given(declared.as_deref().unwrap_or_default());
        let axes = axes(document.get("matrix"));
        let values = declared.as_ref().map(|all| values_of(all, &given, &axes, &mut reader));
        let mut scope = base;
        for (declared, value) in declared.iter().flatten().zip(values.iter().flatten()) {
            if declared.secret {
                scope.mark_secret(&declared.name, value.iter().flat_map(template::texts));
            }
            if let Some(value) = value {
                scope.define(declared.name.as_str(), value.clone());
            }
        }
        reader.scope = Arc::new(scope.clone());
        let cells = match document.get("matrix") {
            Some(node) => matrix::cells(node, &mut reader),
            None => Some(vec![Cell::new()]),
        };
        let (declared, values) = (declared.unwrap_or_default(), values.unwrap_or_default());
        let mut cells = cells.unwrap_or_default();
        comparisons::check(document, &declared, &cells, &mut reader);
        pin::pin_and_tell_unknown(&mut cells, &declared, &given, &mut reader);
        let told = reader.into_diagnostics();
        if told.iter().any(|d| d.severity() == Severity::Error) {
            // The steps are still read; names whose values are wrong are taken for known some time.
            let unknown = named(document).into_iter().filter(|name| scope.known(name).is_none());
            unknown.collect::<Vec<_>>().into_iter().for_each(|name| scope.define_late(name));
        }
        self.diagnostics.extend(told);
        if cells.is_empty() {
            cells.push(Cell::new());
        }
        let params: Vec<(&Declared, Option<&Value>)> =
            declared.iter().zip(values.iter().map(Option::as_ref)).collect();
        for (declared, value) in params.iter().filter(|(declared, _)| declared.secret) {
            let in_cells = cells.iter().flatten().filter(|(k, _)| k.value == declared.name.value);
            let values = in_cells.map(|(_, value)| value).chain(*value);
            self.secrets.extend(values.flat_map(template::texts));
            secrets::of_matrix(document.get("matrix"), &declared.name, &self.library);
        }
        let mut suites = Vec::with_capacity(cells.len());
        for cell in &cells {
            suites.push(self.cell(path, file, document, &scope, cell, &params));
            // Mostly the same mistakes once more for each combination: the rest adds time, not insight.
            let errors = self.diagnostics.iter().filter(|d| d.severity() == Severity::Error);
            if errors.count() > ENOUGH_ERRORS {
                break;
            }
        }
        suites.into_iter().collect()
    }

    /// Tells suites that will end inconclusive, where nothing worse is wrong.
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

    /// Tells a document that is no plan of this version.
    fn version(&mut self, document: &Node) -> Option<()> {
        let version = document.get("plan");
        let text = version.and_then(Node::scalar).map(|s| s.text.as_str());
        if text == Some("v1") {
            return Some(());
        }
        let span = version.map_or(Span { end: document.span.start, ..document.span }, |n| n.span);
        let (message, help) = match text {
            _ if document.get("fragment").is_some() => {
                ("this file is a fragment: it is included by a plan and cannot be run alone".to_owned(), None)
            }
            Some(other) => {
                (format!("unknown language version `{other}`"), Some("write `plan: v1`"))
            }
            None => ("this file is not a plan: it does not begin with `plan: v1`".to_owned(), None),
        };
        let diagnostic = Diagnostic::new(Code::E006, span, message);
        self.diagnostics.push(diagnostic.maybe_help(help.map(str::to_owned)));
        None
    }

    /// All values from outside, those that count last.
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

/// The names that parameters and matrix would have, if all of it were right.
fn named(document: &Node) -> Vec<String> {
    let params = document.get("params").and_then(Node::map).unwrap_or_default();
    let params = params.iter().map(|e| e.key.value.clone());
    params.chain(axes(document.get("matrix"))).collect()
}

/// The names that the matrix gives values to.
fn axes(matrix: Option<&Node>) -> BTreeSet<String> {
    let entries = |node: Option<&Node>| node.and_then(Node::map).unwrap_or_default().to_vec();
    let cells = matrix.and_then(|m| m.get("include")).and_then(Node::seq).unwrap_or_default();
    let axes = entries(matrix).into_iter().filter(|e| e.key.value != "include");
    let axes = axes.filter(|e| e.key.value != "exclude");
    let included = cells.iter().flat_map(|cell| entries(Some(cell)));
    axes.chain(included).map(|e| e.key.value).collect()
}

/// The value that each parameter has. What is given for one that the matrix has values of is accepted
/// where the matrix is pinned: one of those values always fits.
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

/// The parameters as a suite shows them.
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

/// The same mistake in several combinations is told once; warnings that the plan allows are left out;
/// the order is that of the files.
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

/// True if `# kplan: allow W003` stands on the line of the warning or on the one above its step.
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

/// True if a mark on line `at` stands on or above the step that holds `line`.
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
