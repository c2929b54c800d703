//! `disk_errors`

use super::{Lasting, StepWord, zookeeper};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{DiskCall, DiskError, Percent, Target};

args! {
    /// Makes calls of brokers or controllers on their data directory fail, until the end of the plan or for a time.
    ///
    /// A share of the calls of one kind returns an error and does nothing: reads, writes (and changes of size, and the
    /// creation of files and directories), or syncs (`fsync`, `fdatasync`). All other files of the node are untouched,
    /// and so is the data. Index files are mapped into memory, and what Kafka does there is no call: it never fails. If
    /// two steps make the disk of the same node fail, the later one applies.
    ///
    /// A broker whose call fails takes its log directory offline, and exits if it has no other: that is no failure of
    /// the plan. Start it again with `start_broker` when the fault is over.
    ///
    /// In a plan with this step, kplan loads a library of its own into each node, which is asked before each call and
    /// counts the calls that failed. The step waits up to 5 s for the first one. When the fault is over, a note says how
    /// many calls failed; if none did, the step is inconclusive. ZooKeeper is not among its targets.
    #[example("disk_errors: { broker: 2, kind: sync, for: 30s }")]
    #[example("disk_errors: { broker: 2, kind: write, errno: ENOSPC, share: 10%, for: 1m }")]
    pub struct DiskErrors("disk_errors") {
        /// The broker or brokers, or controllers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// Which calls fail: `read`, `write` or `sync`.
        kind: DiskCall,
        /// The error: `EIO` (the device failed) or `ENOSPC` (no space is left; not of reads).
        errno: Spanned<DiskError> = "EIO",
        /// How many of these calls fail.
        #[weighs(MoreIsStronger(Some(100.0)))]
        share: Spanned<Percent> = "100%",
        ..lasting: Lasting,
    }
}

impl StepWord for DiskErrors {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::DiskCalls,
        undo: Undo::After("let its calls succeed again"),
        in_chaos: true,
        lane: Some(LaneMark::DiskErrors),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let Self { broker, kind, errno, share, .. } = self;
        let calls =
            if share.0 < 100.0 { format!("{share} of the {kind}s") } else { format!("{kind}s") };
        format!("Let {calls} of the disk of {broker} fail with {}", errno.value)
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if self.share.value == Percent(0.0) {
            let message = "`share: 0%` lets no call fail";
            reader.push(Diagnostic::new(Code::E015, self.share.span, message));
        }
        if self.kind == DiskCall::Read && self.errno.value == DiskError::NoSpace {
            let message = "a read does not fail with ENOSPC: it needs no space";
            let help = "leave `errno` out, or let writes fail: `kind: write`";
            reader.push(Diagnostic::new(Code::E016, self.errno.span, message).help(help));
        }
        no_zookeeper("disk_errors", &self.broker, reader);
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::DiskCalls)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        // A broker ends when its only log directory is offline.
        ground.may_be_down(&self.broker);
    }
}

/// Reports the target whose disk is left alone.
pub(super) fn no_zookeeper(word: &str, broker: &Spanned<Target>, reader: &mut Reader) {
    for span in zookeeper::named_by(broker) {
        let message =
            format!("`{word}` is for the disks of brokers and controllers, not of ZooKeeper");
        reader.push(Diagnostic::new(Code::E016, span, message));
    }
}
