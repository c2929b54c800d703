//! A message's identity as a short text, `message.id` in a plan: for messages whose value the plan writes. A service
//! can carry the text into any field of any format, so what it makes of a message is found by it.
//!
//! `kp-RRRRRTT-C-L-P-S-KKKK`: lower-case letters and digits in base 36, at most [`LONGEST`] characters, safe in JSON,
//! XML, URLs, SQL and file names.
//!
//! | part | meaning |
//! |---|---|
//! | `RRRRR` | hash of the run's id |
//! | `TT` | number of the topic that the message was sent to, in this run |
//! | `C`, `L`, `P` | the producing client's number, its life, the partition that it chose |
//! | `S` | the sequence number in (client, life, partition) |
//! | `KKKK` | check digits over all before them |
//!
//! The check digits tell an identity from a text that only looks like one, and from one that was cut off: a text with
//! wrong check digits is no identity.

use memchr::memmem;

/// The most characters of an identity.
pub const LONGEST: usize = 40;
/// The most topics of a run that have numbers.
pub const MOST_TOPICS: u16 = 36 * 36;
/// The greatest partition that an identity can name: librdkafka's opaque has no more bits for it, see the outbox.
pub const MOST_PARTITION: u32 = (1 << 20) - 1;
/// The greatest sequence number, likewise.
pub const MOST_SEQ: u64 = (1 << 44) - 1;

const START: &[u8] = b"kp-";
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Digits of the run, the topic and the check.
const RUN: usize = 5;
const TOPIC: usize = 2;
const CHECK: usize = 4;

/// A message of a run, as its text names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextId {
    /// The number of its topic, below [`MOST_TOPICS`].
    pub topic: u16,
    /// Its producer's number.
    pub client: u16,
    /// Its producer's life.
    pub life: u16,
    /// Its partition, at most [`MOST_PARTITION`].
    pub partition: u32,
    /// Its sequence number, at most [`MOST_SEQ`].
    pub seq: u64,
}

impl TextId {
    /// Appends the text; `run` is [`super::payload::run_hash`] of the run's id.
    pub fn write(&self, run: u64, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(START);
        fixed::<RUN>(run_digits(run), out);
        fixed::<TOPIC>(self.topic.into(), out);
        let parts = [self.client.into(), self.life.into(), self.partition.into(), self.seq];
        for part in parts {
            out.push(b'-');
            number(part, out);
        }
        out.push(b'-');
        let check = check(&out[begin..]);
        fixed::<CHECK>(check, out);
    }

    /// The identities of this run in some bytes, in their order; one pass.
    pub fn all(bytes: &[u8], run: u64) -> impl Iterator<Item = Self> {
        memmem::find_iter(bytes, START).filter_map(move |at| Self::read(&bytes[at..], run))
    }

    /// Reads the identity with which the bytes begin.
    fn read(bytes: &[u8], run: u64) -> Option<Self> {
        let mut rest = Digits { bytes, at: START.len() };
        let (of_run, topic) = (rest.fixed(RUN)?, rest.fixed(TOPIC)?);
        if of_run != run_digits(run) {
            return None;
        }
        let [client, life, partition, seq] =
            [rest.part()?, rest.part()?, rest.part()?, rest.part()?];
        rest.dash()?;
        let body = &bytes[..rest.at];
        if rest.fixed(CHECK)? != check(body) {
            return None;
        }
        Some(Self {
            topic: topic.try_into().ok()?,
            client: client.try_into().ok()?,
            life: life.try_into().ok()?,
            partition: partition.try_into().ok()?,
            seq,
        })
    }
}

/// As much of a run's hash as an identity holds.
fn run_digits(run: u64) -> u64 {
    run % 36_u64.pow(RUN as u32)
}

fn check(body: &[u8]) -> u64 {
    u64::from(crc32c::crc32c(body)) % 36_u64.pow(CHECK as u32)
}

/// Appends a number with a fixed number of digits.
fn fixed<const N: usize>(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 36) as usize];
        number /= 36;
    }
    out.extend_from_slice(&digits);
}

/// Appends a number without leading zeros.
fn number(mut number: u64, out: &mut Vec<u8>) {
    let begin = out.len();
    loop {
        out.push(DIGITS[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    out[begin..].reverse();
}

/// Reads the digits of an identity.
struct Digits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Digits<'_> {
    fn digit(&mut self) -> Option<u64> {
        let value = match *self.bytes.get(self.at)? {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'a'..=b'z' => letter - b'a' + 10,
            _ => return None,
        };
        self.at += 1;
        Some(value.into())
    }

    fn fixed(&mut self, digits: usize) -> Option<u64> {
        (0..digits).try_fold(0, |number, _| Some(number * 36 + self.digit()?))
    }

    fn dash(&mut self) -> Option<()> {
        let found = self.bytes.get(self.at) == Some(&b'-');
        self.at += usize::from(found);
        found.then_some(())
    }

    /// A dash and a number, which has no leading zeros and at most nine digits.
    fn part(&mut self) -> Option<u64> {
        self.dash()?;
        let begin = self.at;
        let mut number = self.digit()?;
        while let Some(digit) = self.digit() {
            if self.at - begin > 9 || number == 0 {
                return None;
            }
            number = number * 36 + digit;
        }
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::payload::run_hash;

    fn written(id: TextId, run: &str) -> Vec<u8> {
        let mut out = Vec::new();
        id.write(run_hash(run), &mut out);
        out
    }

    const ID: TextId = TextId { topic: 1, client: 3, life: 2, partition: 7, seq: 123_456 };

    fn first(bytes: &[u8], run: u64) -> Option<TextId> {
        TextId::all(bytes, run).next()
    }

    #[test]
    fn an_identity_is_short_and_safe_in_every_format() {
        let text = String::from_utf8(written(ID, "r1")).expect("ASCII");
        assert!(text.starts_with("kp-") && text.contains("01-3-2-7-2n9c-"), "{text}");
        let most = TextId {
            topic: MOST_TOPICS - 1,
            client: u16::MAX,
            life: u16::MAX,
            partition: MOST_PARTITION,
            seq: MOST_SEQ,
        };
        let longest = written(most, "r1");
        assert_eq!(longest.len(), LONGEST);
        assert_eq!(first(&longest, run_hash("r1")), Some(most));
        let safe = [DIGITS.as_slice(), b"-"].concat();
        assert!(longest.iter().all(|b| safe.contains(b)));
    }

    proptest! {
        #[test]
        fn what_was_written_is_found_wherever_it_stands(
            topic in 0..MOST_TOPICS, client: u16, life: u16,
            partition in 0..=MOST_PARTITION, seq in 0..=MOST_SEQ,
            before in "[ -~]{0,60}", after in "([^0-9a-z].{0,60})?",
        ) {
            let id = TextId { topic, client, life, partition, seq };
            let mut text = before.into_bytes();
            text.extend(written(id, "r1"));
            text.extend(after.into_bytes());
            prop_assert_eq!(first(&text, run_hash("r1")), Some(id));
            prop_assert_eq!(first(&text, run_hash("r2")), None);
        }

        #[test]
        fn a_changed_or_cut_text_is_no_identity(at in 0_usize..26, change in 1_u8.., keep in 0_usize..26) {
            let whole = written(ID, "r1");
            let mut text = whole.clone();
            let at = at % whole.len();
            text[at] ^= change;
            prop_assert_eq!(first(&text, run_hash("r1")), None);
            prop_assert_eq!(first(&whole[..keep.min(whole.len() - 1)], run_hash("r1")), None);
        }

        #[test]
        fn garbage_is_no_identity(bytes: Vec<u8>) {
            prop_assert_eq!(first(&bytes, run_hash("r1")), None);
        }
    }

    #[test]
    fn the_second_text_is_found_if_the_first_is_none() {
        let mut text = b"kp-kp-00000-1-".to_vec();
        text.extend(written(TextId { seq: 1, ..ID }, "another run"));
        text.extend(b"&next=");
        text.extend(written(ID, "r1"));
        assert_eq!(first(&text, run_hash("r1")), Some(ID));
    }

    #[test]
    fn every_identity_of_a_text_is_found_in_its_order() {
        let mut text = Vec::new();
        for seq in [7, 3, 7] {
            text.extend(b"{\"of\": \"");
            text.extend(written(TextId { seq, ..ID }, "r1"));
            text.extend(b"\"}");
        }
        let seqs: Vec<u64> = TextId::all(&text, run_hash("r1")).map(|id| id.seq).collect();
        assert_eq!(seqs, [7, 3, 7]);
    }

    #[test]
    fn what_follows_the_check_digits_does_not_hide_an_identity() {
        let mut text = written(ID, "r1");
        text.extend(b"x.json");
        assert_eq!(first(&text, run_hash("r1")), Some(ID));
    }
}
