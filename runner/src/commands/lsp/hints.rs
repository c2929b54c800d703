//! `textDocument/inlayHint` and `codeLens`

use gen_lsp_types::{
    CodeLens, CodeLensParams, Command, InlayHint, InlayHintParams, MarkupContent, MarkupKind,
};
use kplan_dsl::editor::section;
use serde_json::{Map, json};

use super::{
    documents::{OpenDocument, position, range},
    server::Server,
};

/// The state of the cluster behind each step.
pub fn hints(server: &Server, params: &InlayHintParams) -> Option<Vec<InlayHint>> {
    let document = server.documents.get(&params.text_document.uri).filter(|d| d.is_ours())?;
    let source = document.file.source();
    let plans = server.checker.results();
    // A fragment has the states of the first plan that includes it.
    let states = plans.iter().filter(|plan| {
        let same = |text: &str| text == source.text();
        plan.sources.iter().any(|(_, s)| s.path() == document.path() && same(s.text()))
    });
    let states = states.filter_map(|plan| plan.states.as_ref()).next()?;
    let all = states.hints(document.path()).into_iter().map(|hint| InlayHint {
        position: position(source, hint.at),
        label: hint.text.into(),
        kind: None,
        text_edits: None,
        tooltip: Some(MarkupContent { kind: MarkupKind::Markdown, value: hint.more }.into()),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    });
    let lines = params.range.start.line..=params.range.end.line;
    Some(all.filter(|hint| lines.contains(&hint.position.line)).collect())
}

/// The most combinations of the matrix that can be run by themselves.
const MOST: usize = 16;

/// What can be run: the plan, and each combination of its matrix.
pub fn lenses(server: &Server, params: &CodeLensParams) -> Option<Vec<CodeLens>> {
    let document = server.documents.get(&params.text_document.uri).filter(|d| d.is_ours())?;
    let source = document.file.source();
    let plan = section(&document.file, "plan")?;
    let lens =
        |span, command| CodeLens { range: range(source, span), command: Some(command), data: None };
    let mut all = vec![lens(plan, run(document, "Run", &[]))];
    let checked = server.checker.result(document);
    let cells = checked.iter().flat_map(|plan| &plan.cells).filter(|cell| !cell.is_empty());
    if let Some(matrix) = section(&document.file, "matrix") {
        all.extend(cells.take(MOST).map(|cell| {
            let pairs: Vec<String> = cell.iter().map(|(k, v)| format!("{k}={v}")).collect();
            lens(matrix, run(document, &format!("Run {}", pairs.join(", ")), cell))
        }));
    }
    Some(all)
}

/// The command that runs a plan with one combination of its matrix. The editor carries it out; `arguments` are those
/// of `kplan`.
fn run(document: &OpenDocument, title: &str, cell: &[(String, String)]) -> Command {
    let path = document.path().to_string_lossy();
    let pinned = cell.iter().flat_map(|(k, v)| ["--param".to_owned(), format!("{k}={v}")]);
    let arguments: Vec<String> =
        ["run".to_owned(), path.clone().into_owned()].into_iter().chain(pinned).collect();
    let cell: Map<String, serde_json::Value> =
        cell.iter().map(|(k, v)| (k.clone(), v.as_str().into())).collect();
    let argument = json!({
        "uri": document.uri, "path": path, "cell": cell, "arguments": arguments,
    });
    Command {
        title: title.to_owned(),
        tooltip: None,
        command: "kplan.run".to_owned(),
        arguments: Some(vec![argument]),
    }
}
