//! Changes bytes of files of nodes.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use async_trait::async_trait;

use super::super::{FileAbility, Node, RigError, damage};
use super::LocalCluster;
use crate::segments::{DiskFile, FileEdit};

fn list(dir: &Path) -> io::Result<Option<Vec<DiskFile>>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let file = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        Ok(DiskFile { name, size: entry.metadata()?.len() })
    };
    entries.map(file).collect::<io::Result<_>>().map(Some)
}

/// The bytes of a range, as far as the file has them.
fn read(file: &mut File, edit: &FileEdit) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(edit.range.start))?;
    file.take(damage::looked_at(edit)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn change(path: &Path, edit: &FileEdit) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let before = read(&mut file, edit)?;
    match edit.instead_of(&before) {
        Some(bytes) => file.write_all_at(&bytes, edit.range.start)?,
        None => file.set_len(edit.range.start)?,
    }
    Ok((before, read(&mut file, edit)?))
}

impl LocalCluster {
    fn dir(&self, node: Node, (topic, partition): (&str, u32)) -> Result<PathBuf, RigError> {
        Ok(self.node(node)?.home().join("data").join(format!("{topic}-{partition}")))
    }
}

#[async_trait]
impl FileAbility for LocalCluster {
    async fn of_partition(
        &self,
        node: Node,
        partition: (&str, u32),
    ) -> Result<Option<Vec<DiskFile>>, RigError> {
        list(&self.dir(node, partition)?).map_err(|error| damage::failed(node, &error.to_string()))
    }

    async fn edit(
        &self,
        node: Node,
        partition: (&str, u32),
        edit: &FileEdit,
    ) -> Result<(Vec<u8>, Vec<u8>), RigError> {
        let path = self.dir(node, partition)?.join(&edit.file);
        change(&path, edit).map_err(|error| damage::failed(node, &error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use kplan_dsl::value::{DamagePlace, DiskDamage};

    use super::*;
    use crate::segments::FileDamage;

    #[test]
    fn the_bytes_of_an_edit_change_and_no_others() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(list(&dir.path().join("orders-0")).expect("listed"), None);
        let path = dir.path().join("00000000000000000000.log");
        let done = |what, bytes| {
            fs::write(&path, [0xff; 10]).expect("written");
            let files = list(dir.path()).expect("listed").expect("a directory");
            let damage = FileDamage { what, place: DamagePlace::Tail, bytes };
            let edits = damage.edits(&files, 0);
            let (before, after) = change(&path, &edits[0]).expect("changed");
            (before, after, fs::read(&path).expect("read"))
        };
        let zeros = done(DiskDamage::Zeros, 2);
        assert_eq!(zeros, (vec![0xff; 2], vec![0; 2], [[0xff; 8].as_slice(), &[0; 2]].concat()));
        let flipped = done(DiskDamage::BitFlip, 1);
        assert_eq!(flipped, (vec![0xff], vec![0xfe], [[0xff; 9].as_slice(), &[0xfe]].concat()));
        let cut = done(DiskDamage::Truncate, 3);
        assert_eq!(cut, (vec![0xff; 3], Vec::new(), vec![0xff; 7]));
    }
}
