//! `fill_disk`

use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{ByteSize, Target};

args! {
    /// Fills the disk that holds a broker's data until `free_disk`, or for a time.
    ///
    /// In a plan with this step, every broker has its own disk of 256 MiB. A broker exits when its only disk can no
    /// longer be written: free the disk, then start the broker.
    #[example("fill_disk: { broker: 2, leave: 1MiB, for: 1m }")]
    pub struct FillDisk("fill_disk") short "broker" {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// The space that stays free.
        #[weighs(MoreIsWeaker(Some(f64::INFINITY)))]
        leave: ByteSize = "1MiB",
        ..lasting: Lasting,
    }
}

/// The size of a broker's own disk in a plan that fills it: enough for the logs of a plan, and quick to fill.
pub const BROKER_DISK: ByteSize = ByteSize(256 << 20);

impl StepWord for FillDisk {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Disks,
        undo: Undo::After("free the space again"),
        in_chaos: true,
        lane: Some(LaneMark::DiskFull),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        format!("Fill the disk of {} but for {}", self.broker, self.leave)
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.leave.0 >= BROKER_DISK.0 {
            let message =
                format!("`leave: {}` fills nothing: the disk has {BROKER_DISK}", self.leave);
            let help = "leave less, such as `leave: 1MiB`";
            reader.push(Diagnostic::new(Code::E015, span, message).help(help));
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::FullDisk)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        // A broker ends when its only disk is full.
        ground.may_be_down(&self.broker);
    }
}
