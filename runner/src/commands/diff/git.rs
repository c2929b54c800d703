//! Reads versions of plans from git, with the `git` program; nothing is checked out.

use crate::out::Shown as _;
use std::{
    collections::BTreeSet,
    io,
    path::{Component, Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use kplan_dsl::{Checked, Disk, Files, check_with, diff::FileDiff};

/// Compares every plan that differs between two revisions, or a revision and the working tree.
pub(super) fn files(range: &str, paths: &[PathBuf]) -> anyhow::Result<Vec<FileDiff>> {
    let (base, head) = match range.split_once("..") {
        Some((_, head)) if head.starts_with('.') => {
            bail!("`{range}` has three dots: write BASE..HEAD with two")
        }
        Some((base, head)) => (base, Some(if head.is_empty() { "HEAD" } else { head })),
        None => (range, None),
    };
    let root = git(&["rev-parse", "--show-toplevel"])
        .context("this directory is in no git repository, or git is not installed")?;
    let root = PathBuf::from(String::from_utf8(root)?.trim_end());
    let base = revision(base)?;
    let head = head.map(revision).transpose()?;
    let mut changes = changed(&base, head.as_deref(), paths)?;
    including(&mut changes, &base, head.as_deref(), paths, &root)?;
    let old = Tree { root: root.clone(), revision: base };
    let mut all = Vec::new();
    for Changed { old: was, new: is } in changes {
        let before = was.as_ref().map(|path| check(&old, path)).filter(|c| !is_fragment(c));
        let after = is.as_ref().map(|path| match &head {
            Some(head) => check(&Tree { root: root.clone(), revision: head.clone() }, path),
            None => check_with(&root.join(path), &super::options(), Box::new(Disk)),
        });
        let after = after.filter(|c| !is_fragment(c));
        let path = match (&was, &is) {
            (Some(was), Some(is)) if was != is => format!("{was} -> {is}"),
            (was, is) => is.as_ref().or(was.as_ref()).cloned().unwrap_or_default(),
        };
        if before.is_some() || after.is_some() {
            all.push(super::compare(path, before.as_ref(), after.as_ref()));
        }
    }
    Ok(all)
}

/// The path of a file in both versions, relative to the repository's root; none where the file does not exist.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Changed {
    old: Option<String>,
    new: Option<String>,
}

/// Runs git and returns its standard output.
fn git(args: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("git").args(args).output().context("cannot start git")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("git {}: {why}", args.first().copied().unwrap_or_default());
    }
    Ok(output.stdout)
}

/// The commit that a revision names; a name that begins with a dash is no revision.
fn revision(name: &str) -> anyhow::Result<String> {
    let commit = format!("{name}^{{commit}}");
    let found = git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]);
    match found {
        Ok(commit) if !name.is_empty() => Ok(String::from_utf8(commit)?.trim().to_owned()),
        _ => bail!("git has no revision `{name}`"),
    }
}

/// The plan files that differ.
fn changed(base: &str, head: Option<&str>, paths: &[PathBuf]) -> anyhow::Result<Vec<Changed>> {
    let paths: Vec<&str> = paths.iter().map(|p| text(p)).collect::<anyhow::Result<_>>()?;
    let mut args = vec!["diff", "--name-status", "-z", "--find-renames", "--no-ext-diff", base];
    args.extend(head);
    args.push("--");
    args.extend(&paths);
    let listed = String::from_utf8(git(&args)?).context("a file's name is not UTF-8")?;
    let mut words = listed.split('\0').filter(|w| !w.is_empty()).map(str::to_owned);
    let mut all = Vec::new();
    while let Some(status) = words.next() {
        let first = words.next();
        let (old, new) = match status.chars().next() {
            Some('A') => (None, first),
            Some('D') => (first, None),
            Some('C') => (None, words.next()),
            Some('R') => (first, words.next()),
            _ => (first.clone(), first),
        };
        all.push(Changed { old: old.filter(is_yaml), new: new.filter(is_yaml) });
    }
    if head.is_none() {
        let mut args =
            vec!["ls-files", "-z", "--others", "--exclude-standard", "--full-name", "--"];
        args.extend(&paths);
        let listed = String::from_utf8(git(&args)?).context("a file's name is not UTF-8")?;
        let new = listed.split('\0').map(str::to_owned).filter(is_yaml);
        all.extend(new.map(|path| Changed { old: None, new: Some(path) }));
    }
    all.retain(|c| c.old.is_some() || c.new.is_some());
    all.sort();
    Ok(all)
}

/// Plans that did not change themselves, but may include a file that did.
fn including(
    changes: &mut Vec<Changed>,
    base: &str,
    head: Option<&str>,
    paths: &[PathBuf],
    root: &Path,
) -> anyhow::Result<()> {
    let touched: BTreeSet<&str> =
        changes.iter().filter_map(|c| c.new.as_deref().or(c.old.as_deref())).collect();
    let names: BTreeSet<&str> = touched.iter().filter_map(|p| p.rsplit('/').next()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut args = vec!["ls-tree", "-r", "-z", "--name-only", "--full-name", base, "--"];
    let paths: Vec<&str> = paths.iter().map(|p| text(p)).collect::<anyhow::Result<_>>()?;
    args.extend(&paths);
    let listed = String::from_utf8(git(&args)?).context("a file's name is not UTF-8")?;
    let new: Vec<Changed> = listed
        .split('\0')
        .map(str::to_owned)
        .filter(|path| is_yaml(path) && !touched.contains(path.as_str()))
        .filter(|path| {
            let old = blob(root, base, path).unwrap_or_default();
            let text = String::from_utf8_lossy(&old);
            text.contains("include") && names.iter().any(|name| text.contains(name))
        })
        .filter(|path| {
            head.is_some_and(|h| blob(root, h, path).is_ok()) || root.join(path).is_file()
        })
        .map(|path| Changed { old: Some(path.clone()), new: Some(path) })
        .collect();
    changes.extend(new);
    Ok(())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.shown()))
}

#[allow(clippy::ptr_arg, reason = "it is a filter of owned names")]
fn is_yaml(path: &String) -> bool {
    path.ends_with(".yaml") || path.ends_with(".yml")
}

/// A file that other plans include, or a YAML file that has nothing to do with plans.
fn is_fragment(checked: &Checked) -> bool {
    let first = checked.sources.iter().next().map(|(_, source)| source.text());
    !first.is_some_and(|text| text.lines().any(|line| line.starts_with("plan:")))
}

fn check(tree: &Tree, path: &str) -> Checked {
    check_with(Path::new(path), &super::options(), Box::new(tree.clone()))
}

/// The content of a file in a revision.
fn blob(root: &Path, revision: &str, path: &str) -> io::Result<Vec<u8>> {
    let name = format!("{revision}:{path}");
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["show", "--no-ext-diff", "--no-textconv", "--end-of-options", &name])
        .output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::new(io::ErrorKind::NotFound, why))
}

/// The files of one revision, so that what a plan includes is of the same one.
#[derive(Debug, Clone)]
struct Tree {
    root: PathBuf,
    revision: String,
}

impl Files for Tree {
    fn read(&self, path: &Path, _: u64) -> io::Result<Vec<u8>> {
        let path = self.canonical(path)?;
        let path = path.to_str().ok_or(io::ErrorKind::InvalidInput)?;
        blob(&self.root, &self.revision, path)
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::CurDir => {}
                Component::Normal(name) => clean.push(name),
                Component::ParentDir if clean.pop() => {}
                _ => return Err(io::ErrorKind::NotFound.into()),
            }
        }
        Ok(clean)
    }
}
