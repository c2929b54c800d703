//! `kplan words` and `kplan schema`.

use std::path::Path;

use super::{dir, ended};

#[test]
fn all_words_are_listed_with_a_line_each() {
    let (status, out, _) = ended(Path::new("."), &["words"]);
    assert_eq!(status, 0);
    for word in
        ["Steps", "  kill_broker ", "Conditions", "  undelivered ", "Diagnostics", "  E012 "]
    {
        assert!(out.contains(word), "{word}: {out}");
    }
    let (status, out, _) = ended(Path::new("."), &["words", "--format", "markdown"]);
    assert_eq!(status, 0);
    assert!(out.contains("- `kill_broker`: "), "{out}");
}

#[test]
fn every_word_of_the_list_has_its_page() {
    assert!(kplan_dsl::word_list().len() > 80);
    for (_, word, _) in kplan_dsl::word_list().iter().step_by(17) {
        let (status, out, _) = ended(Path::new("."), &["words", word]);
        assert_eq!(status, 0, "{word}");
        assert!(out.starts_with(word), "{out}");
    }
    let (_, page, _) = ended(Path::new("."), &["words", "e012", "--format", "markdown"]);
    assert!(page.starts_with("# E012: wrong type"), "{page}");
}

#[test]
fn an_unknown_word_is_answered_with_the_nearest() {
    for (asked, answer) in
        [("kil_broker", "`kill_broker`"), ("E999", "kplan words"), ("\u{1b}[31mlost", "no word")]
    {
        let (status, out, err) = ended(Path::new("."), &["words", asked]);
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(err.contains(answer) && !err.contains('\u{1b}'), "{err}");
    }
}

#[test]
fn the_schema_is_printed_and_an_old_file_is_told() {
    let (status, schema, _) = ended(Path::new("."), &["schema"]);
    assert_eq!(status, 0);
    let dir = dir(&[("current.json", &schema), ("old.json", &schema[1..])]);
    let (status, out, _) = ended(dir.path(), &["schema", "--check", "current.json"]);
    assert_eq!((status, out.as_str()), (0, "current.json is current\n"));
    for file in ["old.json", "missing.json"] {
        let (status, out, err) = ended(dir.path(), &["schema", "--check", file]);
        assert_eq!((status, out.as_str()), (2, ""));
        assert!(err.contains(file), "{err}");
    }
}
