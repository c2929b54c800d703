//! `kplan doctor`: what this machine can do, what is missing, and how to get it.

use std::{fmt::Write as _, path::Path};

use clap::Args;
use indicatif::HumanBytes;
use kplan_dsl::value::TESTED;

use crate::{
    cluster::{
        RigError,
        docker::{self, Abilities},
        security,
    },
    conductor::schedule::available_memory,
    exit::Exit,
    out::{paint, say, tell},
};

mod local;

/// Arguments of `kplan doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 when a plan can run on real Kafka here, 3 when something that it needs is missing. \
What only some plans need is told and does not count.

Examples:
  kplan doctor
  kplan doctor --image registry.example/kafka:{version}")]
pub struct DoctorArgs {
    /// Image of the brokers, e.g. registry.example/kafka:{version}.
    #[arg(long, value_name = "TEMPLATE", env = "KPLAN_IMAGE")]
    pub image: Option<String>,
    /// Kafka in Apache's layout for --backend local, e.g. /opt/kafka-{version}.
    #[arg(long, value_name = "DIR", env = "KPLAN_KAFKA_DIR")]
    pub kafka_dir: Option<String>,
}

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Good,
    /// Some plans need it.
    Lacks,
    /// No plan runs without it.
    Missing,
}

/// One line of the result.
#[derive(Debug)]
struct Line {
    what: String,
    state: Health,
    found: String,
    mend: Option<String>,
}

/// Memory that three brokers and their clients need.
const ENOUGH_MEMORY: u64 = 2 << 30;
/// Space that logs and histories of a long run may need.
const ENOUGH_DISK: u64 = 2 << 30;

/// Does it.
pub fn main(args: &DoctorArgs) -> Exit {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        tell!("error: cannot start the async runtime");
        return Exit::Rig;
    };
    let mut lines = machine();
    let local = runtime.block_on(local::look(args.kafka_dir.as_deref()));
    let engine = runtime.block_on(engine(args.image.as_deref()));
    lines.extend(either(local, engine));
    let missing = lines.iter().any(|line| line.state == Health::Missing);
    say(&table(&lines), if missing { Exit::Rig } else { Exit::Passed })
}

/// Real Kafka needs one of the two: what only the other lacks stops no plan.
fn either(mut local: Vec<Line>, mut engine: Vec<Line>) -> Vec<Line> {
    let complete = |lines: &[Line]| lines.iter().all(|line| line.state != Health::Missing);
    let (one, other) = (complete(&local), complete(&engine));
    let all = local.iter_mut().filter(|_| other).chain(engine.iter_mut().filter(|_| one));
    all.filter(|line| line.state == Health::Missing).for_each(|line| line.state = Health::Lacks);
    engine.extend(local);
    engine
}

fn machine() -> Vec<Line> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let enough = |free: Option<u64>, enough| match free {
        Some(free) if free < enough => Health::Lacks,
        _ => Health::Good,
    };
    let told = |free: Option<u64>| {
        free.map_or_else(|| "not told".to_owned(), |n| HumanBytes(n).to_string())
    };
    let memory = available_memory();
    let disk = free_disk(Path::new("."));
    vec![
        Line::good("embedded backend", "part of kplan: needs nothing, simulates".to_owned()),
        Line {
            what: "TLS and SCRAM".to_owned(),
            state: if security::HAS_TLS { Health::Good } else { Health::Lacks },
            found: if security::HAS_TLS { "built in" } else { "not built in" }.to_owned(),
            mend: Some(
                "build kplan with the feature `tls` for plans with such `security`".to_owned(),
            ),
        },
        Line::good("processors", cores.to_string()),
        Line {
            what: "memory".to_owned(),
            state: enough(memory, ENOUGH_MEMORY),
            found: format!("{} available", told(memory)),
            mend: Some("three brokers need about 1.5 GiB: end something else".to_owned()),
        },
        Line {
            what: "disk".to_owned(),
            state: enough(disk, ENOUGH_DISK),
            found: format!("{} free here, where runs are kept", told(disk)),
            mend: Some("remove old runs below .kplan/runs, or name another --out".to_owned()),
        },
    ]
}

/// Free space where runs are kept, in bytes.
fn free_disk(dir: &Path) -> Option<u64> {
    let stat = nix::sys::statvfs::statvfs(dir).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

async fn engine(template: Option<&str>) -> Vec<Line> {
    let (docker, engine) = match both().await {
        Ok(both) => both,
        Err(error) => {
            return vec![Line::missing("container engine", &error)];
        }
    };
    let cpus = engine.cpus.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let memory = engine.memory.map_or_else(|| "?".to_owned(), |n| HumanBytes(n).to_string());
    let words = format!("{} on {}: {cpus} processors, {memory}", engine.version, engine.system);
    let mut lines = vec![Line::good("container engine", words)];
    let mut first = None;
    let mut images = Vec::new();
    for text in TESTED {
        let Ok(version) = text.parse() else { continue };
        match docker::find_image(&docker, &version, template).await {
            Ok(image) => {
                images.push(Line::good(&format!("image of {text}"), image.name.clone()));
                first.get_or_insert(image.name);
            }
            Err(error) => images.push(Line::missing(&format!("image of {text}"), &error)),
        }
    }
    if first.is_some() {
        // One image is enough for plans of that version.
        images
            .iter_mut()
            .filter(|l| l.state == Health::Missing)
            .for_each(|l| l.state = Health::Lacks);
    }
    lines.extend(images);
    if let Some(image) = first {
        match docker::abilities(&docker, &image).await {
            Ok(abilities) => lines.extend(kernel(abilities)),
            Err(error) => {
                lines.push(Line { state: Health::Lacks, ..Line::missing("network faults", &error) })
            }
        }
    }
    lines
}

async fn both() -> Result<(testcontainers::bollard::Docker, docker::Engine), RigError> {
    Ok((docker::connect().await?, docker::describe().await?))
}

fn kernel(can: Abilities) -> Vec<Line> {
    let line = |what: &str, can: bool, lacks: &str| Line {
        what: what.to_owned(),
        state: if can { Health::Good } else { Health::Lacks },
        found: if can { "works".to_owned() } else { "does not work".to_owned() },
        mend: Some(lacks.to_owned()),
    };
    let tables = "the image needs iptables, the kernel ip_tables and xt_statistic: modprobe them";
    vec![
        line("partition_network", can.drop, tables),
        line("degrade_network: loss", can.loss, tables),
        line("degrade_network: bandwidth", can.bandwidth, "modprobe sch_tbf"),
        line("degrade_network: latency, jitter", can.latency, "modprobe sch_netem"),
    ]
}

impl Line {
    fn good(what: &str, found: String) -> Self {
        Self { what: what.to_owned(), state: Health::Good, found, mend: None }
    }

    fn missing(what: &str, error: &RigError) -> Self {
        let (found, mend) = match error {
            RigError::Missing { what, help } => (what.clone(), Some(help.clone())),
            other => (other.to_string(), None),
        };
        Self { what: what.to_owned(), state: Health::Missing, found, mend }
    }
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
            let _ = writeln!(text, "{:9}{:width$}  to mend it: {mend}", "", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_with_its_remedy() {
        let missing =
            RigError::Missing { what: "no engine".to_owned(), help: "start it".to_owned() };
        let mut lines = vec![Line::missing("container engine", &missing)];
        lines.extend(kernel(Abilities { drop: true, ..Abilities::default() }));
        let text = anstream::adapter::strip_str(&table(&lines)).to_string();
        insta::assert_snapshot!(text);
    }

    #[test]
    fn one_way_to_real_kafka_is_enough() {
        let error = || RigError::Missing { what: "none".to_owned(), help: "get it".to_owned() };
        let good = || vec![Line::good("a", "there".to_owned())];
        let missing = || vec![Line::missing("b", &error())];
        let counted = |lines: Vec<Line>| lines.iter().any(|line| line.state == Health::Missing);
        assert!(!counted(either(good(), missing())));
        assert!(!counted(either(missing(), good())));
        assert!(counted(either(missing(), missing())));
    }

    #[test]
    fn this_machine_has_processors_and_says_how_much_is_free() {
        let lines = machine();
        assert!(lines.iter().all(|line| !line.found.is_empty()));
        assert!(free_disk(Path::new(".")) > Some(0));
    }
}
