//! `corrupt_disk`

use super::{StepWord, zookeeper};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{ByteSize, DamagePlace, DiskDamage, PartitionRef, Target};

args! {
    /// Damages the files of a partition on brokers' disks, once. Nothing undoes it.
    ///
    /// The brokers may be alive or dead. The damage is in the file, and in the page cache of a living broker, which is
    /// the same memory: whatever reads these bytes next reads the damage. kplan reads the bytes back, and notes the
    /// file and the bytes that it changed. The place depends only on the files' names and sizes, on the run's seed and
    /// on the step.
    ///
    /// What Kafka does: a consumer and a follower check the checksum of each batch that they fetch; the leader sends a
    /// damaged batch as it is. A broker that is started after a kill reads its newest segments, cuts them off at the
    /// first damaged batch, and makes their index files anew. `replicas_differ` finds damage of one replica,
    /// `corrupted` finds damage that a reader meets, and `lost` counts what Kafka has cut off.
    ///
    /// The step fails if a broker has no such partition, or has nothing to damage there. It damages no file of a
    /// snapshot or checkpoint. `chaos` cannot choose it, because nothing could undo it.
    #[example("corrupt_disk: { broker: 2, partition: orders/0 }")]
    #[example("corrupt_disk: { broker: { leader_of: orders/0 }, partition: orders/0, what: zeros, where: random, bytes: 4KiB }")]
    pub struct CorruptDisk("corrupt_disk") {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// The partition, such as `orders/0`.
        partition: Spanned<PartitionRef>,
        /// What happens to the bytes: one bit of each is flipped (`bit_flip`), they become zeros (`zeros`), or they are
        /// cut off at the end of the file (`truncate`, only with `where: tail`).
        what: Spanned<DiskDamage> = "bit_flip",
        /// Where: at the end of the newest log segment (`tail`), at a place of the log segments that the run's seed
        /// chooses (`random`), or at the beginning of the newest segment's index files (`index`).
        place as "where": Spanned<DamagePlace> = "tail",
        /// How many bytes, at most 64KiB unless the file is truncated. By default 1B for `bit_flip`, and 512B, a sector
        /// of a disk, for the others.
        #[weighs(MoreIsStronger(None))]
        bytes: Option<Spanned<ByteSize>>,
    }
}

/// The most bytes that are changed in place.
const MOST: ByteSize = ByteSize(64 << 10);

impl CorruptDisk {
    /// How many bytes are damaged, in each file.
    pub fn size(&self) -> ByteSize {
        let usual = match *self.what {
            DiskDamage::BitFlip => ByteSize(1),
            DiskDamage::Zeros | DiskDamage::Truncate => ByteSize(512),
        };
        self.bytes.as_ref().map_or(usual, |bytes| bytes.value)
    }
}

impl StepWord for CorruptDisk {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Files,
        lane: Some(LaneMark::Damaged),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let size = self.size();
        let what = match *self.what {
            DiskDamage::BitFlip => format!("Flip a bit in each byte of {size}"),
            DiskDamage::Zeros => format!("Write {size} of zeros"),
            DiskDamage::Truncate => format!("Cut off {size}"),
        };
        let place = match *self.place {
            DamagePlace::Tail => "at the end of the newest segment",
            DamagePlace::Random => "at a random place of the segments",
            DamagePlace::Index => "at the beginning of the newest index files",
        };
        format!("{what} {place} of {} on the disk of {}", self.partition, self.broker)
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        for span in zookeeper::named_by(&self.broker) {
            let message = "ZooKeeper has no partitions, so `corrupt_disk` cannot damage any there";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
        let cuts = *self.what == DiskDamage::Truncate;
        if cuts && *self.place != DamagePlace::Tail {
            let message = "`truncate` cuts off the end of a file";
            let help = "leave `where` out, or write `where: tail`";
            reader.push(Diagnostic::new(Code::E016, self.place.span, message).help(help));
        }
        let Some(bytes) = &self.bytes else { return };
        if bytes.0 == 0 {
            let message = "`bytes: 0B` damages nothing";
            reader.push(Diagnostic::new(Code::E015, bytes.span, message));
        } else if bytes.value > MOST && !cuts {
            let message = format!("`bytes: {bytes}` is more than {MOST}");
            reader.push(Diagnostic::new(Code::E015, bytes.span, message));
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::DamageFiles)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.target(&self.broker);
        ground.partition(&self.partition, false);
    }
}
