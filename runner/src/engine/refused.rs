//! Why a socket does not lead to an engine, and what helps.

use std::{
    io::{Error, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use nix::unistd::{Gid, Group, Uid, User};

use super::{EnginePlace, NoEngine};

/// The error of a connection to a socket.
pub(super) fn socket(place: &EnginePlace, path: &Path, error: &Error) -> NoEngine {
    match error.kind() {
        ErrorKind::PermissionDenied => NoEngine {
            what: format!(
                "permission denied: this user may not use the container engine's socket {} \
                 ({place}){}",
                path.display(),
                owner(path)
            ),
            help:
                "become a member of the socket's group (usually `sudo usermod -aG docker $USER`, \
                   then log in again), or start an engine without root (\"rootless\") and name its \
                   socket, for example DOCKER_HOST=unix://$XDG_RUNTIME_DIR/docker.sock; \
                   `--backend local` and `--backend embedded` need no engine"
                    .to_owned(),
        },
        ErrorKind::NotFound => NoEngine::silent(place, "there is no such socket"),
        _ => NoEngine::silent(place, error),
    }
}

/// Whose socket it is, if that can be seen.
fn owner(path: &Path) -> String {
    let Ok(found) = path.metadata() else { return String::new() };
    let user = User::from_uid(Uid::from_raw(found.uid())).ok().flatten();
    let group = Group::from_gid(Gid::from_raw(found.gid())).ok().flatten();
    let user = user.map_or_else(|| found.uid().to_string(), |user| user.name);
    let group = group.map_or_else(|| found.gid().to_string(), |group| group.name);
    format!(", which belongs to {user} and the group {group}")
}
