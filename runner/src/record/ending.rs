//! How a whole run ended, apart from the results of its suites.

use super::{RunRecord, decided};
use crate::event::Verdict;

/// The exit status of a run in which something failed.
const FAILED: u8 = 1;
/// The exit status of a run whose rig failed.
const RIG: u8 = 3;

impl RunRecord {
    /// No suite failed or broke, but the exit status is that of a broken rig: not
    /// everything that the run created could be removed at its end.
    pub fn left_something(&self) -> bool {
        self.ended_only_with(RIG)
    }

    /// No suite that counts failed, but the run did: with `--flaky fail`, suites that passed only on a retry fail
    /// it.
    pub fn failed_by_flaky(&self) -> bool {
        self.flaky() > 0 && self.ended_only_with(FAILED)
    }

    /// The run has this exit status although all its suites passed.
    fn ended_only_with(&self, exit: u8) -> bool {
        let suites: Vec<Verdict> = self.decisive().map(|s| s.verdict).collect();
        let fine = matches!(decided(&suites), Verdict::Passed | Verdict::Skipped);
        fine && self.ended.as_ref().is_some_and(|end| end.exit == exit && end.signal.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Event, RunStarted, Stamped},
        report::trouble,
    };

    fn ended(exit: u8) -> RunRecord {
        let started = RunStarted {
            run: "r".into(),
            kplan: "0".into(),
            seed: 1,
            backend: "embedded".into(),
            command: Vec::new(),
            suites: 0,
            attempts: 1,
        };
        let all = [Event::RunStarted(started), Event::RunEnded { exit, signal: None }];
        let stamped = all.map(|event| Stamped {
            at: jiff::Timestamp::UNIX_EPOCH,
            mono_us: 1,
            suite: None,
            event,
        });
        RunRecord::fold(stamped).expect("a run")
    }

    #[test]
    fn what_could_not_be_removed_is_headed_as_the_exit_status_says() {
        assert_eq!((ended(0).verdict(), trouble::of_run(&ended(0))), (Verdict::Skipped, None));
        let left = ended(3);
        assert_eq!(left.verdict(), Verdict::Broken);
        let why = trouble::of_run(&left).unwrap_or_default();
        assert!(why.contains("kplan clean r"), "{why}");
    }
}
