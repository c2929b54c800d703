//! Definition, references and rename, over the files of a plan.

use serde_json::{Value, json};

use super::{PLAN, client::Client};

const PART: &str = "\
fragment: v1
params:
  count: 3
steps:
  - alter_topic: { name: orders, partitions: \"{{ count }}\" }
";

/// The lines (from 0) of locations, by the end of their address.
fn lines(found: &Value) -> Vec<(String, u64)> {
    let one = |location: &Value| {
        let uri = location["uri"].as_str().unwrap_or_default();
        let name = uri.rsplit('/').next().unwrap_or_default().to_owned();
        (name, location["range"]["start"]["line"].as_u64().expect("a line"))
    };
    found.as_array().expect("a list").iter().map(one).collect()
}

#[test]
fn names_are_found_and_renamed_across_includes() {
    let text = PLAN.replace(
        "  - wait: 5s\n",
        "  - include: { file: parts/more.yaml, params: { count: 5 } }\n",
    );
    let mut client = Client::start(&[("parts/more.yaml", PART), ("p.yaml", &text)]);
    client.open("p.yaml", &text);
    let at = |client: &Client, word: &str| client.at("p.yaml", &text, word);
    let of = |name: &str, line: u64| (name.to_owned(), line);

    let found = client.result("textDocument/definition", at(&client, "orders/0"));
    assert_eq!(lines(&found), [of("p.yaml", 8)]);
    let found = client.result("textDocument/definition", at(&client, "parts/more.yaml"));
    assert_eq!(lines(&found), [of("more.yaml", 0)], "an included file");
    let found = client.result("textDocument/definition", at(&client, "count: 5"));
    assert_eq!(lines(&found), [of("more.yaml", 2)], "a parameter of the fragment");

    let mut asked = at(&client, "orders, partitions");
    asked["context"] = json!({ "includeDeclaration": true });
    let found = client.result("textDocument/references", asked.clone());
    let all = [of("p.yaml", 8), of("p.yaml", 9), of("p.yaml", 11), of("more.yaml", 4)];
    assert_eq!(lines(&found), all);
    asked["context"] = json!({ "includeDeclaration": false });
    assert_eq!(lines(&client.result("textDocument/references", asked)), all[1..]);

    // From the fragment: the plan that includes it is found on the disk or among the open documents.
    client.open("parts/more.yaml", PART);
    let place = client.at("parts/more.yaml", PART, "orders");
    let found = client.result("textDocument/definition", place);
    assert_eq!(lines(&found), [of("p.yaml", 8)]);

    let prepared = client.result("textDocument/prepareRename", at(&client, "orders/0"));
    assert_eq!(prepared["placeholder"], "orders");
    let mut asked = at(&client, "orders/0");
    asked["newName"] = "sales".into();
    let edit = client.result("textDocument/rename", asked.clone());
    let edits = |name: &str| edit["changes"][&client.uri(name)].as_array().map_or(0, Vec::len);
    assert_eq!((edits("p.yaml"), edits("parts/more.yaml")), (3, 1), "{edit}");
    let first = &edit["changes"][&client.uri("p.yaml")][0];
    assert_eq!(first["newText"], "sales");
    asked["newName"] = "not a topic".into();
    let refused = client.request("textDocument/rename", asked);
    assert_eq!(refused["error"]["code"], -32803, "{refused}");

    for (word, name, lines_of) in [("acks: all", "level", 2), ("P, topic", "Q", 2)] {
        let mut asked = at(&client, word);
        asked["newName"] = name.into();
        let edit = client.result("textDocument/rename", asked);
        let edits = edit["changes"][&client.uri("p.yaml")].as_array().map_or(0, Vec::len);
        assert_eq!(edits, lines_of, "{word}: {edit}");
    }
    assert_eq!(client.result("textDocument/definition", at(&client, "Drill")), json!([]));
    assert_eq!(client.end().0, Some(0));
}
