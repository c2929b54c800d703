//! `textDocument/documentSymbol` and `foldingRange`

use gen_lsp_types::{
    DocumentSymbol, DocumentSymbolParams, FoldingRange, FoldingRangeParams, SymbolKind,
};
use kplan_dsl::{
    Source,
    editor::{OutlineKind, OutlinePart, folds, outline},
};

use super::{documents::range, server::Server};

pub fn symbols(server: &Server, params: &DocumentSymbolParams) -> Option<Vec<DocumentSymbol>> {
    let document = server.documents.get(&params.text_document.uri).filter(|d| d.is_ours())?;
    let source = document.file.source();
    Some(outline(&document.file).iter().map(|part| symbol(part, source)).collect())
}

fn symbol(part: &OutlinePart, source: &Source) -> DocumentSymbol {
    let parts: Vec<_> = part.parts.iter().map(|inner| symbol(inner, source)).collect();
    #[allow(deprecated, reason = "the type has the field")]
    DocumentSymbol {
        name: part.title.clone(),
        detail: Some(part.detail.clone()).filter(|detail| !detail.is_empty()),
        kind: match part.kind {
            OutlineKind::Section => SymbolKind::Namespace,
            OutlineKind::Step => SymbolKind::Event,
            OutlineKind::Name => SymbolKind::Variable,
        },
        tags: None,
        deprecated: None,
        range: range(source, part.span),
        selection_range: range(source, part.head),
        children: (!parts.is_empty()).then_some(parts),
    }
}

pub fn folding(server: &Server, params: &FoldingRangeParams) -> Option<Vec<FoldingRange>> {
    let document = server.documents.get(&params.text_document.uri).filter(|d| d.is_ours())?;
    let fold = |(start_line, end_line): (u32, u32)| FoldingRange {
        start_line,
        end_line,
        start_character: None,
        end_character: None,
        kind: None,
        collapsed_text: None,
    };
    Some(folds(&document.file).into_iter().map(fold).collect())
}
