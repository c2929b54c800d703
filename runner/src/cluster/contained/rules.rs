//! Scripts that change and test the network of one container, and the parsing of their output. Pure text.
//!
//! Loopback is never changed. Packets of a cut are dropped at both ends, so that a container that
//! cannot run a script now (it is paused) is cut off by the others.

use std::{fmt::Write, time::Duration};

use super::super::{Link, Network, Node, addresses::EXTERNAL_PORT};
use super::command::{BY, FROM};

/// The network device of a container with one network.
const DEVICE: &str = "eth0";
/// Bytes that may pass at once under a limit: a packet of the largest size at least.
const LEAST_BURST: u64 = 16 * 1024;

/// Prints the counters of kplan's chains.
pub const COUNT_SCRIPT: &str = "iptables -w 5 -nvxL KPLAN-IN; iptables -w 5 -nvxL KPLAN-OUT";
/// Prints the queueing disciplines.
pub const QDISC_SCRIPT: &str = "tc -s qdisc show dev eth0";

/// Replaces the rules of a node. `address` of a dead node is none: it has no packets, and every
/// node gets new rules when it starts. The rules come into force at `at_us` (wall-clock microseconds), so
/// that all nodes change at the same moment: commands start some ten milliseconds apart.
pub fn script(
    node: Node,
    network: &Network,
    at_us: Option<i64>,
    address: &dyn Fn(Node) -> Option<String>,
) -> String {
    let cut = network.cuts.iter().filter_map(|(from, to)| {
        if *to == node {
            address(*from).map(|a| format!("-A KPLAN-IN -s {a} -j DROP"))
        } else if *from == node {
            address(*to).map(|a| format!("-A KPLAN-OUT -d {a} -j DROP"))
        } else {
            None
        }
    });
    let mut dropped: Vec<String> = cut.collect();
    if network.unreachable.contains(&node) {
        dropped.push(format!("-A KPLAN-IN ! -i lo -p tcp --dport {EXTERNAL_PORT} -j DROP"));
        dropped.push(format!("-A KPLAN-OUT ! -o lo -p tcp --sport {EXTERNAL_PORT} -j DROP"));
    }
    let link = network.links.get(&node).copied().unwrap_or_default();
    replace(&dropped, &link, at_us)
}

/// Replaces the rules of a container that is no node: it cannot reach these addresses, nor they it.
pub fn line_script(cut: impl Iterator<Item = String>, link: &Link) -> String {
    let both =
        |a: String| [format!("-A KPLAN-IN -s {a} -j DROP"), format!("-A KPLAN-OUT -d {a} -j DROP")];
    replace(&cut.flat_map(both).collect::<Vec<_>>(), link, None)
}

/// Replaces the rules of the container in which the script runs.
fn replace(dropped: &[String], link: &Link, at_us: Option<i64>) -> String {
    let mut out = String::from("set -e\n");
    for (hook, chain) in [("INPUT", "KPLAN-IN"), ("OUTPUT", "KPLAN-OUT")] {
        let _ = writeln!(out, "iptables -w 5 -N {chain} 2>/dev/null || true");
        let _ = writeln!(
            out,
            "iptables -w 5 -C {hook} -j {chain} 2>/dev/null || iptables -w 5 -I {hook} -j {chain}"
        );
    }
    // One transaction: no packet passes between the old rules and the new ones. iptables-restore has started and
    // read the rules before the moment: a program takes some ten milliseconds to start, and more on a busy machine.
    out.push_str("exec 3>&1\n{\ncat <<'END'\n*filter\n:KPLAN-IN - [0:0]\n:KPLAN-OUT - [0:0]\n");
    for line in dropped {
        let _ = writeln!(out, "{line}");
    }
    if let Some(loss) = link.loss {
        for (chain, side) in [("KPLAN-IN", "-i"), ("KPLAN-OUT", "-o")] {
            let all = format!("-A {chain} ! {side} lo -m comment --comment");
            let _ = writeln!(out, "{all} kplan-seen");
            let _ = writeln!(
                out,
                "{all} kplan-lost -m statistic --mode random --probability {loss:.9} -j DROP"
            );
        }
    }
    out.push_str("END\n");
    if let Some(at_us) = at_us {
        // No sleep if the container's clock differs.
        let _ = writeln!(
            out,
            "left=$(( {at_us} - ${{EPOCHREALTIME//[.,]/}} ))\n\
             if (( left > 0 && left < 1000000 )); then sleep \"0.$(printf %06d \"$left\")\"; fi"
        );
    }
    let _ = writeln!(out, "{FROM} >&3\necho COMMIT\n}} | iptables-restore -w 5 --noflush");
    shape(&mut out, link);
    let _ = writeln!(out, "{BY}");
    out
}

/// Delays and limits what a node sends.
fn shape(out: &mut String, link: &Link) {
    let _ = writeln!(out, "tc qdisc del dev {DEVICE} root 2>/dev/null || true");
    let mut parent = "root".to_owned();
    if let Some(latency) = link.latency {
        let jitter = link.jitter.map(|j| format!(" {}us", j.as_micros())).unwrap_or_default();
        let delay = format!("{}us{jitter}", latency.as_micros());
        let _ = writeln!(
            out,
            "tc qdisc add dev {DEVICE} root handle 1: netem limit 100000 delay {delay}"
        );
        parent = "parent 1:1".to_owned();
    }
    if let Some(rate) = link.bandwidth {
        let burst = (rate / 100).max(LEAST_BURST);
        let _ = writeln!(
            out,
            "tc qdisc add dev {DEVICE} {parent} handle 10: tbf rate {}bit burst {burst} latency 1s",
            rate.saturating_mul(8)
        );
    }
}

/// Opens a connection to each `ADDRESS/PORT` at once; prints the targets that do not answer.
/// A refused connection is an answer.
pub fn connect_script(targets: &[&str]) -> String {
    let mut out = String::new();
    for target in targets {
        let _ = writeln!(
            out,
            "( timeout 1 bash -c 'exec 3<>/dev/tcp/{target}' 2>/dev/null; [ $? = 124 ] && echo 'silent {target}' ) &"
        );
    }
    out.push_str("wait\n");
    out
}

/// The targets that [`connect_script`] printed.
pub fn silent(text: &str) -> Vec<String> {
    text.lines().filter_map(|l| l.trim().strip_prefix("silent ")).map(str::to_owned).collect()
}

/// Opens three connections one after the other and prints how many microseconds each took.
pub fn time_script(target: &str) -> String {
    format!(
        "for i in 1 2 3; do a=$EPOCHREALTIME; timeout 10 bash -c 'exec 3<>/dev/tcp/{target}' \
         2>/dev/null; b=$EPOCHREALTIME; echo \"took $(( ${{b//[.,]/}} - ${{a//[.,]/}} ))\"; done\n"
    )
}

/// The longest time that [`time_script`] printed.
pub fn longest(text: &str) -> Duration {
    let times = text.lines().filter_map(|l| l.trim().strip_prefix("took ")?.parse().ok());
    Duration::from_micros(times.max().unwrap_or(0))
}

/// Packets on a lossy link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub seen: u64,
    /// Packets that were dropped.
    pub lost: u64,
}

/// Adds up what [`COUNT_SCRIPT`] printed.
pub fn counted(text: &str) -> Counted {
    let sum = |mark: &str| {
        let lines = text.lines().filter(|line| line.contains(mark));
        lines.filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok()).sum()
    };
    Counted { seen: sum("kplan-seen"), lost: sum("kplan-lost") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(node: Node) -> Option<String> {
        match node {
            Node::Broker(n @ 1..=2) => Some(format!("10.0.0.{n}")),
            _ => None,
        }
    }

    #[test]
    fn a_cut_is_dropped_at_both_ends_and_the_dead_have_no_address() {
        let cuts = [(1, 2), (2, 1), (3, 1)].map(|(a, b)| (Node::Broker(a), Node::Broker(b)));
        let network = Network { cuts: cuts.into(), ..Network::default() };
        let one = script(Node::Broker(1), &network, None, &address);
        assert!(one.contains("-A KPLAN-OUT -d 10.0.0.2 -j DROP"), "{one}");
        assert!(one.contains("-A KPLAN-IN -s 10.0.0.2 -j DROP"), "{one}");
        assert_eq!(one.matches("DROP").count(), 2, "{one}");
        let whole = script(Node::Broker(1), &Network::default(), None, &address);
        assert!(!whole.contains("DROP") && whole.contains(":KPLAN-IN - [0:0]"), "{whole}");
        assert!(whole.contains("tc qdisc del dev eth0 root"), "{whole}");
        assert!(!whole.contains("tc qdisc add"), "{whole}");
    }

    #[test]
    fn a_service_is_cut_off_in_both_directions() {
        let cut = ["10.0.0.1", "10.0.0.2"].map(str::to_owned).into_iter();
        let text = line_script(cut, &Link { loss: Some(0.5), ..Link::default() });
        assert!(text.contains("-A KPLAN-OUT -d 10.0.0.2 -j DROP"), "{text}");
        assert!(text.contains("-A KPLAN-IN -s 10.0.0.1 -j DROP"), "{text}");
        assert_eq!(text.matches("--probability 0.500000000 -j DROP").count(), 2, "{text}");
        assert!(!text.contains("left="), "at once: {text}");
    }

    #[test]
    fn all_nodes_change_at_the_same_moment() {
        let clock = |text: &str| text.lines().position(|line| line.starts_with("left=$(( 7 - "));
        let text = script(Node::Broker(1), &Network::default(), Some(7), &address);
        let waits = clock(&text).expect("it waits");
        let at = |what: &str| text.lines().position(|line| line.starts_with(what)).expect(what);
        assert!(at("iptables ") < at("*filter") && at("*filter") < waits, "{text}");
        // What has read the rules waits for this word alone.
        assert!(waits < at(FROM) && at(FROM) + 1 == at("echo COMMIT"), "{text}");
        assert_eq!(at("echo COMMIT") + 1, at("} | iptables-restore"), "{text}");
        assert_eq!(clock(&script(Node::Broker(1), &Network::default(), None, &address)), None);
    }

    #[test]
    fn clients_are_cut_off_by_the_port_that_is_theirs() {
        let unreachable = [Node::Broker(2)].into();
        let network = Network { unreachable, ..Network::default() };
        let two = script(Node::Broker(2), &network, None, &address);
        assert!(two.contains("-A KPLAN-IN ! -i lo -p tcp --dport 9094 -j DROP"), "{two}");
        assert!(!script(Node::Broker(1), &network, None, &address).contains("DROP"));
    }

    #[test]
    fn a_bad_line_is_delayed_first_and_limited_then() {
        let link = Link {
            latency: Some(Duration::from_millis(200)),
            jitter: Some(Duration::from_millis(50)),
            loss: Some(0.1),
            bandwidth: Some(1 << 20),
        };
        let links = [(Node::Broker(1), link)].into();
        let text =
            script(Node::Broker(1), &Network { links, ..Network::default() }, None, &address);
        assert!(
            text.contains("root handle 1: netem limit 100000 delay 200000us 50000us"),
            "{text}"
        );
        assert!(text.contains("parent 1:1 handle 10: tbf rate 8388608bit burst 16384"), "{text}");
        assert_eq!(text.matches("--probability 0.100000000 -j DROP").count(), 2, "{text}");
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(silent("x\nsilent 10.0.0.1/9092\r\n"), ["10.0.0.1/9092"]);
        assert_eq!(longest("took 12\ntook 400000\nnonsense"), Duration::from_millis(400));
        assert_eq!(longest(""), Duration::ZERO);
        let text = "Chain KPLAN-IN (1 references)\n  pkts bytes\n 40 2 all /* kplan-seen */\n 7 1 DROP /* kplan-lost */ statistic\n 2 1 all /* kplan-seen */";
        assert_eq!(counted(text), Counted { seen: 42, lost: 7 });
    }
}
