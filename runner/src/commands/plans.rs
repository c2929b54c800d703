//! Finds plan files and checks them, for `run`, `check`, `list` and `explain`.

use std::{
    collections::{HashSet, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use clap::Args;
use kplan_dsl::{Abilities, Diagnostic, EnvNames, Options, Override, Plan, Sources};

use crate::{
    cluster::backend::{Backend, Chosen, Setup},
    commands::{
        backend::{BackendName, BackendParser},
        settings,
    },
    out::Shown as _,
    out::{self, tell},
    secrets,
};

/// The greatest number of brokers of a cluster.
pub const MOST_BROKERS: u32 = 15;

/// Which plans a command reads, and with which parameters and permissions: the same options for every command.
#[derive(Debug, Args)]
pub struct Selection {
    /// Plan files, or directories to search for *.yaml and *.yml.
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Where the clusters run.
    #[arg(long, value_parser = BackendParser, default_value = "docker", env = "KPLAN_BACKEND")]
    pub backend: BackendName,
    /// Set a parameter, or fix a matrix key to one value. Repeatable.
    #[arg(long = "param", value_name = "K=V", value_parser = key_value)]
    pub params: Vec<(String, String)>,
    /// YAML file with parameters; --param overrides it.
    #[arg(long, value_name = "FILE")]
    pub params_file: Option<PathBuf>,
    /// Only plans with this tag. Repeatable: a plan needs one of the tags.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Only suites whose name, `plan [cell]`, contains this text.
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Environment variables that plans may read, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub allow_env: Vec<String>,
    /// Allow plans to start programs on this machine (steps `run` and `start_service`).
    #[arg(long)]
    pub allow_run: bool,
    /// Allow plans to name images that match, besides apache/kafka and kplan/kafka; `*` matches any text.
    /// Repeatable.
    #[arg(long = "allow-image", value_name = "PATTERN")]
    pub allow_images: Vec<String>,
    /// Allow plans to send HTTP requests (condition `http`) to this host, besides this machine. Repeatable.
    #[arg(long = "allow-http", value_name = "HOST")]
    pub allow_http: Vec<String>,
    /// Maximum number of brokers in a plan's cluster.
    #[arg(long, value_name = "N", default_value_t = MOST_BROKERS, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_BROKERS)))]
    pub max_brokers: u32,
}

impl Selection {
    /// Whether this suite matches the tags and the filter.
    pub fn wants(&self, plan: &Plan) -> bool {
        let tagged = self.tags.is_empty() || self.tags.iter().any(|t| plan.tags.contains(t));
        let named = |text: &String| plan.suite_name().contains(text.as_str());
        tagged && self.filter.as_ref().is_none_or(named)
    }
}

/// The result of checking every file.
pub struct Checked {
    /// The suites of all plans, in the order of the files.
    pub plans: Vec<Plan>,
    /// The diagnostics of each file, with the source texts.
    pub diagnostics: Vec<(Vec<Diagnostic>, Arc<Sources>)>,
    /// The backend that the plans were checked for.
    pub backend: Arc<dyn Backend>,
}

impl Checked {
    /// Whether any diagnostic is an error.
    pub fn has_errors(&self) -> bool {
        let error = |d: &Diagnostic| d.severity() == kplan_dsl::Severity::Error;
        self.diagnostics.iter().any(|(all, _)| all.iter().any(error))
    }

    /// Prints all diagnostics on standard error.
    pub fn tell(&self) {
        let colour = out::colour(false);
        for (diagnostics, sources) in &self.diagnostics {
            if !diagnostics.is_empty() {
                // The checker cleaned the text: all colours in it are its own.
                tell!("{}", out::own(&kplan_dsl::render(diagnostics, sources, colour)));
            }
        }
    }
}

/// Finds and checks all plans that the arguments name.
pub fn check(args: &Selection, setup: Setup) -> anyhow::Result<Checked> {
    let image = setup.image.clone();
    let chosen = args.backend.choose(setup);
    let mut options = options(args, &chosen);
    options.backend.image = image.or(options.backend.image);
    let mut checked =
        Checked { plans: Vec::new(), diagnostics: Vec::new(), backend: chosen.backend };
    checked.diagnostics.extend(chosen.reported);
    for path in find(&args.paths)? {
        let one = kplan_dsl::check_file(&path, &options);
        one.secrets.iter().for_each(|secret| secrets::hide(secret));
        checked.plans.extend(one.suites);
        checked.diagnostics.push((one.diagnostics, one.sources));
    }
    Ok(checked)
}

/// The checker's options from the command line and the environment; a flag overrides the environment.
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
        backend: Abilities { image: own_image(), ..chosen.backend.abilities() },
        params: from_env.chain(from_flags).collect(),
        params_file: args.params_file.clone(),
        env: EnvNames { allowed, trusted: false },
        allow_run: args.allow_run,
        images: Some(images(args)),
        http_hosts: Some(args.allow_http.clone()),
        most_brokers: Some(args.max_brokers),
        pass: settings::pass(chosen.backend.client_config()),
    }
}

/// The image of the environment, instead of Kafka's usual ones.
fn own_image() -> Option<String> {
    std::env::var("KPLAN_IMAGE").ok().filter(|image| !image.is_empty())
}

/// Images that plans may name: apache/kafka, kplan/kafka, the image of `KPLAN_IMAGE`, and `--allow-image`.
fn images(args: &Selection) -> Vec<String> {
    let usual = ["apache/kafka:*", "kplan/kafka:*"].map(str::to_owned);
    let own = own_image().map(|image| image.replace("{version}", "*"));
    usual.into_iter().chain(own).chain(args.allow_images.iter().cloned()).collect()
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    if key.is_empty() {
        return Err("expected NAME=VALUE".to_owned());
    }
    Ok((key.to_owned(), value.to_owned()))
}

/// Every plan file that the paths name, see [`Finder`].
pub fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut finder = Finder::default();
    for path in paths {
        finder.add(path)?;
    }
    Ok(finder.finish())
}

/// Finds plan files: a named file is taken as it is, a directory is searched for `*.yaml` and `*.yml` (except
/// hidden files, fragments and backend files). Each real file is found once, however many links lead to it.
#[derive(Debug, Default)]
pub struct Finder {
    found: Vec<PathBuf>,
    /// Files and directories without links, so that loops of links end.
    seen: HashSet<PathBuf>,
    /// Links among the entries of directories: they are followed last, so that a file is listed by its own name.
    links: VecDeque<PathBuf>,
}

impl Finder {
    /// Looks for the plans of a path.
    pub fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        let kind =
            std::fs::metadata(path).with_context(|| format!("cannot read {}", path.shown()))?;
        if !kind.is_dir() {
            self.take(path);
            return Ok(());
        }
        self.walk(path)?;
        while let Some(link) = self.links.pop_front() {
            self.entry(&link)?;
        }
        Ok(())
    }

    /// All files found, sorted by name so that the order is the same everywhere.
    pub fn finish(mut self) -> Vec<PathBuf> {
        self.found.sort();
        self.found
    }

    /// Adds a file, unless it was found by another name.
    fn take(&mut self, path: &Path) {
        if self.is_new(path) {
            self.found.push(path.to_owned());
        }
    }

    fn is_new(&mut self, path: &Path) -> bool {
        // A path that cannot be resolved is reported when it is read.
        self.seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
    }

    fn walk(&mut self, dir: &Path) -> anyhow::Result<()> {
        if !self.is_new(dir) {
            return Ok(());
        }
        let wrong = || format!("cannot read {}", dir.shown());
        let entries = std::fs::read_dir(dir).with_context(wrong)?;
        let paths: Result<Vec<PathBuf>, _> = entries.map(|e| e.map(|e| e.path())).collect();
        let mut paths = paths.with_context(wrong)?;
        paths.sort();
        for path in paths {
            let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
            if hidden {
                continue;
            }
            if path.is_symlink() {
                self.links.push_back(path);
            } else {
                self.entry(&path)?;
            }
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path) -> anyhow::Result<()> {
        if path.is_dir() {
            self.walk(path)?;
        } else if is_yaml(path) && !is_no_plan(path) {
            self.take(path);
        }
        Ok(())
    }
}

fn is_yaml(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// Whether a file is a fragment (`fragment: v1`) or a backend file (`backend: v1`) instead of a plan (`plan: v1`).
fn is_no_plan(path: &Path) -> bool {
    begins(path, &[b"fragment:", b"backend:"])
}

/// Whether a file is one that people write for kplan: a plan, a fragment or a backend file.
pub fn is_written_by_people(path: &Path) -> bool {
    begins(path, &[b"plan:", b"fragment:", b"backend:"])
}

/// Whether a line in the first 4 KiB of the file begins with one of these words.
fn begins(path: &Path, words: &[&[u8]]) -> bool {
    use std::io::Read as _;
    let mut head = Vec::with_capacity(4_097);
    let read = std::fs::File::open(path).and_then(|f| f.take(4_096).read_to_end(&mut head));
    let other = |line: &[u8]| words.iter().any(|word| line.starts_with(word));
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

    #[test]
    fn each_real_file_is_found_once_and_loops_of_links_end() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().expect("temporary directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("b/deep")).expect("directory");
        for name in ["b/one.yaml", "b/deep/two.yaml", ".hidden.yaml", "b/.three.yaml"] {
            std::fs::write(at(name), "plan: v1\n").expect("file");
        }
        for (link, to) in
            [("a", "b"), ("b/up", ".."), ("b/deep/up", "../.."), ("0.yaml", "b/one.yaml")]
        {
            symlink(to, at(link)).expect("a link");
        }
        symlink("gone.yaml", at("dangling.yaml")).expect("a link");
        nix::unistd::mkfifo(&at("b/pipe.yaml"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
        let found =
            find(&[dir.path().to_owned(), at("0.yaml"), at("b/one.yaml")]).expect("readable");
        assert_eq!(found, [at("b/deep/two.yaml"), at("b/one.yaml")]);
        assert_eq!(find(&[at(".hidden.yaml")]).expect("named by itself").len(), 1);
    }
}
