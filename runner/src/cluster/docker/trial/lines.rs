//! What was tried, as `kplan doctor` shows it.

use super::{KernelCan, Tried};
use crate::cluster::backend::{Health, Line};

/// The lines about what plans need of the engine and of its machine's kernel.
pub fn lines(tried: &Tried) -> Vec<Line> {
    let Tried { stop, pause, disk, kernel, clock, port } = tried;
    let mut lines = Vec::new();
    if let Some(port) = port {
        let away = "run kplan where the engine publishes ports: on the engine's machine, in a \
                    container with `--network host`";
        let line = one("published ports", port, away);
        let state = if port.is_ok() { Health::Good } else { Health::Missing };
        lines.push(Line { state, ..line });
    }
    lines.extend([
        one("stop_broker", stop, "update the container engine"),
        one("pause_broker", pause, "update the container engine"),
        one(
            "fill_disk",
            disk,
            "use an engine that makes volumes in memory of a limited size, as Docker and podman do \
             when they run as root",
        ),
        one(
            "clock",
            clock,
            "the times of network faults and full disks are less exact: set both clocks by NTP",
        ),
    ]);
    lines.extend(network(*kernel));
    lines
}

fn one(what: &str, tried: &Result<(), String>, mend: &str) -> Line {
    Line {
        what: what.to_owned(),
        state: if tried.is_ok() { Health::Good } else { Health::Lacks },
        found: tried.clone().err().unwrap_or_else(|| "works".to_owned()),
        mend: Some(mend.to_owned()),
    }
}

/// The lines about network faults that the kernel supports.
fn network(can: KernelCan) -> [Line; 4] {
    let tried = |can: bool| if can { Ok(()) } else { Err("does not work".to_owned()) };
    let tables = "install iptables in the image, and load the kernel modules with `modprobe ip_tables xt_statistic`";
    [
        one("partition_network", &tried(can.drop), tables),
        one("degrade_network: loss", &tried(can.loss), tables),
        one(
            "degrade_network: bandwidth",
            &tried(can.bandwidth),
            "load the kernel module with `modprobe sch_tbf`",
        ),
        one(
            "degrade_network: latency, jitter",
            &tried(can.latency),
            "load the kernel module with `modprobe sch_netem`",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried() -> Tried {
        let kernel = KernelCan { drop: true, loss: true, bandwidth: true, latency: true };
        let (stop, pause, disk, clock) = (Ok(()), Ok(()), Ok(()), Ok(()));
        Tried { stop, pause, disk, kernel, clock, port: Some(Ok(())) }
    }

    fn states(tried: &Tried) -> Vec<(String, Health)> {
        lines(tried).into_iter().map(|line| (line.what, line.state)).collect()
    }

    #[test]
    fn what_works_is_good() {
        let all = states(&tried());
        assert_eq!(all.len(), 9, "{all:?}");
        assert!(all.iter().all(|(_, state)| *state == Health::Good), "{all:?}");
    }

    #[test]
    fn what_some_plans_need_is_lacking_with_its_reason_and_its_remedy() {
        let why = || Err("why".to_owned());
        let kernel = KernelCan { drop: true, ..KernelCan::default() };
        let (stop, pause, disk, clock) = (why(), why(), why(), why());
        let all = lines(&Tried { stop, pause, disk, kernel, clock, port: None });
        let bad: Vec<&Line> = all.iter().filter(|l| l.state != Health::Good).collect();
        assert_eq!((all.len(), bad.len()), (8, 7), "{all:?}");
        for line in &bad {
            assert!(line.state == Health::Lacks && line.mend.is_some(), "{line:?}");
        }
        assert!(bad[..4].iter().all(|line| line.found == "why"), "{bad:?}");
    }

    #[test]
    fn no_plan_runs_where_published_ports_do_not_answer() {
        let port = Some(Err("connection refused".to_owned()));
        let all = states(&Tried { port, ..tried() });
        assert_eq!(all[0], ("published ports".to_owned(), Health::Missing));
    }
}
