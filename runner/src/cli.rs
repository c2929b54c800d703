//! The command line.

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    cluster::backend::Setup,
    commands::{
        self,
        backend::{BackendName, BackendParser},
        check::CheckArgs,
        clean::CleanArgs,
        client::ClientArgs,
        compare::CompareArgs,
        diff::DiffArgs,
        doctor::DoctorArgs,
        explain::ExplainArgs,
        image::ImageArgs,
        init::InitArgs,
        list::ListArgs,
        lsp::LspArgs,
        man::ManArgs,
        report::ReportArgs,
        run::RunArgs,
        schema::SchemaArgs,
        words::WordsArgs,
    },
    exit::Exit,
    out::{self, tell},
};

/// Runs resilience plans for Kafka: a YAML plan breaks brokers, kplan judges what clients saw.
#[derive(Debug, Parser)]
#[command(name = "kplan", version, max_term_width = 100, after_help = STATUS)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const STATUS: &str = "\
Exit status: 0 all passed; 1 a plan failed; 2 a plan or the command line is wrong; 3 the rig failed \
(engine, image, memory); 4 nothing matched; 130 interrupted (143 by SIGTERM, 129 by a closed terminal, 131 by Ctrl-\\).

Examples:
  kplan run plans/quickstart.yaml --backend embedded   run a plan on the simulation, without an engine
  kplan run plans/ --junit report.xml                  run every plan below plans/ on real Kafka
  kplan check plans/                                   list every error before anything starts";

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs plans and judges what happened.
    Run(Box<RunArgs>),
    /// Lists every error in plans, without running them.
    Check(CheckArgs),
    /// Writes a first plan, its schema and a CI file.
    Init(InitArgs),
    /// Prints the JSON Schema of plans, for editors.
    Schema(SchemaArgs),
    /// Shows the manual page of a step, a condition or a diagnostic's code.
    Words(WordsArgs),
    /// Makes the reports of a run again, from its directory.
    Report(ReportArgs),
    /// Compares two runs, or the matrix cells of one run.
    Compare(CompareArgs),
    /// Builds local Kafka images from Kafka's released artifacts.
    Image(ImageArgs),
    /// Checks what this machine has and what it lacks.
    Doctor(DoctorArgs),
    /// Describes in words what plans will do, with a timeline of brokers, clients and faults.
    Explain(ExplainArgs),
    /// Shows what changed in meaning between two versions of plans.
    Diff(DiffArgs),
    /// Lists suites with their tags, parameters and matrix.
    List(ListArgs),
    /// Tells editors what kplan knows about plans: a language server.
    Lsp(LspArgs),
    /// Tests clients of other programs.
    Client(ClientArgs),
    /// Removes the containers, networks, volumes, processes and directories of dead runs.
    Clean(CleanArgs),
    /// Prints a completion script for a shell.
    ///
    /// Example: kplan completions bash > /etc/bash_completion.d/kplan
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Writes the manual pages of the commands.
    #[command(hide = true)]
    Man(ManArgs),
    /// Removes what a killed runner left behind (kplan starts it itself).
    #[command(hide = true)]
    Guardian {
        /// The id of the run.
        #[arg(long)]
        run: String,
        /// The backend of its clusters.
        #[arg(long, value_parser = BackendParser)]
        backend: BackendName,
    },
}

/// Parses the arguments, runs the command, returns the exit status.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if error.exit_code() == 0 {
                // Help and version hold kplan's own text only.
                return out::say(&out::own(&error.render().ansi().to_string()), Exit::Passed);
            }
            tell!("{}", error.render().to_string().trim_end());
            return Exit::Usage;
        }
    };
    match cli.command {
        Command::Run(args) => commands::run::main(&args),
        Command::Check(args) => commands::check::main(&args),
        Command::Init(args) => commands::init::main(&args),
        Command::Schema(args) => commands::schema::main(&args),
        Command::Words(args) => commands::words::main(&args),
        Command::Report(args) => commands::report::main(&args),
        Command::Compare(args) => commands::compare::main(&args),
        Command::Image(args) => commands::image::main(&args),
        Command::Man(args) => commands::man::main(&args, Cli::command()),
        Command::Doctor(args) => commands::doctor::main(&args),
        Command::Explain(args) => commands::explain::main(&args),
        Command::Diff(args) => commands::diff::main(&args),
        Command::List(args) => commands::list::main(&args),
        Command::Lsp(args) => commands::lsp::main(&args),
        Command::Clean(args) => commands::clean::main(&args),
        Command::Client(args) => commands::client::main(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "kplan", &mut script);
            out::say(&String::from_utf8_lossy(&script), Exit::Passed)
        }
        Command::Guardian { run, backend } => {
            crate::guardian::main(&run, backend.choose(Setup::default()).backend.as_ref())
        }
    }
}
