//! `slow_disk`

use std::time::Duration;

use super::disk_errors::no_zookeeper;
use super::{Lasting, StepWord};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Target, duration_text};

args! {
    /// Makes calls of brokers or controllers on their data directory take longer, until the end of the plan or for a
    /// time.
    ///
    /// Each call of a kind waits before it is carried out: reads, writes (and changes of size, and the creation of files
    /// and directories), or syncs (`fsync`, `fdatasync`). All other files of the node are untouched. Kafka's default
    /// settings sync no message: a slow sync delays clients only where a topic or broker has `flush.messages` or
    /// `flush.ms`. Index files are mapped into memory, and what Kafka does there is no call: it is never delayed. A call
    /// that waits when the fault ends goes on at once. If two steps slow down the disk of the same node, the later one
    /// applies.
    ///
    /// In a plan with this step, kplan loads a library of its own into each node, which is asked before each call and
    /// counts the calls that were delayed. The step waits up to 5 s for the first one. When the fault is over, a note
    /// says how many calls were delayed; if none was, the step is inconclusive. ZooKeeper is not among its targets.
    #[example("slow_disk: { broker: 2, sync: 2s, for: 1m }")]
    #[example("slow_disk: { broker: all, read: 20ms, write: 50ms, for: 1m }")]
    pub struct SlowDisk("slow_disk") {
        /// The broker or brokers, or controllers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// How much longer each read takes.
        #[weighs(MoreIsStronger(Some(0.0)))]
        read: Duration = "0s",
        /// How much longer each write takes.
        #[weighs(MoreIsStronger(Some(0.0)))]
        write: Duration = "0s",
        /// How much longer each sync takes.
        #[weighs(MoreIsStronger(Some(0.0)))]
        sync: Duration = "0s",
        ..lasting: Lasting,
    }
}

impl StepWord for SlowDisk {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::DiskCalls,
        undo: Undo::After("let it be as fast as before"),
        in_chaos: true,
        lane: Some(LaneMark::SlowDisk),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let all = [("read", self.read), ("write", self.write), ("sync", self.sync)];
        let longer = all.into_iter().filter(|(_, time)| !time.is_zero());
        let longer: Vec<String> = longer
            .map(|(call, time)| format!("each {call} takes {} longer", duration_text(time)))
            .collect();
        format!("Slow down the disk of {}: {}", self.broker, crate::words::list(&longer))
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.read.is_zero() && self.write.is_zero() && self.sync.is_zero() {
            let message = "`slow_disk` needs `read`, `write` or `sync`";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
        no_zookeeper("slow_disk", &self.broker, reader);
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::DiskCalls)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.target(&self.broker);
    }
}
