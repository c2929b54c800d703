//! The object in real programs, without a broker: those of coreutils, one process after the other, each a life.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::*;

/// A data directory with what a disk would hold of it.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let this = Self { dir };
        fs::create_dir_all(this.path("data")).expect("a directory");
        fs::create_dir_all(this.path("power/disk")).expect("a directory");
        fs::write(this.path("object.so"), OBJECT).expect("written");
        fs::write(this.path("restore"), RESTORE).expect("written");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(this.path("restore"), mode).expect("set");
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Runs a script in the data directory; `$D` is the directory. Only paths that begin with it are followed.
    fn run(&self, script: &str) -> &Self {
        let variables = power_variables(&self.text("data"), &self.text("power"));
        let mut command = Command::new("bash");
        command.env("LD_PRELOAD", self.path("object.so"));
        command.args(["-euc", script]).envs(variables).env("D", self.path("data"));
        let output = command.output().expect("a shell");
        assert!(output.status.success(), "{script}: {output:?}");
        assert!(!self.path("power/broken").exists(), "{script}");
        self
    }

    /// Takes the power; returns what was lost.
    fn power_off(&self, seed: Option<u64>) -> NotSynced {
        let mut command = Command::new(self.path("restore"));
        command.arg(self.path("data")).arg(self.path("power"));
        command.args(seed.map(|seed| seed.to_string()));
        let output = command.output().expect("the program");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        assert!(!self.path("power/active").exists(), "the mark of the last life is gone");
        NotSynced::read(&text).expect("what was lost")
    }

    /// Every file below the data directory with its content, and every directory.
    fn holds(&self) -> Vec<(String, Option<String>)> {
        let (mut all, root) = (Vec::new(), self.path("data"));
        walk(&root, &root, &mut all);
        all.sort();
        all
    }
}

fn walk(root: &Path, at: &Path, all: &mut Vec<(String, Option<String>)>) {
    for entry in fs::read_dir(at).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.strip_prefix(root).expect("below it").display().to_string();
        if path.is_dir() {
            all.push((name, None));
            walk(root, &path, all);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
            all.push((name, Some(text)));
        }
    }
}

fn file(name: &str, text: &str) -> (String, Option<String>) {
    (name.to_owned(), Some(text.to_owned()))
}

/// Appends with one call of write, and does not sync.
const APPEND: &str = "status=none oflag=append conv=notrunc";

#[test]
fn what_was_synced_survives_and_nothing_else() {
    let machine = Machine::new();
    machine
        .run("printf first | dd of=$D/log status=none conv=fsync")
        .run(&format!("printf second | dd of=$D/log {APPEND}"))
        .run("echo x >$D/never");
    assert_eq!(machine.holds(), [file("log", "firstsecond"), file("never", "x\n")]);
    assert!(machine.path("power/active").exists(), "a file was opened through the object");
    let lost = machine.power_off(None);
    assert_eq!((lost.files, lost.bytes), (2, 8));
    assert_eq!(machine.holds(), [file("log", "first")]);
    // The next life goes on with that, and loses its own.
    machine.run(&format!("printf third | dd of=$D/log {APPEND}; sync $D/log; printf x >>$D/log"));
    machine.power_off(None);
    assert_eq!(machine.holds(), [file("log", "firstthird")]);
}

/// As the journals of ext4 and XFS do, and also for what an earlier life, which was killed, had left.
#[test]
fn a_sync_of_any_file_makes_all_earlier_names_durable() {
    let machine = Machine::new();
    machine
        .run("printf old | dd of=$D/a status=none conv=fsync; printf x | dd of=$D/c status=none conv=fsync")
        .run("mkdir $D/dir; mv $D/a $D/dir/b; rm $D/c; printf long >$D/new");
    let before = machine.holds();
    let twin = Machine::new();
    for part in ["data", "power"] {
        let (from, to) = (machine.path(part), twin.path(""));
        let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
        assert!(copied.success());
    }
    // Without a sync: as if none of it had been done.
    machine.power_off(None);
    assert_eq!(machine.holds(), [file("a", "old"), file("c", "x")]);
    // Another process syncs another file: then all names, and no contents, of the earlier one.
    twin.run("printf y | dd of=$D/other status=none conv=fsync");
    assert_eq!(before.len() + 1, twin.holds().len());
    twin.power_off(None);
    let dir = ("dir".to_owned(), None);
    assert_eq!(twin.holds(), [dir, file("dir/b", "old"), file("new", ""), file("other", "y")]);
}

#[test]
fn a_file_that_became_shorter_is_shorter_with_the_next_sync() {
    let machine = Machine::new();
    machine
        .run("printf 0123456789 | dd of=$D/log status=none conv=fsync")
        .run("truncate -s 4 $D/log; printf abcdef >>$D/log");
    assert_eq!(machine.holds(), [file("log", "0123abcdef")]);
    machine.run("printf y | dd of=$D/other status=none conv=fsync");
    machine.power_off(None);
    assert_eq!(machine.holds(), [file("log", "0123"), file("other", "y")]);
}

/// Each seed keeps other pages, and the same seed the same ones.
#[test]
fn a_seed_keeps_a_share_of_what_was_not_synced() {
    let pages = |seed| {
        let machine = Machine::new();
        machine.run(
            "printf start | dd of=$D/log status=none conv=fsync\n\
             head -c 400000 /dev/zero | tr '\\0' x | dd of=$D/log bs=4096 seek=1 status=none conv=notrunc",
        );
        machine.power_off(Some(seed));
        let text = fs::read(machine.path("data/log")).expect("a file");
        assert!(text.starts_with(b"start"), "what was synced is there");
        text
    };
    let xs = |text: &[u8]| text.iter().filter(|byte| **byte == b'x').count();
    let (one, again, other) = (pages(1), pages(1), pages(2));
    assert_eq!(one, again);
    assert_ne!(one, other);
    for text in [&one, &other] {
        let kept = xs(text);
        assert!((100_000..300_000).contains(&kept), "{kept} of 400000 bytes survive");
        // Some pages are torn, between two sectors.
        let pages = text[4096..].chunks_exact(4096).map(xs);
        let torn: Vec<usize> = pages.filter(|n| (1..4096).contains(n)).collect();
        assert!(!torn.is_empty() && torn.iter().all(|n| n % 512 == 0), "{torn:?}");
    }
}

/// Where its calls do not come through the object, a power loss would take nothing: the mark says so.
#[test]
fn a_program_without_the_object_leaves_no_mark() {
    let machine = Machine::new();
    machine.run("unset LD_PRELOAD; exec bash -c 'echo x >$D/a; sync $D/a'");
    assert!(!machine.path("power/active").exists());
}

#[test]
fn what_the_program_prints_is_read() {
    let read = NotSynced::read("files 3 bytes 5003\nheld orders-0\n");
    assert_eq!(read, Some(NotSynced { files: 3, bytes: 5003, held: ["orders-0".into()].into() }));
    assert_eq!(NotSynced::read("read /x: errno 2"), None);
    assert_eq!(NotSynced::read("files 3"), None);
}

/// A slot is written, and then its number; the process counts what it answered.
#[test]
fn a_clock_is_wrong_while_its_file_says_so() {
    let machine = Machine::new();
    let words = |words: [i64; 8]| words.map(i64::to_ne_bytes).concat();
    let ask = |file: &[u8]| {
        fs::write(machine.path("clock"), file).expect("written");
        let mut command = Command::new("date");
        command.arg("+%s").env("LD_PRELOAD", machine.path("object.so"));
        let output = command.env("KPLAN_CLOCK", machine.path("clock")).output().expect("date");
        let said = String::from_utf8_lossy(&output.stdout).trim().parse::<i64>();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.expect("after 1970").as_secs().cast_signed();
        let answers = fs::read(machine.path("clock")).expect("the file")[8..16].to_vec();
        (said.expect("seconds") - now, answers != [0; 8])
    };
    let near = |(off, told): (i64, bool), expected: i64| told && (off - expected).abs() <= 2;
    let hour = 3_600_000_000_000;
    assert_eq!(ask(&words([0, 0, hour, 0, 0, hour, 0, 0])), (0, false), "no slot is in use");
    assert!(near(ask(&words([1, 0, hour, 0, 0, 0, 0, 0])), 3600));
    assert!(near(ask(&words([2, 0, 0, 0, 0, -hour, 0, 0])), -3600));
    // Twice as fast, since 1000 s before the machine began.
    let since = -1_000_000_000_000;
    let up = fs::read_to_string("/proc/uptime").expect("the time since the start");
    let up: f64 = up.split(' ').next().and_then(|text| text.parse().ok()).expect("seconds");
    let ahead = 1000 + up.round() as i64;
    assert!(near(ask(&words([1, 0, 0, 1_000_000_000, since, 0, 0, 0])), ahead), "{ahead}");
}

/// A log of which nothing was synced is empty, and is not named.
#[test]
fn logs_that_hold_anything_are_named() {
    let machine = Machine::new();
    let write = |path: &str, sync: &str| {
        machine.run(&format!("printf x | dd of=$D/{path} status=none {sync}"));
    };
    machine.run("mkdir $D/orders-0 $D/orders-1 $D/orders-2");
    write("orders-0/000.log", "conv=fsync");
    write("orders-2/000.index", "conv=fsync");
    write("orders-1/000.log", "");
    assert_eq!(machine.power_off(None).held, ["orders-0".to_owned()].into());
}
