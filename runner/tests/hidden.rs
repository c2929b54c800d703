//! No test hides: one that needs what not every machine has is ignored with a reason, so that cargo's count
//! tells the truth, and none ends early as if it had passed.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::root;

/// What takes a turn, and the reason that its tests have then.
const TURNS: [(&str, &str); 6] = [
    ("real()", "needs a container engine: ci/test"),
    ("alone()", "needs a container engine: ci/test"),
    ("compose()", "needs docker's compose plugin: ci/test"),
    ("java()", "needs Java and Maven: ci/test"),
    ("kubernetes()", "needs a Kubernetes: ci/test"),
    ("Small::mount(", "needs to mount a file system: ci/test"),
];

/// A function of a source file.
#[derive(Debug)]
struct Function {
    name: String,
    /// The lines of attributes above it.
    attributes: String,
    body: String,
}

impl Function {
    fn is_test(&self) -> bool {
        self.attributes.contains("test]") || self.attributes.contains("test(")
    }
}

/// The functions of a formatted source: each ends with a brace as far to the right as its first line.
fn functions(source: &str) -> Vec<Function> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words = code.split(['(', '<']).next().unwrap_or_default();
        let Some((before, name)) = words.split_once("fn ") else { continue };
        if !before
            .split(' ')
            .all(|word| matches!(word, "" | "pub" | "async" | "const" | "pub(crate)"))
        {
            continue;
        }
        let end = format!("{}}}", &line[..line.len() - code.len()]);
        let body = lines[at..].iter().skip(1).take_while(|l| **l != end);
        let above = lines[..at].iter().rev().take_while(|l| {
            let l = l.trim_start();
            l.starts_with("#[") || l.starts_with("//")
        });
        let attributes = above.filter(|l| l.trim_start().starts_with('#'));
        found.push(Function {
            name: name.to_owned(),
            attributes: attributes.copied().collect::<Vec<_>>().join("\n"),
            body: body.copied().collect::<Vec<_>>().join("\n"),
        });
    }
    found
}

/// Whether a body calls this, and not something whose name only ends like it.
fn calls(body: &str, call: &str) -> bool {
    body.match_indices(call).any(|(at, _)| {
        let before = body[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

/// Which functions of a file need what: those that take a turn, and those that call such a function.
fn needing(functions: &[Function]) -> BTreeMap<&str, BTreeSet<&'static str>> {
    let mut needing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (call, reason) in TURNS {
        for function in functions.iter().filter(|f| calls(&f.body, call)) {
            needing.entry(&function.name).or_default().insert(reason);
        }
    }
    loop {
        let before: usize = needing.values().map(BTreeSet::len).sum();
        for function in functions {
            let called = needing.iter().filter(|(n, _)| calls(&function.body, &format!("{n}(")));
            let reasons: BTreeSet<_> = called.flat_map(|(_, reasons)| reasons.clone()).collect();
            if !reasons.is_empty() {
                needing.entry(&function.name).or_default().extend(reasons);
            }
        }
        if needing.values().map(BTreeSet::len).sum::<usize>() == before {
            return needing;
        }
    }
}

/// What is wrong with the tests of a source.
fn faults(source: &str) -> Vec<String> {
    let functions = functions(source);
    let needing = needing(&functions);
    let mut faults = Vec::new();
    for test in functions.iter().filter(|f| f.is_test()) {
        let none = BTreeSet::new();
        let reasons = needing.get(test.name.as_str()).unwrap_or(&none);
        for reason in reasons {
            // Slow ones are in a module `nightly`.
            let slow = reason.replace("ci/test", "ci/nightly");
            let is_told =
                |reason: &str| test.attributes.contains(&format!("#[ignore = \"{reason}\"]"));
            if !is_told(reason) && !is_told(&slow) {
                faults.push(format!("{} is not ignored as one that {reason}", test.name));
            }
        }
        if reasons.is_empty() && test.attributes.contains("ignore") {
            faults.push(format!("{} is ignored and takes no turn", test.name));
        }
        for early in ["return;", "return Ok(())", "else { return }"] {
            if calls(&test.body, early) {
                faults.push(format!("{} can end early, as if it had passed", test.name));
            }
        }
    }
    // `ci/test` leaves the modules `nightly` out, and counts what has this reason.
    let slow = source.split_once("mod nightly {").map(|(_, slow)| self::functions(slow));
    for test in slow.iter().flatten().filter(|f| f.is_test()) {
        if !test.attributes.contains(": ci/nightly\"]") {
            faults.push(format!("{} is run by ci/nightly, and its reason is another", test.name));
        }
    }
    faults.extend(weak(source, &functions));
    // Whoever needs to know what there is to test asks for a turn.
    for word in ["env::var(\"KPLAN_TEST_", "eprintln!(\"skipped"] {
        if source.contains(word) {
            faults.push(format!("{word} decides what is tested"));
        }
    }
    faults
}

/// Asserts that hold either way, and those in a loop that may run over nothing.
fn weak(source: &str, functions: &[Function]) -> Vec<String> {
    let mut faults = Vec::new();
    for test in functions.iter().filter(|f| f.is_test()) {
        let lines: Vec<&str> = test.body.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let told = at > 0 && lines[at - 1].trim_start().starts_with("// Either");
            if code.starts_with("assert!(") && chooses(&lines[at..]) && !told {
                faults.push(format!("{}: `||` in an assert, and no comment `Either …`", test.name));
            }
            if code.starts_with("assert_ne!(") && code.contains("Some(0)") {
                faults.push(format!("{}: any other exit status will do", test.name));
            }
            let over = code.strip_prefix("for ").and_then(|l| l.split_once(" in "));
            let loops = over.is_some_and(|(_, over)| may_be_empty(over, source, functions));
            let block = lines[at..].iter().take_while(|l| !closes(l, line)).copied();
            let judges = loops && block.collect::<String>().contains("assert");
            if judges
                && !["len()", "is_empty()", "count()", "+= ", "total"]
                    .iter()
                    .any(|w| test.body.contains(w))
            {
                faults.push(format!("{}: nothing may be judged: {code}", test.name));
            }
        }
    }
    faults
}

/// A line that closes the block that `opening` opens.
fn closes(line: &str, opening: &str) -> bool {
    let indent = opening.len() - opening.trim_start().len();
    line.len() > indent && line.trim_start().starts_with('}') && line.find('}') == Some(indent)
}

/// Whether the condition of the assert that begins these lines holds if one of two things does; a closure's
/// is its own.
fn chooses(lines: &[&str]) -> bool {
    let mut depth = 0i32;
    for line in lines {
        let bare = line.split(", \"").next().unwrap_or_default();
        if bare.contains(" || ") || bare.trim_start().starts_with("|| ") {
            return true;
        }
        depth += line.matches('(').count() as i32 - line.matches(')').count() as i32;
        if depth <= 0 {
            return false;
        }
    }
    false
}

/// Whether what a loop goes over is found while the test runs, and not written in the source.
fn may_be_empty(over: &str, source: &str, functions: &[Function]) -> bool {
    let over = over.trim_end_matches(" {").trim_start_matches('&');
    let path = over.split(['(', '.', ' ']).next().unwrap_or_default();
    let name: String = path.rsplit("::").next().unwrap_or_default().to_owned();
    // An array of a known length is never empty.
    let array = |line: &str| line.contains(&format!("fn {name}(")) && line.contains("-> [");
    if source.lines().any(array) {
        return false;
    }
    // What finds them may see to it itself.
    let finds = functions.iter().find(|f| f.name == name);
    if finds.is_some_and(|f| f.body.contains("assert!(!") && f.body.contains("is_empty()")) {
        return false;
    }
    let literal = over.contains("..")
        || over.starts_with(['[', '('])
        || over.starts_with(|c: char| c.is_ascii_digit());
    let written =
        ["let", "let mut"].iter().any(|word| source.contains(&format!("{word} {name} = [")));
    let constant = !name.is_empty() && !name.contains(|c: char| c.is_lowercase());
    !(over.is_empty() || over == "{" || literal || written || constant)
}

fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs =
        ["runner/tests", "runner/src", "dsl/tests", "dsl/src"].map(|d| root().join(d)).to_vec();
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source");
                found.push((path.display().to_string(), text));
            }
        }
    }
    found
}

#[test]
fn no_test_hides_that_it_did_not_run() {
    let (mut tests, mut ignored) = (0, 0);
    let mut wrong = Vec::new();
    for (path, source) in sources().iter().filter(|(path, _)| !path.ends_with("tests/hidden.rs")) {
        let of_tests: Vec<_> = functions(source).into_iter().filter(Function::is_test).collect();
        tests += of_tests.len();
        ignored += of_tests.iter().filter(|f| f.attributes.contains("#[ignore")).count();
        wrong.extend(faults(source).into_iter().map(|fault| format!("{path}: {fault}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tests > 600 && ignored > 60, "only {tests} tests and {ignored} ignored ones were seen");
}

#[test]
fn what_hides_is_found() {
    let engine = "#[ignore = \"needs a container engine: ci/test\"]\n";
    let taking = "fn helper() {\n    let _turn = real();\n}\n\n";
    let test = |attribute: &str, body: &str| {
        format!("{taking}#[test]\n{attribute}fn one() {{\n    {body}\n}}\n")
    };
    assert_eq!(faults(&test(engine, "helper();")), Vec::<String>::new());
    assert_eq!(faults(&test("", "assert!(surreal());")), Vec::<String>::new());
    let slow = test(&engine.replace("ci/test", "ci/nightly"), "helper();");
    assert_eq!(faults(&format!("mod nightly {{\n{slow}")), Vec::<String>::new());
    let told = faults(&format!("mod nightly {{\n{}", test(engine, "helper();")));
    assert!(told[0].contains("is run by ci/nightly"), "{told:?}");
    for fine in [
        "// Either will do: both are refusals.\n    assert!(one || two);",
        "for one in [1, 2] {\n        assert!(one > 0);\n    }",
        "let all = found();\n    for one in all {\n        assert!(one);\n    }\n    assert!(!all.is_empty());",
    ] {
        assert_eq!(faults(&test("", fine)), Vec::<String>::new(), "{fine}");
    }
    for (attribute, body, word) in [
        ("", "helper();", "not ignored"),
        ("", "let _turn = real();", "not ignored"),
        ("", "let small = Small::mount(5);", "not ignored"),
        ("#[ignore]\n", "helper();", "not ignored"),
        (engine, "let _turn = java();", "not ignored"),
        (engine, "let one = 1;", "takes no turn"),
        ("", "let Some(one) = two() else { return };", "end early"),
        ("", "if three() {\n        return;\n    }", "end early"),
        (engine, "let _turn = real();\n    return Ok(())", "end early"),
        ("", "std::env::var(\"KPLAN_TEST_X\");", "decides"),
        ("", "assert!(refused || ran.ok());", "in an assert"),
        ("", "assert!(\n        one\n            || two,\n        \"why\"\n    );", "in an assert"),
        ("", "assert_ne!(ran.status(), Some(0));", "any other exit"),
        ("", "for one in found() {\n        assert!(one);\n    }", "nothing may be judged"),
    ] {
        let found = faults(&test(attribute, body));
        assert!(found.iter().any(|f| f.contains(word)), "{attribute}{body}: {found:?}");
    }
}
