//! Faults of disks: what is done to the bytes of files, and which calls fail or take longer.

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

    /// A kind of calls on files.
    pub enum DiskCall("`read`, `write` or `sync`") {
        /// Reads.
        Read = "read",
        /// Writes, changes of size, and the creation of files and directories.
        Write = "write",
        /// Syncs: what was written is to reach the disk.
        Sync = "sync",
    }

    /// The error with which a call fails.
    pub enum DiskError("`EIO` or `ENOSPC`") {
        /// The device failed.
        Io = "EIO",
        /// No space is left.
        NoSpace = "ENOSPC",
    }
}
