//! Finds plan files and checks them: the beginning of `run`, `check`, `list` and `explain`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use kplan_dsl::{BackendFile, Diagnostic, EnvNames, Options, Override, Plan, Sources};

use crate::{
    commands::backend::{BackendName, BackendParser, Chosen},
    out::Shown as _,
    out::{self, tell},
    secrets,
};

/// Which plans a command reads, and what they are told: the same words for every command.
#[derive(Debug, Args)]
pub struct Selection {
    /// Plan files, and directories that are searched for *.yaml and *.yml.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Where the clusters run, or which one is used.
    #[arg(long, value_parser = BackendParser, default_value = "docker", env = "KPLAN_BACKEND")]
    pub backend: BackendName,
    /// A parameter's value; pins a matrix value too. Repeatable.
    #[arg(long = "param", value_name = "K=V", value_parser = key_value)]
    pub params: Vec<(String, String)>,
    /// A YAML file of parameters; --param beats it.
    #[arg(long, value_name = "FILE")]
    pub params_file: Option<PathBuf>,
    /// Only plans with this tag. Repeatable; one of them suffices.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Only plans and matrix cells whose `name [cell]` contains this text.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Environment variables that plans may read, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub allow_env: Vec<String>,
    /// Let plans start programs of this machine (`run`).
    #[arg(long)]
    pub allow_run: bool,
    /// Images that plans may name beside Kafka's usual ones, `*` for any text. Repeatable.
    #[arg(long = "allow-image", value_name = "PATTERN")]
    pub allow_images: Vec<String>,
    /// The most brokers that a plan's cluster may have.
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=15))]
    pub max_brokers: u32,
}

impl Selection {
    /// Whether the tags and the filter let this suite through.
    #[must_use]
    pub fn wants(&self, plan: &Plan) -> bool {
        let tagged = self.tags.is_empty() || self.tags.iter().any(|t| plan.tags.contains(t));
        let named = |text: &String| plan.suite_name().contains(text.as_str());
        tagged && self.filter.as_ref().is_none_or(named)
    }
}

/// What came of checking every file.
pub struct Checked {
    /// The suites of all plans, in the order of the files.
    pub plans: Vec<Plan>,
    /// What is wrong, file by file, with the texts.
    pub diagnostics: Vec<(Vec<Diagnostic>, Arc<Sources>)>,
    /// What the file of an external cluster says.
    pub backend_file: Option<Arc<BackendFile>>,
}

impl Checked {
    /// Whether anything makes a plan impossible to run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        let error = |d: &Diagnostic| d.severity() == kplan_dsl::Severity::Error;
        self.diagnostics.iter().any(|(all, _)| all.iter().any(error))
    }

    /// Tells everything that is wrong, on standard error.
    pub fn tell(&self) {
        let colour = out::colour(false);
        for (diagnostics, sources) in &self.diagnostics {
            if !diagnostics.is_empty() {
                // The checker cleaned all of it: what colours there are are its own.
                tell!("{}", out::own(&kplan_dsl::render(diagnostics, sources, colour)));
            }
        }
    }
}

/// Finds and checks all plans that the arguments name.
///
/// # Errors
/// When a path cannot be read: everything wrong inside the files is in the result instead.
pub fn check(args: &Selection) -> anyhow::Result<Checked> {
    let chosen = args.backend.choose();
    let options = options(args, &chosen);
    let mut checked =
        Checked { plans: Vec::new(), diagnostics: Vec::new(), backend_file: chosen.file };
    checked.diagnostics.extend(chosen.told);
    for path in find(&args.paths)? {
        let one = kplan_dsl::check_file(&path, &options);
        one.secrets.iter().for_each(|secret| secrets::hide(secret));
        checked.plans.extend(one.suites);
        checked.diagnostics.push((one.diagnostics, one.sources));
    }
    Ok(checked)
}

/// What the command line and the environment say to the checker; a flag beats the environment.
#[must_use]
pub fn options(args: &Selection, chosen: &Chosen) -> Options {
    let from_env = std::env::vars().filter_map(|(key, value)| {
        let name = key.strip_prefix("KPLAN_PARAM_")?.to_lowercase();
        Some(Override { name, value, origin: key, optional: true })
    });
    let from_flags = args.params.iter().map(|(name, value)| Override {
        name: name.clone(),
        value: value.clone(),
        origin: "--param".to_owned(),
        optional: false,
    });
    let allowed =
        args.allow_env.iter().filter_map(|n| Some((n.clone(), std::env::var(n).ok()?))).collect();
    Options {
        backend: chosen.backend,
        capabilities: chosen.file.as_ref().map(|file| file.capabilities()),
        params: from_env.chain(from_flags).collect(),
        params_file: args.params_file.clone(),
        env: EnvNames { allowed },
        allow_run: args.allow_run,
        images: Some(images(args)),
        most_brokers: Some(args.max_brokers),
    }
}

/// Images that plans may name: the usual ones, the environment's, and those of the command line.
fn images(args: &Selection) -> Vec<String> {
    let usual = ["apache/kafka:*", "kplan/kafka:*"].map(str::to_owned);
    let own = std::env::var("KPLAN_IMAGE").ok().map(|image| image.replace("{version}", "*"));
    usual.into_iter().chain(own).chain(args.allow_images.iter().cloned()).collect()
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if key.is_empty() {
        return Err("expected NAME=VALUE".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Every plan file that the paths name: a file as it is, a directory searched for `*.yaml` and `*.yml`
/// (hidden directories and fragments apart), sorted by name so that the order is the same everywhere.
///
/// # Errors
/// When a path does not exist or cannot be read.
pub fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let kind =
            std::fs::metadata(path).with_context(|| format!("cannot read {}", path.shown()))?;
        if kind.is_dir() {
            walk(path, 0, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// How deep directories are searched; deeper is a loop of links or not a folder of plans.
const DEPTH: u32 = 32;

fn walk(dir: &Path, depth: u32, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if depth > DEPTH {
        return Ok(());
    }
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.shown()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {}", dir.shown()))?.path();
        let hidden = path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            walk(&path, depth + 1, found)?;
        } else if is_yaml(&path) && !is_no_plan(&path) {
            found.push(path);
        }
    }
    Ok(())
}

fn is_yaml(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// Files that plans include say `fragment: v1` where a plan says `plan: v1`, and those that tell where a
/// cluster is `backend: v1`.
fn is_no_plan(path: &Path) -> bool {
    use std::io::Read as _;
    let mut head = Vec::with_capacity(4_097);
    let read = std::fs::File::open(path).and_then(|f| f.take(4_096).read_to_end(&mut head));
    let other = |line: &[u8]| line.starts_with(b"fragment:") || line.starts_with(b"backend:");
    read.is_ok() && head.split(|b| *b == b'\n').any(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_searched_and_fragments_left_out() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("below the directory"))
                .expect("directory");
            std::fs::write(path, text).expect("file");
        };
        write("b.yaml", "plan: v1\n");
        write("sub/a.yml", "plan: v1\n");
        write("sub/part.yaml", "# a part\nfragment: v1\n");
        write("sub/staging.yaml", "backend: v1\nbootstrap: [a:1]\n");
        write(".hidden/c.yaml", "plan: v1\n");
        write("readme.md", "no plan");
        let found = find(&[dir.path().to_owned()]).expect("readable");
        let names: Vec<_> = found.iter().filter_map(|p| p.strip_prefix(dir.path()).ok()).collect();
        assert_eq!(names, [Path::new("b.yaml"), Path::new("sub/a.yml")]);
        assert!(find(&[dir.path().join("missing.yaml")]).is_err());
    }
}
