//! Changes bytes of files on the disks of nodes in containers, which may be dead.

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::super::{FileAbility, Node, RigError, damage, preload};
use super::{command::Output, shell::DiskShell};
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
impl<S: DiskShell> FileAbility for S {
    async fn of_partition(
        &self,
        node: Node,
        partition: (&str, u32),
    ) -> Result<Option<Vec<DiskFile>>, RigError> {
        let dir = dir(self, node, partition);
        let script = format!("[ -d {dir} ] || exit 3; cd {dir} && stat -c '%s %n' -- *");
        let output = hold(self, node, &script).await?;
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
        let path = format!("{}/{}", dir(self, node, partition), edit.file);
        let show = shown(&path, edit);
        let before = bytes(self, node, &show).await?;
        let at = edit.range.start;
        let change = match edit.instead_of(&before) {
            Some(bytes) => format!(
                "base64 -d <<<'{}' | dd of={path} bs=64K iflag=fullblock oflag=seek_bytes seek={at} \
                 conv=notrunc status=none",
                BASE64_STANDARD.encode(bytes)
            ),
            None => format!("truncate -s {at} {path}"),
        };
        let after = bytes(self, node, &format!("{change}\n{show}")).await?;
        Ok((before, after))
    }
}

/// The directory of a partition of a node.
fn dir(shell: &dyn DiskShell, node: Node, (topic, partition): (&str, u32)) -> String {
    format!("{}/{topic}-{partition}", shell.data_dir(node))
}

async fn hold(shell: &dyn DiskShell, node: Node, script: &str) -> Result<Output, RigError> {
    if !shell.built().damaged {
        return Err(preload::without(shell.named(), "damage a file"));
    }
    shell.at_disk(node, &format!("set -euo pipefail\n{script}")).await
}

/// The bytes that a script prints.
async fn bytes(shell: &dyn DiskShell, node: Node, script: &str) -> Result<Vec<u8>, RigError> {
    let output = hold(shell, node, script).await?;
    let bytes = BASE64_STANDARD.decode(output.text().trim());
    match bytes.ok().filter(|_| output.succeeded()) {
        Some(bytes) => Ok(bytes),
        None => Err(damage::failed(node, &output.text())),
    }
}
