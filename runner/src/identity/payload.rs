//! A message's identity, inside its value: headers would be dropped silently by Kafka 0.10.
//!
//! | bytes | meaning (little-endian) |
//! |---|---|
//! | 0..4 | magic `kpl1` |
//! | 4..8 | CRC-32C of everything after these eight bytes |
//! | 8..16 | hash of the run's id |
//! | 16..18 | the producing client's number |
//! | 18..20 | its life |
//! | 20..24 | the partition that it chose |
//! | 24..32 | the sequence number in (client, life, partition) |
//! | 32..40 | intended send time, monotonic microseconds |
//! | 40..44 | bytes of the whole value |
//! | 44..48 | flags ([`FLAG_TRANSACTIONAL`], [`FLAG_COPY`]) |
//! | 48.. | filler, a function of the sequence number |
//!
//! A copy's filler begins at 64; before it stands the identity of its [`Original`]:
//!
//! | bytes | meaning (little-endian) |
//! |---|---|
//! | 48..50 | the client's number; 0: the original carries no identity |
//! | 50..52 | its life |
//! | 52..56 | the partition that it chose |
//! | 56..64 | the sequence number, or [`foreign_hash`] of the original's key and value |

use super::{prefixes::Numbered, text::TextId};

/// The least bytes that hold an identity.
pub const MIN_PAYLOAD: usize = 48;
/// The message was sent inside a transaction.
pub const FLAG_TRANSACTIONAL: u32 = 1;
/// The message is a copy, and names its original.
pub const FLAG_COPY: u32 = 2;
/// The least bytes of a copy.
pub const MIN_COPY: usize = 64;

const MAGIC: [u8; 4] = *b"kpl1";
/// Length of the filler's pattern.
const PATTERN: usize = 4096;

/// The identity of a message: its sender and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// [`run_hash`] of the run's id.
    pub run: u64,
    /// The client's number.
    pub client: u16,
    pub life: u16,
    /// The partition that it chose.
    pub partition: u32,
    /// The sequence number in (client, life, partition), from 0.
    pub seq: u64,
    /// Intended send time, monotonic microseconds.
    pub intended_us: i64,
    /// [`FLAG_TRANSACTIONAL`].
    pub flags: u32,
}

/// The message that a copy is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Original {
    /// Its client's number; 0 if it carries no identity.
    pub client: u16,
    /// The client's life.
    pub life: u16,
    /// The partition that its producer chose, or, without identity, that it was read from.
    pub partition: u32,
    /// Its sequence number; without identity [`foreign_hash`] of its key and value.
    pub seq: u64,
}

/// The result of decoding a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A message of this run, its checksum right.
    Identity(Identity),
    /// A message whose value the plan wrote, or what a service made of one: an identity of this run stands in it as
    /// text. See [`super::MessageParts::decode`].
    Text(TextId),
    /// A message that a client of another program sent in this run: see [`super::prefixes`].
    Numbered(Numbered),
    /// Not a message of this run's clients.
    Foreign,
    /// It claims to be of this run, but its checksum or its length is wrong.
    Corrupt,
}

/// The filler's source: bytes that neither compress to nothing nor look random.
static FILLER: [u8; 2 * PATTERN] = filler();

const fn filler() -> [u8; 2 * PATTERN] {
    let mut bytes = [0; 2 * PATTERN];
    let (mut i, mut state) = (0, 0x2545_F491_4F6C_DD1D_u64);
    while i < PATTERN {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let letter = b'a' + (state >> 33) as u8 % 26;
        bytes[i] = letter;
        bytes[i + PATTERN] = letter;
        i += 1;
    }
    bytes
}

/// A hash of a run's id (FNV-1a, 64 bits): the same on every machine and in every version.
pub fn run_hash(run: &str) -> u64 {
    fnv1a(FNV_START, run.as_bytes())
}

/// A hash of a message that carries no identity: its key, then its value, each with its length;
/// a missing one differs from an empty one.
pub fn foreign_hash(key: Option<&[u8]>, value: Option<&[u8]>) -> u64 {
    [key, value].iter().fold(FNV_START, |hash, part| match part {
        Some(bytes) => fnv1a(fnv1a(hash, &(bytes.len() as u64).to_le_bytes()), bytes),
        None => fnv1a(hash, &u64::MAX.to_le_bytes()),
    })
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

/// Writes a message's value over `value`, whose length is kept (at least [`MIN_PAYLOAD`], or what
/// is missing is added).
pub fn encode(identity: &Identity, value: &mut Vec<u8>) {
    if value.len() < MIN_PAYLOAD {
        value.resize(MIN_PAYLOAD, 0);
    }
    let bytes = value.len() as u32;
    let mut head = [0; MIN_PAYLOAD];
    head[..4].copy_from_slice(&MAGIC);
    head[8..16].copy_from_slice(&identity.run.to_le_bytes());
    head[16..18].copy_from_slice(&identity.client.to_le_bytes());
    head[18..20].copy_from_slice(&identity.life.to_le_bytes());
    head[20..24].copy_from_slice(&identity.partition.to_le_bytes());
    head[24..32].copy_from_slice(&identity.seq.to_le_bytes());
    head[32..40].copy_from_slice(&identity.intended_us.to_le_bytes());
    head[40..44].copy_from_slice(&bytes.to_le_bytes());
    head[44..48].copy_from_slice(&identity.flags.to_le_bytes());
    value[..MIN_PAYLOAD].copy_from_slice(&head);
    let start = (identity.seq % PATTERN as u64) as usize;
    for piece in value[MIN_PAYLOAD..].chunks_mut(PATTERN) {
        piece.copy_from_slice(&FILLER[start..start + piece.len()]);
    }
    seal(value);
}

/// Writes a copy's value, as [`encode`] does; at least [`MIN_COPY`] bytes.
pub fn encode_copy(identity: &Identity, original: &Original, value: &mut Vec<u8>) {
    if value.len() < MIN_COPY {
        value.resize(MIN_COPY, 0);
    }
    encode(&Identity { flags: identity.flags | FLAG_COPY, ..*identity }, value);
    value[48..50].copy_from_slice(&original.client.to_le_bytes());
    value[50..52].copy_from_slice(&original.life.to_le_bytes());
    value[52..56].copy_from_slice(&original.partition.to_le_bytes());
    value[56..64].copy_from_slice(&original.seq.to_le_bytes());
    seal(value);
}

fn seal(value: &mut [u8]) {
    let crc = crc32c::crc32c(&value[8..]);
    value[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// The message that a value is a copy of; none if it is no copy. For values that [`decode`] found whole.
pub fn original(identity: &Identity, value: &[u8]) -> Option<Original> {
    if identity.flags & FLAG_COPY == 0 || value.len() < MIN_COPY {
        return None;
    }
    let word = |at: usize| value[at..at + 8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    let ids = word(48);
    Some(Original {
        client: ids as u16,
        life: (ids >> 16) as u16,
        partition: (ids >> 32) as u32,
        seq: word(56),
    })
}

/// Reads a value. A message of another run is foreign; one that shows this run's hash or kplan's
/// magic and is not whole is corrupt.
pub fn decode(value: Option<&[u8]>, run: u64) -> Decoded {
    let Some(value) = value else { return Decoded::Foreign };
    let magic = value.starts_with(&MAGIC);
    if value.len() < MIN_PAYLOAD {
        return if magic { Decoded::Corrupt } else { Decoded::Foreign };
    }
    let read = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&value[at..at + 8]);
        u64::from_le_bytes(word)
    };
    let ours = read(8) == run;
    if !magic && !ours {
        return Decoded::Foreign;
    }
    let (head, ids, tail) = (read(0), read(16), read(40));
    let whole = magic
        && tail as u32 as usize == value.len()
        && (head >> 32) as u32 == crc32c::crc32c(&value[8..]);
    if !whole {
        return Decoded::Corrupt;
    }
    if !ours {
        return Decoded::Foreign;
    }
    Decoded::Identity(Identity {
        run,
        client: ids as u16,
        life: (ids >> 16) as u16,
        partition: (ids >> 32) as u32,
        seq: read(24),
        intended_us: read(32).cast_signed(),
        flags: (tail >> 32) as u32,
    })
}

/// The intended send time of a value that [`encode`] wrote; 0 if it is too short.
pub fn intended_us(value: &[u8]) -> i64 {
    value.get(32..40).and_then(|b| b.try_into().ok()).map_or(0, i64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        Decoded, Identity, MIN_COPY, MIN_PAYLOAD, Original, decode, encode, encode_copy,
        foreign_hash, original, run_hash,
    };

    fn identity(seq: u64) -> Identity {
        Identity {
            run: run_hash("r1"),
            client: 3,
            life: 2,
            partition: 7,
            seq,
            intended_us: 1_234_567,
            flags: 1,
        }
    }

    fn encoded(seq: u64, bytes: usize) -> Vec<u8> {
        let mut value = vec![0; bytes];
        encode(&identity(seq), &mut value);
        value
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(seq: u64, bytes in 0_usize..20_000) {
            let value = encoded(seq, bytes);
            prop_assert_eq!(value.len(), bytes.max(MIN_PAYLOAD));
            prop_assert_eq!(decode(Some(&value), run_hash("r1")), Decoded::Identity(identity(seq)));
        }

        #[test]
        fn any_changed_byte_is_seen(at in 0_usize..200, change in 1_u8..) {
            let mut value = encoded(5, 200);
            value[at] ^= change;
            prop_assert_eq!(decode(Some(&value), run_hash("r1")), Decoded::Corrupt);
        }

        #[test]
        fn garbage_is_never_an_identity(value: Vec<u8>) {
            prop_assert_eq!(decode(Some(&value), run_hash("r1")), Decoded::Foreign);
        }
    }

    #[test]
    fn a_cut_value_is_corrupt() {
        let value = encoded(5, 200);
        for keep in [4, 20, 47, 48, 100, 199] {
            assert_eq!(decode(Some(&value[..keep]), run_hash("r1")), Decoded::Corrupt, "{keep}");
        }
    }

    #[test]
    fn a_copy_names_its_original() {
        let first = Original { client: 1, life: 3, partition: 70_000, seq: u64::MAX - 1 };
        let mut copy = vec![0; 10];
        encode_copy(&identity(5), &first, &mut copy);
        assert_eq!(copy.len(), MIN_COPY);
        let Decoded::Identity(own) = decode(Some(&copy), run_hash("r1")) else {
            panic!("a copy is a message of this run")
        };
        assert_eq!((own.seq, original(&own, &copy)), (5, Some(first)));
        assert_eq!(original(&identity(5), &encoded(5, 200)), None);
    }

    #[test]
    fn another_runs_message_is_foreign() {
        assert_eq!(decode(Some(&encoded(5, 200)), run_hash("r2")), Decoded::Foreign);
        assert_eq!(decode(None, run_hash("r1")), Decoded::Foreign);
    }

    #[test]
    fn key_and_value_are_told_apart() {
        let hash = |k: Option<&str>, v: Option<&str>| {
            foreign_hash(k.map(str::as_bytes), v.map(str::as_bytes))
        };
        let all = [
            hash(Some("a"), Some("bc")),
            hash(Some("ab"), Some("c")),
            hash(None, Some("abc")),
            hash(Some(""), Some("abc")),
            hash(Some("abc"), None),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(!all[i + 1..].contains(one));
        }
        // Stored in histories: the same in every version.
        assert_eq!(run_hash("r1"), 0x08dc_8307_b57b_e76c);
    }
}
