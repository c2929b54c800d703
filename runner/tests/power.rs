//! Power losses on real brokers: ignored unless asked for (`--ignored`), with an engine and the images of
//! `ci/kafka-image 0.10.1.1 2.8.2 3.9.1 4.4.0`.

mod common;

use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::{
    Ran,
    cluster::{Any, joined, launch, spec},
    java, kplan, left_behind, real, run,
};
use kplan::{
    cluster::{Node, Preload, Quorum},
    record::RunRecord,
};

const PLAN: &str = "runner/tests/plans/power.yaml";
const TWIN: &str = "runner/tests/plans/power-twin.yaml";
const KILLED: &str = "runner/tests/plans/power-twin-killed.yaml";
const EACH_MESSAGE: &str = "flush=1";

/// Runs the plan with these parameters.
fn ran(parameters: &[&str]) -> Ran {
    let mut args = vec![PLAN, "--allow-run"];
    args.extend(parameters.iter().flat_map(|text| ["--param", text]));
    let ran = run(&args);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
    ran
}

fn recorded(ran: &Ran, name: &str) -> u64 {
    let values = ran.record.suites[0].values();
    values[name].as_u64().unwrap_or_else(|| panic!("{name}: {values:?}"))
}

/// How many messages the log has, as Kafka's own tool counts them: lines `orders:0:1234`.
fn read_outside(ran: &Ran) -> u64 {
    let events = ran.events();
    let mut seen = BTreeSet::new();
    for part in events.split("orders:").skip(1) {
        let mut words = part.split([':', '\\', '\n', '"']);
        let numbers = (words.next(), words.next());
        if let (Some(Ok(partition)), Some(Ok(end))) =
            (numbers.0.map(str::parse::<u32>), numbers.1.map(str::parse::<u64>))
        {
            seen.insert((partition, end));
        }
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    seen.into_iter().map(|(_, end)| end).sum()
}

/// What an outside reader finds is what was acknowledged and not lost, and what was sent again because no answer came.
/// Returns acknowledged and lost.
fn counted(ran: &Ran) -> (u64, u64) {
    for none in ["unresolved", "phantom", "corrupted"] {
        assert_eq!(recorded(ran, none), 0, "{none}");
    }
    let [acked, lost, twice] = ["acked", "lost", "duplicated"].map(|name| recorded(ran, name));
    assert_eq!(read_outside(ran), acked - lost + twice, "acked {acked}, lost {lost}, {twice}");
    (acked, lost)
}

/// Everything that was acknowledged before the moment is lost, and nothing after it: no segment is full in this time, and
/// nothing else makes Kafka sync a log.
fn all_three_without_a_flush(version: &str) {
    let ran = ran(&[version]);
    let (acked, lost) = counted(&ran);
    let fault = &ran.record.suites[0].faults[0];
    assert!(lost >= 5000 && lost < acked, "{lost} of {acked}");
    let proven = "acknowledged, on no disk at the moment of the power loss (step 5)";
    assert!(ran.events().contains(proven), "{}", ran.events());
    assert!(fault.what.contains("without power"), "{}", fault.what);
    let notes = ran.events();
    for broker in 1..=3 {
        assert!(notes.contains(&format!("broker {broker} lost its power")), "{notes}");
    }
}

fn all_three_with_a_flush(version: &str) {
    let (acked, lost) = counted(&ran(&[version, EACH_MESSAGE]));
    assert!(acked > 5000 && lost == 0, "{lost} of {acked}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn all_three_lose_what_no_disk_had() {
    let _turn = real();
    all_three_without_a_flush("version=4.4.0");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn all_three_lose_nothing_that_was_flushed() {
    let _turn = real();
    all_three_with_a_flush("version=4.4.0");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn one_of_three_loses_nothing() {
    let _turn = real();
    let (acked, lost) = counted(&ran(&["version=4.4.0", "broker=2"]));
    assert!(acked > 5000 && lost == 0, "{lost} of {acked}");
}

/// A broker of which it is not known what it has synced is a broken rig.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn without_its_mark_no_power_can_be_taken() -> Result<(), Any> {
    let _turn = real();
    let dir = tempfile::tempdir()?;
    let mut spec = spec("4.4.0", Quorum::KraftCombined, dir.path());
    spec.preload = Preload { power: true, ..Preload::default() };
    let cluster = launch("docker", spec).await?;
    let done = async {
        joined(cluster.as_ref(), 3).await?;
        let power = cluster.power()?;
        power.follows(&cluster.nodes()).await?;
        for (mark, change) in [("active", "rm"), ("broken", "touch")] {
            let two = Node::Broker(2);
            let inside = ["exec", &container(&cluster.spec().run, two), change];
            let path = format!("/kplan/preload/power/{mark}");
            let output = Command::new("docker").args(inside).arg(&path).output()?;
            assert!(output.status.success(), "{output:?}");
            let refused = power.follows(&[two]).await.expect_err("not followed").to_string();
            assert!(refused.contains("broker 2"), "{refused}");
            power.follows(&[Node::Broker(1), Node::Broker(3)]).await?;
        }
        Ok(())
    }
    .await;
    cluster.destroy().await?;
    done
}

fn container(run: &str, node: Node) -> String {
    let labels = [format!("label=kplan.run={run}"), format!("label=kplan.node={}", node.slug())];
    let mut command = Command::new("docker");
    command.args(["ps", "--quiet"]).args(labels.iter().flat_map(|label| ["--filter", label]));
    let output = command.output().expect("docker");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// An ext4 file system in a file, gone when it is dropped.
struct Ext4 {
    dir: tempfile::TempDir,
}

impl Ext4 {
    /// Fails the test where this process may not mount.
    fn mount() -> Self {
        let this = Self { dir: tempfile::tempdir().expect("temporary directory") };
        let image = this.image();
        std::fs::create_dir(this.path()).expect("a directory");
        outside("truncate", &["-s", "1G", &image]);
        outside("mkfs.ext4", &["-q", "-F", &image]);
        outside("mount", &["-o", "loop", &image, &this.path()]);
        this
    }

    fn image(&self) -> String {
        self.dir.path().join("image").display().to_string()
    }

    fn path(&self) -> String {
        self.dir.path().join("mounted").display().to_string()
    }

    /// Takes the power from it: what is not on its disk now will never be. Then it is mounted again.
    fn lose_power(&self) {
        let path = self.path();
        // FS_IOC_SHUTDOWN without a flush of the journal.
        let call = "import fcntl, os, struct, sys\n\
                    fd = os.open(sys.argv[1], os.O_RDONLY)\n\
                    fcntl.ioctl(fd, 0x8004587d, struct.pack('I', 2))";
        outside("python3", &["-c", call, &path]);
        outside("umount", &[&path]);
        outside("mount", &["-o", "loop", &self.image(), &path]);
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        // What was mounted there is a file of the directory, which is removed.
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn outside(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().expect("it starts");
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

/// What the same plan loses by the power loss of a real file system.
fn lost_by_ext4(flush: &str) -> u64 {
    let (small, dir) = (Ext4::mount(), tempfile::tempdir().expect("temporary directory"));
    let out = dir.path().join("run");
    let words = ["run", KILLED, "--backend", "local", "--allow-run"];
    let mut command = kplan(&words);
    command.args(["--param", flush, "--out"]).arg(&out).env("TMPDIR", small.path());
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("kplan starts");
    let end = Instant::now() + Duration::from_secs(180);
    let begun = || {
        let events = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
        events.lines().any(|line| line.contains(r#""event":"fault""#))
    };
    while !begun() {
        assert!(Instant::now() < end, "the brokers were killed");
        std::thread::sleep(Duration::from_millis(20));
    }
    small.lose_power();
    assert_eq!(child.wait().expect("waited for").code(), Some(0));
    let record = RunRecord::read(&out).expect("a record");
    let values = record.suites[0].values();
    values["lost { sent: before, of: outage }"].as_u64().unwrap_or_else(|| panic!("{values:?}"))
}

/// What takes too long for `ci/test`.
mod nightly {
    use super::*;

    /// The library and a real file system whose power is gone lose the same. It mounts the file system, as root.
    #[test]
    #[ignore = "needs Java and Maven: ci/nightly"]
    fn its_twin_of_ext4_loses_the_same() {
        let _turn = java();
        for (flush, lost) in [("flush=9223372036854775807", 3000), (EACH_MESSAGE, 0)] {
            let ran = run(&[TWIN, "--backend", "local", "--allow-run", "--param", flush]);
            assert_eq!(ran.status(), Some(0), "{}", ran.why());
            let by_library = recorded(&ran, "lost { sent: before, of: outage }");
            assert_eq!((by_library, lost_by_ext4(flush)), (lost, lost), "{flush}");
        }
    }

    #[test]
    #[ignore = "needs a container engine: ci/nightly"]
    fn all_three_of_an_older_version() {
        let _turn = real();
        all_three_without_a_flush("version=3.9.1");
        all_three_with_a_flush("version=3.9.1");
    }

    /// Logs end where the first page is missing; what was flushed is there.
    #[test]
    #[ignore = "needs a container engine: ci/nightly"]
    fn a_random_share_survives_and_nothing_that_was_flushed_is_lost() {
        let _turn = real();
        let (acked, lost) = counted(&ran(&["version=4.4.0", "keep=random"]));
        assert!(lost > 0 && lost < acked, "{lost} of {acked}");
        let (acked, lost) = counted(&ran(&["version=4.4.0", "keep=random", EACH_MESSAGE]));
        assert!(acked > 5000 && lost == 0, "{lost} of {acked}");
    }

    /// The same plan with SIGKILL: the kernel has what the brokers wrote.
    #[test]
    #[ignore = "needs a container engine: ci/nightly"]
    fn sigkill_of_all_loses_nothing() {
        let _turn = real();
        let (acked, lost) = counted(&ran(&["version=4.4.0", "how=kill_broker"]));
        assert!(acked > 5000 && lost == 0, "{lost} of {acked}");
    }
}
