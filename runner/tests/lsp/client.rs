//! A small client of the language server protocol.

use std::{
    io::{BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::common::kplan;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with its client.
pub struct Client {
    child: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    kept: Vec<Value>,
    last: i64,
    pub dir: tempfile::TempDir,
}

impl Client {
    /// Starts the server in a directory with these files, and initializes it.
    pub fn start(files: &[(&str, &str)]) -> Self {
        let mut client = Self::silent(files);
        let answer = client.request("initialize", json!({ "processId": null, "capabilities": {} }));
        assert_eq!(answer["result"]["serverInfo"]["name"], "kplan", "{answer}");
        client.notify("initialized", json!({}));
        client
    }

    /// Starts the server and says nothing.
    pub fn silent(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            std::fs::write(path, text).expect("file");
        }
        let mut command = kplan(&["lsp"]);
        command.current_dir(dir.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("kplan starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, messages, kept: Vec::new(), last: 0, dir }
    }

    /// The path of a file in the client's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The address of a file in the client's directory.
    pub fn uri(&self, name: &str) -> String {
        uri(&self.path(name))
    }

    /// Sends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the server's input is open");
        // A server that has ended reads nothing: its status says so.
        let _ = input.write_all(bytes).and_then(|()| input.flush());
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        self.raw(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The whole answer to a request.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let is_answer = |m: &Value| m["id"] == id && m.get("method").is_none();
        self.take(is_answer, method)
    }

    /// The result of a request, which must have one.
    pub fn result(&mut self, method: &str, params: Value) -> Value {
        let answer = self.request(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// The first message of a kind; earlier ones are kept for others.
    fn take(&mut self, wanted: impl Fn(&Value) -> bool, what: &str) -> Value {
        if let Some(at) = self.kept.iter().position(&wanted) {
            return self.kept.remove(at);
        }
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left);
            let message = message.unwrap_or_else(|e| panic!("no answer to {what}: {e}"));
            if wanted(&message) {
                return message;
            }
            self.kept.push(message);
        }
    }

    /// Opens a document of the client's directory.
    pub fn open(&mut self, name: &str, text: &str) {
        let uri = self.uri(name);
        self.open_uri(&uri, text);
    }

    pub fn open_uri(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "yaml", "version": 1, "text": text });
        self.notify("textDocument/didOpen", json!({ "textDocument": document }));
    }

    /// Replaces the text of an open document.
    pub fn change(&mut self, name: &str, version: i32, text: &str) {
        let document = json!({ "uri": self.uri(name), "version": version });
        let changes = json!([{ "text": text }]);
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.notify("textDocument/didChange", params);
    }

    /// The diagnostics of a version of a document; without one, of a file that is not open.
    pub fn diagnostics(&mut self, name: &str, version: Option<i32>) -> Vec<Value> {
        let uri = self.uri(name);
        self.diagnostics_of(&uri, version)
    }

    /// The same of any address.
    pub fn diagnostics_of(&mut self, uri: &str, version: Option<i32>) -> Vec<Value> {
        let wanted = move |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == json!(version)
        };
        let message = self.take(wanted, "publishDiagnostics");
        message["params"]["diagnostics"].as_array().expect("a list").clone()
    }

    /// The parameters of a request about the place of a word in a text, one character behind its start.
    pub fn at(&self, name: &str, text: &str, word: &str) -> Value {
        let byte = text.find(word).unwrap_or_else(|| panic!("no {word}")) + 1;
        json!({
            "textDocument": { "uri": self.uri(name) },
            "position": position(text, byte),
        })
    }

    /// Parameters about a whole document.
    pub fn whole(&self, name: &str) -> Value {
        json!({ "textDocument": { "uri": self.uri(name) } })
    }

    /// Ends the server as an editor does. Its status and what it wrote on standard error.
    pub fn end(mut self) -> (Option<i32>, String) {
        let answer = self.request("shutdown", Value::Null);
        assert_eq!(answer["result"], Value::Null, "{answer}");
        self.notify("exit", Value::Null);
        self.status()
    }

    /// Waits for the end of the server, whose input ends.
    pub fn status(mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        let mut error = String::new();
        let mut stderr = self.child.stderr.take().expect("its errors");
        stderr.read_to_string(&mut error).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        assert!(!error.contains("panicked"), "{error}");
        (status.code(), error)
    }
}

/// The address of a path.
pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// The place of a byte, in UTF-16 units.
pub fn position(text: &str, byte: usize) -> Value {
    let line = text[..byte].matches('\n').count();
    let start = text[..byte].rfind('\n').map_or(0, |at| at + 1);
    json!({ "line": line, "character": text[start..byte].encode_utf16().count() })
}

/// One message; none at the end.
fn read(output: &mut impl std::io::BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", number)) => length = number.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut bytes = vec![0; length];
    output.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
