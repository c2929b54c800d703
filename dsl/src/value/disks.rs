//! Faults of disks: what is done to the bytes of files.

use super::words;

words! {
    /// How bytes of a file are damaged.
    pub enum DiskDamage("`bit_flip`, `zeros` or `truncate`") {
        /// One bit of each byte becomes the opposite.
        BitFlip = "bit_flip",
        /// Each byte becomes zero.
        Zeros = "zeros",
        /// The end of the file is cut off.
        Truncate = "truncate",
    }

    /// Where the files of a partition are damaged.
    pub enum DamagePlace("`tail`, `random` or `index`") {
        /// At the end of the newest log segment that has data.
        Tail = "tail",
        /// At a place of the log segments that the run's seed chooses.
        Random = "random",
        /// At the beginning of the index files of the newest log segment.
        Index = "index",
    }
}
