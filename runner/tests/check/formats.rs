//! Each format of machines against its published rules, written down here as code.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{BAD, WARNED, dir, ended};

/// A path with everything in it that an address must not hold.
const NAME: &str = "plans/a b#ü,100%:1.yaml";
/// Names something twice: one mistake with another place that matters.
const TWICE: &str = "plan: v1\nname: x\nname: y\nsteps:\n  - start_cluster\n";

fn told(format: &str, files: &[(&str, &str)]) -> String {
    let dir = dir(files);
    let (status, out, err) = ended(dir.path(), &["check", ".", "--format", format]);
    assert_eq!((status, err.as_str()), (2, ""), "{out}");
    assert!(!out.contains('\u{1b}'), "{out}");
    out
}

fn json(format: &str, files: &[(&str, &str)]) -> Value {
    serde_json::from_str(&told(format, files)).expect("JSON")
}

fn list<'v>(value: &'v Value, at: &str) -> &'v Vec<Value> {
    value.pointer(at).and_then(Value::as_array).unwrap_or_else(|| panic!("{at} in {value:#}"))
}

#[test]
fn every_format_of_two_bad_plans() {
    for format in ["json", "github", "gitlab", "sarif", "rdjson"] {
        let out = told(format, &[(NAME, BAD), ("twice.yaml", TWICE), ("warned.yaml", WARNED)]);
        let out = out.replace(env!("CARGO_PKG_VERSION"), "VERSION");
        insta::assert_snapshot!(format, out);
    }
}

#[test]
fn json_has_exactly_the_documented_keys() {
    let form = json("json", &[(NAME, BAD)]);
    assert_eq!(form.as_object().map(|o| o.len()), Some(1));
    for entry in list(&form, "/diagnostics") {
        let keys: Vec<&String> = entry.as_object().expect("a map").keys().collect();
        assert_eq!(
            keys,
            [
                "code",
                "severity",
                "file",
                "line",
                "column",
                "end_line",
                "end_column",
                "message",
                "help"
            ]
        );
        let number = |key: &str| entry[key].as_u64().expect("a number");
        assert!(number("line") >= 1 && number("column") >= 1, "{entry}");
        assert!(
            (number("end_line"), number("end_column")) >= (number("line"), number("column")),
            "{entry}"
        );
        let severity = if entry["code"].as_str().expect("text").starts_with('E') {
            "error"
        } else {
            "warning"
        };
        assert_eq!(entry["severity"], severity);
    }
    // The unknown key of line 4 is `brokrs`, and its place is exactly that word.
    let first = &list(&form, "/diagnostics")[0];
    let place =
        ["line", "column", "end_line", "end_column"].map(|k| first[k].as_u64().unwrap_or(0));
    assert_eq!(place, [4, 22, 4, 28], "{first}");
    assert_eq!(first["help"], "did you mean `brokers`?");
}

#[test]
fn a_clean_check_is_an_empty_list_in_every_format() {
    let text = "plan: v1\nname: x\nsteps:\n  - start_cluster\n  - assert: [{ controller: any }]\n";
    let good = dir(&[("good.yaml", text)]);
    for (format, at) in [
        ("json", "/diagnostics"),
        ("gitlab", ""),
        ("sarif", "/runs/0/results"),
        ("rdjson", "/diagnostics"),
    ] {
        let (status, out, _) = ended(good.path(), &["check", ".", "--format", format]);
        let form: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!((status, list(&form, at).len()), (0, 0), "{format}: {out}");
    }
    let (status, out, _) = ended(good.path(), &["check", ".", "--format", "github"]);
    assert_eq!((status, out.as_str()), (0, ""));
}

/// One workflow command, read as GitHub's runner reads it.
fn command(line: &str) -> (String, Vec<(String, String)>, String) {
    let (head, message) =
        line.strip_prefix("::").expect("a command").split_once("::").expect("two parts");
    let (level, properties) = head.split_once(' ').expect("properties");
    let plain = |text: &str| {
        let text = text.replace("%3A", ":").replace("%2C", ",");
        text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    };
    let pairs = properties.split(',').map(|pair| {
        let (key, value) = pair.split_once('=').expect("key and value");
        assert!(!value.contains(':'), "{line}");
        (key.to_owned(), plain(value))
    });
    (level.to_owned(), pairs.collect(), plain(message))
}

#[test]
fn github_reads_back_what_was_meant() {
    let out = told("github", &[(NAME, BAD)]);
    for line in out.lines() {
        let (level, properties, message) = command(line);
        assert!(["error", "warning"].contains(&level.as_str()), "{line}");
        let keys: Vec<&str> = properties.iter().map(|(k, _)| k.as_str()).collect();
        assert_eq!(keys, ["file", "line", "endLine", "col", "endColumn", "title"], "{line}");
        assert_eq!(properties[0].1, NAME);
        assert!(!message.is_empty());
    }
}

#[test]
fn github_shows_ten_of_a_level_and_sums_up_the_rest() {
    let plan = |steps: String| format!("plan: v1\nname: x\nsteps:\n  - start_cluster\n{steps}");
    let bad = plan("  - kil_broker: 1\n".repeat(13));
    let asks = "  - assert: [{ controller: any }]\n";
    let doubtful = plan("  - describe: { topic: other }\n".repeat(12) + asks);
    let out = told("github", &[("bad.yaml", &bad), ("doubtful.yaml", &doubtful)]);
    let count = |level: &str| out.lines().filter(|l| l.starts_with(&format!("::{level} "))).count();
    assert_eq!((count("error"), count("warning"), count("notice")), (10, 10, 1), "{out}");
    let notice = out.lines().last().expect("a notice");
    assert!(notice.contains("3 more errors, 2 more warnings"), "{notice}");
}

/// GitLab: these keys, a severity of its list, a path inside the repository without `./`.
#[test]
fn gitlab_gets_what_its_documentation_asks_for() {
    let form = json("gitlab", &[(NAME, BAD), ("b.yaml", BAD)]);
    let issues = list(&form, "");
    let mut fingerprints = BTreeSet::new();
    for issue in issues {
        for key in ["description", "check_name", "fingerprint", "severity"] {
            assert!(issue[key].as_str().is_some_and(|t| !t.is_empty()), "{key}: {issue}");
        }
        assert!(["major", "minor"].contains(&issue["severity"].as_str().unwrap_or("")));
        let path = issue["location"]["path"].as_str().expect("a path");
        assert!([NAME, "b.yaml"].contains(&path), "{path}");
        assert!(issue["location"]["lines"]["begin"].as_u64().is_some_and(|n| n >= 1));
        fingerprints.insert(issue["fingerprint"].as_str().map(str::to_owned));
    }
    assert_eq!(fingerprints.len(), issues.len());
}

#[test]
fn fingerprints_stay_when_lines_move_and_differ_for_equal_mistakes() {
    let fingerprints = |text: &str| -> Vec<Value> {
        let form = json("gitlab", &[("p.yaml", text)]);
        list(&form, "").iter().map(|i| i["fingerprint"].clone()).collect()
    };
    let moved = BAD.replace("steps:\n", "# a line\n# another\nsteps:\n");
    assert_eq!(fingerprints(BAD), fingerprints(&moved));
    let twice = format!("{BAD}  - kil_broker: 1\n  - kil_broker: 1\n");
    let found: BTreeSet<String> = fingerprints(&twice).iter().map(Value::to_string).collect();
    assert_eq!(found.len(), fingerprints(&twice).len());
}

#[test]
fn sarif_refers_to_its_own_rules_and_to_relative_encoded_addresses() {
    let form = json("sarif", &[(NAME, BAD), ("twice.yaml", TWICE)]);
    assert_eq!(form["version"], "2.1.0");
    let rules = list(&form, "/runs/0/tool/driver/rules");
    for rule in rules {
        for text in ["/shortDescription/text", "/help/text", "/help/markdown"] {
            assert!(
                rule.pointer(text).and_then(Value::as_str).is_some_and(|t| t.len() > 5),
                "{rule}"
            );
        }
    }
    let mut fingerprints = BTreeSet::new();
    for result in list(&form, "/runs/0/results") {
        let index = result["ruleIndex"].as_u64().expect("a number");
        let rule = &rules[usize::try_from(index).expect("small")];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("an address");
        assert!(["plans/a%20b%23%C3%BC%2C100%25%3A1.yaml", "twice.yaml"].contains(&uri), "{uri}");
        for key in ["startLine", "startColumn", "endLine", "endColumn"] {
            assert!(place["region"][key].as_u64().is_some_and(|n| n >= 1), "{place}");
        }
        fingerprints.insert(result["partialFingerprints"].to_string());
    }
    assert_eq!(fingerprints.len(), list(&form, "/runs/0/results").len());
    let related =
        list(&form, "/runs/0/results").iter().filter(|r| r["relatedLocations"].is_array());
    assert_eq!(related.count(), 1, "the first of two equal keys");
}

#[test]
fn rdjson_counts_columns_in_bytes() {
    let form = json("rdjson", &[("p.yaml", BAD)]);
    let entry = list(&form, "/diagnostics")
        .iter()
        .find(|d| d["message"].as_str().is_some_and(|m| m.contains("kil_broker")));
    let start = &entry.expect("the unknown verb")["location"]["range"]["start"];
    let line = BAD.lines().nth(5).expect("line 6");
    let byte = line.find("kil_broker").expect("on it") + 1;
    assert_eq!((start["line"].as_u64(), start["column"].as_u64()), (Some(6), Some(byte as u64)));
    assert!(!list(&form, "/diagnostics").is_empty());
    for entry in list(&form, "/diagnostics") {
        assert!(["ERROR", "WARNING"].contains(&entry["severity"].as_str().unwrap_or("")));
        assert!(entry["code"]["value"].is_string() && entry["message"].is_string());
    }
}

#[test]
fn a_mistake_on_the_command_line_stands_at_the_plan_and_hides_secrets() {
    let text = "plan: v1\nname: x\nparams:\n  pin: { default: 1, secret: true, one_of: [1, 2] }\nsteps:\n  - start_cluster\n";
    let dir = dir(&[("p.yaml", text)]);
    for format in ["json", "github", "gitlab", "sarif", "rdjson", "human"] {
        let args = ["check", "p.yaml", "--param", "pin=4711", "--format", format];
        let (status, out, err) = ended(dir.path(), &args);
        assert_eq!((status, err.as_str()), (2, ""), "{out}");
        assert!(!out.contains("4711"), "{out}");
        assert!(out.contains("p.yaml"), "{format}: {out}");
    }
}
