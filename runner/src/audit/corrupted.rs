//! **corrupted**: the payload does not match its checksum.
//!
//! Counted once for each partition and offset: in the log, and where the log is in order (or holds
//! nothing there any more) in a delivery. Its identity cannot be trusted, so no client is named, and
//! it is no `phantom`.

use super::book::{Book, Case, Part, Spot};
use super::digest::Digest;
use super::set::Set;
use std::collections::BTreeMap;

pub(super) fn judge(digest: &Digest<'_>) -> Book {
    let mut book = Book::default();
    digest.doubt_unread(&mut book);
    for (part, log) in &digest.logs {
        let spot = Spot::of(*part, None);
        book.judged(spot, log.data.len());
        book.found(spot, log.corrupt.len());
        for offset in log.corrupt.iter().take(book.room(spot)) {
            book.show(spot, || text("the checksum is wrong in the log").at(offset));
        }
    }
    let mut counted: BTreeMap<Part, Set> = BTreeMap::new();
    for group in digest.groups.by.values() {
        for (part, taken) in &group.parts {
            let spot = Spot { group: Some(group.number), ..Spot::of(*part, None) };
            let known = counted.entry(*part).or_default();
            let fresh = taken.corrupt.minus(known);
            known.unite(&fresh);
            book.judged(spot, fresh.len());
            book.found(spot, fresh.len());
            for offset in fresh.iter().take(book.room(spot)) {
                book.show(spot, || text("the checksum was wrong when delivered").at(offset));
            }
        }
    }
    book
}

fn text(text: &str) -> Case {
    Case { text: text.to_owned(), ..Case::default() }
}

#[cfg(test)]
mod tests {
    use crate::audit::Measure;
    use crate::audit::testing::{Fate, World};
    use crate::history::Mark;

    #[test]
    fn in_the_log_and_on_the_way() {
        let mut w = World::new(1);
        w.send((1, 1), 0, 10, Fate::Acked);
        w.read_all((10, 1));
        assert_eq!(w.count(Measure::Corrupted), 0);
        if let Some(log) = w.log.get_mut(&0) {
            log[4].mark = Mark::Corrupt;
        }
        for given in w.taken.values_mut().flatten().filter(|r| [4, 7].contains(&r.first_offset)) {
            given.mark = Mark::Corrupt;
        }
        assert_eq!(w.count(Measure::Corrupted), 2);
        assert_eq!(w.count(Measure::Phantom), 0);
        assert_eq!(w.count(Measure::Undelivered), 0);
        assert_eq!(w.count(Measure::Diverged), 0);
    }
}
