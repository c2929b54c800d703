//! `kplan doctor`: checks what this machine has, what it lacks, and how to get it.

use std::{fmt::Write as _, path::Path};

use clap::Args;
use indicatif::HumanBytes;

use crate::{
    cluster::{
        backend::{Health, Line, Setup},
        security,
    },
    commands::backend::{BackendName, BackendParser, backends},
    exit::Exit,
    out::{paint, say, tell},
    processes::available_memory,
};

/// Arguments of `kplan doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 a plan can run on real Kafka here; 3 something that every plan needs is missing. \
What only some plans need is listed (lacks) and does not change the exit status.

Examples:
  kplan doctor
  kplan doctor --image registry.example/kafka:{version}
  kplan doctor --backend kubernetes")]
pub struct DoctorArgs {
    /// Image of the brokers, e.g. registry.example/kafka:{version}.
    #[arg(long, value_name = "TEMPLATE", env = "KPLAN_IMAGE")]
    pub image: Option<String>,
    /// Check this backend instead of this machine's own, e.g. kubernetes.
    #[arg(long, value_parser = BackendParser)]
    pub backend: Option<BackendName>,
    /// With --backend local: directory of an Apache Kafka distribution, e.g. /opt/kafka-{version}.
    #[arg(long, value_name = "DIR", env = "KPLAN_KAFKA_DIR")]
    pub kafka_dir: Option<String>,
}

/// Memory that three brokers and their clients need.
const ENOUGH_MEMORY: u64 = 2 << 30;
/// Space that logs and histories of a long run may need.
const ENOUGH_DISK: u64 = 2 << 30;

/// Runs the command.
pub fn main(args: &DoctorArgs) -> Exit {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        tell!("error: cannot start the async runtime");
        return Exit::Rig;
    };
    let (image, kafka_dir) = (args.image.clone(), args.kafka_dir.clone());
    let setup = Setup { image, kafka_dir, ..Setup::default() };
    let (mut lines, mut real) = (Vec::new(), Vec::new());
    for backend in backends(args.backend.as_ref(), &setup) {
        let found = runtime.block_on(backend.examine());
        if backend.simulated() { lines.extend(found) } else { real.push(found) }
    }
    lines.extend(machine());
    lines.extend(any(real));
    let missing = lines.iter().any(|line| line.state == Health::Missing);
    say(&table(&lines), if missing { Exit::Rig } else { Exit::Passed })
}

/// Real Kafka needs one complete backend: what is missing for another backend stops no plan.
fn any(mut backends: Vec<Vec<Line>>) -> Vec<Line> {
    let complete = |lines: &Vec<Line>| lines.iter().all(|line| line.state != Health::Missing);
    if backends.iter().any(complete) {
        let all = backends.iter_mut().flatten();
        let missing = all.filter(|line| line.state == Health::Missing);
        missing.for_each(|line| line.state = Health::Lacks);
    }
    backends.into_iter().flatten().collect()
}

fn machine() -> Vec<Line> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let enough = |free: Option<u64>, enough| match free {
        Some(free) if free < enough => Health::Lacks,
        _ => Health::Good,
    };
    let amount = |free: Option<u64>| {
        free.map_or_else(|| "an unknown amount".to_owned(), |n| HumanBytes(n).to_string())
    };
    let memory = available_memory();
    let disk = free_disk(Path::new("."));
    vec![
        Line {
            what: "TLS and SCRAM".to_owned(),
            state: if security::HAS_TLS { Health::Good } else { Health::Lacks },
            found: if security::HAS_TLS { "built in" } else { "not built in" }.to_owned(),
            mend: Some(
                "needed by plans whose `security` uses them: build kplan with the feature `tls`"
                    .to_owned(),
            ),
        },
        Line::good("processors", cores.to_string()),
        Line {
            what: "memory".to_owned(),
            state: enough(memory, ENOUGH_MEMORY),
            found: format!("{} available", amount(memory)),
            mend: Some("three brokers need about 1.5 GiB: end other programs".to_owned()),
        },
        Line {
            what: "disk".to_owned(),
            state: enough(disk, ENOUGH_DISK),
            found: format!("{} free in this directory, where runs are kept", amount(disk)),
            mend: Some(
                "remove old runs below .kplan/runs, or name another directory with --out"
                    .to_owned(),
            ),
        },
    ]
}

/// Free space where runs are kept, in bytes.
fn free_disk(dir: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(dir).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

fn table(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.what.len()).max().unwrap_or(0);
    let mut text = String::new();
    for line in lines {
        let (style, word) = match line.state {
            Health::Good => (anstyle::AnsiColor::Green.on_default(), "good   "),
            Health::Lacks => (anstyle::AnsiColor::Yellow.on_default(), "lacks  "),
            Health::Missing => (anstyle::AnsiColor::Red.on_default(), "missing"),
        };
        let (word, found) = (paint(style, word), crate::report::text::one_line(&line.found, 1_000));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word}  {:width$}  {found}", line.what);
        if let Some(mend) = line.mend.as_ref().filter(|_| line.state != Health::Good) {
            let _ = writeln!(text, "{:9}{:width$}  to fix it: {mend}", "", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::RigError;

    #[test]
    fn what_is_missing_comes_with_its_remedy() {
        let missing =
            RigError::Missing { what: "no engine".to_owned(), help: "start it".to_owned() };
        let mut lines = vec![Line::missing("container engine", &missing)];
        lines.push(Line::good("partition_network", "works".to_owned()));
        let (what, help) = ("does not work".to_owned(), "modprobe sch_netem".to_owned());
        lines.push(Line::lacking("degrade_network: latency", &RigError::Missing { what, help }));
        let text = anstream::adapter::strip_str(&table(&lines)).to_string();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn one_way_to_real_kafka_is_enough() {
        let error = || RigError::Missing { what: "none".to_owned(), help: "get it".to_owned() };
        let good = || vec![Line::good("a", "there".to_owned())];
        let missing = || vec![Line::missing("b", &error())];
        let counted = |lines: Vec<Line>| lines.iter().any(|line| line.state == Health::Missing);
        assert!(!counted(any(vec![good(), missing()])));
        assert!(!counted(any(vec![missing(), good()])));
        assert!(counted(any(vec![missing(), missing()])));
    }

    #[test]
    fn this_machine_has_processors_and_says_how_much_is_free() {
        let lines = machine();
        assert!(lines.iter().all(|line| !line.found.is_empty()));
        assert!(free_disk(Path::new(".")) > Some(0));
    }
}
