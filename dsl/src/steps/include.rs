//! `include`

use std::path::{Path, PathBuf};

use super::{Children, StepWord};
use crate::args::{WordInfo, args};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Entry, Node};
use crate::facts::{Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::meaning::{Meaning, sorted};
use crate::read::{FromNode, Reader};
use crate::source::{FileId, Spanned};
use crate::steps::fragment::read_fragment;
use crate::steps::step::Step;

/// Runs the steps of another file.
#[derive(Debug, Clone, PartialEq)]
pub struct Include {
    /// The file, as named in the plan.
    pub file: Spanned<String>,
    /// Its steps.
    pub steps: Vec<Step>,
}

args! {
    /// Runs the steps of another file, a fragment, at this place.
    ///
    /// The file begins with `fragment: v1`. Its path is relative to the including file and must be below the plan's
    /// directory. The steps of its `finally` run after those of the plan's `finally`.
    #[example("include: { file: parts/orders.yaml, params: { partitions: 3 } }")]
    pub struct IncludeArgs("include") short "file" {
        /// The file.
        file: Spanned<String>,
        /// Values for the fragment's parameters.
        params: ParamNodes,
    }
}

/// Values for parameters, including templates.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParamNodes(pub Vec<Entry>);

impl Meaning for ParamNodes {
    fn meaning(&self) -> serde_json::Value {
        sorted(self.0.iter().map(|e| (e.key.to_string(), e.value.meaning())))
    }
}

impl FromNode for ParamNodes {
    const EXPECTS: &'static str = "a map from parameters to values";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let entries = node.map();
        if entries.is_none() {
            reader.expected::<Self>(node);
        }
        entries.map(|e| Self(e.to_vec()))
    }

    fn missing() -> Option<Self> {
        Some(Self::default())
    }

    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "object" })
    }
}

/// The deepest chain of includes.
const DEEPEST: usize = 16;

impl Include {
    /// The documentation of the word.
    pub const INFO: WordInfo = IncludeArgs::INFO;
}

impl Meaning for Include {
    fn meaning(&self) -> serde_json::Value {
        serde_json::json!({ "file": self.file.as_str() })
    }
}

impl FromNode for Include {
    const EXPECTS: &'static str = IncludeArgs::EXPECTS;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let args: IncludeArgs = reader.read(node)?;
        let path = path_of(&args.file, reader)?;
        let (file, document) = match reader.library.load(&path, Some(args.file.span)) {
            Ok(loaded) => loaded,
            Err(diagnostic) => {
                reader.push(diagnostic);
                return None;
            }
        };
        if reader.place.files.contains(&file) {
            let message = format!("`{}` includes itself", args.file);
            reader.push(Diagnostic::new(Code::E080, args.file.span, message));
            return None;
        }
        reader.place.files.push(file);
        let steps = read_fragment(&document, &args.params.0, args.file.span, reader);
        reader.place.files.pop();
        Some(Self { file: args.file, steps: steps? })
    }

    fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        IncludeArgs::schema(generator)
    }
}

/// The path of an included file, if it is below the plan's directory.
fn path_of(file: &Spanned<String>, reader: &mut Reader) -> Option<PathBuf> {
    let refuse = |message: &str| Diagnostic::new(Code::E080, file.span, message);
    if reader.place.files.len() >= DEEPEST {
        reader.push(refuse("the includes are nested too deep"));
        return None;
    }
    let directory = |file: Option<&FileId>| {
        let path = file.and_then(|f| reader.library.with(*f, |s| s.path().to_owned()));
        path.as_deref().and_then(Path::parent).map(Path::to_owned).unwrap_or_default()
    };
    let path = directory(reader.place.files.last()).join(file.as_str());
    let root = directory(reader.place.files.first());
    let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
    let files = reader.library.files();
    let below = match (files.canonical(&path), files.canonical(&root)) {
        (Ok(path), Ok(root)) => path.starts_with(root),
        // A file that does not exist is reported when it is read.
        _ => !Path::new(file.as_str()).is_absolute() && !file.contains(".."),
    };
    if !below {
        reader.push(refuse("the file is not below the plan's directory"));
    }
    below.then_some(path)
}

impl crate::args::Arguments for Include {}

impl StepWord for Include {
    const FACTS: StepFacts =
        StepFacts { leaves: Leaves::TopicsAndGroups, ..StepFacts::of(Kind::Flow) };

    fn explain(&self) -> String {
        format!("Run the steps of {}", self.file)
    }

    fn follow(&self, _: StepAt<'_>, _: &mut Ground<'_>) {}

    fn children(&self) -> Children<'_> {
        Children::Steps(&self.steps)
    }
}
