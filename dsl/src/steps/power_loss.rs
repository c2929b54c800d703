//! `power_loss`

use super::{Lasting, StepWord, zookeeper};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, Liveness, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{PowerKeep, Target};
use crate::words::Sentence;

args! {
    /// Takes the power from brokers: their processes die, and everything that was not synced to the disk is gone.
    ///
    /// Several brokers lose their power together. What a broker wrote and did not sync (`fsync`) is lost: contents and
    /// sizes of files, created, renamed and removed files. Kafka syncs a message only if the topic or the broker has
    /// `flush.messages` or `flush.ms`; with its default settings it relies on the other replicas. A started broker
    /// recovers from what is left on its disk. With `for`, the brokers are started again after that time.
    ///
    /// In a plan with this step, kplan loads a library of its own into each node, which keeps beside the data what a disk
    /// would hold. It is checked after each start. A real kernel also writes data back by itself, mostly after 5 to
    /// 30 s: the default, `keep: nothing`, is the worst that can happen.
    ///
    /// It does not damage a disk. ZooKeeper is not among its targets: it does not start again without its first
    /// snapshot, which it never syncs.
    #[example("power_loss: all")]
    #[example("power_loss: { broker: [1, 2], for: 10s }")]
    #[example("power_loss: { broker: all, keep: random }")]
    pub struct PowerLoss("power_loss") short "broker" {
        /// The broker or brokers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// What survives of the data that was not synced: `nothing`, or a share that the run's seed chooses (`random`),
        /// as if the kernel had been writing it back: about half of the pages of 4 KiB, a few of them torn at a sector
        /// of 512 bytes, and the first of the changes of names.
        #[weighs(Row(&["random", "nothing"]))]
        keep: PowerKeep = "nothing",
        ..lasting: Lasting,
    }
}

impl StepWord for PowerLoss {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Processes,
        undo: Undo::After("start it again"),
        in_chaos: true,
        lane: Some(LaneMark::NoPower),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let random = match self.keep {
            PowerKeep::Nothing => "",
            PowerKeep::Random => ", a random share of what was not synced survives",
        };
        format!("Take the power from {}{random}", self.broker)
    }

    fn in_full(&self) -> Sentence {
        let kept = match self.keep {
            PowerKeep::Nothing => "everything that was not synced is lost",
            PowerKeep::Random => "a random share of what was not synced survives",
        };
        Sentence::from(format!("Take the power from {}: {kept}", self.broker))
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        for span in zookeeper::named_by(&self.broker) {
            let message = "ZooKeeper cannot lose its power here: without its first snapshot, which it \
                           does not sync, it does not start again";
            let help = "take the power from brokers, or kill ZooKeeper: `kill_broker: zookeeper`";
            reader.push(Diagnostic::new(Code::E016, span, message).help(help));
        }
    }

    fn needs(&self) -> Vec<Need> {
        let again = self.lasting.passes().then(|| Need::word(Capability::Start));
        std::iter::once(Need::word(Capability::PowerLoss)).chain(again).collect()
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.take_down(&self.broker, Liveness::Down);
    }
}
