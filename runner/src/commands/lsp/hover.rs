//! `textDocument/hover`

use gen_lsp_types::{Hover, HoverParams, MarkupContent, MarkupKind};
use kplan_dsl::{
    CellValue,
    editor::{self, NameKind, section},
    manual, template_values,
};

use super::{
    documents::{OpenDocument, byte, range},
    server::Server,
};

pub fn answer(server: &Server, params: &HoverParams) -> Option<Hover> {
    let at = &params.text_document_position_params;
    let document = server.documents.get(&at.text_document.uri).filter(|d| d.is_ours())?;
    let family = server.documents.family(document);
    let files: Vec<_> = family.iter().map(|relative| relative.file()).collect();
    let source = document.file.source();
    let place = byte(source, at.position);
    let plan = server.checker.result(document);
    let states = plan.as_ref().and_then(|plan| plan.states.as_ref());
    let said = editor::hover(&files, place, states);
    let mut texts = Vec::new();
    if let Some(template) = said.as_ref().and_then(|said| said.template.as_deref()) {
        texts.push(values(server, document, template));
    }
    texts.extend(said.iter().map(|said| said.text.clone()).filter(|text| !text.is_empty()));
    let file = plan.iter().flat_map(|plan| plan.sources.iter().map(move |(id, s)| (plan, id, s)));
    for (plan, id, _) in file.filter(|(_, _, source)| source.path() == document.path()) {
        let here = plan.diagnostics.iter().filter(|wrong| {
            wrong.span.file == id && wrong.span.start <= place && place <= wrong.span.end
        });
        texts.extend(here.filter_map(|wrong| manual(wrong.code.text())));
    }
    texts.dedup();
    let value = texts.join("\n\n---\n\n");
    (!value.is_empty()).then(|| Hover {
        contents: MarkupContent { kind: MarkupKind::Markdown, value }.into(),
        range: said.map(|said| range(source, said.span)),
    })
}

/// The most combinations of the matrix whose values are shown.
const MOST: usize = 16;

/// The value of a template in each combination of the matrix.
fn values(server: &Server, document: &OpenDocument, template: &str) -> String {
    if section(&document.file, "plan").is_none() {
        return "The plan that includes this file gives its parameters their values.".to_owned();
    }
    let late = document.file.names().iter().filter(|name| name.kind == NameKind::Value);
    let late: Vec<&str> =
        late.filter(|name| name.defines && !name.local).map(|name| name.name.as_str()).collect();
    let files = Box::new(server.documents.clone());
    let all = template_values(document.path(), &server.options, files, template, &late);
    let text = |value: &CellValue| match value {
        CellValue::Known(text) => format!("`{text}`"),
        CellValue::Late => "known only while the plan runs".to_owned(),
        CellValue::Unknown => "not known here".to_owned(),
    };
    let Some((_, first)) = all.first() else { return String::new() };
    if all.iter().all(|(_, value)| value == first) {
        let everywhere = if all.len() > 1 { " in every combination of the matrix" } else { "" };
        return format!("Value{everywhere}: {}", text(first));
    }
    let mut lines: Vec<String> =
        all.iter().take(MOST).map(|(cell, value)| format!("- `{cell}`: {}", text(value))).collect();
    if all.len() > MOST {
        lines.push(format!("- and {} more", all.len() - MOST));
    }
    format!("Value in each combination of the matrix:\n\n{}", lines.join("\n"))
}
