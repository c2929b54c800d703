//! Completion, hover, outline, hints and lenses.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    PLAN,
    client::{Client, position},
};

/// What is offered at `|` of a text that is opened as a new document.
fn offered(client: &mut Client, name: &str, text: &str) -> Vec<Value> {
    let byte = text.find('|').expect("a place");
    let text = text.replacen('|', "", 1);
    client.open(name, &text);
    let document = json!({ "uri": client.uri(name) });
    let params = json!({ "textDocument": document, "position": position(&text, byte) });
    let list = client.result("textDocument/completion", params);
    list["items"].as_array().expect("a list").clone()
}

#[test]
fn half_typed_plans_are_completed() {
    let mut client = Client::start(&[(
        "parts/sales.yaml",
        "fragment: v1\nsteps:\n  - create_topic: { name: sales }\n",
    )]);
    let plan = |line: &str| PLAN.replace("  - wait: 5s\n", &format!("{line}\n"));
    let cases = [
        ("  - kil|", "kill_broker", "kill_broker: "),
        ("  - create_topic: { name: x, part|", "partitions", "partitions: "),
        (
            "  - create_topic:\n      name: x\n      config:\n        min.in|",
            "min.insync.replicas",
            "min.insync.replicas: ",
        ),
        (
            "  - start_producer: { name: Q, topic: orders, config: { ling| } }",
            "linger.ms",
            "linger.ms: ",
        ),
        ("  - start_consumer: { name: C, topics: [|] }", "orders", "orders"),
        ("  - include: parts/sales.yaml\n  - delete_topic: { name: |", "sales", "sales"),
        ("  - stop_client: |", "P", "P"),
        ("  - kill_broker: { leader_of: ord| }", "orders/2", "orders/2"),
        ("  - note: \"{{ a|", "acks", "acks"),
        ("  - assert:\n      - lo|", "lost", "lost: "),
    ];
    for (number, (line, label, insert)) in cases.into_iter().enumerate() {
        let all = offered(&mut client, &format!("{number}.yaml"), &plan(line));
        let found = all.iter().find(|item| item["label"] == label);
        let found = found.unwrap_or_else(|| panic!("no {label} for {line}: {all:?}"));
        assert_eq!(found["textEdit"]["newText"], insert, "{line}");
        let range = &found["textEdit"]["range"];
        assert_eq!(range["start"]["line"], range["end"]["line"], "{line}");
    }
    let all =
        offered(&mut client, "doc.yaml", &plan("  - start_cluster: { config: { log.ret| } }"));
    let setting =
        all.iter().find(|item| item["label"] == "log.retention.ms").expect("it is offered");
    let doc = setting["documentation"]["value"].as_str().expect("a text");
    assert!(doc.contains("type: long"), "{doc}");
    assert_eq!(client.end().0, Some(0));
}

#[test]
fn hover_tells_what_stands_at_a_place() {
    let mut client = Client::start(&[]);
    let text = PLAN.replace("  - wait: 5s\n", "  - wait: 5s\n  - describe: { topic: other }\n");
    client.open("p.yaml", &text);
    assert_eq!(client.diagnostics("p.yaml", Some(1)).len(), 1, "it is checked");
    let mut said = |word: &str| {
        let params = client.at("p.yaml", &text, word);
        let hover = client.result("textDocument/hover", params);
        hover["contents"]["value"].as_str().unwrap_or_default().to_owned()
    };
    assert!(said("kill_broker").starts_with("# kill_broker (step)"));
    assert!(said("partitions").contains("`partitions`** of `create_topic`"));
    let target = said("leader_of");
    assert!(target.contains("Here it can mean 1, 2 or 3"), "{target}");
    let cells = said("{{ version }}");
    assert!(cells.contains("- `version=3.9.1`: `3.9.1`\n- `version=4.1.1`: `4.1.1`"), "{cells}");
    let same = said("{{ acks }}");
    assert!(same.contains("Value in every combination of the matrix: `all`"), "{same}");
    assert!(said("other }").contains("# W012"), "the page of a diagnostic");
    assert!(said("P\n").contains("The client `P`, p.yaml line 10"));
    assert_eq!(client.end().0, Some(0));
}

#[test]
fn outline_folds_and_lenses_are_those_of_the_plan() {
    let mut client = Client::start(&[]);
    client.open("p.yaml", PLAN);
    client.diagnostics("p.yaml", Some(1));
    let symbols = client.result("textDocument/documentSymbol", client.whole("p.yaml"));
    let names = |all: &Value| -> Vec<String> {
        let all = all.as_array().expect("a list").iter();
        all.filter_map(|s| s["name"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(&symbols), ["plan", "name", "params", "matrix", "steps"]);
    assert_eq!(names(&symbols[4]["children"])[4], "kill_broker");
    assert_eq!(symbols[4]["children"][4]["detail"], "{ broker: { leader_of: orders/0 }, for: 5s }");
    let folds = client.result("textDocument/foldingRange", client.whole("p.yaml"));
    let steps = json!({ "startLine": 6, "endLine": 13 });
    assert!(folds.as_array().is_some_and(|all| all.contains(&steps)), "{folds}");
    let lenses = until(&mut client, "textDocument/codeLens", |client| client.whole("p.yaml"), 3);
    let commands: Vec<&Value> = lenses.iter().map(|lens| &lens["command"]).collect();
    assert_eq!(commands[0]["title"], "Run");
    assert_eq!(
        (&commands[2]["title"], &commands[2]["command"]),
        (&json!("Run version=4.1.1"), &json!("kplan.run"))
    );
    let path = client.path("p.yaml").display().to_string();
    let argument = &commands[2]["arguments"][0];
    assert_eq!(argument["arguments"], json!(["run", path, "--param", "version=4.1.1"]));
    assert_eq!(
        (&argument["cell"], &argument["uri"]),
        (&json!({ "version": "4.1.1" }), &json!(client.uri("p.yaml")))
    );
    assert_eq!(client.end().0, Some(0));
}

#[test]
fn hints_show_the_cluster_after_each_step() {
    let part = "fragment: v1\nsteps:\n  - stop_broker: 3\n";
    let text = PLAN.replace("  - wait: 5s\n", "  - kill_broker: 2\n  - include: part.yaml\n");
    let mut client = Client::start(&[("part.yaml", part), ("p.yaml", &text)]);
    client.open("p.yaml", &text);
    client.open("part.yaml", part);
    let asked = |client: &Client, name: &str| {
        let range = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 99, "character": 0 } });
        json!({ "textDocument": { "uri": client.uri(name) }, "range": range })
    };
    let hints = until(&mut client, "textDocument/inlayHint", |client| asked(client, "p.yaml"), 7);
    let labels: Vec<_> = hints.iter().map(|h| h["label"].as_str().unwrap_or_default()).collect();
    assert_eq!(
        labels[..5],
        ["alive 3 of 3", "alive 3 of 3", "alive 3 of 3", "alive 2 of 3", "alive 1 of 3, no quorum"]
    );
    assert_eq!(
        hints[3]["position"],
        json!({ "line": 10, "character": "  - kill_broker: 2".len() })
    );
    let tooltip = hints[3]["tooltip"]["value"].as_str().unwrap_or_default();
    assert!(
        tooltip.contains("broker 2: down") && tooltip.contains("leads is known only while"),
        "{tooltip}"
    );
    let inside =
        until(&mut client, "textDocument/inlayHint", |client| asked(client, "part.yaml"), 1);
    assert_eq!(inside[0]["label"], "alive 1 of 3, no quorum");
    assert_eq!(client.end().0, Some(0));
}

/// The list that answers a request, when it has this many elements: the check that it needs may not have ended.
fn until(
    client: &mut Client,
    method: &str,
    params: impl Fn(&Client) -> Value,
    least: usize,
) -> Vec<Value> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let params = params(client);
        let found = client.result(method, params).as_array().cloned().unwrap_or_default();
        if found.len() >= least {
            return found;
        }
        assert!(Instant::now() < end, "{method}: only {found:?}");
    }
}
