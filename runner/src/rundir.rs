//! The run's id and its directory.

use crate::{exit::refused, out::Shown as _};
use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The name of the events' file in a run's directory.
pub const EVENTS: &str = "events.jsonl";

/// Where a run keeps its events, logs and histories; private to its user.
#[derive(Clone, Debug)]
pub struct RunDir {
    /// The run's id: also the value of the label `kplan.run`.
    pub id: String,
    pub path: PathBuf,
}

impl RunDir {
    /// Creates the directory that the command line names, and checks that it can hold a run.
    ///
    /// # Errors
    /// When it holds a run already, or cannot be written: mistakes of the command line.
    pub fn prepare(out: &Path) -> anyhow::Result<()> {
        let fit = || {
            private_dir(out)?;
            let events = out.join(EVENTS);
            if events.exists() {
                anyhow::bail!("{} already holds a run: name another directory", out.shown());
            }
            can_write(&events)
        };
        fit().map_err(refused)
    }

    /// Creates the directory: `out`, or `.kplan/runs/<id>` with the link `.kplan/latest`.
    pub fn create(out: Option<&Path>, seed: u64) -> anyhow::Result<Self> {
        let id = new_id(seed);
        let path = match out {
            Some(out) => out.to_owned(),
            None => PathBuf::from(".kplan/runs").join(&id),
        };
        match out {
            Some(out) => Self::prepare(out)?,
            None => {
                let made = private_dir(&path).and_then(|()| point_latest(&id));
                made.map_err(elsewhere)?;
            }
        }
        let path =
            path.canonicalize().with_context(|| format!("cannot resolve {}", path.shown()))?;
        Ok(Self { id, path })
    }

    /// A private directory of one suite.
    pub fn suite(&self, number: u32) -> anyhow::Result<PathBuf> {
        let dir = self.path.join(format!("suite-{number}"));
        for part in ["logs", "history"] {
            private_dir(&dir.join(part))?;
        }
        Ok(dir)
    }
}

/// Suggests another place where the working directory takes no run: it, or its `.kplan`, belongs to another user.
fn elsewhere(error: anyhow::Error) -> anyhow::Error {
    let kind = error.root_cause().downcast_ref::<io::Error>().map(io::Error::kind);
    match kind {
        Some(ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            refused(anyhow::anyhow!(
                "{error:#}. This user may not keep runs here: name another directory with --out"
            ))
        }
        _ => error,
    }
}

/// Creates a directory that only its user can read (0700), with its parents.
pub fn private_dir(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot create the directory {}", path.shown()))
}

/// Creates a directory and its parents.
pub fn make_dir(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create the directory {}", dir.shown()))
}

/// Checks that a file can be written. An existing file is not changed.
pub fn can_write(path: &Path) -> anyhow::Result<()> {
    let known = path.exists();
    if known && !path.is_file() && !path.is_dir() {
        // A device or a FIFO: opening it may wait until another process reads it.
        return Ok(());
    }
    let wrong = || format!("cannot write {}", path.shown());
    fs::OpenOptions::new().append(true).create(true).open(path).with_context(wrong)?;
    if !known {
        // A killed run must not leave an empty file that a reader takes for a good one.
        fs::remove_file(path).with_context(wrong)?;
    }
    Ok(())
}

/// Writes a file that only its user can read (0600).
pub fn private_file(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::File::options();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Sortable by time, unique by the seed's and the process's bits; fit for names of containers.
fn new_id(seed: u64) -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
    let tail = seed ^ u64::from(std::process::id()).rotate_left(32);
    let tail = crc32c::crc32c(&tail.to_le_bytes());
    format!("{now}-{tail:08x}")
}

fn point_latest(id: &str) -> anyhow::Result<()> {
    let link = Path::new(".kplan/latest");
    // Replaced in one step, so that a reader never finds it missing.
    let fresh = PathBuf::from(format!(".kplan/latest.{id}"));
    symlink(Path::new("runs").join(id), &fresh).context("cannot create .kplan/latest")?;
    match fs::rename(&fresh, link) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e).context("cannot replace .kplan/latest"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_private_and_used_once() {
        use std::os::unix::fs::PermissionsExt as _;
        let base = tempfile::tempdir().expect("temporary directory");
        let out = base.path().join("run");
        let dir = RunDir::create(Some(&out), 1).expect("first use");
        assert_eq!(fs::metadata(&dir.path).expect("exists").permissions().mode() & 0o777, 0o700);
        fs::write(out.join(EVENTS), "").expect("write");
        assert!(RunDir::create(Some(&out), 1).is_err(), "a second run would mix with the first");
    }

    #[test]
    fn ids_differ_by_seed() {
        assert_ne!(new_id(1), new_id(2));
    }
}
