//! What no editor sends: an error, never a panic.

use serde_json::{Value, json};

use super::{PLAN, client::Client};

fn code(answer: &Value) -> Option<i64> {
    answer["error"]["code"].as_i64()
}

#[test]
fn requests_that_cannot_be_answered_get_an_error_and_the_server_goes_on() {
    let mut client = Client::silent(&[]);
    assert_eq!(code(&client.request("textDocument/hover", json!({}))), Some(-32002), "too early");
    client.notify("textDocument/didOpen", json!({ "textDocument": 1 }));
    let first = client.request("initialize", Value::Null);
    assert!(first["result"]["capabilities"].is_object(), "{first}");
    assert_eq!(code(&client.request("initialize", json!({}))), Some(-32600), "a second time");
    assert_eq!(code(&client.request("no/such", json!({}))), Some(-32601));
    for method in ["completion", "hover", "rename", "codeAction", "inlayHint", "documentSymbol"] {
        let method = format!("textDocument/{method}");
        assert_eq!(code(&client.request(&method, json!([1]))), Some(-32602), "{method}");
    }
    let unknown = json!({
        "textDocument": { "uri": "file:///no/such.yaml" }, "position": { "line": 1, "character": 1 },
        "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } },
        "context": { "diagnostics": [], "includeDeclaration": true, "triggerKind": 1 }, "newName": "x",
    });
    for method in ["completion", "hover", "references", "codeAction", "inlayHint", "codeLens"] {
        let answer = client.request(&format!("textDocument/{method}"), unknown.clone());
        assert_eq!(answer.get("result"), Some(&Value::Null), "{method}: {answer}");
    }
    assert_eq!(code(&client.request("textDocument/rename", unknown)), Some(-32803));
    client.notify("textDocument/didChange", json!({ "textDocument": { "uri": 5 } }));
    client.notify("textDocument/didClose", json!({ "textDocument": { "uri": "file:///none" } }));
    client.notify("$/setTrace", json!({ "value": "off" }));
    // Places that no text has.
    client.open("p.yaml", PLAN);
    for (line, character) in [(0, 4_000_000_000_u32), (4_000_000_000_u32, 0), (7, 999)] {
        let position = json!({ "line": line, "character": character });
        let document = json!({ "uri": client.uri("p.yaml") });
        let params = json!({ "textDocument": document, "position": position });
        let list = client.result("textDocument/completion", params);
        assert!(list["items"].is_array(), "{list}");
    }
    assert_eq!(code(&client.request("shutdown", Value::Null)), None);
    assert_eq!(code(&client.request("textDocument/hover", json!({}))), Some(-32600), "too late");
    client.notify("exit", Value::Null);
    assert_eq!(client.status(), (Some(0), String::new()));
}

#[test]
fn texts_of_all_kinds_are_taken() {
    let mut client = Client::start(&[]);
    let deep = format!("plan: v1\nsteps: {}\n", "[".repeat(5_000));
    let wide =
        format!("plan: v1\nname: \"{}\"\nsteps:\n  - wait: 1s\n", "\u{1F980}".repeat(50_000));
    for (number, text) in
        ["plan: v1\n\t", "plan: v1\n\u{0}\u{7f}", "plan: v1\r\nsteps:\r\n  - ", &deep, &wide]
            .into_iter()
            .enumerate()
    {
        let name = format!("{number}.yaml");
        client.open(&name, text);
        assert!(!client.diagnostics(&name, Some(1)).is_empty(), "{number}");
        let end = json!({ "line": 2, "character": 4 });
        let document = json!({ "uri": client.uri(&name) });
        let params = json!({ "textDocument": document, "position": end });
        for method in ["completion", "hover", "definition"] {
            client.result(&format!("textDocument/{method}"), params.clone());
        }
        client.result("textDocument/foldingRange", client.whole(&name));
    }
    assert_eq!(client.end(), (Some(0), String::new()));
}

#[test]
fn the_status_says_how_the_editor_ended() {
    let mut client = Client::start(&[]);
    client.notify("exit", Value::Null);
    assert_eq!(client.status(), (Some(1), String::new()), "not shut down before");
    assert_eq!(Client::silent(&[]).status(), (Some(1), String::new()), "nothing was said");
    let endless = [b'a'; 9000];
    for bytes in [
        &b"hello\r\n\r\n"[..],
        b"Content-Length: 3\r\n\r\n{]}",
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: 1099511627776\r\n\r\n{}",
        b"Content-Length: 18446744073709551615\r\n\r\n{}",
        b"Content-Length: 99999999999999999999\r\n\r\n{}",
        &endless,
    ] {
        let mut client = Client::start(&[]);
        client.raw(bytes);
        let (status, error) = client.status();
        assert_eq!(status, Some(2), "{error}");
        assert!(
            error.starts_with("error: the input is not of the language server protocol"),
            "{error}"
        );
    }
}
