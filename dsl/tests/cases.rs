//! The corpus of bad plans: `cases/<word or rule>/<case>.yaml`, each with the expected diagnostics
//! beside it. `KPLAN_BLESS=1 cargo test --test cases` writes them anew.
//!
//! A case may begin with comments that set the check: `# backend: embedded`, `# param: acks=1`,
//! `# brokers: 0,1,2` (those that the backend file names), `# allow-run`, `# allow-http: example.org`, `# env: HOME`,
//! `# allow-image: kafka:*`, `# max-brokers: 3`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

mod common;

use kplan_dsl::{Options, Override, check_file, render};

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root).expect("tests/cases is there") {
        let folder = folder.expect("a readable entry").path();
        for file in std::fs::read_dir(&folder).expect("a folder for each word") {
            let path = file.expect("a readable entry").path();
            if path.extension().is_some_and(|e| e == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn options(text: &str) -> Options {
    let mut options = Options::default();
    for line in text.lines().map_while(|l| l.strip_prefix("# ")) {
        match line.split_once(": ").unwrap_or((line, "")) {
            ("backend", name) => options.backend = common::abilities(name),
            ("brokers", list) => {
                options.backend.brokers = list.split(',').filter_map(|n| n.parse().ok()).collect();
            }
            ("allow-run", _) => options.allow_run = true,
            ("allow-http", host) => options.http_hosts = Some(vec![host.to_owned()]),
            ("allow-image", image) => options.images = Some(vec![image.to_owned()]),
            ("max-brokers", most) => options.most_brokers = most.parse().ok(),
            ("env", name) => {
                options.env.allowed.insert(name.to_owned(), "value".to_owned());
            }
            ("param", pair) => {
                let (name, value) = pair.split_once('=').expect("a case's param is NAME=VALUE");
                let (name, value) = (name.to_owned(), value.to_owned());
                let origin = "--param".to_owned();
                options.params.push(Override { name, value, origin, optional: false });
            }
            _ => {}
        }
    }
    options
}

#[test]
fn every_bad_plan_gets_its_diagnostics() {
    let bless = std::env::var_os("KPLAN_BLESS").is_some();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = String::new();
    let cases = cases();
    for path in &cases {
        let text = String::from_utf8_lossy(&std::fs::read(path).expect("readable")).into_owned();
        let checked = check_file(path, &options(&text));
        let prefix = format!("{}/tests/cases/", root.display());
        let shown = render(&checked.diagnostics, &checked.sources, false).replace(&prefix, "");
        let expected_path = path.with_extension("txt");
        if bless {
            std::fs::write(&expected_path, &shown).expect("writable");
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if shown != expected || shown.is_empty() {
            // Writing to a String cannot fail.
            let _ =
                writeln!(wrong, "--- {}\nexpected:\n{expected}\nfound:\n{shown}", path.display());
        }
        let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let warns = folder.starts_with("warning");
        if checked.has_errors() == warns {
            // Writing to a String cannot fail.
            let _ = writeln!(wrong, "--- {}: warnings live in warning-*", path.display());
        }
    }
    assert!(cases.len() >= 120, "only {} cases", cases.len());
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_bad_case_is_refused_by_the_checker_and_many_already_by_editors() {
    let schema = jsonschema::draft7::new(&kplan_dsl::plan_schema()).expect("the schema is one");
    let (mut bad, mut in_editors) = (0, 0);
    for path in cases() {
        let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        if !expected.contains("error[E") {
            // Warnings stop nobody.
            continue;
        }
        bad += 1;
        let text = String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).into_owned();
        let value = serde_yaml::from_str::<serde_json::Value>(&text);
        let editor = value.map_or(true, |value| schema.iter_errors(&value).next().is_some());
        in_editors += usize::from(editor);
        let checker = check_file(&path, &options(&text)).has_errors();
        // Either one suffices: an editor knows no plan as a whole, and the checker reads no schema.
        assert!(checker || editor, "nobody refuses {}", path.display());
    }
    assert!(bad > 100 && in_editors > 50, "{bad} bad cases, {in_editors} shown by editors");
}
