//! Finds which faults of a failing schedule are needed: delta debugging (Zeller's ddmin) with a limit on
//! the tries. A state machine, so that its tests need no cluster.

/// Searches for a smaller set of things that still fails.
#[derive(Debug)]
pub struct Shrinker {
    /// The smallest set that is known to fail, as indexes.
    fewest: Vec<usize>,
    /// Into how many parts the set is split now.
    parts: usize,
    /// Which part, and after the parts which complement, is tried next.
    next: usize,
    /// How many tries are left.
    left: u32,
}

impl Shrinker {
    /// All `things` together fail; `most` is the number of tries.
    pub fn new(things: usize, most: u32) -> Self {
        Self { fewest: (0..things).collect(), parts: 2, next: 0, left: most }
    }

    /// The smallest set known to fail.
    pub fn fewest(&self) -> &[usize] {
        &self.fewest
    }

    /// The set to try next; none when no smaller one can be found, or the tries are used up.
    pub fn propose(&mut self) -> Option<Vec<usize>> {
        if self.fewest.len() < 2 || self.left == 0 || self.parts > self.fewest.len() {
            return None;
        }
        self.left -= 1;
        Some(self.candidate())
    }

    fn candidate(&self) -> Vec<usize> {
        let part = self.next % self.parts;
        let len = self.fewest.len();
        let (from, to) = (part * len / self.parts, (part + 1) * len / self.parts);
        let of_part = |i: usize| (from..to).contains(&i);
        let rest = self.next >= self.parts;
        let kept = self.fewest.iter().enumerate().filter(|(i, _)| of_part(*i) != rest);
        kept.map(|(_, thing)| *thing).collect()
    }

    /// Takes the result of the set that [`Self::propose`] returned.
    pub fn reported(&mut self, fails: bool) {
        if fails {
            let was_rest = self.next >= self.parts;
            self.fewest = self.candidate();
            self.parts = if was_rest { (self.parts - 1).max(2) } else { 2 };
            self.next = 0;
            return;
        }
        self.next += 1;
        // With two parts each rest is the other part.
        let ways = if self.parts == 2 { 2 } else { 2 * self.parts };
        if self.next < ways {
            return;
        }
        self.next = 0;
        self.parts = if self.parts >= self.fewest.len() {
            usize::MAX
        } else {
            (self.parts * 2).min(self.fewest.len())
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shrink(things: usize, most: u32, fails: impl Fn(&[usize]) -> bool) -> (Vec<usize>, u32) {
        let mut shrinker = Shrinker::new(things, most);
        let mut tries = 0;
        while let Some(set) = shrinker.propose() {
            assert!(!set.is_empty() && set.len() < shrinker.fewest().len(), "{set:?}");
            tries += 1;
            shrinker.reported(fails(&set));
        }
        (shrinker.fewest().to_vec(), tries)
    }

    #[test]
    fn the_needed_faults_are_found_wherever_they_are() {
        for things in 1..=20 {
            for a in 0..things {
                for b in a..things {
                    let fails = |set: &[usize]| set.contains(&a) && set.contains(&b);
                    let (fewest, tries) = shrink(things, 1_000, fails);
                    let needed = if a == b { vec![a] } else { vec![a, b] };
                    assert_eq!(fewest, needed, "of {things}");
                    assert!(tries <= 60, "{tries} tries for {a} and {b} of {things}");
                }
            }
        }
    }

    #[test]
    fn tries_are_bounded_and_what_is_left_still_fails() {
        let needed = [1, 5, 9];
        let fails = |set: &[usize]| needed.iter().all(|n| set.contains(n));
        for most in 0..30 {
            let (fewest, tries) = shrink(12, most, fails);
            assert!(tries <= most && fails(&fewest));
        }
    }

    #[test]
    fn a_failure_that_does_not_come_again_shrinks_nothing() {
        assert_eq!(shrink(6, 100, |_| false).0.len(), 6);
        assert_eq!(shrink(0, 100, |_| true), (vec![], 0));
        assert_eq!(shrink(6, 100, |_| true).0.len(), 1);
    }
}
