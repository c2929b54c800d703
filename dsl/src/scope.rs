//! The names that templates can use, and when their values are known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use minijinja::Value;

use crate::document::Node;
use crate::programs::{ClientProgram, Programs};
use crate::visible::secret_forms;

/// Values that are known only while the plan runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    /// `run.id`.
    pub run_id: String,
    /// `run.seed`.
    pub seed: u64,
    /// The captures of steps, by name.
    pub captures: BTreeMap<String, serde_json::Value>,
}

/// The names that a template may use at one place of a plan.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    known: BTreeMap<String, Value>,
    late: BTreeSet<String>,
    derived: BTreeMap<String, (Node, Arc<Self>)>,
    /// The names whose values are never shown.
    secret: BTreeSet<String>,
    /// Texts that are never shown, long enough to be recognized inside another value.
    hidden: BTreeSet<String>,
    defaults: Arc<BTreeMap<&'static str, Node>>,
    programs: Arc<Programs>,
    env: Arc<EnvNames>,
    limits: Arc<Limits>,
}

/// What the command line allows a plan to do. A plan may come from the pull request of a stranger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    /// Whether the plan may run programs on this machine.
    pub allow_run: bool,
    /// Images that it may name, with `*` for any text; without a list any image.
    pub images: Option<Vec<String>>,
    /// Hosts besides this machine to which it may send HTTP requests; without a list any host.
    pub hosts: Option<Vec<String>>,
    /// The greatest number of brokers of a cluster; without it, the limit of the language.
    pub brokers: Option<u32>,
    /// True if the cluster exists before the plan: it has the numbers that it has.
    pub borrowed: bool,
}

/// The environment variables that templates may read.
#[derive(Debug, Clone, Default)]
pub struct EnvNames {
    /// The allowed names, with their values.
    pub allowed: BTreeMap<String, String>,
    /// Whether templates may use the values freely: true for a file that the user names and trusts like a program.
    /// In a plan the values are secrets.
    pub trusted: bool,
}

/// A shorter secret is hidden by its name only, because its text may occur anywhere.
const SHORTEST_FOUND: usize = 4;

impl Scope {
    /// Defines a value that is known before the run.
    pub(crate) fn define(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        self.late.remove(&name);
        self.derived.remove(&name);
        self.known.insert(name, value);
    }

    /// Defines a name whose value is known only while the plan runs.
    pub(crate) fn define_late(&mut self, name: impl Into<String>) {
        self.late.insert(name.into());
    }

    /// Defines a value that a late template of another scope makes.
    pub(crate) fn define_derived(&mut self, name: impl Into<String>, node: Node, of: Arc<Self>) {
        self.derived.insert(name.into(), (node, of));
    }

    /// Makes a name secret: its value is never shown, nor are values that contain it. `texts` are the texts of its
    /// value, as far as they are known.
    pub(crate) fn mark_secret(&mut self, name: &str, texts: impl IntoIterator<Item = String>) {
        self.secret.insert(name.to_owned());
        self.hide(texts);
    }

    fn hide(&mut self, secrets: impl IntoIterator<Item = String>) {
        let forms = secrets.into_iter().flat_map(|secret| secret_forms(&secret));
        self.hidden.extend(forms.filter(|form| form.len() >= SHORTEST_FOUND));
    }

    /// True if a name's value is never shown: the name is secret, or its value contains a secret. The texts of the
    /// value are computed only if there are secrets.
    pub(crate) fn is_secret(&self, name: &str, texts: impl FnOnce() -> BTreeSet<String>) -> bool {
        let holds = |text: &String| self.hidden.iter().any(|secret| text.contains(secret.as_str()));
        self.secret.contains(name) || !self.hidden.is_empty() && texts().iter().any(holds)
    }

    /// The values that late templates of other scopes make, and whether they are secret.
    pub(crate) fn all_derived(&self) -> impl Iterator<Item = (&Node, &Arc<Self>, bool)> {
        self.derived.iter().map(|(name, (node, of))| (node, of, self.secret.contains(name)))
    }

    /// The environment variables that may be read.
    pub(crate) fn set_env(&mut self, env: Arc<EnvNames>) {
        if !env.trusted {
            self.hide(env.allowed.values().cloned());
        }
        self.env = env;
    }

    pub(crate) fn env(&self) -> &EnvNames {
        &self.env
    }

    /// The plan's default arguments, by step word.
    pub(crate) fn set_defaults(&mut self, defaults: Arc<BTreeMap<&'static str, Node>>) {
        self.defaults = defaults;
    }

    /// The plan's default arguments of a step.
    pub(crate) fn defaults(&self, word: &str) -> Option<&Node> {
        self.defaults.get(word)
    }

    /// Adds clients of other programs, by name. A name of the including plan is replaced.
    pub(crate) fn add_programs(&mut self, programs: Programs) {
        let known = self.programs.iter().map(|(name, program)| (name.clone(), program.clone()));
        self.programs = Arc::new(known.chain(programs).collect());
    }

    /// The client of this name; the inner value is none if its declaration has mistakes.
    pub(crate) fn program(&self, name: &str) -> Option<&Option<Arc<ClientProgram>>> {
        self.programs.get(name)
    }

    /// The names of the clients of other programs.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &str> + Clone {
        self.programs.keys().map(String::as_str)
    }

    /// A scope with the same environment, defaults and late names, and no other names.
    pub(crate) fn bare(&self) -> Self {
        Self {
            known: BTreeMap::new(),
            derived: BTreeMap::new(),
            secret: BTreeSet::new(),
            hidden: self.hidden.clone(),
            late: self.late.clone(),
            defaults: Arc::clone(&self.defaults),
            programs: Arc::clone(&self.programs),
            env: Arc::clone(&self.env),
            limits: Arc::clone(&self.limits),
        }
    }

    /// This scope with the late names and the clients of another one, which was made from it.
    pub(crate) fn with_late_of(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.late.extend(other.late.iter().cloned());
        joined.programs = Arc::clone(&other.programs);
        joined
    }

    /// Sets what the plan may do.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = Arc::new(limits);
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn allows_run(&self) -> bool {
        self.limits.allow_run
    }

    pub(crate) fn known(&self, name: &str) -> Option<&Value> {
        self.known.get(name)
    }

    pub(crate) fn is_late(&self, name: &str) -> bool {
        name == "run" || self.late.contains(name)
    }

    pub(crate) fn derived(&self, name: &str) -> Option<&(Node, Arc<Self>)> {
        self.derived.get(name)
    }

    /// All names, to find the nearest one.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        let derived = self.derived.keys().map(String::as_str);
        let late = self.late.iter().map(String::as_str).chain(["run", "env"]);
        self.known.keys().map(String::as_str).chain(late).chain(derived)
    }
}

impl Limits {
    /// True if a plan may name this image.
    pub(crate) fn allows_image(&self, image: &str) -> bool {
        self.images.as_ref().is_none_or(|all| all.iter().any(|pattern| is_like(pattern, image)))
    }

    /// True if a plan may send HTTP requests to this host: this machine, or one that the command line names.
    pub(crate) fn allows_host(&self, host: &str) -> bool {
        let own = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let named = |all: &Vec<String>| all.iter().any(|allowed| allowed == host);
        own || host == "localhost" || self.hosts.as_ref().is_none_or(named)
    }
}

/// True if a text matches a pattern, in which `*` stands for any text.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

impl PartialEq for Scope {
    /// A scope is not part of the meaning of a step.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text) in [("a", "a"), ("a:*", "a:1"), ("*", ""), ("r/*/k:*-x", "r/a/b/k:1-x")]
        {
            assert!(is_like(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("a", "ab"), ("a:*", "b:1"), ("a*a", "a"), ("*x*y", "yx"), ("", "a")]
        {
            assert!(!is_like(pattern, text), "{pattern} {text}");
        }
    }
}
