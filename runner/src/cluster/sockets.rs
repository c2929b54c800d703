//! The kernel's socket tables as text (`/proc/net/tcp` and `tcp6`).

use super::Listening;

/// State `TCP_LISTEN` in the column `st` (proc(5), include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// The listening sockets of one table; unknown lines are skipped.
pub fn listening(table: &str, ipv6: bool) -> Vec<Listening> {
    rows(table, ipv6, |_| true)
}

/// Only sockets with a wanted inode: the sockets of one process of many.
pub fn listening_of(table: &str, ipv6: bool, wanted: impl Fn(u64) -> bool) -> Vec<Listening> {
    rows(table, ipv6, |inode| inode.is_some_and(&wanted))
}

fn rows(table: &str, ipv6: bool, wanted: impl Fn(Option<u64>) -> bool) -> Vec<Listening> {
    let mut found: Vec<Listening> = table
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let local = columns.next()?;
            let state = columns.nth(1)?;
            let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
            let inode = columns.nth(5).and_then(|inode| inode.parse().ok());
            (state == LISTEN && wanted(inode)).then_some(Listening { port, ipv6 })
        })
        .collect();
    found.sort_unstable_by_key(|socket| socket.port);
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   0: 0B00007F:8F0D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n   1: 0200A8C0:2384 0100A8C0:E1B2 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0\n";
    const TCP6: &str = "  sl  local_address remote_address st\n   0: 00000000000000000000000000000000:2384 00000000000000000000000000000000:0000 0A 0:0\n   1: 00000000000000000000000000000000:2386 00000000000000000000000000000000:0000 0A 0:0\n   2: 0000000000000000FFFF00000200A8C0:2384 0000000000000000FFFF00000300A8C0:B2C4 01 0:0\n";

    #[test]
    fn only_listening_sockets_count() {
        assert_eq!(listening(TCP, false), [Listening { port: 0x8f0d, ipv6: false }]);
        let ports: Vec<u16> = listening(TCP6, true).iter().map(|l| l.port).collect();
        assert_eq!(ports, [9092, 9094]);
    }

    #[test]
    fn sockets_of_one_process_are_known_by_their_inodes() {
        assert_eq!(listening_of(TCP, false, |inode| inode == 1).len(), 1);
        assert_eq!(listening_of(TCP, false, |inode| inode == 2), [], "not a listening one");
        assert_eq!(listening_of(TCP6, true, |_| true), [], "no inode, no owner");
    }

    #[test]
    fn nothing_is_read_from_nonsense() {
        assert_eq!(listening("", true), []);
        assert_eq!(listening("a b c d e\n:: : 0A 0A\n", true), []);
    }
}
