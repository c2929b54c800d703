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

const SERVICE: [&str; 7] =
    ["init", "--service", "acme/invoicing:1.4", "--from", "orders", "--to", "invoices"];

#[test]
fn a_plan_for_a_service_checks_clean() {
    let dir = dir(&[]);
    let (status, out, err) = ended(dir.path(), &SERVICE);
    assert_eq!(status, 0, "{err}");
    let next = "next: kplan run ./plans/service.yaml --allow-image 'acme/invoicing:1.4'\n";
    assert!(out.contains("wrote ./plans/service.yaml") && out.ends_with(next), "{out}");
    let allow = ["--allow-image", "acme/invoicing:1.4", "--deny-warnings"];
    let (status, out, _) = ended(dir.path(), &[&["check", "plans"], allow.as_slice()].concat());
    assert_eq!((status, out.as_str()), (0, "checked 1 plan: all clean\n"));
}

#[test]
fn what_cannot_stand_in_a_plan_is_refused() {
    let dir = dir(&[]);
    for (at, wrong, told) in [
        (4, "a topic", "`a topic`"),
        (4, "invoices", "`from` and `to` are both `invoices`"),
        (6, "in voices", "`in voices`"),
    ] {
        let mut call = SERVICE;
        call[at] = wrong;
        let (status, _, err) = ended(dir.path(), &call);
        assert!(status == 2 && err.contains(told), "{wrong}: {status}: {err}");
    }
    let (status, _, err) = ended(dir.path(), &SERVICE[..5]);
    assert!(status == 2 && err.contains("--to"), "{err}");
    assert!(!dir.path().join("plans").exists(), "nothing is written");
}
