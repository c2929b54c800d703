//! Which module may name which: in both crates a module names only those that stand before it in the order
//! below. What still goes back is listed, and the list may only become shorter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const DSL: &str = "words visible source diagnostic document library schema meaning programs scope template read \
    args value params matrix backend catalogue facts ground conditions steps plan follow render check external publish forms \
    manual diff explain editor";
const RUNNER: &str = "exit secrets out processes engine new_container rundir history identity codes event wire proxy record segments audit client \
    cluster observer report guardian stage conditions steps conductor commands cli";

/// What still goes back.
const DSL_BACK: &str = "";
const RUNNER_BACK: &str = "";

fn crate_root(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src")
}

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("sources").flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, all),
            path if path.extension().is_some_and(|e| e == "rs") => all.push(path),
            _ => {}
        }
    }
}

/// The code of a file: comments and strings are blank, and tests, which may name everything, are left out.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, part) in line.split('"').enumerate() {
            out.push_str(if at % 2 == 0 { part } else { "\"\"" });
        }
        out.push('\n');
    }
    out
}

/// The modules of the upper level that a piece of code names.
fn named(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let Some(rest) = code[at + "crate::".len()..].strip_prefix('{') else {
            found.insert(word(&code[at + "crate::".len()..]));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in rest.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                _ if c.is_whitespace() => {}
                _ if begins => {
                    found.insert(word(&rest[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// The names that a crate's root lends from its modules, each with its module: `crate::Condition` names
/// `conditions`.
fn lent(root: &Path) -> BTreeMap<String, String> {
    let text = code(&std::fs::read_to_string(root.join("lib.rs")).expect("the root"));
    let uses = text.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let mut all = BTreeMap::new();
    for (module, names) in uses.filter_map(|path| path.split_once("::")) {
        for name in names.trim_matches(['{', '}']).split(',').map(str::trim) {
            all.insert(name.to_owned(), module.to_owned());
        }
    }
    all
}

/// Who names whom, each with a file that shows it.
fn graph(root: &Path) -> BTreeMap<(String, String), PathBuf> {
    let mut all = Vec::new();
    files(root, &mut all);
    let module = |path: &Path| {
        let first = path.strip_prefix(root).expect("below").iter().next().expect("a name");
        first.to_string_lossy().trim_end_matches(".rs").to_owned()
    };
    let modules: BTreeSet<String> = all.iter().map(|path| module(path)).collect();
    let lent = lent(root);
    let mut edges = BTreeMap::new();
    for path in &all {
        let of = module(path);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let test = stem.ends_with("_tests")
            || ["tests", "testing", "fake", "oracle", "properties"].contains(&stem.as_str());
        if test || of == "lib" || of == "main" {
            continue;
        }
        let text = std::fs::read_to_string(path).expect("a source");
        for name in named(&code(&text)) {
            let to = lent.get(&name).filter(|_| !modules.contains(&name)).cloned().unwrap_or(name);
            if to != of && modules.contains(&to) {
                edges.entry((of.clone(), to)).or_insert_with(|| path.clone());
            }
        }
    }
    edges
}

/// What is wrong with a crate's graph, in words.
fn wrong(edges: &BTreeMap<(String, String), PathBuf>, order: &str, allowed: &str) -> Vec<String> {
    let place: BTreeMap<&str, usize> =
        order.split_whitespace().enumerate().map(|(at, name)| (name, at)).collect();
    let mut allowed: BTreeSet<(&str, &str)> =
        allowed.split_whitespace().filter_map(|edge| edge.split_once('>')).collect();
    let mut wrong = Vec::new();
    for ((from, to), file) in edges {
        match (place.get(from.as_str()), place.get(to.as_str())) {
            (Some(a), Some(b)) if b < a => {}
            (Some(_), Some(_)) if allowed.remove(&(from, to)) => {}
            (Some(_), Some(_)) => {
                wrong.push(format!("{from} names {to}, which stands after it: {}", file.display()));
            }
            _ => wrong.push(format!("the order lacks {from} or {to}: {}", file.display())),
        }
    }
    let done =
        allowed.iter().map(|(from, to)| format!("take {from}>{to} out of the list: it is gone"));
    wrong.extend(done);
    wrong
}

#[test]
fn no_module_names_one_that_stands_after_it() {
    for (name, order, back) in [("dsl", DSL, DSL_BACK), ("runner", RUNNER, RUNNER_BACK)] {
        let wrong = wrong(&graph(&crate_root(name)), order, back);
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn an_edge_that_goes_back_is_found_however_it_is_written() {
    let text = "//! crate::comment\nuse crate::{\n    a::{self, X, sub::Y},\n    b,\n};\nuse crate::c::Z;\n\
                fn f() { crate::d::g(\"crate::string\") }\n#[cfg(test)]\nmod tests { use crate::test::X; }\n";
    let found = named(&code(text));
    assert_eq!(found, ["a", "b", "c", "d"].map(str::to_owned).into());
    let lent = lent(&crate_root("dsl"));
    let module = |name: &str| lent.get(name).map(String::as_str);
    assert_eq!([module("Condition"), module("Span")], [Some("conditions"), Some("source")]);
    let edge = |from: &str, to: &str| ((from.to_owned(), to.to_owned()), PathBuf::from("x.rs"));
    let edges = [edge("low", "high"), edge("high", "low"), edge("high", "new")].into();
    let found = wrong(&edges, "low high", "high>gone");
    assert_eq!(
        found,
        [
            "the order lacks high or new: x.rs",
            "low names high, which stands after it: x.rs",
            "take high>gone out of the list: it is gone",
        ]
    );
    assert!(wrong(&[edge("low", "high")].into(), "low high", "low>high").is_empty());
}
