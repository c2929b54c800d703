//! The identity of messages that a client of another program sends: `PREFIX.N`. kplan gives each life of such a client
//! a prefix (`--value-prefix`, a whole number in Kafka's protocol), and the client counts its messages from 0.
//!
//! The prefixes of a suite stand in one file of its directory, one line each: `PREFIX CLIENT LIFE`. A life adds its own
//! before it sends, so a reader of a message finds the line of the message's prefix. Only a value that has a prefix of
//! the file is an identity: a number with a fraction of somebody else is none. Prefixes are drawn from the numbers
//! above 2,000,000,000 of ten digits that Java's `int` holds, which no present time in seconds reaches.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::payload::run_hash;

/// The least prefix, and how many there are.
const LEAST: u32 = 2_000_000_000;
const NUMBER: u32 = i32::MAX.unsigned_abs() - LEAST + 1;
/// Digits of every prefix.
const DIGITS: usize = 10;
/// The greatest number of a message, as of a sequence number: see [`super::text::MOST_SEQ`].
const MOST: u64 = super::text::MOST_SEQ;

/// A message by its prefix and its client's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The client's number.
    pub client: u16,
    pub life: u16,
    /// The client's count, from 0 in each life, over all partitions.
    pub seq: u64,
}

/// The prefixes of a suite, read again when an unknown one is seen.
#[derive(Debug)]
pub struct Prefixes {
    path: PathBuf,
    /// Bytes of the file that are in `known`.
    read: Cell<u64>,
    known: RefCell<HashMap<u32, (u16, u16)>>,
}

impl Prefixes {
    /// Those of the suite with this directory.
    pub fn of(dir: &Path) -> Self {
        Self { path: path(dir), read: Cell::new(0), known: RefCell::default() }
    }

    /// The message that a value names, if its prefix is one of the suite.
    pub fn find(&self, value: &[u8]) -> Option<Numbered> {
        let (prefix, seq) = split(value)?;
        if !self.known.borrow().contains_key(&prefix) {
            // What cannot be read now is not known: the file is there before the first message of its prefix.
            self.refresh().ok()?;
        }
        let (client, life) = *self.known.borrow().get(&prefix)?;
        Some(Numbered { client, life, seq })
    }

    fn refresh(&self) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        if file.metadata()?.len() == self.read.get() {
            return Ok(());
        }
        file.seek(SeekFrom::Start(self.read.get()))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // A line that is being written is read the next time.
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        for line in text[..whole].lines() {
            if let Some((prefix, client, life)) = entry(line) {
                // The first line of a prefix is the one that holds.
                self.known.borrow_mut().entry(prefix).or_insert((client, life));
            }
        }
        self.read.set(self.read.get() + whole as u64);
        Ok(())
    }
}

/// Takes a prefix for a life of a client and writes it into the file of the suite.
pub fn claim(dir: &Path, run: &str, client: u16, life: u16) -> io::Result<u32> {
    let all = Prefixes::of(dir);
    let first = run_hash(&format!("{run} {client} {life}")) % u64::from(NUMBER);
    for step in 0..u64::from(NUMBER) {
        let offset = u32::try_from((first + step) % u64::from(NUMBER)).unwrap_or(0);
        let prefix = LEAST + offset;
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).mode(0o600).open(&all.path)?;
        file.write_all(format!("{prefix} {client} {life}\n").as_bytes())?;
        all.refresh()?;
        if all.known.borrow().get(&prefix) == Some(&(client, life)) {
            return Ok(prefix);
        }
    }
    Err(io::Error::other("every prefix is taken"))
}

/// The number that a value of this prefix has.
pub fn number(value: &[u8], prefix: u32) -> Option<u64> {
    split(value).filter(|(own, _)| *own == prefix).map(|(_, seq)| seq)
}

fn path(dir: &Path) -> PathBuf {
    dir.join("history").join("prefixes")
}

fn entry(line: &str) -> Option<(u32, u16, u16)> {
    let mut words = line.split(' ');
    let (prefix, client, life) = (words.next()?, words.next()?, words.next()?);
    Some((prefix.parse().ok()?, client.parse().ok()?, life.parse().ok()?))
}

/// Prefix and number of a value `PREFIX.N` without leading zeros.
fn split(value: &[u8]) -> Option<(u32, u64)> {
    let (prefix, rest) = value.split_at_checked(DIGITS)?;
    let (point, number) = rest.split_first()?;
    if *point != b'.' || (number.len() > 1 && number[0] == b'0') {
        return None;
    }
    let prefix = u32::try_from(decimal(prefix)?).ok()?;
    let seq = decimal(number).filter(|seq| *seq <= MOST)?;
    Some((prefix, seq))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suite() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir(dir.path().join("history")).expect("a directory");
        dir
    }

    #[test]
    fn each_life_has_a_prefix_that_readers_find_whenever_they_began() {
        let dir = suite();
        let early = Prefixes::of(dir.path());
        assert_eq!(early.find(b"2000000000.1"), None, "there is no file yet");
        let one = claim(dir.path(), "r", 1, 1).expect("a prefix");
        let two = claim(dir.path(), "r", 1, 2).expect("a prefix");
        assert!(one != two && one >= LEAST && i32::try_from(one).is_ok());
        let of = |client, life, seq| Some(Numbered { client, life, seq });
        assert_eq!(early.find(format!("{one}.0").as_bytes()), of(1, 1, 0));
        assert_eq!(early.find(format!("{two}.17").as_bytes()), of(1, 2, 17));
        let three = claim(dir.path(), "r", 70, 900).expect("a prefix");
        assert_eq!(early.find(format!("{three}.5").as_bytes()), of(70, 900, 5));
        assert_eq!(claim(dir.path(), "r", 1, 1).expect("the same again"), one);
    }

    #[test]
    fn two_lives_never_share_a_prefix() {
        let dir = suite();
        let one = claim(dir.path(), "r", 1, 1).expect("a prefix");
        // As if another life had drawn it first.
        std::fs::write(path(dir.path()), format!("{one} 9 9\n")).expect("written");
        let other = claim(dir.path(), "r", 1, 1).expect("a prefix");
        assert_eq!(other, if one == i32::MAX.unsigned_abs() { LEAST } else { one + 1 });
        let all = Prefixes::of(dir.path());
        let owner = |prefix| all.find(format!("{prefix}.3").as_bytes()).map(|n| n.client);
        assert_eq!((owner(one), owner(other)), (Some(9), Some(1)));
    }

    #[test]
    fn only_a_whole_value_of_a_known_prefix_is_an_identity() {
        let dir = suite();
        let prefix = claim(dir.path(), "r", 1, 1).expect("a prefix");
        let all = Prefixes::of(dir.path());
        let found = |value: &str| all.find(value.as_bytes()).is_some();
        assert!(found(&format!("{prefix}.0")) && found(&format!("{prefix}.{MOST}")));
        for other in [
            format!("{}.0", if prefix == LEAST { LEAST + 1 } else { prefix - 1 }),
            format!("{prefix}"),
            format!("{prefix}."),
            format!("{prefix}.01"),
            format!("{prefix}.-1"),
            format!("{prefix}.1 "),
            format!(" {prefix}.1"),
            format!("{prefix}.{}", MOST + 1),
            format!("{prefix}.99999999999999999999999"),
            "1764417600.123456".to_owned(),
            String::new(),
        ] {
            assert!(!found(&other), "{other}");
        }
        assert_eq!(number(format!("{prefix}.42").as_bytes(), prefix), Some(42));
        assert_eq!(number(format!("{prefix}.42").as_bytes(), prefix ^ 1), None);
    }

    #[test]
    fn a_line_that_is_being_written_is_read_when_it_is_whole() {
        let dir = suite();
        let all = Prefixes::of(dir.path());
        let begin = "2000000005 1 1\n2000000006 1";
        std::fs::write(path(dir.path()), begin).expect("written");
        assert!(all.find(b"2000000005.1").is_some());
        assert_eq!(all.find(b"2000000006.1"), None);
        std::fs::write(path(dir.path()), format!("{begin}2 3\n")).expect("written");
        assert_eq!(all.find(b"2000000006.1"), Some(Numbered { client: 12, life: 3, seq: 1 }));
    }
}
