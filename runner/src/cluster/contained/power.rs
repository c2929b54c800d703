//! The power of nodes in containers: what a node synced, and what is left when its power is gone.
//!
//! The object in a node's processes keeps a copy of the data beside it, and the data is replaced by the copy where the disks
//! are: a dead container cannot run a command.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::future::{join_all, try_join_all};

use super::super::{ClusterSpec, Node, NotSynced, PowerAbility, RigError, preload};
use super::{files::File, shell::DiskShell};

/// Where the program is that replaces the data.
const RESTORE: &str = "/kplan/restore";

/// The program that replaces the data, where a plan needs it.
pub fn restore_file(spec: &ClusterSpec) -> Option<File> {
    let restore = || File { path: RESTORE.to_owned(), bytes: preload::RESTORE.into(), mode: 0o755 };
    spec.preload.power.then(restore)
}

/// Where a node keeps its copy, below the directory of what the object needs.
fn copy_of(shell: &dyn DiskShell, node: Node) -> String {
    format!("{}/power", shell.preload_dir(node))
}

/// Fails if it is not followed what nodes sync.
fn followed(shell: &dyn DiskShell) -> Result<(), RigError> {
    match shell.built().preload.power {
        true => Ok(()),
        false => Err(preload::without(shell.named(), "take the power from a node")),
    }
}

#[async_trait]
impl<S: DiskShell> PowerAbility for S {
    async fn follows(&self, nodes: &[Node]) -> Result<(), RigError> {
        followed(self)?;
        let look = async |node: &Node| {
            let dir = copy_of(self, *node);
            let script = format!(
                "[ -e {dir}/active ] || echo '{node}: the preloaded library is not active'\n\
                 [ ! -e {dir}/broken ] || echo \"{node}: $(<{dir}/broken)\""
            );
            Ok::<_, RigError>(self.at_disk(*node, &script).await?.text())
        };
        let why = try_join_all(nodes.iter().map(look)).await?.concat();
        match why.trim() {
            "" => Ok(()),
            why => Err(preload::unknown(why)),
        }
    }

    async fn cut_power(
        &self,
        nodes: &BTreeMap<Node, Option<u64>>,
    ) -> Result<BTreeMap<Node, NotSynced>, RigError> {
        followed(self)?;
        let one = async |(node, keep): (&Node, &Option<u64>)| {
            let (data, power) = (self.data_dir(*node), copy_of(self, *node));
            let seed = keep.map(|seed| seed.to_string()).unwrap_or_default();
            let script = format!(
                "[ -e {power}/active ] || exit 0\n\
                 [ ! -e {power}/broken ] || {{ cat {power}/broken; exit 1; }}\n\
                 exec {RESTORE} {data} {power} {seed}"
            );
            let output = self.at_disk(*node, &script).await?;
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
