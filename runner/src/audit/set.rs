//! Sets of sequence numbers and offsets: roaring bitmaps with operations on ranges.

use roaring::RoaringTreemap;
use std::ops::Range;

/// The numbers that share one of the bitmap's containers.
const CONTAINER: u64 = 1 << 16;

/// A set of `u64`. Full containers cost next to nothing, others a bit for each number they could
/// hold, or two bytes for each they hold if that is less.
///
/// A range that begins a container is not added as a range: that would make the container a list of intervals,
/// which is searched from its start however long it gets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Set(RoaringTreemap);

impl Set {
    /// Adds a range; answers how many of its numbers are new.
    pub fn add(&mut self, range: Range<u64>) -> u64 {
        let mut fresh = 0;
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min((start | (CONTAINER - 1)).saturating_add(1));
            if end - start < CONTAINER {
                fresh += u64::from(self.0.insert(start));
                start += 1;
            }
            if start < end {
                fresh += self.0.insert_range(start..end);
            }
            start = end;
        }
        fresh
    }

    /// A set of one number.
    pub fn of(value: u64) -> Set {
        let mut set = Set::default();
        set.0.insert(value);
        set
    }

    /// How many numbers of the range are in the set.
    pub fn count(&self, range: Range<u64>) -> u64 {
        self.0.range_cardinality(range)
    }

    pub fn has(&self, value: u64) -> bool {
        self.0.contains(value)
    }

    pub fn len(&self) -> u64 {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn max(&self) -> Option<u64> {
        self.0.max()
    }

    /// The numbers of the range that are in the set, ascending.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = u64> + '_ {
        let mut iter = self.0.iter();
        iter.advance_to(range.start);
        iter.take_while(move |v| *v < range.end)
    }

    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter()
    }

    /// The part of the set that lies in a range.
    pub fn cut(&self, range: Range<u64>) -> Set {
        let mut part = Set::default();
        if self.count(range.clone()) == range.end.saturating_sub(range.start) {
            part.add(range);
        } else {
            self.within(range).for_each(|v| _ = part.add(v..v + 1));
        }
        part
    }

    /// Leaves only the numbers of the range.
    pub fn clip(&mut self, range: Range<u64>) {
        self.0.remove_range(..range.start);
        self.0.remove_range(range.end..);
    }

    pub fn drop_range(&mut self, range: Range<u64>) {
        self.0.remove_range(range);
    }

    pub fn remove(&mut self, other: &Set) {
        self.0 -= &other.0;
    }

    pub fn unite(&mut self, other: &Set) {
        self.0 |= &other.0;
    }

    pub fn minus(&self, other: &Set) -> Set {
        Set(&self.0 - &other.0)
    }

    pub fn and(&self, other: &Set) -> Set {
        Set(&self.0 & &other.0)
    }

    pub fn common(&self, other: &Set) -> u64 {
        self.0.intersection_len(&other.0)
    }

    /// Chooses the smallest form of every container. For sets that are complete: intervals are
    /// among the forms.
    pub fn shrink(&mut self) {
        self.0.optimize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_what_is_new() {
        let mut set = Set::default();
        assert_eq!(set.add(10..20), 10);
        assert_eq!(set.add(15..25), 5);
        assert_eq!(set.add(7..7), 0);
        assert_eq!(set.count(0..12), 2);
        assert_eq!(set.within(18..100).collect::<Vec<_>>(), [18, 19, 20, 21, 22, 23, 24]);
        set.clip(12..14);
        assert_eq!(set.iter().collect::<Vec<_>>(), [12, 13]);
    }

    #[test]
    fn numbers_beyond_32_bits_are_kept_apart() {
        let mut set = Set::default();
        assert_eq!(set.add((1 << 32) - 2..(1 << 32) + 2), 4);
        assert!(set.has(1 << 32) && !set.has(0));
        assert_eq!(set.count((1 << 32) - 1..(1 << 32) + 1), 2);
    }
}
