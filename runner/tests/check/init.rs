//! `kplan init`: what it writes is right, and runs.

use super::{dir, ended};

#[test]
fn the_first_plan_checks_clean_and_passes_on_the_simulated_cluster() {
    let dir = dir(&[]);
    let (status, out, _) = ended(dir.path(), &["init", "shop"]);
    assert_eq!(status, 0);
    assert!(out.contains("wrote shop/plans/first.yaml"), "{out}");
    let (status, out, _) = ended(dir.path(), &["check", "shop", "--deny-warnings"]);
    assert_eq!((status, out.as_str()), (0, "checked 1 plan: all clean\n"));
    let schema = ["schema", "--check", "shop/plans/plan.schema.json"];
    assert_eq!(ended(dir.path(), &schema).0, 0);
    let run = ["run", "shop/plans", "--backend", "embedded", "--tag", "first"];
    let (status, out, err) = ended(dir.path(), &run);
    assert_eq!(status, 0, "{out}{err}");
}

#[test]
fn nothing_is_overwritten() {
    let dir = dir(&[("plans/first.yaml", "mine")]);
    let (status, out, _) = ended(dir.path(), &["init"]);
    assert_eq!(status, 0);
    assert!(out.contains("plans/first.yaml exists: not changed"), "{out}");
    let kept = std::fs::read_to_string(dir.path().join("plans/first.yaml")).expect("there");
    assert_eq!(kept, "mine");
    assert!(dir.path().join(".github/workflows/kplan.yml").is_file());
    let (_, again, _) = ended(dir.path(), &["init"]);
    assert_eq!(again.matches("exists: not changed").count(), 3, "{again}");
}

#[test]
fn what_cannot_be_written_is_told() {
    let dir = dir(&[("file", "")]);
    let (status, _, err) = ended(dir.path(), &["init", "file"]);
    assert_eq!(status, 2);
    assert!(err.contains("cannot create the directory"), "{err}");
}
