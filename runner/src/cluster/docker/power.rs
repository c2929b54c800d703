//! The power of containers: what a node synced, and what is left when its power is gone.
//!
//! The object in a node's processes keeps a copy of the data beside it, in a volume of its own. The container that holds
//! the disks replaces the data by the copy: a dead container cannot run a command.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future::join_all;

use super::super::{ClusterSpec, Node, NotSynced, PowerAbility, RigError, preload};
use super::{
    DockerCluster, NAME, addresses::HOME, clocks, disk_calls, disks, exec, files::File,
    node::Blueprint,
};

/// Where a node has the object.
const OBJECT: &str = "kplan-preload.so";
/// The volume where a node keeps what the object needs, and its copy.
pub const PRELOAD: &str = "/kplan/preload";
const POWER: &str = "/kplan/preload/power";
/// Where the holder of the disks has the program.
const RESTORE: &str = "/kplan/restore";

/// The volume of what the object needs, if a node has it.
pub fn volume(blueprint: &Blueprint, node: Node) -> Option<String> {
    let host = blueprint.at.host(node);
    blueprint.spec.preloads(node).then(|| format!("{host}-preload"))
}

/// The file that a node needs.
pub fn file(blueprint: &Blueprint, node: Node) -> Option<File> {
    let has = blueprint.spec.preloads(node);
    has.then(|| File::plain(OBJECT, preload::OBJECT))
}

/// The files that the holder of the disks needs.
pub fn holder_files(blueprint: &Blueprint) -> Vec<File> {
    let has = blueprint.spec.preload.power;
    let restore = || File { path: RESTORE.to_owned(), bytes: preload::RESTORE.into(), mode: 0o755 };
    has.then(restore).into_iter().collect()
}

/// The part of a node's start script after which it has the object. What the data directory has before the first start
/// counts as synced.
pub fn script(spec: &ClusterSpec) -> String {
    let (object, data) = (format!("{HOME}/{OBJECT}"), format!("{HOME}/data"));
    let clock = if spec.preload.clocks { clocks::script() } else { String::new() };
    let calls = if spec.preload.disks { disk_calls::script() } else { String::new() };
    let variables = preload::power_variables(&data, POWER);
    let exports = variables.map(|(name, value)| format!("export {name}={value}\n")).concat();
    let power = match spec.preload.power {
        true => format!(
            "if [[ ! -e {POWER}/disk ]]; then\n  \
               rm -rf {POWER}\n  mkdir {POWER}\n  \
               cp -a {data} {POWER}/new\n  mv {POWER}/new {POWER}/disk\n\
             fi\n\
             rm -f {POWER}/active\n{exports}"
        ),
        false => String::new(),
    };
    format!("{clock}{calls}{power}export LD_PRELOAD={object}\n")
}

#[async_trait]
impl PowerAbility for DockerCluster {
    async fn follows(&self, nodes: &[Node]) -> Result<(), RigError> {
        let look = |node: &Node| {
            let dir = disks::power_of(*node);
            format!(
                "[ -e {dir}/active ] || echo '{node}: the preloaded library is not active'\n\
                 [ ! -e {dir}/broken ] || echo \"{node}: $(<{dir}/broken)\""
            )
        };
        let script = nodes.iter().map(look).collect::<Vec<_>>().join("\n");
        let output = exec::script(self.docker(), &self.holder_of_power()?, &script).await?;
        match output.text().trim() {
            "" => Ok(()),
            why => Err(preload::unknown(why)),
        }
    }

    async fn cut_power(
        &self,
        nodes: &BTreeMap<Node, Option<u64>>,
    ) -> Result<BTreeMap<Node, NotSynced>, RigError> {
        let holder = self.holder_of_power()?;
        let one = async |(node, keep): (&Node, &Option<u64>)| {
            let (data, power) = (disks::data_of(*node), disks::power_of(*node));
            let seed = keep.map(|seed| seed.to_string()).unwrap_or_default();
            let script = format!(
                "[ -e {power}/active ] || exit 0\n\
                 [ ! -e {power}/broken ] || {{ cat {power}/broken; exit 1; }}\n\
                 exec {RESTORE} {data} {power} {seed}"
            );
            let output = exec::script(self.docker(), &holder, &script).await?;
            let text = output.text();
            match NotSynced::read(&text).filter(|_| output.succeeded()) {
                Some(lost) => Ok(Some((*node, lost))),
                None if output.succeeded() && text.is_empty() => Ok(None),
                None => Err(RigError::Other(format!(
                    "{node} could not be left what it had synced: {}",
                    text.trim()
                ))),
            }
        };
        let done = join_all(nodes.iter().map(one)).await;
        done.into_iter().filter_map(Result::transpose).collect()
    }
}

impl DockerCluster {
    /// The container that sees all copies.
    fn holder_of_power(&self) -> Result<String, RigError> {
        match self.blueprint.spec.preload.power {
            true => Ok(disks::holder(&self.blueprint)),
            false => Err(preload::without(NAME, "take the power from a node")),
        }
    }
}
