//! `kplan man`: the manual pages of the commands, for packages.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory as _};

use crate::{cli::Cli, exit::Exit, out::Shown as _, out::tell};

/// Arguments of `kplan man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example: kplan man /usr/share/man/man1")]
pub struct ManArgs {
    /// The directory; made when it does not exist.
    pub dir: PathBuf,
}

/// Does it.
pub fn main(args: &ManArgs) -> Exit {
    match write(&args.dir) {
        Ok(()) => Exit::Passed,
        Err(error) => {
            tell!("error: cannot write to {}: {error}", args.dir.shown());
            Exit::Rig
        }
    }
}

/// `kplan.1`, and a page for each command that is not hidden.
fn write(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(Cli::command(), dir)
}
