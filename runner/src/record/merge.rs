//! Several runs as one record: the parts of a suite of plans that was split between machines.

use std::{collections::BTreeSet, path::PathBuf};

use super::{RunEnd, RunRecord, SuiteRecord};
use crate::event::Verdict;

/// One of the runs that a record was merged from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedRun {
    /// Its id.
    pub run: String,
    /// Seed of its random choices.
    pub seed: u64,
    /// Its directory.
    pub dir: PathBuf,
    pub verdict: Verdict,
    /// How many of its suites count.
    pub suites: usize,
}

/// Why runs cannot be merged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotParts {
    #[error("the run {0} is named twice")]
    Twice(String),
    #[error(
        "{suite} is in the run {first} and in the run {second}: parts of a split have no suite in common"
    )]
    Common { suite: String, first: String, second: String },
}

/// The exit statuses of runs, the one that decides first: a finding, a broken rig, a mistake. A part may have nothing to do
/// (4) where others have.
const DECISIVE: [u8; 5] = [1, 3, 2, 0, 4];

impl RunRecord {
    /// One record of several runs, at least one. Suites are in the order of their files, names and combinations, whichever
    /// run had them. Each keeps the times of its own machine.
    ///
    /// # Errors
    /// When two are the same run, or have a suite in common.
    pub fn merged(mut runs: Vec<Self>) -> Result<Self, NotParts> {
        apart(&runs)?;
        runs.sort_by_key(Self::began);
        let merged: Vec<MergedRun> = runs.iter().map(part).collect();
        let ids: Vec<&str> = merged.iter().map(|one| one.run.as_str()).collect();
        let ids = ids.join(", ");
        let ended = runs.iter().map(|run| run.clock.wall_us(run.last_us)).max();
        let whole = runs.into_iter().reduce(|mut whole, run| {
            whole.info.suites += run.info.suites;
            whole.info.attempts = whole.info.attempts.max(run.info.attempts);
            whole.damaged_lines += run.damaged_lines;
            whole.ended = both(whole.ended, run.ended);
            whole.suites.extend(run.suites);
            whole
        });
        let mut whole = whole.ok_or_else(|| NotParts::Twice(String::new()))?;
        whole.last_us = ended.map_or(whole.last_us, |wall_us| whole.clock.mono_us(wall_us));
        whole.info.run = ids;
        (whole.merged, whole.dir) = (merged, PathBuf::new());
        whole.suites.sort_by(|one, other| place(one).cmp(&place(other)));
        for (number, suite) in (1..).zip(&mut whole.suites) {
            suite.number = number;
        }
        Ok(whole)
    }
}

fn part(run: &RunRecord) -> MergedRun {
    MergedRun {
        run: run.info.run.clone(),
        seed: run.info.seed,
        dir: run.dir.clone(),
        verdict: run.verdict(),
        suites: run.decisive().count(),
    }
}

/// Where a suite stands among those of all runs.
fn place(suite: &SuiteRecord) -> (&PathBuf, &str, &str, u32, u32) {
    let info = &suite.info;
    (&info.file, &info.name, &info.cell, info.repetition, info.attempt)
}

/// Checks that all are different runs, and no suite is in two of them.
fn apart(runs: &[RunRecord]) -> Result<(), NotParts> {
    let mut ids = BTreeSet::new();
    if let Some(again) = runs.iter().find(|run| !ids.insert(run.info.run.as_str())) {
        return Err(NotParts::Twice(again.info.run.clone()));
    }
    for (at, run) in runs.iter().enumerate() {
        let others = || runs[..at].iter().flat_map(|other| &other.suites);
        for suite in &run.suites {
            if let Some(other) = others().find(|other| other.same_suite(suite)) {
                let (first, second) = (other.run.clone(), suite.run.clone());
                return Err(NotParts::Common { suite: suite.title(), first, second });
            }
        }
    }
    Ok(())
}

/// How two runs ended, as one: none if one was killed.
fn both(one: Option<RunEnd>, other: Option<RunEnd>) -> Option<RunEnd> {
    let (one, other) = (one?, other?);
    let rank = |end: &RunEnd| {
        let known = DECISIVE.iter().position(|exit| *exit == end.exit);
        (end.signal.is_none(), known.unwrap_or(0))
    };
    let at_us = one.at_us.max(other.at_us);
    let worst = if rank(&other) < rank(&one) { other } else { one };
    Some(RunEnd { at_us, ..worst })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, RunStarted, Stamped, SuiteStarted};

    /// A run of these plans, begun at this second by the wall clock of a machine that was up for `up` seconds.
    fn run(
        id: &str,
        second: i64,
        up: i64,
        plans: &[(&str, Verdict)],
        exit: Option<u8>,
    ) -> RunRecord {
        let started = RunStarted {
            run: id.into(),
            kplan: "0".into(),
            seed: second.unsigned_abs(),
            backend: "embedded".into(),
            command: Vec::new(),
            suites: u32::try_from(plans.len()).unwrap_or(0),
            attempts: 1,
        };
        let stamped = |after: i64, suite, event| Stamped {
            at: jiff::Timestamp::from_second(second + after).expect("a time"),
            mono_us: (up + after) * 1_000_000,
            suite,
            event,
        };
        let mut events = vec![stamped(0, None, Event::RunStarted(started))];
        for (number, (plan, verdict)) in (1..).zip(plans) {
            let info = SuiteStarted {
                name: (*plan).into(),
                cell: String::new(),
                file: format!("{plan}.yaml").into(),
                description: None,
                tags: Vec::new(),
                params: Default::default(),
                simulated: true,
                attempt: 1,
                repetition: 1,
                steps: Vec::new(),
                sources: Default::default(),
                dir: format!("suite-{number}").into(),
            };
            events.push(stamped(1, Some(number), Event::SuiteStarted(Box::new(info))));
            let ended = Event::SuiteEnded { verdict: *verdict, reasons: Vec::new() };
            events.push(stamped(2, Some(number), ended));
        }
        events.extend(exit.map(|exit| stamped(3, None, Event::RunEnded { exit, signal: None })));
        RunRecord::fold(events).expect("a run")
    }

    const PASSED: Verdict = Verdict::Passed;

    #[test]
    fn parts_are_one_run_in_the_order_of_their_plans_and_each_keeps_its_clock() {
        let later = run("b", 1_000, 7, &[("a", PASSED), ("c", PASSED)], Some(0));
        let first = run("a", 990, 500, &[("b", Verdict::Failed)], Some(1));
        let whole = RunRecord::merged(vec![later, first]).expect("parts");
        assert_eq!(whole.info.run, "a, b");
        let suites: Vec<_> =
            whole.suites.iter().map(|s| (s.number, s.info.name.as_str())).collect();
        assert_eq!(suites, [(1, "a"), (2, "b"), (3, "c")]);
        let began: Vec<_> = whole.suites.iter().map(|s| s.wall(s.started_us).as_second()).collect();
        assert_eq!(began, [1_001, 991, 1_001]);
        assert_eq!(whole.began().as_second(), 990);
        assert_eq!((whole.last_us - whole.started_us) / 1_000_000, 13, "to the end of the last");
        assert_eq!((whole.verdict(), whole.unstarted()), (Verdict::Failed, 0));
        assert_eq!(whole.ended.as_ref().map(|end| end.exit), Some(1));
        let seeds: Vec<_> = whole.merged.iter().map(|one| (one.run.as_str(), one.seed)).collect();
        assert_eq!(seeds, [("a", 990), ("b", 1_000)]);
    }

    #[test]
    fn a_part_that_was_killed_breaks_the_whole_and_one_without_work_does_not() {
        let good = || run("a", 1, 1, &[("a", PASSED)], Some(0));
        let killed = RunRecord::merged(vec![good(), run("b", 2, 2, &[("b", PASSED)], None)]);
        let killed = killed.expect("parts");
        assert!(killed.killed() && killed.verdict() == Verdict::Broken);
        let idle = RunRecord::merged(vec![run("b", 2, 2, &[], Some(4)), good()]).expect("parts");
        assert_eq!(idle.verdict(), PASSED);
        assert_eq!(idle.ended.map(|end| end.exit), Some(0));
    }

    #[test]
    fn what_is_no_split_is_refused_with_the_reason() {
        let one = || run("a", 1, 1, &[("a", PASSED)], Some(0));
        let twice = RunRecord::merged(vec![one(), one()]).expect_err("the same");
        assert_eq!(twice.to_string(), "the run a is named twice");
        let other = run("b", 2, 2, &[("a", PASSED)], Some(0));
        let common = RunRecord::merged(vec![one(), other]).expect_err("in common");
        insta::assert_snapshot!(common, @"a is in the run a and in the run b: parts of a split have no suite in common");
    }
}
