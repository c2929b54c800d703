//! `textDocument/definition`, `references`, `prepareRename` and `rename`

use std::{collections::HashMap, sync::Arc};

use gen_lsp_types::{
    DefinitionParams, Location, Position, PrepareRenameParams, PrepareRenamePlaceholder, Range,
    ReferenceParams, RenameParams, TextDocumentPositionParams, TextEdit, WorkspaceEdit,
};
use kplan_dsl::editor::{EditorFile, PlaceIn, name_at, places, rename};
use lsp_server::{ErrorCode, ResponseError};

use super::{
    documents::{OpenDocument, Relative, byte, range},
    server::Server,
};

/// A name that is asked about: its document, the files of the plan, and its place.
struct AskedName {
    document: Arc<OpenDocument>,
    family: Vec<Relative>,
    byte: u32,
}

impl AskedName {
    fn of(server: &Server, at: &TextDocumentPositionParams) -> Option<Self> {
        let document = server.documents.get(&at.text_document.uri).filter(|d| d.is_ours())?;
        let family = server.documents.family(document);
        let byte = byte(document.file.source(), at.position);
        Some(Self { document: Arc::clone(document), family, byte })
    }

    fn files(&self) -> Vec<&EditorFile> {
        self.family.iter().map(Relative::file).collect()
    }

    fn location(&self, server: &Server, place: PlaceIn) -> Location {
        let file = self.family[place.file].file();
        Location { uri: server.documents.uri(file.path()), range: range(file.source(), place.span) }
    }
}

pub fn definition(server: &Server, params: &DefinitionParams) -> Option<Vec<Location>> {
    let asked = AskedName::of(server, &params.text_document_position_params)?;
    if let Some(included) = asked.document.file.include_at(asked.byte) {
        let start = Position { line: 0, character: 0 };
        let range = Range { start, end: start };
        return Some(vec![Location { uri: server.documents.uri(&included), range }]);
    }
    let all = places(&asked.files(), 0, asked.byte).into_iter();
    Some(all.filter(|place| place.defines).map(|place| asked.location(server, place)).collect())
}

pub fn references(server: &Server, params: &ReferenceParams) -> Option<Vec<Location>> {
    let asked = AskedName::of(server, &params.text_document_position_params)?;
    let all = places(&asked.files(), 0, asked.byte).into_iter();
    let wanted = all.filter(|place| params.context.include_declaration || !place.defines);
    Some(wanted.map(|place| asked.location(server, place)).collect())
}

pub fn prepare(server: &Server, params: &PrepareRenameParams) -> Option<PrepareRenamePlaceholder> {
    let asked = AskedName::of(server, &params.text_document_position_params)?;
    let name = name_at(&asked.document.file, asked.byte)?;
    let range = range(asked.document.file.source(), name.span);
    Some(PrepareRenamePlaceholder { range, placeholder: name.name.clone() })
}

pub fn renamed(server: &Server, params: &RenameParams) -> Result<WorkspaceEdit, ResponseError> {
    let refused = |message: String| ResponseError {
        code: ErrorCode::RequestFailed as i32,
        message,
        data: None,
    };
    let asked = AskedName::of(server, &params.text_document_position_params)
        .ok_or_else(|| refused("this is no plan".to_owned()))?;
    let places = rename(&asked.files(), 0, asked.byte, &params.new_name).map_err(refused)?;
    let mut changes: HashMap<_, Vec<TextEdit>> = HashMap::new();
    for place in places {
        let Location { uri, range } = asked.location(server, place);
        let edit = TextEdit { range, new_text: params.new_name.clone() };
        changes.entry(uri).or_default().push(edit);
    }
    Ok(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() })
}
