//! The power of processes: what a node synced, and what is left when its power is gone.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::{process::Command, time::timeout};

use super::super::{Node, NotSynced, PowerAbility, RigError, preload};
use super::{LocalCluster, NAME, failed};

/// How long the replacement of one node's data may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Where the object keeps what a node has synced.
fn power(home: &Path) -> PathBuf {
    home.join("power")
}

/// Writes the object for a node. Returns the variable of its process.
pub fn object(home: &Path) -> Result<(&'static str, String), RigError> {
    let object = home.join("kplan-preload.so");
    fs::write(&object, preload::OBJECT).map_err(|error| failed("write", &object, &error))?;
    Ok(("LD_PRELOAD", object.display().to_string()))
}

/// Makes everything ready for a start after which what the node does is followed; what its data directory has before its
/// first start counts as synced. Returns the variables of its process.
pub fn prepare(home: &Path) -> Result<[(&'static str, String); 2], RigError> {
    let (data, power) = (home.join("data"), power(home));
    let make = || {
        if !power.join("disk").exists() {
            fs::create_dir_all(&power)?;
            copy(&data, &power.join("disk"))?;
        }
        match fs::remove_file(power.join("active")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    };
    make().map_err(|error| failed("prepare", &power, &error))?;
    let text = |path: &Path| path.display().to_string();
    Ok(preload::power_variables(&text(&data), &text(&power)))
}

/// The node has a new disk.
pub fn forget(home: &Path) -> Result<(), RigError> {
    let power = power(home);
    match fs::remove_dir_all(&power) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed("empty", &power, &error))
        }
        _ => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copy(&entry.path(), &target)?,
            false => fs::copy(entry.path(), target).map(drop)?,
        }
    }
    Ok(())
}

/// Fails if the copy of what a node has synced is not up to date.
fn is_whole(node: Node, home: &Path) -> Result<(), RigError> {
    match fs::read_to_string(power(home).join("broken")) {
        Ok(why) => Err(preload::unknown(&format!("{node}: {why}"))),
        Err(_) => Ok(()),
    }
}

/// None if its power is gone already.
async fn cut(
    node: Node,
    home: &Path,
    keep: Option<u64>,
) -> Result<Option<(Node, NotSynced)>, RigError> {
    let power = power(home);
    is_whole(node, home)?;
    if !power.join("active").exists() {
        return Ok(None);
    }
    let program = home.join("kplan-restore");
    let made = fs::write(&program, preload::RESTORE)
        .and_then(|()| fs::set_permissions(&program, fs::Permissions::from_mode(0o755)));
    made.map_err(|error| failed("write", &program, &error))?;
    let mut command = Command::new(&program);
    command.arg(home.join("data")).arg(&power).args(keep.map(|seed| seed.to_string()));
    command.stdin(Stdio::null()).kill_on_drop(true);
    let what = format!("leaving {node} what it had synced");
    let output = timeout(LIMIT, command.output()).await;
    let output = output.map_err(|_| RigError::TimedOut { what, limit: LIMIT })?;
    let output = output.map_err(|error| failed("run", &program, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lost = NotSynced::read(&text).filter(|_| output.status.success()).ok_or_else(|| {
        RigError::Other(format!("{node} could not be left what it had synced: {}", text.trim()))
    })?;
    Ok(Some((node, lost)))
}

#[async_trait]
impl PowerAbility for LocalCluster {
    async fn follows(&self, nodes: &[Node]) -> Result<(), RigError> {
        for node in self.some(nodes)? {
            is_whole(node.node, node.home())?;
            if !power(node.home()).join("active").exists() {
                let why = format!("{}: the preloaded library is not active", node.node);
                return Err(preload::unknown(&why));
            }
        }
        Ok(())
    }

    async fn cut_power(
        &self,
        nodes: &BTreeMap<Node, Option<u64>>,
    ) -> Result<BTreeMap<Node, NotSynced>, RigError> {
        if !self.common.spec.preload.power {
            return Err(preload::without(NAME, "take the power from a node"));
        }
        let one = async |(node, keep): (&Node, &Option<u64>)| {
            cut(*node, self.node(*node)?.home(), *keep).await
        };
        let done = join_all(nodes.iter().map(one)).await;
        done.into_iter().filter_map(Result::transpose).collect()
    }
}
