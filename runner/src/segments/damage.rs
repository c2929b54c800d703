//! Which bytes of a partition's files are damaged, and how: a function of the names and sizes of the files and of a seed.

use std::ops::Range;

use kplan_dsl::value::{DamagePlace, DiskDamage};

/// A file of a partition on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFile {
    pub name: String,
    pub size: u64,
}

/// The damage that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDamage {
    pub what: DiskDamage,
    pub place: DamagePlace,
    /// How many bytes of each file, above 0.
    pub bytes: u64,
}

/// The damage of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEdit {
    pub file: String,
    /// The bytes that change, or are cut off: they are in the file, and at its end if they are cut off.
    pub range: Range<u64>,
    pub what: DiskDamage,
    /// Chooses the bits.
    pub seed: u64,
}

impl FileDamage {
    /// What is done to these files of a partition; nothing if there is nothing to damage.
    pub fn edits(&self, files: &[DiskFile], seed: u64) -> Vec<FileEdit> {
        match self.place {
            DamagePlace::Tail => self.tail(files, seed).into_iter().collect(),
            DamagePlace::Random => self.somewhere(files, seed).into_iter().collect(),
            DamagePlace::Index => self.indexes(files, seed),
        }
    }

    fn edit(&self, file: &DiskFile, at: u64, seed: u64) -> FileEdit {
        let range = at..at.saturating_add(self.bytes).min(file.size);
        FileEdit { file: file.name.clone(), range, what: self.what, seed }
    }

    fn tail(&self, files: &[DiskFile], seed: u64) -> Option<FileEdit> {
        let newest = with_data(files, ".log").pop()?;
        Some(self.edit(newest, newest.size.saturating_sub(self.bytes), seed))
    }

    /// Each byte of all segments together is as likely as every other to be the first.
    fn somewhere(&self, files: &[DiskFile], seed: u64) -> Option<FileEdit> {
        let logs = with_data(files, ".log");
        let whole: u64 = logs.iter().map(|file| file.size).sum();
        let mut at = seed.checked_rem(whole)?;
        for file in logs {
            match at.checked_sub(file.size) {
                // The wanted number of bytes, also near the end of the file.
                None => {
                    let last = file.size.saturating_sub(self.bytes);
                    return Some(self.edit(file, at.min(last), seed));
                }
                Some(rest) => at = rest,
            }
        }
        None
    }

    /// At the beginning: the file of the newest segment is larger than its entries while a broker writes it.
    fn indexes(&self, files: &[DiskFile], seed: u64) -> Vec<FileEdit> {
        let newest = [".index", ".timeindex"].map(|kind| with_data(files, kind).pop());
        newest.into_iter().flatten().map(|file| self.edit(file, 0, seed)).collect()
    }
}

/// The files of a kind that are not empty, in the order of their first offsets.
fn with_data<'f>(files: &'f [DiskFile], kind: &str) -> Vec<&'f DiskFile> {
    let mut all: Vec<&DiskFile> =
        files.iter().filter(|file| file.size > 0 && file.name.ends_with(kind)).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

impl FileEdit {
    /// The bytes that replace these; none if they are cut off.
    pub fn instead_of(&self, before: &[u8]) -> Option<Vec<u8>> {
        let flipped =
            |(i, byte): (usize, &u8)| byte ^ (1 << (self.seed.rotate_right(i as u32) % 8));
        match self.what {
            DiskDamage::BitFlip => Some(before.iter().enumerate().map(flipped).collect()),
            DiskDamage::Zeros => Some(vec![0; before.len()]),
            DiskDamage::Truncate => None,
        }
    }
}

impl std::fmt::Display for FileEdit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, range: Range { start, end }, .. } = self;
        let bytes = match end - start {
            1 => format!("byte {start}"),
            n => format!("{n} bytes, {start} to {},", end - 1),
        };
        match self.what {
            DiskDamage::BitFlip if end - start == 1 => {
                write!(f, "{file}: a bit of {bytes} is flipped")
            }
            DiskDamage::BitFlip => write!(f, "{file}: a bit in each of {bytes} is flipped"),
            DiskDamage::Zeros => write!(f, "{file}: {bytes} zero now"),
            DiskDamage::Truncate => write!(f, "{file}: {bytes} cut off at its end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(all: &[(&str, u64)]) -> Vec<DiskFile> {
        all.iter().map(|(name, size)| DiskFile { name: (*name).to_owned(), size: *size }).collect()
    }

    /// A partition of three segments, of which the newest is empty.
    fn partition() -> Vec<DiskFile> {
        files(&[
            ("00000000000000000200.log", 0),
            ("00000000000000000100.log", 300),
            ("00000000000000000000.log", 100),
            ("00000000000000000200.index", 10_485_760),
            ("00000000000000000100.index", 8),
            ("00000000000000000200.timeindex", 10_485_756),
            ("leader-epoch-checkpoint", 8),
            ("partition.metadata", 43),
        ])
    }

    fn damage(what: DiskDamage, place: DamagePlace, bytes: u64) -> FileDamage {
        FileDamage { what, place, bytes }
    }

    fn places(damage: FileDamage, seed: u64) -> Vec<(String, Range<u64>)> {
        damage.edits(&partition(), seed).into_iter().map(|edit| (edit.file, edit.range)).collect()
    }

    #[test]
    fn the_tail_is_the_end_of_the_newest_segment_with_data() {
        let tail = |bytes| places(damage(DiskDamage::Zeros, DamagePlace::Tail, bytes), 7);
        assert_eq!(tail(16), [("00000000000000000100.log".to_owned(), 284..300)]);
        assert_eq!(tail(1000), [("00000000000000000100.log".to_owned(), 0..300)], "all of it");
    }

    #[test]
    fn every_byte_of_the_segments_can_be_struck_and_no_other_file() {
        let one = damage(DiskDamage::BitFlip, DamagePlace::Random, 1);
        let struck: Vec<_> = (0..400).flat_map(|seed| places(one, seed)).collect();
        let first = (0..100).map(|at| ("00000000000000000000.log".to_owned(), at..at + 1));
        let second = (0..300).map(|at| ("00000000000000000100.log".to_owned(), at..at + 1));
        assert_eq!(struck, first.chain(second).collect::<Vec<_>>());
        // Near the end of a file the bytes before are taken.
        let many = damage(DiskDamage::BitFlip, DamagePlace::Random, 30);
        assert_eq!(places(many, 95), [("00000000000000000000.log".to_owned(), 70..100)]);
    }

    #[test]
    fn both_indexes_of_the_newest_segment_are_struck_at_their_beginning() {
        let at = |name: &str| (name.to_owned(), 0..512);
        assert_eq!(
            places(damage(DiskDamage::Zeros, DamagePlace::Index, 512), 7),
            [at("00000000000000000200.index"), at("00000000000000000200.timeindex")]
        );
    }

    #[test]
    fn without_data_there_is_nothing_to_damage() {
        let empty = files(&[("00000000000000000000.log", 0), ("partition.metadata", 43)]);
        for place in [DamagePlace::Tail, DamagePlace::Random, DamagePlace::Index] {
            assert_eq!(damage(DiskDamage::BitFlip, place, 1).edits(&empty, 7), []);
        }
    }

    #[test]
    fn one_bit_of_each_byte_is_flipped_and_the_seed_chooses_it() {
        let flip = |seed| {
            let tail = damage(DiskDamage::BitFlip, DamagePlace::Tail, 64);
            let edit = tail.edits(&partition(), seed).pop().expect("an edit");
            edit.instead_of(&[0b1010_1010; 64]).expect("bytes")
        };
        let bits = flip(3).into_iter().map(|byte| (byte ^ 0b1010_1010).count_ones());
        assert!(bits.eq([1; 64]));
        assert_eq!(flip(3), flip(3));
        assert_ne!(flip(3), flip(4));
    }

    #[test]
    fn an_edit_is_told_with_its_file_and_its_bytes() {
        let told = |what, bytes| {
            let edits = damage(what, DamagePlace::Tail, bytes).edits(&partition(), 7);
            edits[0].to_string().replace("00000000000000000", "")
        };
        assert_eq!(told(DiskDamage::BitFlip, 1), "100.log: a bit of byte 299 is flipped");
        assert_eq!(
            told(DiskDamage::BitFlip, 2),
            "100.log: a bit in each of 2 bytes, 298 to 299, is flipped"
        );
        assert_eq!(told(DiskDamage::Zeros, 300), "100.log: 300 bytes, 0 to 299, zero now");
        assert_eq!(
            told(DiskDamage::Truncate, 10),
            "100.log: 10 bytes, 290 to 299, cut off at its end"
        );
    }
}
