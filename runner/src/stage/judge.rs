//! What a condition is judged against.

use std::{sync::Arc, time::Duration};

use kplan_dsl::{facts::Kind, value::duration_text};

use crate::{
    cluster::Acted,
    event::StepRun,
    history::now_us,
    observer::ClusterView,
    stage::{Stage, faults::Break, outcome::StepError},
};

/// How one look at conditions relates to other looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looking {
    Once,
    /// Looks again until the conditions hold, for at most this long.
    Until(Duration),
    /// Looks repeatedly throughout a time.
    Throughout {
        last: bool,
    },
}

impl Looking {
    /// True if no other look follows: what this look does not find stays unknown.
    pub const fn is_last(self) -> bool {
        match self {
            Self::Once => true,
            Self::Until(_) => false,
            Self::Throughout { last } => last,
        }
    }
}

/// What a condition is judged against.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    pub stage: &'a Stage,
    /// The asking step's id.
    pub step: &'a StepRun,
    /// When the asking step began, monotonic microseconds: `progressing` counts from here.
    pub began_us: i64,
    /// Values are recorded, not judged.
    pub record: bool,
    /// The step's own `since`, for conditions that have none.
    pub since: Option<&'a str>,
    /// When this look at all of the step's conditions began: they share one audit.
    pub look_us: i64,
    /// How this look relates to others.
    pub looking: Looking,
    /// Earlier faults do not count.
    pub faults_from_us: i64,
}

impl Judge<'_> {
    /// The newest view of the cluster.
    pub fn view(&self) -> Result<Arc<ClusterView>, StepError> {
        self.stage.view()
    }

    /// When the newest run of a step began that a condition, or the asking step, counts from.
    pub fn since(&self, own: Option<&str>) -> Option<i64> {
        let name = own.or(self.since)?;
        let id = self.stage.timeline.named(name)?;
        self.stage.timeline.times(&id).map(|t| t.began_us)
    }

    /// What `recovered` counts from: the fault of a named step, or the last fault for a client; when it took effect,
    /// and its description. For a `run` step only the begin is known.
    pub fn broke(&self, own: Option<&str>, client: &str) -> Option<(Acted, String)> {
        let of = |b: Break| (Acted { from_us: b.at_us, by_us: b.by_us }, b.what);
        let breaks = &self.stage.breaks;
        let Some(name) = own.or(self.since) else { return breaks.last_for(client).map(of) };
        let id = self.stage.timeline.named(name)?;
        let program = || {
            let step = self.stage.plan.step_named(name)?;
            let began = self.since(Some(name)).filter(|_| step.head.facts.kind == Kind::Program)?;
            Some((began.into(), name.to_owned()))
        };
        breaks.newest_of_step(&id, client).map(of).or_else(program)
    }

    /// When the fault of [`broke`](Self::broke) was over; none while it lasts, or if that is not known.
    pub fn mended(&self, own: Option<&str>, client: &str) -> Option<i64> {
        let breaks = &self.stage.breaks;
        let fault = match own.or(self.since) {
            Some(name) => breaks.newest_of_step(&self.stage.timeline.named(name)?, client),
            None => breaks.last_for(client),
        };
        fault?.over_us
    }
}

/// A measured time as text, in whole milliseconds.
pub fn in_ms(time: Duration) -> String {
    duration_text(Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

/// Microseconds from a moment to now as a duration; zero for the future.
pub fn since(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(now_us() - us).unwrap_or(0))
}
