//! The clocks of processes: a file that each node maps says how wrong its clock is.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use async_trait::async_trait;
use nix::time::{ClockId, clock_gettime};
use tokio::time::{Instant, sleep};

use super::super::{Acted, ClockAbility, Node, RigError, Skew, preload};
use super::{LocalCluster, NAME, PAUSE, failed};
use crate::history::now_us;

/// How long a node may go without asking for the time.
const LIMIT: Duration = Duration::from_secs(5);

fn path(home: &Path) -> PathBuf {
    home.join("clock")
}

/// Makes everything ready for a start after which the node's clock can be made wrong. Returns its variable.
pub fn prepare(home: &Path) -> Result<(&'static str, String), RigError> {
    let path = path(home);
    if !path.exists() {
        let made = fs::write(&path, [0; preload::CLOCK_BYTES]);
        made.map_err(|error| failed("write", &path, &error))?;
    }
    Ok(("KPLAN_CLOCK", path.display().to_string()))
}

fn word(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, at * 8)?;
    Ok(u64::from_ne_bytes(bytes))
}

/// Writes the slot that is not in use, and then its number. Returns how often the node was answered with a wrong time.
fn set(file: &File, skew: Skew) -> io::Result<u64> {
    if skew.is_right() {
        file.write_all_at(&0_u64.to_ne_bytes(), 0)?;
        return word(file, 1);
    }
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    let since = now.tv_sec() * 1_000_000_000 + now.tv_nsec();
    let slot: u64 = if word(file, 0)? == 1 { 2 } else { 1 };
    let words = [skew.by_ns, skew.drift_ppb, since].map(i64::to_ne_bytes).concat();
    file.write_all_at(&words, (3 * slot - 1) * 8)?;
    let answers = word(file, 1)?;
    file.write_all_at(&slot.to_ne_bytes(), 0)?;
    Ok(answers)
}

#[async_trait]
impl ClockAbility for LocalCluster {
    async fn skew(&self, nodes: &[Node], skew: Skew) -> Result<Acted, RigError> {
        if !self.common.spec.preload.clocks {
            return Err(preload::without(NAME, "skew a clock"));
        }
        let begun_us = now_us();
        for node in self.some(nodes)? {
            let path = path(node.home());
            let wrong = |error: io::Error| failed("change", &path, &error);
            let file = File::options().read(true).write(true).open(&path).map_err(wrong)?;
            let before = set(&file, skew).map_err(wrong)?;
            let end = Instant::now() + LIMIT;
            while !skew.is_right() && word(&file, 1).map_err(wrong)? == before {
                if Instant::now() >= end {
                    return Err(preload::no_skew(node.node, ""));
                }
                sleep(PAUSE).await;
            }
        }
        Ok(Acted::since(begun_us))
    }
}
