//! The ways to judge conditions: now, until they hold, throughout a time.

use std::time::{Duration, Instant};

use kplan_dsl::Conditions;

use super::look;
use crate::{
    event::{Finding, Holds},
    history::now_us,
    stage::{
        judge::{Judge, Looking},
        outcome::StepError,
    },
};

/// How often conditions are judged again while one does not hold yet. The observer and the histories
/// are updated as often, so a wait reacts within 100 ms of the change.
const POLL: Duration = Duration::from_millis(25);
/// The same for conditions that need an audit, which reads the whole log.
const POLL_AUDIT: Duration = Duration::from_secs(2);

/// Time between two checks whether a node was ended from outside.
const CHECK: Duration = Duration::from_secs(1);
/// Every so many of these checks look at every node.
const CLOSER: u32 = 10;

impl Judge<'_> {
    /// Judges every condition once, now.
    pub async fn now(&self, all: &Conditions) -> Result<Vec<Finding>, StepError> {
        Ok(self.look(all).await?.into_iter().map(|look| look.finding).collect())
    }

    /// The same, with what only repeated looks need.
    pub async fn look(&self, all: &Conditions) -> Result<Vec<Looked>, StepError> {
        let now = Self { look_us: now_us(), ..*self };
        let mut looked = Vec::with_capacity(all.len());
        for condition in all.iter() {
            looked.push(look(condition, &now).await?);
        }
        Ok(looked)
    }

    /// Judges repeatedly until all hold at the same time or the time has run out. The findings
    /// are those of the last look, each with the time at which it first held.
    pub async fn until(
        &self,
        all: &Conditions,
        within: Duration,
        poll: Option<Duration>,
    ) -> Result<Vec<Finding>, StepError> {
        let _pace = self.stage.watch_closely();
        let begun = Instant::now();
        let judge = Self { looking: Looking::Until(within), ..*self };
        let default = if all.iter().any(|c| c.reads_log()) { POLL_AUDIT } else { POLL };
        let pause = poll.unwrap_or(default);
        let mut first_held: Vec<Option<u64>> = vec![None; all.len()];
        let (mut checked, mut checks) = (begun, 0_u32);
        loop {
            // The look at the end of the time gives the step's findings.
            let over = within.saturating_sub(begun.elapsed()).is_zero();
            let mut findings = judge.now(all).await?;
            let after_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            for (finding, first) in findings.iter_mut().zip(&mut first_held) {
                if holds(finding) {
                    first.get_or_insert(after_ms);
                } else {
                    *first = None;
                }
                finding.after_ms = *first;
            }
            let left = within.saturating_sub(begun.elapsed());
            if findings.iter().all(holds) || over {
                return Ok(findings);
            }
            if checked.elapsed() > CHECK {
                checks += 1;
                if checks.is_multiple_of(CLOSER) {
                    self.stage.rig_stands_closely().await?;
                } else {
                    self.stage.rig_stands().await?;
                }
                checked = Instant::now();
            }
            self.stage.waiting(self.step, &findings, left);
            tokio::time::sleep(pause.min(left)).await;
        }
    }

    /// Judges throughout a time: the first look at which one does not hold ends it.
    pub async fn throughout(
        &self,
        all: &Conditions,
        time: Duration,
    ) -> Result<Vec<Finding>, StepError> {
        let _pace = self.stage.watch_closely();
        let begun = Instant::now();
        loop {
            let left = time.saturating_sub(begun.elapsed());
            let last = left.is_zero();
            let judge = Self { looking: Looking::Throughout { last }, ..*self };
            let looked = judge.look(all).await?;
            // Outside of the judged time only the last look counts.
            let bad = |look: &Looked| !holds(&look.finding) && (look.covers || last);
            let ends = last || looked.iter().any(bad);
            let at = begun.elapsed().as_secs_f64();
            let mut findings: Vec<Finding> = looked.into_iter().map(|l| l.finding).collect();
            if ends {
                let wrong = findings.iter_mut().filter(|f| !holds(f));
                wrong.for_each(|f| f.evidence.push(format!("seen {at:.1} s into the {time:?}")));
                return Ok(findings);
            }
            self.stage.waiting(self.step, &findings, left);
            tokio::time::sleep(POLL.min(left)).await;
        }
    }
}

/// What a look at one condition found.
#[derive(Clone, Debug)]
pub struct Looked {
    pub finding: Finding,
    /// There was something to judge; see [`Found::covers`](super::Found::covers).
    pub covers: bool,
}

/// A condition that is always true judges nothing, and delays no wait.
fn holds(finding: &Finding) -> bool {
    matches!(finding.holds, Holds::Yes | Holds::Unjudged)
}
