//! `kplan client test`: whether a program follows the protocol of clients of other programs. It is a plan that kplan
//! brings, run on the simulation.

use clap::{Args, Parser, Subcommand};
use serde_json::json;

use super::run::{self, RunArgs};
use crate::{exit::Exit, out::tell};

/// The plan, without its clients.
const PLAN: &str = include_str!("client/test.yaml");

/// Arguments of `kplan client`.
#[derive(Debug, Args)]
pub struct ClientArgs {
    #[command(subcommand)]
    command: ClientCommand,
}

#[derive(Debug, Subcommand)]
enum ClientCommand {
    /// Checks whether a program can be a client of a plan: see docs/clients.md.
    ///
    /// The program runs as a producer and as a consumer on the simulation. It gets `producer` or `consumer` as its
    /// first argument, then the flags of Kafka's VerifiableProducer or VerifiableConsumer.
    ///
    /// Example: kplan client test -- python3 my_client.py
    Test(TestArgs),
}

/// Arguments of `kplan client test`.
#[derive(Debug, Args)]
struct TestArgs {
    /// Test only the producer; the command gets no first argument.
    #[arg(long, conflicts_with = "consumer")]
    producer: bool,
    /// Test only the consumer; the command gets no first argument.
    #[arg(long)]
    consumer: bool,
    /// End the program by the line `{"stop": true}` on its standard input, as `stop: stdin` does, and not by SIGTERM.
    #[arg(long)]
    stdin: bool,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Reads the arguments of `kplan run`.
#[derive(Debug, Parser)]
struct RunLine {
    #[command(flatten)]
    args: RunArgs,
}

pub fn main(args: &ClientArgs) -> Exit {
    let ClientCommand::Test(args) = &args.command;
    match test(args) {
        Ok(exit) => exit,
        Err(error) => {
            tell!("{error:#}");
            Exit::Rig
        }
    }
}

fn test(args: &TestArgs) -> anyhow::Result<Exit> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("client-test.yaml");
    std::fs::write(&path, plan(args))?;
    let produces = format!("produces={}", !args.consumer);
    let consumes = format!("consumes={}", !args.producer);
    let line = RunLine::try_parse_from([
        "run",
        &path.to_string_lossy(),
        "--backend",
        "embedded",
        "--allow-run",
        "--param",
        &produces,
        "--param",
        &consumes,
    ])?;
    Ok(run::main(&line.args))
}

/// The plan with the tested client. JSON is YAML.
fn plan(args: &TestArgs) -> String {
    let key = match (args.producer, args.consumer) {
        (true, _) => "producer",
        (_, true) => "consumer",
        _ => "command",
    };
    let stop = if args.stdin { "stdin" } else { "signal" };
    format!("{PLAN}clients: {}\n", json!({ "tested": { key: args.command, "stop": stop } }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_one_for_each_role() {
        for (producer, consumer) in [(false, false), (true, false), (false, true)] {
            let args = TestArgs {
                producer,
                consumer,
                stdin: producer,
                command: vec!["a client".into(), "x".into()],
            };
            let path = std::path::Path::new("client-test.yaml");
            let param = |name: &str, on: bool| kplan_dsl::Override {
                name: name.to_owned(),
                value: on.to_string(),
                origin: "--param".to_owned(),
                optional: false,
            };
            let options = kplan_dsl::Options {
                allow_run: true,
                params: vec![param("produces", !consumer), param("consumes", !producer)],
                ..kplan_dsl::Options::default()
            };
            let checked = kplan_dsl::check_text(path, &plan(&args), &options);
            let shown = kplan_dsl::render(&checked.diagnostics, &checked.sources, false);
            assert_eq!((shown.as_str(), checked.suites.len()), ("", 1));
        }
    }
}
