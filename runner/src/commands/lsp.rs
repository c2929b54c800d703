//! `kplan lsp`: a language server, which tells editors what kplan knows about plans.

use std::{io::ErrorKind, sync::Arc};

use clap::Args;

use crate::{
    cluster::backend::Setup,
    commands::{
        backend::{BackendName, BackendParser},
        plans::{self, Selection},
    },
    exit::Exit,
    out::tell,
};

mod actions;
mod address;
mod checker;
mod completion;
mod documents;
mod hints;
mod hover;
mod manual;
mod names;
mod outline;
mod published;
mod server;
mod wire;

/// Arguments of `kplan lsp`.
#[derive(Debug, Args)]
#[command(after_help = "\
An editor starts this command and talks to it over standard input and output: see docs/editor.md for its setup.

Exit status: 0 ended as the editor asked; 1 the editor ended without asking; 2 the input is not of the language \
server protocol.

Examples:
  kplan lsp                         as an editor starts it
  kplan lsp --backend embedded      also report what the simulation cannot do
  kplan lsp --allow-run             do not report steps that start programs")]
pub struct LspArgs {
    /// Where the clusters of the plans run.
    #[arg(long, value_parser = BackendParser, default_value = "docker", env = "KPLAN_BACKEND")]
    backend: BackendName,
    /// Environment variables that plans may read, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    allow_env: Vec<String>,
    /// Do not report steps that start programs (`run` and `start_service`).
    #[arg(long)]
    allow_run: bool,
    /// Do not report images that match; `*` matches any text. Repeatable.
    #[arg(long = "allow-image", value_name = "PATTERN")]
    allow_images: Vec<String>,
    /// Do not report HTTP requests (condition `http`) to this host. Repeatable.
    #[arg(long = "allow-http", value_name = "HOST")]
    allow_http: Vec<String>,
    /// Talk over standard input and output, as without this option: editors pass it.
    #[arg(long, hide = true)]
    stdio: bool,
}

/// Runs the command.
pub fn main(args: &LspArgs) -> Exit {
    let selection = Selection {
        paths: Vec::new(),
        backend: args.backend.clone(),
        params: Vec::new(),
        params_file: None,
        tags: Vec::new(),
        filter: None,
        allow_env: args.allow_env.clone(),
        allow_run: args.allow_run,
        allow_images: args.allow_images.clone(),
        allow_http: args.allow_http.clone(),
        max_brokers: plans::MOST_BROKERS,
    };
    let chosen = selection.backend.choose(Setup::default());
    let options = Arc::new(plans::options(&selection, &chosen));
    match wire::over_stdio(|connection| server::serve(connection, options)) {
        (_, Err(error)) if error.kind() == ErrorKind::InvalidData => {
            tell!("error: the input is not of the language server protocol: {error}");
            Exit::Usage
        }
        (server::Ended::Asked, Ok(())) => Exit::Passed,
        // An editor that was killed reads and writes nothing any more.
        (server::Ended::Asked, Err(_)) | (server::Ended::Unasked, _) => Exit::Failed,
    }
}
