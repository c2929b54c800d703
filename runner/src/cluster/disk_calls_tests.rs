//! The object in real programs, whose calls on files it makes fail or take longer.

use std::{
    fs,
    os::unix::fs::FileExt as _,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use kplan_dsl::value::{DiskCall, DiskError, Percent};

use super::{super::preload, *};

/// What befalls the calls of programs, one after the other, and what was counted.
struct Calls {
    dir: tempfile::TempDir,
}

impl Calls {
    fn new() -> Self {
        let this = Self { dir: tempfile::tempdir().expect("a directory") };
        for dir in ["data", "other"] {
            fs::create_dir(this.path(dir)).expect("a directory");
            fs::write(this.path(dir).join("log"), "text").expect("written");
        }
        fs::write(this.path("calls"), [0; CALLS_BYTES]).expect("written");
        fs::write(this.path("object.so"), preload::OBJECT).expect("written");
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Sets a fault, as a backend does while programs have the file mapped.
    fn set(&self, errors: Option<(DiskCall, DiskError, f64)>, delays: CallDelays) -> &Self {
        let errors =
            errors.map(|(kind, errno, share)| CallErrors { kind, errno, share: Percent(share) });
        let file = fs::File::options().write(true).open(self.path("calls"));
        let bytes = CallFaults { errors, delays }.bytes();
        file.expect("the file").write_all_at(&bytes, 0).expect("written");
        self
    }

    /// Runs a script; `$D` is the data directory, `$O` another. Returns what it printed and whether it succeeded.
    fn run(&self, script: &str) -> (String, bool) {
        let variables = preload::disk_variables(&self.text("data"), &self.text("calls"));
        let mut command = Command::new("bash");
        command.env("LD_PRELOAD", self.path("object.so")).args(["-c", script]);
        command.envs(variables).env("D", self.path("data")).env("O", self.path("other"));
        let output = command.env("LC_ALL", "C").output().expect("a shell");
        let text = [output.stdout, output.stderr].concat();
        (String::from_utf8_lossy(&text).into_owned(), output.status.success())
    }

    fn met(&self) -> CallsMet {
        let bytes = fs::read(self.path("calls")).expect("the file");
        let words: Vec<u64> = bytes[32..80]
            .chunks_exact(8)
            .map(|word| u64::from_ne_bytes(word.try_into().expect("8 bytes")))
            .collect();
        CallsMet::read(words.try_into().expect("six numbers"))
    }
}

#[test]
fn calls_of_one_kind_fail_below_the_data_directory_and_nowhere_else() {
    let calls = Calls::new();
    let none = CallDelays::default();
    assert_eq!(calls.run("cat $D/log && sync $D/log").0, "text", "nothing is set");
    assert_eq!(calls.met(), CallsMet::default());

    calls.set(Some((DiskCall::Read, DiskError::Io, 100.0)), none);
    let (text, _) = calls.run("cat $O/log; cat $D/log; printf new >$D/log");
    assert!(text.starts_with("text") && text.contains("Input/output error"), "{text}");
    assert_eq!(calls.met().failed, [1, 0, 0]);

    calls.set(Some((DiskCall::Write, DiskError::NoSpace, 100.0)), none);
    let each = "printf x | dd of=$D/log conv=notrunc status=none; printf x >$D/made; mkdir $D/dir; truncate -s 1 $D/log";
    let (text, _) = calls.run(&format!("{each}; {}; cat $D/log", each.replace("$D", "$O")));
    assert_eq!(text.matches("No space left on device").count(), 4, "{text}");
    assert!(text.contains("new"), "it is as before: {text}");
    assert_eq!(fs::read_to_string(calls.path("other/log")).expect("read"), "x");
    assert_eq!(calls.met().failed, [1, 4, 0]);

    calls.set(Some((DiskCall::Sync, DiskError::Io, 100.0)), none);
    let (text, _) = calls.run("sync $O/log && sync -d $D/log; sync $D/log");
    assert_eq!(text.matches("Input/output error").count(), 2, "{text}");
    assert_eq!(calls.met().failed, [1, 4, 2]);

    calls.set(None, none);
    let (text, succeeded) = calls.run(&format!("set -e; cat $D/log; {each}; sync $D/log"));
    assert!(succeeded && text == "new", "it is over: {text}");
    assert_eq!(calls.met(), CallsMet { failed: [1, 4, 2], ..CallsMet::default() });
}

#[test]
fn a_share_of_the_calls_fails() {
    let calls = Calls::new();
    fs::write(calls.path("data/log"), [b'x'; 1000]).expect("written");
    calls.set(Some((DiskCall::Read, DiskError::Io, 20.0)), CallDelays::default());
    calls.run("dd if=$D/log of=/dev/null bs=1 conv=noerror");
    let [failed, 0, 0] = calls.met().failed else { panic!("{:?}", calls.met()) };
    assert!((150..250).contains(&failed), "{failed} of 1000");
}

#[test]
fn calls_take_as_much_longer_as_is_said_and_no_longer_than_the_fault() {
    let calls = Calls::new();
    let sync = |time| CallDelays { sync: time, ..CallDelays::default() };
    calls.set(None, sync(Duration::from_millis(300)));
    let begun = Instant::now();
    assert!(calls.run("sync $D/log; sync $O/log; cat $D/log").1);
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(calls.met().delayed, [0, 0, 1]);

    calls.set(None, sync(Duration::from_secs(600)));
    let ended = std::thread::scope(|scope| {
        let waits = scope.spawn(|| calls.run("sync $D/log").1);
        while calls.met().delayed != [0, 0, 2] {
            std::thread::yield_now();
        }
        calls.set(None, CallDelays::default());
        waits.join().expect("no panic")
    });
    assert!(ended);
}
