//! The ways of asking conditions: now, until they hold, throughout a time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use kplan_dsl::{Conditions, facts::Kind, value::duration_text};

use crate::{
    cluster::Acted,
    conditions,
    event::{Finding, Holds, StepRun},
    history::now_us,
    observer::ClusterView,
    stage::{Stage, faults::Break, outcome::StepError},
};

/// How a look belongs to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looking {
    Once,
    /// Until the conditions hold, and not longer than this.
    Until(Duration),
    /// Again and again throughout a time.
    Throughout {
        last: bool,
    },
}

impl Looking {
    /// True if no other look follows: what this one does not find out stays unknown.
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
    /// How this look belongs to others.
    pub looking: Looking,
    /// Faults from before are not what is asked about.
    pub faults_from_us: i64,
}

/// How often conditions are asked again while one does not hold yet. The observer and the histories
/// are this fresh, so a wait reacts within 100 ms of the change.
pub const POLL: Duration = Duration::from_millis(25);
/// The same for conditions that need an audit, which reads the whole log.
const POLL_AUDIT: Duration = Duration::from_secs(2);

/// Between two looks at whether the machine took a node away.
const CHECK: Duration = Duration::from_secs(1);
/// Every so many of these looks is a closer one.
const CLOSER: u32 = 10;

impl Judge<'_> {
    /// The newest view of the cluster.
    pub fn view(&self) -> Result<Arc<ClusterView>, StepError> {
        self.stage.view()
    }

    /// When the newest run of a step began that a condition, or the asking step, counts from.
    pub fn since(&self, own: Option<&str>) -> Option<i64> {
        let name = own.or(self.since)?;
        let id = self.stage.step_named(name)?;
        self.stage.step_times(&id).map(|t| t.began_us)
    }

    /// What `recovered` counts from: the fault of a named step, or the last one that is breaking for a client;
    /// when it acted, and in words. Of what a program of the plan's author did only its beginning is known.
    pub fn broke(&self, own: Option<&str>, client: &str) -> Option<(Acted, String)> {
        let of = |b: Break| (Acted { from_us: b.at_us, by_us: b.by_us }, b.what);
        let breaks = &self.stage.breaks;
        let Some(name) = own.or(self.since) else { return breaks.last_for(client).map(of) };
        let id = self.stage.step_named(name)?;
        let program = || {
            let step = self.stage.plan.step_named(name)?;
            let began = self.since(Some(name)).filter(|_| step.head.facts.kind == Kind::Program)?;
            Some((began.into(), name.to_owned()))
        };
        breaks.newest_of_step(&id, client).map(of).or_else(program)
    }

    /// When the fault that [`broke`](Self::broke) tells of was over; none while it lasts, or where nobody knows.
    pub fn mended(&self, own: Option<&str>, client: &str) -> Option<i64> {
        let breaks = &self.stage.breaks;
        let fault = match own.or(self.since) {
            Some(name) => breaks.newest_of_step(&self.stage.step_named(name)?, client),
            None => breaks.last_for(client),
        };
        fault?.over_us
    }

    /// Judges every condition once, now.
    pub async fn now(&self, all: &Conditions) -> Result<Vec<Finding>, StepError> {
        Ok(self.look(all).await?.into_iter().map(|look| look.finding).collect())
    }

    /// The same, with what only those who look again and again ask for.
    pub async fn look(&self, all: &Conditions) -> Result<Vec<Looked>, StepError> {
        let look = Self { look_us: now_us(), ..*self };
        let mut looked = Vec::with_capacity(all.len());
        for condition in all.iter() {
            looked.push(conditions::look(condition, &look).await?);
        }
        Ok(looked)
    }

    /// Judges again and again until all hold at the same time or the time has run out. The findings
    /// are of the last look, each with the time at which it first held.
    pub async fn until(
        &self,
        all: &Conditions,
        within: Duration,
        poll: Option<Duration>,
    ) -> Result<Vec<Finding>, StepError> {
        let _pace = self.stage.watch_closely();
        let begun = Instant::now();
        let judge = Self { looking: Looking::Until(within), ..*self };
        let default =
            if all.iter().any(|c| conditions::needs_audit(c)) { POLL_AUDIT } else { POLL };
        let pause = poll.unwrap_or(default);
        let mut first_held: Vec<Option<u64>> = vec![None; all.len()];
        let (mut checked, mut checks) = (begun, 0_u32);
        loop {
            // What was looked at when the time was over is what the step found.
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
            // Where the time that is watched does not reach, only the last look tells.
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
    /// There was something to judge; see [`conditions::Found::covers`].
    pub covers: bool,
}

/// What is always true judges nothing, and keeps nobody waiting.
fn holds(finding: &Finding) -> bool {
    matches!(finding.holds, Holds::Yes | Holds::Unjudged)
}

/// A measured time in words, without what is below a millisecond.
pub fn in_ms(time: Duration) -> String {
    duration_text(Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
}

/// Microseconds from a moment to now as a duration; zero for the future.
pub fn since(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(now_us() - us).unwrap_or(0))
}
