//! Diagnostics as the editor gets them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use gen_lsp_types::{
    CodeDescription, Diagnostic as Shown, DiagnosticRelatedInformation, DiagnosticSeverity,
    Location, Position, PublishDiagnosticsParams, Range, Uri,
};
use kplan_dsl::{Diagnostic, Severity, Sources};
use lsp_server::{Message, Notification};

use super::{
    checker::CheckedPlan,
    documents::{Documents, range},
    manual::ManualFile,
};

/// What the editor got last, by address.
pub struct PublishedDiagnostics {
    manual: ManualFile,
    known: HashMap<Uri, (Option<i32>, Vec<Shown>)>,
}

impl PublishedDiagnostics {
    pub fn new() -> Self {
        Self { manual: ManualFile::write(), known: HashMap::new() }
    }

    /// The messages about what changed since the last call.
    pub fn news(&mut self, documents: &Documents, plans: &[Arc<CheckedPlan>]) -> Vec<Message> {
        let mut all = self.by_address(documents, plans);
        let gone = self.known.keys().filter(|uri| !all.contains_key(&uri.0)).cloned();
        for uri in gone.collect::<Vec<_>>() {
            all.insert(uri.0.clone(), (None, Vec::new()));
        }
        let mut messages = Vec::new();
        for (uri, (version, diagnostics)) in all {
            let uri = Uri(uri);
            let new = (version, diagnostics.clone());
            if self.known.get(&uri) == Some(&new) {
                continue;
            }
            if version.is_none() && diagnostics.is_empty() {
                self.known.remove(&uri);
            } else {
                self.known.insert(uri.clone(), new);
            }
            let params = PublishDiagnosticsParams { uri, version, diagnostics };
            let method = "textDocument/publishDiagnostics".to_owned();
            messages.push(Notification::new(method, params).into());
        }
        messages
    }

    /// The diagnostics of each file, each once however many plans include it.
    fn by_address(
        &self,
        documents: &Documents,
        plans: &[Arc<CheckedPlan>],
    ) -> BTreeMap<String, (Option<i32>, Vec<Shown>)> {
        let mut all: BTreeMap<String, (Option<i32>, Vec<Shown>)> = BTreeMap::new();
        for document in documents.ours() {
            all.insert(document.uri.0.clone(), (Some(document.version), Vec::new()));
        }
        let mut seen = HashSet::new();
        for plan in plans {
            for diagnostic in &plan.diagnostics {
                let (uri, shown) = self.shown(diagnostic, plan, documents);
                if seen.insert((uri.clone(), shown.clone())) {
                    all.entry(uri.0).or_default().1.push(shown);
                }
            }
        }
        all
    }

    /// A diagnostic with its address. A mistake of the command line or the environment stands at the plan's start.
    fn shown(
        &self,
        diagnostic: &Diagnostic,
        plan: &CheckedPlan,
        documents: &Documents,
    ) -> (Uri, Shown) {
        let place = location(documents, &plan.sources, diagnostic.span);
        let mut message = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            message.push('\n');
            message.push_str(help);
        }
        let start = Position { line: 0, character: 0 };
        let (uri, range) = match place {
            Some(place) if place.uri.0.contains(':') => (place.uri, place.range),
            _ => (documents.uri(&plan.path), Range { start, end: start }),
        };
        let related = diagnostic.related.iter().filter_map(|(span, words)| {
            let location = location(documents, &plan.sources, *span)?;
            Some(DiagnosticRelatedInformation { location, message: words.clone() })
        });
        let related: Vec<_> = related.collect();
        let shown = Shown {
            range,
            severity: Some(match diagnostic.severity() {
                Severity::Error => DiagnosticSeverity::Error,
                Severity::Warning => DiagnosticSeverity::Warning,
            }),
            code: Some(diagnostic.code.text().into()),
            code_description: self
                .manual
                .link(diagnostic.code)
                .map(|href| CodeDescription { href }),
            source: Some("kplan".to_owned()),
            message: message.into(),
            tags: None,
            related_information: (!related.is_empty()).then_some(related),
            data: None,
        };
        (uri, shown)
    }
}

/// The address and range of a span.
fn location(documents: &Documents, sources: &Sources, span: kplan_dsl::Span) -> Option<Location> {
    let source = sources.get(span.file)?;
    Some(Location { uri: documents.uri(source.path()), range: range(source, span) })
}
