//! Changes bytes of files on the disks of nodes. The container that holds the disks does it, so the nodes may be dead.

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::super::{FileAbility, Node, RigError, damage, preload};
use super::{DockerCluster, NAME, disks, exec};
use crate::segments::{DiskFile, FileEdit};

/// Prints a range of a file.
fn shown(path: &str, edit: &FileEdit) -> String {
    let (at, count) = (edit.range.start, damage::looked_at(edit));
    format!(
        "dd if={path} bs=64K iflag=skip_bytes,count_bytes,fullblock skip={at} count={count} \
         status=none | base64 -w0"
    )
}

#[async_trait]
impl FileAbility for DockerCluster {
    async fn of_partition(
        &self,
        node: Node,
        partition: (&str, u32),
    ) -> Result<Option<Vec<DiskFile>>, RigError> {
        let dir = dir(node, partition);
        let script = format!("[ -d {dir} ] || exit 3; cd {dir} && stat -c '%s %n' -- *");
        let output = self.hold(&script).await?;
        if output.status == Some(3) {
            return Ok(None);
        }
        let text = output.text();
        let file = |line: &str| {
            let (size, name) = line.split_once(' ')?;
            Some(DiskFile { name: name.to_owned(), size: size.parse().ok()? })
        };
        let files: Option<Vec<DiskFile>> = text.lines().map(file).collect();
        match files.filter(|_| output.succeeded()) {
            Some(files) => Ok(Some(files)),
            None => Err(damage::failed(node, &text)),
        }
    }

    async fn edit(
        &self,
        node: Node,
        partition: (&str, u32),
        edit: &FileEdit,
    ) -> Result<(Vec<u8>, Vec<u8>), RigError> {
        let path = format!("{}/{}", dir(node, partition), edit.file);
        let show = shown(&path, edit);
        let before = self.bytes(node, &show).await?;
        let at = edit.range.start;
        let change = match edit.instead_of(&before) {
            Some(bytes) => format!(
                "base64 -d <<<'{}' | dd of={path} bs=64K iflag=fullblock oflag=seek_bytes seek={at} \
                 conv=notrunc status=none",
                BASE64_STANDARD.encode(bytes)
            ),
            None => format!("truncate -s {at} {path}"),
        };
        let after = self.bytes(node, &format!("{change}\n{show}")).await?;
        Ok((before, after))
    }
}

/// Where the holder sees a partition of a node.
fn dir(node: Node, (topic, partition): (&str, u32)) -> String {
    format!("{}/{topic}-{partition}", disks::data_of(node))
}

impl DockerCluster {
    /// Runs a script in the container that sees all disks.
    async fn hold(&self, script: &str) -> Result<exec::Output, RigError> {
        if !self.blueprint.spec.damaged {
            return Err(preload::without(NAME, "damage a file"));
        }
        let script = format!("set -euo pipefail\n{script}");
        exec::script(self.docker(), &disks::holder(&self.blueprint), &script).await
    }

    /// The bytes that a script prints.
    async fn bytes(&self, node: Node, script: &str) -> Result<Vec<u8>, RigError> {
        let output = self.hold(script).await?;
        let bytes = BASE64_STANDARD.decode(output.text().trim());
        match bytes.ok().filter(|_| output.succeeded()) {
            Some(bytes) => Ok(bytes),
            None => Err(damage::failed(node, &output.text())),
        }
    }
}
