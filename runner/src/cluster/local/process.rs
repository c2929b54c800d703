//! Reads the state of one process from the kernel (proc(5)).

use std::collections::BTreeSet;

use super::super::{Listening, NodeState, RigError, sockets};
use super::NAME;
use crate::processes;

/// This backend reads the state of its processes from /proc.
pub fn needs_proc() -> Result<(), RigError> {
    if cfg!(target_os = "linux") {
        return Ok(());
    }
    Err(RigError::Unsupported { backend: NAME, what: "run here: it needs Linux".to_owned() })
}

/// The state of a process.
pub fn state(pid: i32) -> NodeState {
    state_of(u32::try_from(pid).ok().and_then(processes::stat).map(|stat| stat.state))
}

fn state_of(letter: Option<char>) -> NodeState {
    match letter {
        Some('T' | 't') => NodeState::Paused,
        None | Some('Z' | 'X' | 'x') => NodeState::Dead,
        Some(_) => NodeState::Running,
    }
}

/// The listening sockets of a process.
pub fn sockets(pid: i32) -> Vec<Listening> {
    let own = inodes(pid);
    let tables = [("tcp", false), ("tcp6", true)];
    // A kernel without IPv6 has no second table.
    let read =
        |table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    let found = tables.iter().flat_map(|(table, ipv6)| {
        sockets::listening_of(&read(*table), *ipv6, |inode| own.contains(&inode))
    });
    found.collect()
}

/// The inodes of a process's sockets: `/proc/PID/fd/N` is a link to `socket:[INODE]`.
fn inodes(pid: i32) -> BTreeSet<u64> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return BTreeSet::new() };
    let links = entries.filter_map(Result::ok).filter_map(|e| std::fs::read_link(e.path()).ok());
    links
        .filter_map(|link| {
            let text = link.to_str()?;
            text.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_states() {
        assert_eq!(state_of(Some('S')), NodeState::Running);
        assert_eq!(state_of(Some('T')), NodeState::Paused);
        assert_eq!(state_of(Some('Z')), NodeState::Dead);
        assert_eq!(state_of(None), NodeState::Dead);
    }

    #[test]
    fn a_process_knows_its_own_sockets_only() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let own = i32::try_from(std::process::id()).expect("a number");
        assert!(sockets(own).contains(&Listening { port, ipv6: false }));
        assert_eq!(sockets(1).iter().filter(|s| s.port == port).count(), 0);
    }
}
