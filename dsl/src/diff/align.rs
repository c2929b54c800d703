//! Finds which element of an old list became which element of a new list.

use std::collections::HashMap;
use std::hash::Hash;

/// A place in the old list, in the new one, or in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Both(usize, usize),
    Old(usize),
    New(usize),
}

/// The greatest number of pairs that are compared one by one.
const MOST_PAIRS: usize = 250_000;
/// Elements with less similarity (of 1000) are not the same.
const LEAST: u32 = 300;

/// Pairs two lists in order so that the similarity of the pairs is greatest. Elements with equal `key` are equal;
/// `alike` is the similarity of others: 0 to 1000.
pub(super) fn align<T, K: Hash + Eq>(
    old: &[T],
    new: &[T],
    key: impl Fn(&T) -> K,
    alike: impl Fn(&T, &T) -> u32,
) -> Vec<Pair> {
    let old_keys: Vec<K> = old.iter().map(&key).collect();
    let new_keys: Vec<K> = new.iter().map(&key).collect();
    let mut pairs = Vec::with_capacity(old.len().max(new.len()));
    let mut from = (0, 0);
    for (i, j) in anchors(&old_keys, &new_keys).into_iter().chain([(old.len(), new.len())]) {
        gap(&mut pairs, (from.0, i), (from.1, j), |a, b| {
            if old_keys[a] == new_keys[b] { 1000 } else { alike(&old[a], &new[b]).min(999) }
        });
        if i < old.len() {
            pairs.push(Pair::Both(i, j));
        }
        from = (i + 1, j + 1);
    }
    pairs
}

/// Equal elements that are certainly the same: those at both ends, and in a long list those that occur once in both
/// lists.
fn anchors<K: Hash + Eq>(old: &[K], new: &[K]) -> Vec<(usize, usize)> {
    let most = old.len().min(new.len());
    let head = (0..most).take_while(|i| old[*i] == new[*i]).count();
    let equal = |i: &usize| old[old.len() - 1 - i] == new[new.len() - 1 - i];
    let tail = (0..most - head).take_while(equal).count();
    let mut all: Vec<(usize, usize)> = (0..head).map(|i| (i, i)).collect();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    if (old_end - head) * (new_end - head) > MOST_PAIRS {
        let (a, b) = (&old[head..old_end], &new[head..new_end]);
        all.extend(unique(a, b).into_iter().map(|(i, j)| (head + i, head + j)));
    }
    all.extend((0..tail).map(|i| (old_end + i, new_end + i)));
    all
}

/// The longest sequence of elements that occur once in both lists and in the same order.
fn unique<K: Hash + Eq>(old: &[K], new: &[K]) -> Vec<(usize, usize)> {
    let mut seen: HashMap<&K, (Vec<usize>, Vec<usize>)> = HashMap::new();
    old.iter().enumerate().for_each(|(i, k)| seen.entry(k).or_default().0.push(i));
    new.iter().enumerate().for_each(|(j, k)| seen.entry(k).or_default().1.push(j));
    let mut both: Vec<(usize, usize)> = seen
        .into_values()
        .filter_map(|places| match (places.0.as_slice(), places.1.as_slice()) {
            ([i], [j]) => Some((*i, *j)),
            _ => None,
        })
        .collect();
    both.sort_unstable();
    // The longest increasing sequence, by the smallest last element for each length.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; both.len()];
    for (index, (_, j)) in both.iter().enumerate() {
        let length = ends.partition_point(|end| both[*end].1 < *j);
        before[index] = length.checked_sub(1).map(|l| ends[l]);
        ends.truncate(ends.len().max(length));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut row = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(index) = next {
        row.push(both[index]);
        next = before[index];
    }
    row.reverse();
    row
}

/// Pairs the elements between two anchors.
fn gap(
    pairs: &mut Vec<Pair>,
    old: (usize, usize),
    new: (usize, usize),
    alike: impl Fn(usize, usize) -> u32,
) {
    let (n, m) = (old.1 - old.0, new.1 - new.0);
    if n * m > MOST_PAIRS {
        // Too many to compare all pairs: they are paired by position.
        for step in 0..n.max(m) {
            let (i, j) = (old.0 + step, new.0 + step);
            match (step < n, step < m) {
                (true, true) if alike(i, j) >= LEAST => pairs.push(Pair::Both(i, j)),
                (has_old, has_new) => {
                    pairs.extend(has_old.then_some(Pair::Old(i)));
                    pairs.extend(has_new.then_some(Pair::New(j)));
                }
            }
        }
        return;
    }
    // best[i][j]: the greatest similarity of the elements from i and j on.
    let width = m + 1;
    let mut best = vec![0_u64; (n + 1) * width];
    let mut score = vec![0_u32; n * m];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            let alike = alike(old.0 + i, new.0 + j);
            score[i * m + j] = alike;
            let both =
                if alike >= LEAST { best[(i + 1) * width + j + 1] + u64::from(alike) } else { 0 };
            let one = best[(i + 1) * width + j].max(best[i * width + j + 1]);
            best[i * width + j] = both.max(one);
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < n || j < m {
        let here = best[i * width + j];
        let paired = i < n && j < m && score[i * m + j] >= LEAST;
        if paired && here == best[(i + 1) * width + j + 1] + u64::from(score[i * m + j]) {
            pairs.push(Pair::Both(old.0 + i, new.0 + j));
            (i, j) = (i + 1, j + 1);
        } else if i < n && (j == m || best[(i + 1) * width + j] == here) {
            pairs.push(Pair::Old(old.0 + i));
            i += 1;
        } else {
            pairs.push(Pair::New(new.0 + j));
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(old: &str, new: &str) -> Vec<Pair> {
        let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
        let alike = |a: &char, b: &char| if a.eq_ignore_ascii_case(b) { 500 } else { 0 };
        align(&old, &new, |c| *c, alike)
    }

    #[test]
    fn the_like_are_paired_and_the_rest_left_over() {
        use Pair::{Both, New, Old};
        assert_eq!(of("abc", "abc"), [Both(0, 0), Both(1, 1), Both(2, 2)]);
        assert_eq!(of("abc", "aC"), [Both(0, 0), Old(1), Both(2, 1)]);
        assert_eq!(of("ab", "xab"), [New(0), Both(0, 1), Both(1, 2)]);
        assert_eq!(of("", "a"), [New(0)]);
        assert_eq!(of("ab", "ba"), [Old(0), Both(1, 0), New(1)]);
    }

    #[test]
    fn long_lists_are_paired_by_what_stands_once() {
        let old: Vec<u32> = (0..5_000).collect();
        let mut new: Vec<u32> = (0..5_000).rev().take(1_000).collect();
        new.extend(0..4_000);
        let pairs = align(&old, &new, |n| *n, |_, _| 0);
        let both = pairs.iter().filter(|p| matches!(p, Pair::Both(..))).count();
        assert_eq!(both, 4_000);
        let (left, right) =
            (pairs.iter().filter(|p| matches!(p, Pair::Old(_))).count(), pairs.len());
        assert_eq!((left, right), (1_000, 6_000));
    }
}
