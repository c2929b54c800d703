//! The server's loop: one message after the other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI32, Ordering},
};

use gen_lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
};
use kplan_dsl::Options;
use lsp_server::{
    Connection, ErrorCode, Message, Notification, Request, RequestId, Response, ResponseError,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    actions, checker::Checker, completion, documents::Documents, hints, hover, names, outline,
    published::PublishedDiagnostics,
};

/// How the server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The editor shut it down and then let it exit.
    Asked,
    /// The editor went away.
    Unasked,
}

/// What the server knows.
pub struct Server {
    pub documents: Documents,
    pub options: Arc<Options>,
    pub checker: Checker,
    /// Whether the editor asks again for hints after a request to do so.
    asks_again: Arc<AtomicBool>,
}

/// Where the editor and the server are with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Before,
    Open,
    ShutDown,
}

/// Answers the messages of an editor until it ends the server or goes away.
pub fn serve(connection: Connection, options: Arc<Options>) -> Ended {
    let Connection { sender, receiver } = connection;
    let asks_again = Arc::new(AtomicBool::new(false));
    let (asks, out) = (Arc::clone(&asks_again), sender.clone());
    let published = std::sync::Mutex::new(PublishedDiagnostics::new());
    let number = AtomicI32::new(0);
    let checker = Checker::start(Arc::clone(&options), move |documents, plans| {
        let mut published = published.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut news = published.news(documents, plans);
        if asks.load(Ordering::Relaxed) {
            for what in ["workspace/inlayHint/refresh", "workspace/codeLens/refresh"] {
                let id = RequestId::from(number.fetch_add(1, Ordering::Relaxed));
                news.push(Request::new(id, what.to_owned(), Value::Null).into());
            }
        }
        // When the editor no longer reads, the server's loop ends too.
        news.into_iter().for_each(|message| drop(out.send(message)));
    });
    let mut server = Server { documents: Documents::default(), options, checker, asks_again };
    let mut phase = Phase::Before;
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Request(request) => {
                let (answer, next) = server.request(&request, phase);
                phase = next;
                let answer = match answer {
                    Ok(value) => Response::new_ok(request.id, value),
                    Err(ResponseError { code, message, .. }) => {
                        Response::new_err(request.id, code, message)
                    }
                };
                if sender.send(answer.into()).is_err() {
                    return Ended::Unasked;
                }
            }
            Message::Notification(news) if news.method == "exit" => {
                return if phase == Phase::ShutDown { Ended::Asked } else { Ended::Unasked };
            }
            Message::Notification(news) if phase == Phase::Open => server.notification(news),
            Message::Notification(_) | Message::Response(_) => {}
        }
    }
    Ended::Unasked
}

type Answer = Result<Value, ResponseError>;

impl Server {
    /// The answer to a request, and the phase after it.
    fn request(&self, request: &Request, phase: Phase) -> (Answer, Phase) {
        let refused = |code: ErrorCode, message: &str| Err(wrong(code, message));
        match (request.method.as_str(), phase) {
            ("initialize", Phase::Before) => (Ok(self.initialize(&request.params)), Phase::Open),
            (_, Phase::Before) => {
                let message = "the first request must be `initialize`";
                (refused(ErrorCode::ServerNotInitialized, message), phase)
            }
            ("initialize", _) => {
                (refused(ErrorCode::InvalidRequest, "`initialize` was sent before"), phase)
            }
            (_, Phase::ShutDown) => {
                (refused(ErrorCode::InvalidRequest, "the server was shut down"), phase)
            }
            ("shutdown", Phase::Open) => (Ok(Value::Null), Phase::ShutDown),
            (method, Phase::Open) => (self.answer(method, &request.params), phase),
        }
    }

    fn initialize(&self, params: &Value) -> Value {
        let again = |what: &str| params.pointer(what).and_then(Value::as_bool) == Some(true);
        let hints = again("/capabilities/workspace/inlayHint/refreshSupport");
        let lenses = again("/capabilities/workspace/codeLens/refreshSupport");
        self.asks_again.store(hints && lenses, Ordering::Relaxed);
        json!({
            "serverInfo": { "name": "kplan", "version": env!("CARGO_PKG_VERSION") },
            "capabilities": {
                "positionEncoding": "utf-16",
                "textDocumentSync": { "openClose": true, "change": 2, "save": true },
                "completionProvider": { "triggerCharacters": [" ", ":", "/", ".", "{", "[", "-"] },
                "hoverProvider": true,
                "definitionProvider": true,
                "referencesProvider": true,
                "renameProvider": { "prepareProvider": true },
                "documentSymbolProvider": true,
                "foldingRangeProvider": true,
                "codeActionProvider": { "codeActionKinds": ["quickfix"] },
                "codeLensProvider": {},
                "inlayHintProvider": true,
            },
        })
    }

    fn answer(&self, method: &str, params: &Value) -> Answer {
        match method {
            "textDocument/completion" => with(params, |p| Ok(completion::answer(self, &p))),
            "textDocument/hover" => with(params, |p| Ok(hover::answer(self, &p))),
            "textDocument/definition" => with(params, |p| Ok(names::definition(self, &p))),
            "textDocument/references" => with(params, |p| Ok(names::references(self, &p))),
            "textDocument/prepareRename" => with(params, |p| Ok(names::prepare(self, &p))),
            "textDocument/rename" => with(params, |p| names::renamed(self, &p)),
            "textDocument/documentSymbol" => with(params, |p| Ok(outline::symbols(self, &p))),
            "textDocument/foldingRange" => with(params, |p| Ok(outline::folding(self, &p))),
            "textDocument/inlayHint" => with(params, |p| Ok(hints::hints(self, &p))),
            "textDocument/codeLens" => with(params, |p| Ok(hints::lenses(self, &p))),
            "textDocument/codeAction" => with(params, |p| Ok(actions::answer(self, &p))),
            _ => Err(wrong(ErrorCode::MethodNotFound, &format!("kplan does not know `{method}`"))),
        }
    }

    /// Takes note of what the editor says. What cannot be read is left out: there is no answer to a notification.
    fn notification(&mut self, news: Notification) {
        match news.method.as_str() {
            "textDocument/didOpen" => {
                let read = serde_json::from_value::<DidOpenTextDocumentParams>(news.params);
                let Ok(DidOpenTextDocumentParams { text_document: it }) = read else { return };
                self.documents.open(it.uri, it.version, &it.text);
            }
            "textDocument/didChange" => {
                let read = serde_json::from_value::<DidChangeTextDocumentParams>(news.params);
                let Ok(change) = read else { return };
                let it = change.text_document;
                self.documents.change(
                    &it.text_document_identifier.uri,
                    it.version,
                    &change.content_changes,
                );
            }
            "textDocument/didClose" => {
                let read = serde_json::from_value::<DidCloseTextDocumentParams>(news.params);
                let Ok(DidCloseTextDocumentParams { text_document: it }) = read else { return };
                self.documents.close(&it.uri);
            }
            // Another file of the plan may have been saved.
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {}
            _ => return,
        }
        self.checker.check(&self.documents);
    }
}

/// The answer to a request with these parameters.
fn with<P: DeserializeOwned, R: Serialize>(
    params: &Value,
    answer: impl FnOnce(P) -> Result<R, ResponseError>,
) -> Answer {
    let read = P::deserialize(params);
    let params = read.map_err(|error| wrong(ErrorCode::InvalidParams, &error.to_string()))?;
    let written = serde_json::to_value(answer(params)?);
    written.map_err(|error| wrong(ErrorCode::InternalError, &error.to_string()))
}

fn wrong(code: ErrorCode, message: &str) -> ResponseError {
    ResponseError { code: code as i32, message: message.to_owned(), data: None }
}
