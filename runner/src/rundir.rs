//! The run's id and its directory.

use crate::out::Shown as _;
use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, symlink},
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Where a run keeps its events, logs and histories; private to its user.
#[derive(Clone, Debug)]
pub struct RunDir {
    /// The run's id: also the value of the label `kplan.run`.
    pub id: String,
    pub path: PathBuf,
}

impl RunDir {
    /// Makes the directory: `out`, or `.kplan/runs/<id>` with `.kplan/latest` pointing there.
    pub fn create(out: Option<&Path>, seed: u64) -> anyhow::Result<Self> {
        let id = new_id(seed);
        let path = match out {
            Some(out) => out.to_owned(),
            None => PathBuf::from(".kplan/runs").join(&id),
        };
        private_dir(&path)?;
        if path.join("events.jsonl").exists() {
            anyhow::bail!("{} holds a run already: name another directory", path.shown());
        }
        if out.is_none() {
            point_latest(&id)?;
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

/// Makes a directory that only its user can read (0700), parents included.
pub fn private_dir(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the directory {}", path.shown()))
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
    symlink(Path::new("runs").join(id), &fresh).context("cannot make .kplan/latest")?;
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
        fs::write(out.join("events.jsonl"), "").expect("write");
        assert!(RunDir::create(Some(&out), 1).is_err(), "a second run would mix with the first");
    }

    #[test]
    fn ids_differ_by_seed() {
        assert_ne!(new_id(1), new_id(2));
    }
}
