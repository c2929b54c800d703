//! `textDocument/completion`

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionParams, Documentation,
    MarkupContent, MarkupKind, TextEdit,
};
use kplan_dsl::editor::{Candidate, CandidateKind, NameKind, complete};

use super::{
    documents::{byte, range},
    server::Server,
};

pub fn answer(server: &Server, params: &CompletionParams) -> Option<CompletionList> {
    let at = &params.text_document_position_params;
    let document = server.documents.get(&at.text_document.uri).filter(|d| d.is_ours())?;
    let family = server.documents.family(document);
    let files: Vec<_> = family.iter().map(|relative| relative.file()).collect();
    let source = document.file.source();
    let found = complete(&files, byte(source, at.position));
    let replaces = range(source, found.replaces);
    let item = |(order, candidate): (usize, Candidate)| CompletionItem {
        kind: Some(kind(candidate.kind)),
        detail: Some(candidate.detail).filter(|detail| !detail.is_empty()),
        documentation: Some(candidate.doc).filter(|doc| !doc.is_empty()).map(markdown),
        // The order is the server's: what is needed stands first.
        sort_text: Some(format!("{order:05}")),
        filter_text: Some(candidate.label.clone()),
        label: candidate.label,
        text_edit: Some(TextEdit { range: replaces, new_text: candidate.insert }.into()),
        ..CompletionItem::default()
    };
    let items = found.all.into_iter().enumerate().map(item).collect();
    Some(CompletionList { is_incomplete: false, items, ..CompletionList::default() })
}

fn markdown(value: String) -> Documentation {
    MarkupContent { kind: MarkupKind::Markdown, value }.into()
}

fn kind(kind: CandidateKind) -> CompletionItemKind {
    match kind {
        CandidateKind::Word => CompletionItemKind::Function,
        CandidateKind::Argument => CompletionItemKind::Property,
        CandidateKind::Setting => CompletionItemKind::Field,
        CandidateKind::Value => CompletionItemKind::EnumMember,
        CandidateKind::Name(NameKind::Value) => CompletionItemKind::Variable,
        CandidateKind::Name(_) => CompletionItemKind::Reference,
    }
}
