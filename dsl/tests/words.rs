//! The manual in docs/words is current, and the examples about the structure of a plan are right.

use std::collections::BTreeSet;
use std::path::Path;

use kplan_dsl::{Options, WordKind, chapter, check_text, manual, plan_schema, render, word_list};

#[test]
fn the_manual_is_current() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/words");
    let bless = std::env::var_os("KPLAN_BLESS").is_some();
    if bless {
        std::fs::create_dir_all(&directory).expect("writable");
    }
    for kind in WordKind::ALL {
        let name = kind.file();
        let (path, text) = (directory.join(name), chapter(kind));
        if bless {
            std::fs::write(&path, &text).expect("writable");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "docs/words/{name} is old: KPLAN_BLESS=1 cargo test --test words");
    }
}

#[test]
fn every_word_is_in_its_chapter_and_every_link_leads_somewhere() {
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    for kind in WordKind::ALL {
        let name = kind.file();
        let text = chapter(kind);
        let headings: Vec<String> =
            text.lines().filter_map(|l| l.strip_prefix("## ")).map(anchor).collect();
        let links: Vec<&str> = text
            .lines()
            .filter_map(|l| l.strip_prefix("| [")?.split_once("](#")?.1.split_once(')'))
            .map(|(link, _)| link)
            .collect();
        let words = word_list().iter().filter(|(k, ..)| *k == kind).count();
        assert_eq!(links.len(), words, "{name}");
        assert_eq!(headings, links, "{name}");
    }
}

/// The YAML blocks of a page.
fn examples(page: &str) -> Vec<&str> {
    page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The keys of a block's first level, as far as they are keys of a plan.
fn keys(block: &str) -> BTreeSet<&str> {
    let lines = block.lines().filter(|line| !line.starts_with([' ', '#', '-']));
    lines.filter_map(|line| Some(line.split_once(':')?.0)).collect()
}

#[test]
fn every_example_about_the_structure_of_a_plan_checks_clean() {
    let options = Options { allow_run: true, ..Options::default() };
    let mut seen = 0;
    for block in examples(&chapter(WordKind::Structure)) {
        let has = keys(block);
        if has.contains("fragment") {
            continue;
        }
        // What the example leaves out.
        let rest = [
            ("plan", "plan: v1\n"),
            ("name", "name: An example\n"),
            ("steps", "steps:\n  - start_cluster: { brokers: 3 }\n  - wait: [brokers_alive: 3]\n"),
        ];
        let rest = rest.iter().filter(|(key, _)| !has.contains(key)).map(|(_, text)| *text);
        let text = format!("{block}{}", rest.collect::<String>());
        let checked = check_text(Path::new("example.yaml"), &text, &options);
        let shown = render(&checked.diagnostics, &checked.sources, false);
        assert!(!checked.suites.is_empty(), "{text}\n{shown}");
        // An excerpt may break something without traffic, and judges nothing.
        let allowed = ["W009", "W020"];
        let mut codes = checked.diagnostics.iter().map(|d| d.code.text());
        assert!(codes.all(|code| allowed.contains(&code)), "{text}\n{shown}");
        seen += 1;
    }
    assert!(seen > 30, "{seen} examples");
}

#[test]
fn every_key_of_a_plan_and_every_form_of_a_target_has_a_page() {
    let schema = plan_schema();
    let mut words: BTreeSet<String> =
        schema["properties"].as_object().expect("a map").keys().cloned().collect();
    let steps = schema["definitions"]["step"]["properties"].as_object().expect("a map");
    words.extend(steps.keys().cloned());
    let forms = schema["definitions"]["target"]["anyOf"].as_array().expect("forms");
    for form in forms {
        words.extend(form["properties"].as_object().into_iter().flatten().map(|(k, _)| k.clone()));
        let listed = form["enum"].as_array().into_iter().flatten();
        words.extend(listed.filter_map(|word| word.as_str().map(str::to_owned)));
    }
    assert!(words.contains("leader_of") && words.contains("zookeeper") && words.contains("when"));
    let missing: Vec<&String> = words.iter().filter(|word| manual(word).is_none()).collect();
    assert_eq!(missing, Vec::<&String>::new());
    let pages: BTreeSet<&str> = word_list()
        .iter()
        .filter(|(kind, ..)| *kind == WordKind::Structure)
        .map(|(_, word, _)| *word)
        .collect();
    for word in ["matrix", "params", "always", "when", "leader_of", "not", "all", "controller"] {
        assert!(pages.contains(word), "{word} has a page of its own");
    }
    let maps = ["params", "clients", "external", "matrix", "defaults"];
    let keys = maps.iter().flat_map(|map| {
        let page = manual(map).expect("a page");
        inner(&schema["properties"][*map]).into_iter().map(move |key| (key, page.clone()))
    });
    let (told, untold): (Vec<_>, Vec<_>) =
        keys.partition(|(key, page)| page.contains(&format!("`{key}`")));
    assert!(told.len() >= 15, "{} keys", told.len());
    assert_eq!(untold, Vec::new());
}

/// The names of the properties of a map, or of the values of one.
fn inner(schema: &serde_json::Value) -> BTreeSet<&String> {
    let forms = [schema, &schema["additionalProperties"]];
    let forms = forms.into_iter().flat_map(|form| {
        std::iter::once(form).chain(form["anyOf"].as_array().into_iter().flatten())
    });
    forms.filter_map(|form| form["properties"].as_object()).flat_map(|map| map.keys()).collect()
}
