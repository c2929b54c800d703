//! What is checked, what is counted, how it ends.

use super::{BAD, WARNED, dir, ended};

const GOOD: &str = "plan: v1\nname: Good\ntags: [fine]\nsteps:\n  - start_cluster\n  - assert: [{ controller: any }]\n";

#[test]
fn everything_of_every_file_is_told_at_once_and_counted() {
    let dir = dir(&[("b/bad.yaml", BAD), ("c.yaml", GOOD), ("a.yaml", "plan: [\n")]);
    let (status, out, err) = ended(dir.path(), &["check", "."]);
    assert_eq!((status, err.as_str()), (2, ""));
    let places: Vec<usize> = ["a.yaml:1:7", "bad.yaml:4:22", "bad.yaml:5:24", "bad.yaml:6:20"]
        .iter()
        .map(|place| out.find(place).unwrap_or_else(|| panic!("{place} in {out}")))
        .collect();
    assert!(places.is_sorted(), "{out}");
    let last = out.lines().last().expect("a last line");
    assert_eq!(last, "checked 3 plans: 4 errors");
    assert!(!out.contains('\u{1b}'), "{out}");
}

#[test]
fn a_clean_plan_passes_and_warnings_fail_only_where_they_are_denied() {
    let dir = dir(&[("good.yaml", GOOD), ("warned.yaml", WARNED)]);
    let run = |args: &[&str]| {
        let (status, out, _) = ended(dir.path(), args);
        (status, out.lines().last().unwrap_or_default().to_owned())
    };
    assert_eq!(run(&["check", "good.yaml"]), (0, "checked 1 plan: all clean".to_owned()));
    let one = "checked 2 plans: 1 warning".to_owned();
    assert_eq!(run(&["check", "."]), (0, one.clone()));
    assert_eq!(run(&["check", ".", "--deny-warnings"]), (2, one));
    assert_eq!(run(&["check", "good.yaml", "--deny-warnings"]).0, 0);
}

#[test]
fn what_matches_nothing_and_what_is_missing_are_told_apart() {
    let dir = dir(&[("good.yaml", GOOD), ("warned.yaml", WARNED), ("empty/readme.md", "")]);
    for args in [&["check", "empty"][..], &["check", ".", "--tag", "none"]] {
        let (status, out, err) = ended(dir.path(), args);
        assert_eq!((status, out.as_str()), (4, ""), "{args:?}");
        assert!(err.contains("no plan matches"), "{err}");
    }
    let (status, out, _) = ended(dir.path(), &["check", ".", "--tag", "fine"]);
    assert_eq!((status, out.as_str()), (0, "checked 1 plan: all clean\n"));
    // A path that is not there hides nothing of the others.
    let (status, out, _) = ended(dir.path(), &["check", "missing.yaml", "warned.yaml"]);
    assert_eq!(status, 2);
    assert!(out.contains("E005") && out.contains("W012"), "{out}");
    assert!(out.ends_with("checked 2 plans: 1 error, 1 warning\n"), "{out}");
}

#[test]
fn the_backend_decides_what_it_can_do() {
    let text = "plan: v1\nname: x\nsteps:\n  - start_cluster\n  - pause_broker: 1\n";
    let dir = dir(&[("p.yaml", text)]);
    assert_eq!(ended(dir.path(), &["check", "p.yaml"]).0, 0);
    let (status, out, _) = ended(dir.path(), &["check", "p.yaml", "--backend", "embedded"]);
    assert_eq!(status, 2);
    assert!(out.contains("E070") && out.contains("p.yaml:5:"), "{out}");
}

#[test]
fn a_mistake_in_a_fragment_or_on_the_command_line_is_told_once() {
    let plan = "plan: v1\nname: x\nsteps:\n  - include: part.yaml\n";
    let part = "fragment: v1\nsteps:\n  - kil_broker: 1\n";
    let fragment = dir(&[("a.yaml", plan), ("b.yaml", plan), ("part.yaml", part)]);
    let (status, out, _) = ended(fragment.path(), &["check", "a.yaml", "b.yaml"]);
    assert_eq!(status, 2);
    assert_eq!(out.matches("E020").count(), 1, "{out}");
    assert!(out.ends_with("checked 2 plans: 1 error\n"), "{out}");

    let clean = dir(&[("a.yaml", GOOD), ("b.yaml", GOOD)]);
    let (status, out, _) = ended(clean.path(), &["check", ".", "--param", "acks=1"]);
    assert_eq!((status, out.matches("E041").count()), (2, 1), "{out}");
}

#[test]
fn many_files_come_in_the_order_of_their_names() {
    let names: Vec<String> = (0..200).map(|n| format!("{n:03}.yaml")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), WARNED)).collect();
    let dir = dir(&files);
    let (status, out, _) = ended(dir.path(), &["check", ".", "--format", "json"]);
    assert_eq!(status, 0);
    let form: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let told: Vec<&str> = form["diagnostics"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| d["file"].as_str().expect("a file"))
        .collect();
    assert_eq!(told, names);
}
