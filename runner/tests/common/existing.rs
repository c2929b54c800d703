//! A running local cluster as one that exists: a backend file, whose commands kill and start its brokers.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use kplan::{cluster::Cluster, processes::processes_of};

use super::cluster::{Any, brokers};

/// Kills, freezes and starts the brokers of a local cluster from outside, as an administrator would.
const NODE: &str = r#"#!/bin/bash
set -eu
dir=$(dirname "$0")
pid=$dir/$2.pid
case $1 in
  start)
    mapfile -d '' words <"$dir/$2.cmd"
    setsid "${words[@]}" </dev/null >>"$dir/$2.log" 2>&1 &
    echo $! >"$pid" ;;
  *) kill -s "$1" "$(cat "$pid")" ;;
esac
"#;

/// A backend file for a running local cluster, and what its commands need.
pub fn backend_file(c: &dyn Cluster, dir: &Path) -> Result<String, Any> {
    let script = dir.join("node");
    std::fs::write(&script, NODE)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    for broker in brokers(c) {
        let own = format!("-Dkplan.node=broker-{broker}");
        let line = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let shows = |pid: &u32| line(pid).split(|b| *b == 0).any(|word| word == own.as_bytes());
        let pid = processes_of(&c.spec().run).into_iter().find(shows).ok_or("no such process")?;
        std::fs::write(dir.join(format!("{broker}.cmd")), line(&pid))?;
        std::fs::write(dir.join(format!("{broker}.pid")), pid.to_string())?;
    }
    let script = script.display();
    let word = |what: &str| format!("[{script}, {what}, '{{{{ broker }}}}']");
    Ok(format!(
        "backend: v1\nbootstrap: ['127.0.0.1:1', '{}']\nversion: 4.1.1\ncommands:\n  kill: {}\n  \
         stop: {}\n  start: {}\n  pause: {}\n  resume: {}\n",
        c.address(2),
        word("KILL"),
        word("TERM"),
        word("start"),
        word("STOP"),
        word("CONT"),
    ))
}
