//! When an action on a cluster took effect.

use crate::history::{RunClock, now_us};

/// The two moments between which an action took effect, in monotonic microseconds. An action (a signal, a rule,
/// a command) takes effect between its begin and its answer, and some answers come a second late: a caller with
/// a better measurement narrows the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acted {
    /// Before this moment the action had no effect.
    pub from_us: i64,
    /// From this moment on the action had taken effect on all of its targets.
    pub by_us: i64,
}

impl Acted {
    /// Between a moment and now.
    pub fn since(begun_us: i64) -> Self {
        Self { from_us: begun_us, by_us: now_us().max(begun_us) }
    }

    /// The effect of an action on several targets: from the first target to the last.
    pub fn and(self, other: Self) -> Self {
        Self { from_us: self.from_us.min(other.from_us), by_us: self.by_us.max(other.by_us) }
    }

    /// Narrowed to an interval of this machine's wall clock, in microseconds, if that lies within this one: a
    /// clock that was set meanwhile, or another machine's, is ignored.
    pub fn narrowed(self, wall: Option<(i64, i64)>, clock: &RunClock) -> Self {
        let mono = |wall_us: i64| wall_us - clock.wall_us + clock.mono_us;
        match wall.map(|(from, by)| (mono(from), mono(by))) {
            Some((from_us, by_us))
                if self.from_us <= from_us && from_us <= by_us && by_us <= self.by_us =>
            {
                Self { from_us, by_us }
            }
            _ => self,
        }
    }
}

/// An action that took effect at one known moment.
impl From<i64> for Acted {
    fn from(at_us: i64) -> Self {
        Self { from_us: at_us, by_us: at_us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCK: RunClock = RunClock { mono_us: 1_000, wall_us: 50_000 };
    const KNOWN: Acted = Acted { from_us: 100, by_us: 900 };

    #[test]
    fn another_clock_narrows_it_down() {
        let reported = KNOWN.narrowed(Some((49_200, 49_300)), &CLOCK);
        assert_eq!(reported, Acted { from_us: 200, by_us: 300 });
        assert_eq!(KNOWN.narrowed(None, &CLOCK), KNOWN);
    }

    #[test]
    fn a_clock_that_contradicts_what_is_known_is_not_believed() {
        for reported in [(49_050, 49_300), (49_200, 49_950), (49_400, 49_300)] {
            assert_eq!(KNOWN.narrowed(Some(reported), &CLOCK), KNOWN, "{reported:?}");
        }
    }

    #[test]
    fn several_are_as_early_as_the_first_and_as_late_as_the_last() {
        let two = Acted::from(50).and(KNOWN);
        assert_eq!(two, Acted { from_us: 50, by_us: 900 });
    }
}
