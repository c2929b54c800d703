//! Ports of this machine, chosen before a node starts and kept for its whole life.

use std::net::{Ipv4Addr, TcpListener};

use super::RigError;

/// Below the range that Linux uses for outgoing connections (32768 and up): no client's connection may take the
/// port of a broker while it is down.
const RANGE: std::ops::Range<u16> = 20_000..32_000;
const TRIES: usize = 2_000;

/// A port that no other kplan on this machine takes while this value lives.
#[derive(Debug)]
pub struct Reserved {
    pub port: u16,
    #[cfg(target_os = "linux")]
    _claim: std::os::unix::net::UnixDatagram,
}

/// Reserves a port that nothing is bound to now.
pub fn reserve() -> Result<Reserved, RigError> {
    (0..TRIES).find_map(|_| claim(rand::random_range(RANGE))).ok_or_else(|| {
        RigError::Other(format!("no port between {} and {} is free", RANGE.start, RANGE.end))
    })
}

/// A name in Linux' abstract socket space is a lock between processes that the kernel releases
/// when its holder dies in any way; and it belongs to the network namespace, as ports do.
#[cfg(target_os = "linux")]
fn claim(port: u16) -> Option<Reserved> {
    use std::os::{linux::net::SocketAddrExt, unix::net};
    let name = net::SocketAddr::from_abstract_name(format!("kplan-port-{port}")).ok()?;
    let claim = net::UnixDatagram::bind_addr(&name).ok()?;
    is_free(port).then_some(Reserved { port, _claim: claim })
}

/// On other systems the port is only checked; if two runs choose the same one at the same moment, the engine
/// refuses the second.
#[cfg(not(target_os = "linux"))]
fn claim(port: u16) -> Option<Reserved> {
    is_free(port).then_some(Reserved { port })
}

/// Nothing may be bound to it on any address, or the engine could not publish it later.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once_and_again_after_its_release() {
        let held: Vec<Reserved> = (0..50).map(|_| reserve().expect("a port")).collect();
        let mut ports: Vec<u16> = held.iter().map(|r| r.port).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 50);
        assert!(ports.iter().all(|port| RANGE.contains(port)));
        let port = ports[0];
        // Either it is taken, or this system cannot detect it.
        assert!(cfg!(not(target_os = "linux")) || claim(port).is_none());
        drop(held);
        assert!(claim(port).is_some());
    }

    #[test]
    fn a_port_in_use_is_not_given() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert!(claim(port).is_none());
    }
}
