//! `textDocument/codeAction`

use std::collections::HashMap;

use gen_lsp_types::{CodeAction, CodeActionKind, CodeActionParams, TextEdit, WorkspaceEdit};
use kplan_dsl::{Span, editor::fixes};

use super::{
    documents::{byte, range},
    server::Server,
};

/// The corrections of the mistakes at a place.
pub fn answer(server: &Server, params: &CodeActionParams) -> Option<Vec<CodeAction>> {
    let document = server.documents.get(&params.text_document.uri).filter(|d| d.is_ours())?;
    let source = document.file.source();
    let (from, to) = (byte(source, params.range.start), byte(source, params.range.end));
    let touches = |span: Span| span.start <= to && from <= span.end;
    let mut all: Vec<CodeAction> = Vec::new();
    for plan in server.checker.results() {
        // A check of an older text has other places.
        let checked = plan.sources.iter().find(|(_, checked)| {
            checked.path() == document.path() && checked.text() == source.text()
        });
        let Some((file, _)) = checked else { continue };
        let here = plan.diagnostics.iter().filter(|wrong| wrong.span.file == file);
        for wrong in here.filter(|wrong| touches(wrong.span)) {
            let given = params.context.diagnostics.iter().filter(|given| {
                given.range == range(source, wrong.span)
                    && given.code == Some(wrong.code.text().into())
            });
            let given: Vec<_> = given.cloned().collect();
            for fix in fixes(&document.file, wrong) {
                let edit = TextEdit { range: range(source, fix.span), new_text: fix.text };
                let changes = HashMap::from([(document.uri.clone(), vec![edit])]);
                let action = CodeAction {
                    title: fix.title,
                    kind: Some(CodeActionKind::QuickFix),
                    diagnostics: (!given.is_empty()).then(|| given.clone()),
                    is_preferred: fix.preferred.then_some(true),
                    edit: Some(WorkspaceEdit {
                        changes: Some(changes),
                        ..WorkspaceEdit::default()
                    }),
                    ..CodeAction::default()
                };
                // The same mistake in several plans that include the file is corrected once.
                if all.iter().all(|known| known.title != action.title || known.edit != action.edit)
                {
                    all.push(action);
                }
            }
        }
    }
    Some(all)
}
