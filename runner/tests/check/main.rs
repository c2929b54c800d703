//! `kplan check` and the commands beside it that need no cluster.

#[path = "../common/mod.rs"]
mod common;

mod basics;
mod compose;
mod formats;
mod init;
mod settings;
mod words;

use std::{path::Path, process::Output};

/// Three mistakes, and characters that formats must escape.
const BAD: &str = "\
plan: v1
name: Müde, 100% broken
steps:
  - start_cluster: { brokrs: 3 }
  - describe: { topic: \"ä\\u001b[31m\" }
  - { note: \"öäü\", kil_broker: 2 }
";

/// Nothing but a warning.
const WARNED: &str = "plan: v1\nname: Warned\nsteps:\n  - start_cluster\n  - describe: { topic: other }\n  \
    - assert: [{ controller: any }]\n";

/// What a command gave back: status, standard output, standard error.
fn ended(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        common::kplan(args).current_dir(dir).output().expect("kplan starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let (out, err) = (text(stdout), text(stderr));
    assert!(!err.contains("panicked"), "{args:?}: {err}");
    (status.code().unwrap_or(-1), out, err)
}

/// A directory with these files.
fn dir(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        std::fs::write(path, text).expect("file");
    }
    dir
}
