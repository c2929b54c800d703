//! `skew_clock`

use super::{Lasting, StepWord, zookeeper};
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Kind, LaneMark, StepFacts, Strikes, Undo};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{ClockRate, ClockShift, Target};

args! {
    /// Makes the wall clock of brokers or controllers wrong, while they run, until the end of the plan or for a time.
    ///
    /// The clock jumps by `by`, and from then on runs `drift` times as fast. With `for` it is right again after that
    /// time: it jumps back. Only the time of day of these nodes is wrong: timers and timeouts use the monotonic clock,
    /// which stays true, and the clocks of kplan and of its clients do not change. A node that is started again still
    /// has the wrong clock. If two steps skew the clock of the same node, the later one applies.
    ///
    /// In a plan with this step, kplan loads a library of its own into each node, which answers when a program asks for
    /// the time. The step waits until the node has been given a wrong time. ZooKeeper is not among its targets.
    #[example("skew_clock: { broker: 2, by: 1h, for: 1m }")]
    #[example("skew_clock: { broker: { leader_of: orders/0 }, by: -2m, drift: 2.0 }")]
    pub struct SkewClock("skew_clock") {
        /// The broker or brokers, or controllers.
        #[weighs(Elements)]
        broker: Spanned<Target>,
        /// How far the clock jumps: ahead (`1h`), or behind (`-2m`).
        by: ClockShift = "0s",
        /// How fast the clock runs, compared with a true one: 2.0 is twice as fast, 0.5 half as fast.
        drift: ClockRate = "1.0",
        ..lasting: Lasting,
    }
}

impl StepWord for SkewClock {
    const FACTS: StepFacts = StepFacts {
        strikes: Strikes::Clocks,
        undo: Undo::After("set it right again"),
        in_chaos: true,
        lane: Some(LaneMark::WrongClock),
        ..StepFacts::of(Kind::Fault)
    };

    fn explain(&self) -> String {
        let by = (self.by != ClockShift::default()).then(|| format!("jumps by {}", self.by));
        let drift =
            (self.drift != ClockRate(1.0)).then(|| format!("runs {} times as fast", self.drift));
        let changes: Vec<String> = by.into_iter().chain(drift).collect();
        format!("Skew the clock of {}: it {}", self.broker, crate::words::list(&changes))
    }

    fn validate(&self, span: Span, reader: &mut Reader) {
        if self.by == ClockShift::default() && self.drift == ClockRate(1.0) {
            let message = "`skew_clock` needs `by` or `drift`";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
        for span in zookeeper::named_by(&self.broker) {
            let message =
                "`skew_clock` changes the clocks of brokers and controllers, not of ZooKeeper";
            reader.push(Diagnostic::new(Code::E016, span, message));
        }
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::word(Capability::SkewClock)]
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.target(&self.broker);
    }
}
