//! Clients of other programs: the top-level map `clients`, and the name of one of them in a step.

use std::sync::Arc;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{Settings, words};
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::Node;
use crate::meaning::Meaning;
use crate::programs::{ClientProgram, ProgramFlags, Programs};
use crate::read::{FromNode, Reader};
use crate::source::{Span, Spanned};

/// The name of kplan's own client.
pub const BUILT_IN: &str = "librdkafka";

words! {
    /// What ends a client.
    pub enum StopBy("`signal` or `stdin`") {
        /// By SIGTERM.
        Signal = "signal",
        /// By the line `{"stop": true}` on its standard input.
        Stdin = "stdin",
    }

    /// The protocol of a client's command line and output.
    pub enum Protocol("`verifiable`") {
        /// That of Kafka's `VerifiableProducer` and `VerifiableConsumer`.
        Verifiable = "verifiable",
    }
}

args! {
    /// A client of another program, in any language.
    ///
    /// It speaks the protocol of Kafka's own `VerifiableProducer` and `VerifiableConsumer`: docs/clients.md describes
    /// it. `kplan client test` checks whether a program follows it.
    #[example("{ command: [python3, clients/kafka_python.py] }")]
    pub struct ProgramArgs("clients") {
        /// The program and its arguments. It gets `producer` or `consumer` as its next argument.
        command: Option<Spanned<Vec<Spanned<String>>>>,
        /// The program and its arguments as a producer, in place of `command`.
        producer: Option<Spanned<Vec<Spanned<String>>>>,
        /// The program and its arguments as a consumer, in place of `command`.
        consumer: Option<Spanned<Vec<Spanned<String>>>>,
        /// The container image that it runs in; without it, it runs on the machine that kplan runs on, which needs
        /// `--allow-run`.
        image: Option<Spanned<String>>,
        /// Additional environment variables.
        env: Settings,
        /// The names of flags that differ between versions of Kafka's tools.
        flags: Option<FlagArgs>,
        /// How `stop_client` ends it: by SIGTERM, or by the line `{"stop": true}` on its standard input.
        stop: StopBy = "signal",
        /// The protocol of its command line and its output.
        speaks: Protocol = "verifiable",
    }
}

args! {
    /// The names of flags that differ between versions of Kafka's tools.
    pub struct FlagArgs("flags") {
        /// The flag with the brokers' addresses (`--broker-list` in Kafka 0.10).
        bootstrap: String = "--bootstrap-server",
        /// The flag with the file of a producer's settings (`--command-config` in newer versions).
        producer_config: String = "--producer.config",
        /// The flag with the file of a consumer's settings (`--command-config` in newer versions).
        consumer_config: String = "--consumer.config",
        /// The flag with the run's seed, for a client that draws random numbers; without it the client gets none.
        seed: Option<String>,
    }
}

impl ProgramArgs {
    /// The program, if nothing is missing and the command line allows it.
    fn allowed(self, name: Span, reader: &mut Reader) -> Option<ClientProgram> {
        let mistakes = reader.mistakes();
        if self.command.is_none() && self.producer.is_none() && self.consumer.is_none() {
            let message = "the client has no command";
            let help = "write `command: [PROGRAM, ARGUMENT]`, or `producer` and `consumer`";
            reader.push(Diagnostic::new(Code::E011, name, message).help(help));
        }
        let all = [&self.command, &self.producer, &self.consumer];
        for empty in all.into_iter().flatten().filter(|command| command.is_empty()) {
            reader.push(Diagnostic::new(Code::E015, empty.span, "the command is empty"));
        }
        match &self.image {
            Some(image) if !reader.scope.limits().allows_image(image) => {
                let message = format!("the image `{image}` is not allowed");
                let help = format!("allow it with --allow-image {image}, if you trust the plan");
                reader.push(Diagnostic::new(Code::E073, image.span, message).help(help));
            }
            None => reader.needs_allow_run("a client of another program", name),
            Some(_) => {}
        }
        if reader.mistakes() > mistakes {
            return None;
        }
        let words = |of: &Option<Spanned<Vec<Spanned<String>>>>| -> Option<Vec<String>> {
            of.as_ref().map(|words| words.iter().map(ToString::to_string).collect())
        };
        let common = |role: &str| -> Vec<String> {
            let command = words(&self.command).unwrap_or_default();
            let role = (!command.is_empty()).then(|| role.to_owned());
            command.into_iter().chain(role).collect()
        };
        let flags = self.flags.map_or_else(ProgramFlags::default, |flags| ProgramFlags {
            bootstrap: flags.bootstrap,
            producer_config: flags.producer_config,
            consumer_config: flags.consumer_config,
            seed: flags.seed,
        });
        Some(ClientProgram {
            producer: words(&self.producer).unwrap_or_else(|| common("producer")),
            consumer: words(&self.consumer).unwrap_or_else(|| common("consumer")),
            image: self.image.map(|image| image.value),
            env: self.env.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            flags,
            stdin: self.stop == StopBy::Stdin,
        })
    }
}

/// Reads the map `clients`. A client with mistakes has a name, so that steps may name it.
pub(crate) fn read_programs(node: &Node, reader: &mut Reader) -> Programs {
    let mut all = Programs::new();
    let Some(entries) = node.map() else {
        let message = format!("expected a map from names to clients, found {}", node.describe());
        reader.push(Diagnostic::new(Code::E012, node.span, message));
        return all;
    };
    for entry in entries {
        if entry.key.as_str() == BUILT_IN {
            let message = format!("`{BUILT_IN}` is the name of kplan's own client");
            reader.push(Diagnostic::new(Code::E055, entry.key.span, message));
            continue;
        }
        let program = reader.read::<ProgramArgs>(&entry.value);
        let program = program.and_then(|args| args.allowed(entry.key.span, reader));
        all.insert(entry.key.value.clone(), program.map(Arc::new));
    }
    all
}

/// The client that a step starts, by its name in `clients`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenClient {
    /// Its name.
    pub name: String,
    /// Its program; none for kplan's own client.
    pub program: Option<Arc<ClientProgram>>,
}

impl ChosenClient {
    /// Its name in sentences, if it is another program.
    pub(crate) fn shown(&self) -> Option<String> {
        self.program.as_ref().map(|_| format!("client {}", self.name))
    }

    /// Its name, and what runs it.
    pub(crate) fn in_words(&self) -> String {
        let Some(program) = &self.program else { return self.name.clone() };
        let words = |command: &[String], role: &str| {
            let (last, rest) = command.split_last()?;
            let words = if last == role { rest } else { command };
            Some(words.join(" "))
        };
        let producer = words(&program.producer, "producer");
        let consumer =
            words(&program.consumer, "consumer").filter(|c| producer.as_ref() != Some(c));
        let commands: Vec<String> = producer.into_iter().chain(consumer).collect();
        let image = program.image.as_ref().map(|image| format!(" in {image}"));
        format!("{}: {}{}", self.name, commands.join(", "), image.unwrap_or_default())
    }
}

impl std::fmt::Display for ChosenClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromNode for ChosenClient {
    const EXPECTS: &'static str = "a name of the plan's `clients`, or `librdkafka`";

    fn from_node(node: &Node, reader: &mut Reader) -> Option<Self> {
        let name: Spanned<String> = reader.raw(node)?;
        if name.as_str() == BUILT_IN {
            return Some(Self { name: name.value, program: None });
        }
        let scope = Arc::clone(&reader.scope);
        match scope.program(&name) {
            // Its own mistake is reported where it stands.
            Some(program) => Some(Self { name: name.value, program: Some(program.clone()?) }),
            None => {
                let message = format!("the plan has no client `{}`", name.value);
                let help = did_you_mean(&name, scope.programs().chain([BUILT_IN]));
                let help = help.or_else(|| {
                    Some(format!("add it to the plan's `clients`, or write `{BUILT_IN}`").into())
                });
                reader.push(Diagnostic::new(Code::E051, name.span, message).maybe_help(help));
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        crate::schema::naming(json_schema!({ "type": "string" }), "program")
    }
}

impl Meaning for ChosenClient {
    fn meaning(&self) -> Value {
        self.name.clone().into()
    }
}
