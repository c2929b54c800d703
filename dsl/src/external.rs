//! The file that `--backend external=FILE` names: an existing cluster, and the commands that make and undo faults
//! of its brokers. It is read like a plan: every mistake is reported with its place and the nearest word.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::args::args;
use crate::backend::{Capability, by_command};
use crate::check::settle;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::Node;
use crate::library::{Disk, Files, Library};
use crate::meaning::{Meaning, shown};
use crate::read::{FromNode, Reader};
use crate::schema::note;
use crate::scope::{EnvNames, Scope, Values};
use crate::source::{Sources, Span, Spanned};
use crate::template::{self, Rendered};
use crate::value::{FromText, KafkaVersion, PerBroker, Settings, TextError, text_value};

/// Settings that are not set in `client`.
const SAID: [(&str, &str); 11] = [
    ("bootstrap.servers", "write the addresses into `bootstrap`"),
    ("metadata.broker.list", "write the addresses into `bootstrap`"),
    ("acks", "set it with the argument of the plan's step"),
    ("request.required.acks", "set it with the argument of the plan's step"),
    ("enable.idempotence", "set it with the argument of the plan's step"),
    ("transactional.id", "set it with the argument of the plan's step"),
    ("group.id", "set it with the argument of the plan's step"),
    ("group.instance.id", "set it with the argument of the plan's step"),
    ("auto.offset.reset", "set it with the argument of the plan's step"),
    ("isolation.level", "set it with the argument of the plan's step"),
    ("enable.auto.commit", "set it with the argument of the plan's step"),
];

args! {
    /// An existing cluster: where it is, what its clients need, and how faults of its brokers are made.
    pub struct BackendFile("backend file") {
        /// The version of this file's language: `v1`.
        backend: String,
        /// `HOST:PORT` of one or more brokers; the other brokers are found through them.
        bootstrap: Spanned<Vec<Spanned<HostPort>>>,
        /// The version of Kafka that the cluster runs. A plan for another version is refused.
        version: Option<Spanned<KafkaVersion>>,
        /// Settings of librdkafka that every client of this cluster needs.
        client: Settings,
        /// The addresses at which this machine reaches individual brokers, by broker number. Other brokers are
        /// reached at their advertised addresses.
        brokers: PerBroker<Spanned<HostPort>>,
        /// The addresses at which this machine reaches the listeners of KRaft controllers, by node number. With
        /// them kplan knows a new active controller at once, not only when the brokers have noticed it.
        controllers: PerBroker<Spanned<HostPort>>,
        /// True if something starts brokers again that were killed or stopped, as Kubernetes does. Then `kill` and
        /// `stop` need `identity`, `start_broker` needs no command and waits until the broker is back, and kplan
        /// refuses what needs a broker that stays down.
        brokers_come_back: bool = "false",
        /// `HOST:PORT` of ZooKeeper, if the cluster has ZooKeeper and this machine can reach it.
        zookeeper: Option<Spanned<HostPort>>,
        /// The commands that make and undo faults of brokers. A plan that needs a command that is not set is
        /// refused.
        commands: Option<Commands>,
    }
}

args! {
    /// The commands that make and undo faults of brokers: programs with their arguments, started without a shell.
    ///
    /// In every word, `{{ broker }}` is the broker's number, `{{ host }}` its advertised host, and `{{ run.id }}`
    /// the id of the run.
    pub struct Commands("commands") {
        /// Kills a broker's process (SIGKILL).
        kill: Option<BrokerCommand>,
        /// Stops a broker gracefully.
        stop: Option<BrokerCommand>,
        /// Starts a broker that was killed or stopped.
        start: Option<BrokerCommand>,
        /// Pauses a broker's process (SIGSTOP).
        pause: Option<BrokerCommand>,
        /// Resumes a broker's process (SIGCONT).
        resume: Option<BrokerCommand>,
        /// Deletes the data of a broker that is down.
        wipe: Option<BrokerCommand>,
        /// Prints what identifies the broker's process, such as the id of its container and the time of its start.
        /// It proves kills and stops of brokers that come back: the output must change.
        identity: Option<BrokerCommand>,
        /// The time limit of each command, and of the effect that it must have.
        timeout: Spanned<Duration> = "60s",
    }
}

/// `HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort(String);

impl HostPort {
    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromText for HostPort {
    const EXPECTS: &'static str = "an address such as `kafka-1:9092`";

    fn from_text(text: &str) -> Result<Self, TextError> {
        let bad = || TextError::new(Code::E013, format!("`{text}` is not an address"));
        let (host, port) = text.rsplit_once(':').ok_or_else(bad)?;
        let plain = |c: char| !(c.is_whitespace() || c.is_control() || ",/@".contains(c));
        let fits = !host.is_empty() && host.chars().all(plain);
        match port.parse::<u16>() {
            Ok(1..) if fits => Ok(Self(text.to_owned())),
            _ => Err(bad()),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[^\\s,/@]+:[0-9]+$|\\{\\{" })
    }
}

text_value!(HostPort);
shown!(HostPort);

/// A program with its arguments, in which templates insert the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerCommand {
    words: Vec<Spanned<String>>,
    scope: Arc<Scope>,
}

impl BrokerCommand {
    /// The words of the command for one broker.
    pub fn words(&self, broker: u32, host: &str, run: &str) -> Result<Vec<String>, String> {
        let captures = [("broker".to_owned(), json!(broker)), ("host".to_owned(), json!(host))];
        let values = Values { run_id: run.to_owned(), seed: 0, captures: captures.into() };
        let render = |word: &Spanned<String>| {
            if !word.contains("{{") {
                return Ok(word.value.clone());
            }
            match template::render(word, &self.scope, Some(&values)) {
                Rendered::Value(value) => Ok(template::written(&value)),
                Rendered::Late | Rendered::Failed(_) => {
                    Err(format!("the template in `{word}` cannot be rendered"))
                }
            }
        };
        self.words.iter().map(render).collect()
    }
}

impl Meaning for BrokerCommand {
    fn meaning(&self) -> Value {
        self.words.meaning()
    }
}

impl FromNode for BrokerCommand {
    const EXPECTS: &'static str = "a program and its arguments, as a list of words";
    // The broker is known only when the command runs.
    const RAW: bool = true;

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Some(nodes) = node.seq().filter(|nodes| !nodes.is_empty()) else {
            reader.expected::<Self>(node);
            return None;
        };
        let words: Vec<Option<Spanned<String>>> =
            nodes.iter().map(|word| Self::word(word, reader)).collect();
        let words = words.into_iter().collect::<Option<_>>()?;
        Some(Self { words, scope: Arc::clone(&reader.scope) })
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "minItems": 1,
            "items": { "type": ["string", "number", "boolean"] },
        })
    }
}

impl BrokerCommand {
    fn word(node: &Node, reader: &mut Reader) -> Option<Spanned<String>> {
        let Some(scalar) = node.scalar().filter(|scalar| !scalar.is_null()) else {
            reader.expected::<String>(node);
            return None;
        };
        if scalar.is_template()
            && let Rendered::Failed(failure) = template::render(&scalar.text, &reader.scope, None)
        {
            let diagnostic = failure.at(node, &reader.library);
            reader.push(diagnostic);
            return None;
        }
        Some(Spanned::new(scalar.text.to_string(), node.span))
    }
}

/// The result of reading a backend file.
#[derive(Debug, Clone)]
pub struct ReadBackend {
    /// The content; none if there is an error.
    pub file: Option<BackendFile>,
    /// All diagnostics.
    pub diagnostics: Vec<Diagnostic>,
    /// The file's text.
    pub sources: Arc<Sources>,
}

impl ReadBackend {
    /// Adds diagnostics that only the program that uses this crate can make, such as settings that its clients
    /// refuse.
    pub fn and(mut self, check: impl FnOnce(&BackendFile) -> Vec<Diagnostic>) -> Self {
        let mut more = self.file.as_ref().map(check).unwrap_or_default();
        more.iter_mut().for_each(Diagnostic::show);
        if more.iter().any(|d| d.severity() == Severity::Error) {
            self.file = None;
        }
        self.diagnostics.append(&mut more);
        self.diagnostics = settle(self.diagnostics, &self.sources);
        self
    }
}

/// Reads a backend file. Its templates can use the environment variables that `env` allows.
pub fn read_backend(path: &Path, env: &EnvNames) -> ReadBackend {
    read_backend_with(path, env, Box::new(Disk))
}

/// Reads a backend file from `files`.
pub fn read_backend_with(path: &Path, env: &EnvNames, files: Box<dyn Files>) -> ReadBackend {
    let library = Arc::new(Library::new(files));
    let (mut file, mut diagnostics) = match library.load(path, None) {
        Ok((_, document)) => read(&document, env, &library),
        Err(diagnostic) => (None, vec![diagnostic]),
    };
    diagnostics.extend(library.problems());
    let sources = Arc::new(library.sources());
    let mut diagnostics = settle(diagnostics, &sources);
    diagnostics.iter_mut().for_each(Diagnostic::show);
    if diagnostics.iter().any(|d| d.severity() == Severity::Error) {
        file = None;
    }
    ReadBackend { file, diagnostics, sources }
}

fn read(
    document: &Node,
    env: &EnvNames,
    library: &Arc<Library>,
) -> (Option<BackendFile>, Vec<Diagnostic>) {
    let version = document.get("backend");
    let text = version.and_then(Node::scalar).map(|s| s.text.to_string());
    if text.as_deref() != Some("v1") {
        let start = Span { end: document.span.start, ..document.span };
        let (message, help) = match &text {
            Some(other) => (format!("unknown language version `{other}`"), "write `backend: v1`"),
            None if document.get("plan").is_some() => (
                "this file is a plan, not a backend file".to_owned(),
                "--backend external=FILE takes a file that begins with `backend: v1`",
            ),
            None => (
                "this file does not begin with `backend: v1`".to_owned(),
                "a backend file describes where a cluster is: see docs/backends.md",
            ),
        };
        let span = version.map_or(start, |node| node.span);
        return (None, vec![Diagnostic::new(Code::E006, span, message).help(help)]);
    }
    let mut scope = Scope::default();
    scope.set_env(Arc::new(env.clone()));
    // In addition to `run.id`, which is late everywhere.
    scope.define_late("broker");
    scope.define_late("host");
    let mut reader = Reader::new(Arc::new(scope), Arc::clone(library), None, |_| false);
    let (file, late) = reader.watching_late(|reader| reader.read::<BackendFile>(document));
    if late && reader.is_clean() {
        let message = "`broker`, `host` and `run` are defined only in `commands`";
        reader.push(Diagnostic::new(Code::E034, document.span, message));
    }
    if let Some(file) = &file {
        file.validate(&mut reader);
    }
    (file, reader.into_diagnostics())
}

impl BackendFile {
    fn validate(&self, reader: &mut Reader) {
        if self.bootstrap.is_empty() {
            let message = "`bootstrap` names no broker";
            let help = "write the address of at least one broker: `bootstrap: [kafka-1:9092]`";
            reader.push(Diagnostic::new(Code::E015, self.bootstrap.span, message).help(help));
        }
        reader.must_last("timeout", self.commands.as_ref().map(|c| &c.timeout), None);
        self.client.check_backend(&SAID, reader);
        self.validate_identity(reader);
        let canonical = self.client.0.iter().find(|(key, value)| {
            key.value == LOOKUP && value.value == "resolve_canonical_bootstrap_servers_only"
        });
        if let (Some((key, _)), false) = (canonical, self.brokers.0.is_empty()) {
            let message = format!(
                "`{LOOKUP}: resolve_canonical_bootstrap_servers_only` cannot be combined with `brokers`"
            );
            let help = "remove it: with it, clients use names that no broker advertises, and `brokers` cannot map them";
            reader.push(Diagnostic::new(Code::E016, key.span, message).help(help));
        }
    }

    /// Reports commands whose effect could not be seen.
    fn validate_identity(&self, reader: &mut Reader) {
        let Some(commands) = self.commands.as_ref().filter(|_| self.brokers_come_back) else {
            return;
        };
        let unproven = [("kill", &commands.kill), ("stop", &commands.stop)];
        for (word, command) in unproven {
            let Some(first) = command.as_ref().and_then(|command| command.words.first()) else {
                continue;
            };
            if commands.identity.is_none() {
                let message = format!("with `brokers_come_back`, `{word}` needs `identity`");
                let help = "a broker that comes back may answer again before kplan asks: add a command `identity` \
                            that prints what identifies its process";
                reader.push(Diagnostic::new(Code::E011, first.span, message).help(help));
            }
        }
    }

    /// The numbers of the brokers that it names.
    pub fn numbers(&self) -> BTreeSet<u32> {
        self.brokers.0.iter().map(|(broker, _)| broker.value).collect()
    }

    /// The abilities that need a command for which there is none.
    pub fn lacks(&self) -> BTreeSet<Capability> {
        let commands = self.commands.as_ref();
        let given = |wanted: Capability| {
            let has = |pick: fn(&Commands) -> &Option<BrokerCommand>| {
                commands.is_some_and(|commands| pick(commands).is_some())
            };
            match wanted {
                Capability::Kill => has(|c| &c.kill),
                Capability::Stop => has(|c| &c.stop),
                Capability::Start => self.brokers_come_back || has(|c| &c.start),
                Capability::Pause => has(|c| &c.pause) && has(|c| &c.resume),
                // A broker that is back uses its disk.
                Capability::WipeDisk => !self.brokers_come_back && has(|c| &c.wipe),
                _ => false,
            }
        };
        let asked = Capability::ALL.iter().copied().filter(|c| by_command(*c));
        let down = self.brokers_come_back.then_some(Capability::KeepDown);
        asked.filter(|c| !given(*c)).chain(down).collect()
    }
}

/// librdkafka's setting for how it resolves host names.
const LOOKUP: &str = "client.dns.lookup";

/// The JSON Schema (draft 07) of backend files.
pub fn backend_schema() -> Value {
    note::removed(noted_schema())
}

fn noted_schema() -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut schema = BackendFile::schema(&mut generator).to_value();
    schema["properties"]["backend"] =
        json!({ "enum": ["v1"], "description": "The version of this file's language." });
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("kplan backend");
    schema["description"] = json!("An existing cluster, for `kplan run --backend external=FILE`.");
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        schema["definitions"] = Value::Object(definitions);
    }
    schema
}

/// The schema as the text of its file.
pub fn backend_schema_text() -> String {
    format!("{:#}\n", backend_schema())
}
