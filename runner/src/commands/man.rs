//! `kplan man`: writes the manual pages of the commands, for packages.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command};

use crate::{
    exit::{Exit, refused},
    out::{self, Shown as _},
    rundir::{can_write, make_dir},
};

/// Arguments of `kplan man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: kplan man /usr/share/man/man1")]
pub struct ManArgs {
    /// Target directory; created if it does not exist.
    pub dir: PathBuf,
}

/// Runs the command, for a command and all of its subcommands.
pub fn main(args: &ManArgs, command: Command) -> Exit {
    match write(&args.dir, command) {
        Ok(()) => Exit::Passed,
        Err(error) => out::reported(&error),
    }
}

/// `kplan.1`, and a page for each command that is not hidden.
fn write(dir: &Path, command: Command) -> anyhow::Result<()> {
    make_dir(dir).and_then(|()| can_write(&dir.join("kplan.1"))).map_err(refused)?;
    let written = clap_mangen::generate_to(command, dir);
    written.with_context(|| format!("cannot write to {}", dir.shown()))
}
