//! Compiles the object that is loaded into nodes, and the program that takes the power from a data directory
//! (`preload/`), for the processor that kplan runs on. Elsewhere than on Linux they are empty.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const DIR: &str = "preload";
const OBJECT: (&str, &[&str], &[&str]) = (
    "kplan-preload.so",
    &["sys.c", "power.c", "hooks.c", "clock.c", "disk.c"],
    // Of the C library it needs the address of errno, and, where a program waits for a time of day, dlsym.
    &["-shared", "-fPIC", "-fvisibility=hidden"],
);
const RESTORE: (&str, &[&str], &[&str]) =
    ("kplan-restore", &["sys.c", "restore.c"], &["-static", "-fno-pie", "-no-pie"]);

fn main() {
    println!("cargo::rerun-if-changed={DIR}");
    let out = PathBuf::from(variable("OUT_DIR"));
    let linux = variable("CARGO_CFG_TARGET_OS") == "linux";
    let known = ["x86_64", "aarch64"].contains(&variable("CARGO_CFG_TARGET_ARCH").as_str());
    for (name, sources, options) in [OBJECT, RESTORE] {
        let made = out.join(name);
        match linux && known {
            true => compile(&made, sources, options),
            false => fs::write(&made, []).unwrap_or_else(|error| panic!("{name}: {error}")),
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn compile(made: &Path, sources: &[&str], options: &[&str]) {
    let tool = cc::Build::new().opt_level(2).debug(false).pic(false).get_compiler();
    let mut command: Command = tool.to_command();
    command.args(["-ffreestanding", "-fno-stack-protector", "-nostdlib", "-Wall", "-Wextra"]);
    if variable("CARGO_CFG_TARGET_ARCH") == "aarch64" {
        // Or atomic operations become calls of the compiler's library.
        command.arg("-mno-outline-atomics");
    }
    command.args(options).arg("-o").arg(made);
    command.args(sources.iter().map(|name| Path::new(DIR).join(name)));
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}
