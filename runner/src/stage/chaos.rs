//! Chaos: which faults, when, on which nodes, and which of them `keep` forbids. Pure functions; the
//! step carries them out.

mod keep;
mod schedule;
mod script;
mod shrink;

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard},
};

use crate::event::StepRun;

pub use keep::broken_by;
pub use schedule::{Hits, Planned, draw, hits, lasting, schedule};
pub use script::{flow, with_faults};
pub use shrink::Shrinker;

/// A fault that was done: the chaos step's id, and what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct DoneFault {
    /// The chaos.
    pub step: StepRun,
    pub planned: Planned,
}

impl DoneFault {
    /// The fault's own id in the events.
    pub fn id(&self) -> StepRun {
        self.step.fault(self.planned.number)
    }
}

/// What the chaos of a suite did, and what it may do.
#[derive(Debug, Default)]
pub struct Faults {
    /// Only these faults, by their ids, if a schedule is being shrunk.
    pub only: Option<BTreeSet<StepRun>>,
    done: Mutex<Vec<DoneFault>>,
}

impl Faults {
    /// Whether a fault is among those to do.
    pub fn wants(&self, id: &StepRun) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(id))
    }

    fn all(&self) -> MutexGuard<'_, Vec<DoneFault>> {
        self.done.lock().expect("no holder panics")
    }

    /// Records that a fault was done.
    pub fn push(&self, step: &StepRun, planned: &Planned) {
        self.all().push(DoneFault { step: step.clone(), planned: planned.clone() });
    }

    pub fn done(&self) -> Vec<DoneFault> {
        self.all().clone()
    }
}
