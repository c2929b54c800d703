//! The manual in docs/words is current.

use std::path::Path;

use kplan_dsl::{WordKind, chapter, word_list};

const CHAPTERS: [(WordKind, &str); 3] = [
    (WordKind::Step, "steps.md"),
    (WordKind::Condition, "conditions.md"),
    (WordKind::Code, "diagnostics.md"),
];

#[test]
fn the_manual_is_current() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/words");
    let bless = std::env::var_os("KPLAN_BLESS").is_some();
    if bless {
        std::fs::create_dir_all(&directory).expect("writable");
    }
    for (kind, name) in CHAPTERS {
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
    for (kind, name) in CHAPTERS {
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
