//! Diagnostics while typing, and corrections.

use serde_json::{Value, json};

use super::{
    PLAN,
    client::{Client, position},
    common::root,
};

fn codes(diagnostics: &[Value]) -> Vec<&str> {
    diagnostics.iter().filter_map(|d| d["code"].as_str()).collect()
}

#[test]
fn mistakes_are_shown_while_they_are_typed_and_go_when_they_are_corrected() {
    let mut client = Client::start(&[]);
    let bad = PLAN.replace("  - wait: 5s\n", "  - { note: \"\u{1F980}ä\", kil_broker: 2 }\n");
    client.open("p.yaml", &bad);
    let found = client.diagnostics("p.yaml", Some(1));
    assert_eq!(codes(&found), ["E010"], "{found:?}");
    let one = &found[0];
    let start = bad.find("kil_broker").expect("it is there");
    assert_eq!(one["range"]["start"], position(&bad, start), "in units of UTF-16");
    assert_eq!(one["range"]["end"], position(&bad, start + "kil_broker".len()));
    assert_eq!((one["severity"].as_i64(), one["source"].as_str()), (Some(1), Some("kplan")));
    assert!(one["message"].as_str().is_some_and(|m| m.contains("did you mean `kill_broker`?")));
    let link = one["codeDescription"]["href"].as_str().expect("a link");
    let (path, line) =
        link.strip_prefix("file://").and_then(|l| l.split_once("#L")).expect("a line");
    let manual = std::fs::read_to_string(path).expect("the manual");
    let heading = manual.lines().nth(line.parse::<usize>().expect("a number") - 1);
    assert!(heading.is_some_and(|heading| heading.starts_with("## E010:")), "{heading:?}");
    // An edit of a part: only the word.
    let range = json!({ "start": one["range"]["start"], "end": one["range"]["end"] });
    let document = json!({ "uri": client.uri("p.yaml"), "version": 2 });
    let changes = json!([
        { "range": range, "text": "timeout" },
        { "range": { "start": { "line": 999, "character": 0 }, "end": { "line": 999, "character": 0 } }, "text": "# end\n" },
    ]);
    client.notify(
        "textDocument/didChange",
        json!({ "textDocument": document, "contentChanges": changes }),
    );
    assert_eq!(codes(&client.diagnostics("p.yaml", Some(2))), ["E013"], "`timeout: 2`");
    client.change("p.yaml", 3, PLAN);
    assert!(client.diagnostics("p.yaml", Some(3)).is_empty());
    let manual = std::path::PathBuf::from(path);
    assert_eq!(client.end(), (Some(0), String::new()));
    assert!(!manual.exists(), "the server takes its file away");
}

#[test]
fn warnings_have_other_places_and_other_files_have_none() {
    let mut client = Client::start(&[]);
    client.open("compose.yaml", "services:\n  plan: v1\n");
    let twice = PLAN.replace("  acks: all\n", "  acks: all\n  acks: 1\n");
    client.open("p.yaml", &twice);
    let found = client.diagnostics("p.yaml", Some(1));
    assert_eq!(codes(&found), ["E003"]);
    let related = &found[0]["relatedInformation"][0];
    assert_eq!(related["message"], "the first one");
    assert_eq!(related["location"]["uri"], client.uri("p.yaml"));
    assert_eq!(related["location"]["range"]["start"], json!({ "line": 3, "character": 2 }));
    let warned = PLAN.replace("  - wait: 5s\n", "  - describe: { topic: other }\n");
    client.change("p.yaml", 2, &warned);
    let found = client.diagnostics("p.yaml", Some(2));
    assert_eq!((codes(&found), found[0]["severity"].as_i64()), (vec!["W012"], Some(2)));
    // Nothing was said about the other file: its diagnostics would stand before those of its change.
    client.change("compose.yaml", 2, "plan: v1\nname: now a plan\nsteps: []\n");
    assert_eq!(codes(&client.diagnostics("compose.yaml", Some(2))), ["E015"]);
    client.change("compose.yaml", 3, "services: {}\n");
    assert!(client.diagnostics("compose.yaml", None).is_empty(), "it is no plan any more");
    client.notify("textDocument/didClose", client.whole("p.yaml"));
    assert!(client.diagnostics("p.yaml", None).is_empty());
    assert_eq!(client.end().0, Some(0));
}

#[test]
fn fragments_are_checked_in_the_plans_that_include_them() {
    let part = "fragment: v1\nparams:\n  n: 3\nsteps:\n  - create_topic: { name: sales, partitons: \"{{ n }}\" }\n";
    let plan = PLAN.replace("  - wait: 5s\n", "  - include: parts/sales.yaml\n");
    let mut client = Client::start(&[("parts/sales.yaml", part), ("p.yaml", &plan)]);
    client.open("p.yaml", &plan);
    assert!(client.diagnostics("p.yaml", Some(1)).is_empty());
    let found = client.diagnostics("parts/sales.yaml", None);
    assert_eq!(codes(&found), ["E010"], "from the disk, though it is not open");
    client.open("parts/sales.yaml", part);
    assert_eq!(codes(&client.diagnostics("parts/sales.yaml", Some(1))), ["E010"]);
    client.change("parts/sales.yaml", 2, &part.replace("partitons", "partitions"));
    assert!(client.diagnostics("parts/sales.yaml", Some(2)).is_empty(), "the open text counts");
    client.notify("textDocument/didClose", client.whole("p.yaml"));
    // The plan on disk includes it: only there does the topic's name stand twice.
    client.change("parts/sales.yaml", 3, &part.replace("sales, partitons", "orders, partitions"));
    assert_eq!(codes(&client.diagnostics("parts/sales.yaml", Some(3))), ["E055"]);
    client.open("alone.yaml", "fragment: v1\nsteps:\n  - nott: \"{{ of_a_plan }}\"\n");
    assert_eq!(codes(&client.diagnostics("alone.yaml", Some(1))), ["E020"]);
    assert_eq!(client.end().0, Some(0));
}

#[test]
fn corrections_are_offered_and_can_be_applied() {
    let mut client = Client::start(&[]);
    let bad = PLAN.replace(
        "  - wait: 5s\n",
        "  - kil_broker: 2\n  - create_topic: { partitions: 1 }\n  - describe: { topic: ordesr }\n",
    );
    client.open("p.yaml", &bad);
    let found = client.diagnostics("p.yaml", Some(1));
    assert_eq!(codes(&found), ["E020", "E011"], "{found:?}");
    let document = json!({ "uri": client.uri("p.yaml") });
    let mut text = bad;
    for (diagnostic, title) in
        found.iter().rev().zip(["Add `name`", "Replace `kil_broker` by `kill_broker`"])
    {
        let params = json!({
            "textDocument": document,
            "range": diagnostic["range"],
            "context": { "diagnostics": [diagnostic] },
        });
        let actions = client.result("textDocument/codeAction", params);
        let action = actions.as_array().and_then(|all| all.iter().find(|a| a["title"] == title));
        let action = action.unwrap_or_else(|| panic!("no {title} in {actions}"));
        assert_eq!((&action["kind"], &action["diagnostics"][0]), (&json!("quickfix"), diagnostic));
        text = edited(&text, &action["edit"]["changes"][&client.uri("p.yaml")]);
    }
    client.change("p.yaml", 2, &text);
    let found = client.diagnostics("p.yaml", Some(2));
    assert_eq!(codes(&found), ["W012"], "{text}\n{found:?}");
    let params = json!({
        "textDocument": document, "range": found[0]["range"], "context": { "diagnostics": [] },
    });
    let actions = client.result("textDocument/codeAction", params);
    let titles: Vec<_> = actions.as_array().expect("a list").iter().map(|a| &a["title"]).collect();
    assert_eq!(titles, ["Replace `ordesr` by `orders`", "Allow W012 here"]);
    let allowed = edited(&text, &actions[1]["edit"]["changes"][&client.uri("p.yaml")]);
    assert!(allowed.contains("  # kplan: allow W012\n  - describe"), "{allowed}");
    client.change("p.yaml", 3, &allowed);
    assert!(client.diagnostics("p.yaml", Some(3)).is_empty());
    assert_eq!(client.end().0, Some(0));
}

/// A text after edits of the protocol, whose characters are ASCII.
fn edited(text: &str, edits: &Value) -> String {
    let byte = |at: &Value| {
        let line = at["line"].as_u64().expect("a line") as usize;
        let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        start + at["character"].as_u64().expect("a character") as usize
    };
    let edits = edits.as_array().expect("edits");
    let mut text = text.to_owned();
    assert_eq!(edits.len(), 1, "{edits:?}");
    let range = byte(&edits[0]["range"]["start"])..byte(&edits[0]["range"]["end"]);
    text.replace_range(range, edits[0]["newText"].as_str().expect("a text"));
    text
}

#[test]
fn every_example_is_clean_and_has_hints() {
    let mut client = Client::start(&[]);
    let mut hinted = 0;
    let mut opened = 0;
    for entry in std::fs::read_dir(root().join("examples")).expect("examples").flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("readable");
        // Options that some examples need are not those of this server.
        let commands = ["run:", "start_service:", "http:", "clients:"];
        if commands.iter().any(|word| text.contains(word)) {
            continue;
        }
        opened += 1;
        let uri = super::client::uri(&path);
        client.open_uri(&uri, &text);
        let found = client.diagnostics_of(&uri, Some(1));
        assert!(found.is_empty(), "{}: {found:?}", path.display());
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 999, "character": 0 } });
        let params = json!({ "textDocument": { "uri": uri }, "range": range });
        let hints = client.result("textDocument/inlayHint", params);
        hinted += usize::from(hints.as_array().is_some_and(|all| !all.is_empty()));
    }
    assert!(opened > 40 && hinted > 30, "{hinted} of {opened}");
    assert_eq!(client.end().0, Some(0));
}
