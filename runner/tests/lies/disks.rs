//! Damage to the segment files of a broker that is dead, and comes back, or that lives.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;
use kplan::{
    event::Holds,
    record::{RunRecord, SuiteRecord},
};
use tempfile::TempDir;

use super::{
    common::{kplan, real, run_id},
    proxy::{Batch, Checksum},
};

/// Until the broker is dead, on a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);
/// Messages in each topic, each in a batch of its own.
const MESSAGES: u64 = 300;
/// As Kafka names the first segment.
const SEGMENT: &str = "00000000000000000000.log";

/// A file of a broker, as the archive in which the engine gives and takes it: so it keeps its owner.
struct Segment {
    container: String,
    directory: String,
    header: Vec<u8>,
    bytes: Vec<u8>,
}

/// Where the file's length, in octal digits, and the sum of the header's bytes stand in an archive.
const LENGTH: std::ops::Range<usize> = 124..136;
const SUM: std::ops::Range<usize> = 148..156;
const BLOCK: usize = 512;

impl Segment {
    fn take(container: &str, topic: &str) -> Self {
        let directory = format!("/kplan/data/{topic}-0");
        let from = format!("{container}:{directory}/{SEGMENT}");
        let output = Command::new("docker").args(["cp", &from, "-"]).output().expect("docker");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (header, rest) = output.stdout.split_at(BLOCK);
        let digits = String::from_utf8_lossy(&header[LENGTH]).into_owned();
        let digits = digits.trim_matches(['\0', ' ']);
        let length = usize::from_str_radix(digits, 8).expect("a length in octal digits");
        let bytes = rest[..length].to_vec();
        Self { container: container.into(), directory, header: header.to_vec(), bytes }
    }

    /// Its batches; each holds one message.
    fn batches(&self) -> Vec<Batch> {
        let (batches, rest) = Batch::split(&Bytes::from(self.bytes.clone()));
        assert_eq!((batches.len() as u64, rest.len()), (MESSAGES, 0), "{}", self.directory);
        batches
    }

    fn change(&mut self, message: usize, checksum: Checksum) {
        let mut batches = self.batches();
        assert!(batches[message].change(checksum));
        self.bytes = Batch::join(&batches, &[]).to_vec();
    }

    /// Cuts it in the middle of this message.
    fn cut(&mut self, message: usize) {
        let batches = self.batches();
        let before = Batch::join(&batches[..message], &[]).len();
        let with = Batch::join(&batches[..=message], &[]).len();
        self.bytes.truncate(before.midpoint(with));
    }

    fn put(mut self) {
        let length = format!("{:011o}\0", self.bytes.len());
        self.header[LENGTH].copy_from_slice(length.as_bytes());
        self.header[SUM].fill(b' ');
        let sum: u32 = self.header.iter().map(|byte| u32::from(*byte)).sum();
        self.header[SUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let mut archive = self.header;
        archive.extend_from_slice(&self.bytes);
        archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
        let to = format!("{}:{}", self.container, self.directory);
        let mut copy = Command::new("docker")
            .args(["cp", "-", &to])
            .stdin(Stdio::piped())
            .spawn()
            .expect("docker");
        copy.stdin.take().expect("piped").write_all(&archive).expect("taken");
        assert!(copy.wait().expect("an end").success());
    }
}

/// Damages one topic's file.
fn damage(container: &str, topic: &str, how: impl FnOnce(&mut Segment)) {
    let mut segment = Segment::take(container, topic);
    how(&mut segment);
    segment.put();
}

fn container(run: &str) -> String {
    let run = format!("label=kplan.run={run}");
    let list =
        ["ps", "--all", "--quiet", "--filter", &run, "--filter", "label=kplan.node=broker-1"];
    let output = Command::new("docker").args(list).output().expect("docker");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A run of kplan that a failing test does not leave behind.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            // Its guardian removes what it had.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// A run of a plan that waits for damage to its broker's files.
struct Damaging {
    dir: TempDir,
    out: PathBuf,
    child: Ends,
    container: String,
}

impl Damaging {
    /// Starts the plan, and waits for the file by which it says that the damage may be done.
    fn begin(plan: &str, ready: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let out = dir.path().join("run");
        let plan = format!("runner/tests/plans/{plan}.yaml");
        let param = format!("dir={}", dir.path().display());
        let mut command = kplan(&["run", &plan, "--allow-run", "--param", &param]);
        command.arg("--out").arg(&out).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Ends(command.spawn().expect("kplan starts"));
        let run = run_id(&out, LIMIT).expect("the run began");
        wait_for(&dir.path().join(ready), &mut child.0);
        Self { dir, out, child, container: container(&run) }
    }

    /// Says that the damage is done, and waits for what the plan made of it.
    fn end(mut self) -> SuiteRecord {
        std::fs::write(self.dir.path().join("damaged"), "").expect("a file");
        self.child.0.wait().expect("an end");
        let mut record = RunRecord::read(&self.out).expect("a record");
        record.suites.swap_remove(0)
    }
}

/// How many of each kind lie in each topic.
fn counted(suite: &SuiteRecord) -> BTreeMap<(&str, &str), u64> {
    let kinds = suite.anomalies.iter();
    kinds
        .flat_map(|a| a.by.iter().map(|by| ((a.kind.as_str(), by.topic.as_str()), by.count)))
        .collect()
}

fn wait_for(path: &Path, child: &mut Child) {
    let end = Instant::now() + LIMIT;
    while !path.exists() {
        assert!(child.try_wait().expect("a child").is_none(), "the plan ended before the damage");
        assert!(Instant::now() < end, "the broker did not die within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A crashed broker reads its newest segment when it comes back, and cuts it where a checksum is wrong.
/// What a right checksum covers passes, there and for every reader: then each message's own one tells.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn damaged_segments_are_counted_message_by_message() {
    let _turn = real();
    let run = Damaging::begin("damaged", "dead");
    let container = run.container.clone();
    damage(&container, "cut", |segment| segment.cut(289));
    damage(&container, "bad-checksum", |segment| segment.change(200, Checksum::Wrong));
    damage(&container, "changed", |segment| segment.change(150, Checksum::Right));
    damage(&container, "follower-bad-checksum", |segment| segment.change(200, Checksum::Wrong));
    damage(&container, "follower-changed", |segment| segment.change(150, Checksum::Right));
    let suite = run.end();
    let found = counted(&suite);
    let expected = BTreeMap::from([
        (("lost", "cut"), 11),
        (("diverged", "cut"), 11),
        (("lost", "bad-checksum"), 100),
        (("diverged", "bad-checksum"), 100),
        (("corrupted", "changed"), 1),
        (("replicas_differ", "follower-changed"), 1),
    ]);
    let findings: Vec<_> = suite.steps.iter().flat_map(|step| &step.findings).collect();
    assert_eq!(found, expected, "{findings:#?} {:?}", suite.reasons);
    let unsure: Vec<_> = findings.iter().filter(|f| f.holds == Holds::Inconclusive).collect();
    assert!(unsure.is_empty(), "{unsure:#?}");
}

/// Changes a byte of a file that a living broker has open: where it stands and which, from the file's batches.
fn change_in_place(
    container: &str,
    topic: &str,
    byte: impl FnOnce(&[usize], &[u8]) -> (usize, u8),
) {
    let segment = Segment::take(container, topic);
    let (batches, _) = Batch::split(&Bytes::from(segment.bytes.clone()));
    let starts: Vec<usize> =
        (0..batches.len()).map(|n| Batch::join(&batches[..n], &[]).len()).collect();
    let (at, byte) = byte(&starts, &segment.bytes);
    let write = format!(
        "printf '\\{byte:03o}' | dd of={}/{SEGMENT} bs=1 seek={at} conv=notrunc",
        segment.directory
    );
    let status = Command::new("docker")
        .args(["exec", "--user", "0", container, "sh", "-c", &write])
        .stderr(Stdio::null())
        .status()
        .expect("docker");
    assert!(status.success());
}

/// Where the number of the last offset stands in a batch.
const LAST_DELTA: usize = 23;

/// A broker gives what its file holds, and compares no checksum. Compressed or not, each message of the damaged
/// batch is corrupted and those behind it are read; where the batch lies about how many it holds, nothing is
/// counted, and the reason is given.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn damage_under_a_living_broker_is_counted_by_batches() {
    let _turn = real();
    let run = Damaging::begin("damaged-alive", "written");
    let container = run.container.clone();
    let mut expected = BTreeMap::new();
    for topic in ["plain", "packed"] {
        let segment = Segment::take(&container, topic);
        let (batches, _) = Batch::split(&Bytes::from(segment.bytes));
        let n = batches[2].last_offset() - batches[2].first_offset() + 1;
        expected.insert(("corrupted", topic), n.unsigned_abs());
        change_in_place(&container, topic, |starts, bytes| {
            (starts[3] - 1, bytes[starts[3] - 1] ^ 1)
        });
    }
    change_in_place(&container, "header", |starts, bytes| {
        let at = starts[2] + LAST_DELTA + 3;
        (at, bytes[at] ^ 1)
    });
    let suite = run.end();
    let found = counted(&suite);
    let findings: Vec<_> = suite.steps.iter().flat_map(|step| &step.findings).collect();
    assert_eq!(found, expected, "{findings:#?} {:?}", suite.reasons);
    assert_eq!(findings.len(), 16, "each condition was judged");
    for finding in &findings {
        let unsure = finding.holds == Holds::Inconclusive;
        assert_eq!(unsure, finding.condition.contains("header"), "{finding:#?}");
    }
    let told = format!("{findings:?}");
    assert!(told.contains("has a wrong checksum each time"), "{told}");
}
