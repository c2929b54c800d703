//! A cluster's own directory: data and configuration of its nodes.

use std::path::{Path, PathBuf};

use super::super::{ClusterSpec, RigError};
use super::{cleanup, failed};
use crate::processes::owner;

/// The directory while it exists.
#[derive(Debug)]
pub struct Home(PathBuf);

impl Home {
    /// Creates it in the directory for temporary files, private to this user, with the run's id in its
    /// name: so `kplan clean` finds it after its run has died.
    pub fn create(spec: &ClusterSpec) -> Result<Self, RigError> {
        let base = std::env::temp_dir();
        let made = tempfile::Builder::new()
            .prefix(&cleanup::prefix(&spec.run, &spec.name))
            .tempdir_in(&base)
            .map_err(|error| failed("create a directory below", &base, &error))?;
        // From here on it is removed explicitly, not by a drop.
        let path = made.keep();
        let mark = path.join(cleanup::OWNER_FILE);
        std::fs::write(&mark, owner()).map_err(|error| failed("write", &mark, &error))?;
        Ok(Self(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it; a missing directory is no error.
    pub fn remove(&self) -> Result<(), RigError> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(failed("remove", &self.0, &error))
            }
            _ => Ok(()),
        }
    }
}
