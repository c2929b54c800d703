//! The identity of a message, which is written into it, and the keys of messages.

pub mod keys;
pub mod payload;
pub mod prefixes;
pub mod text;

use std::path::Path;

use payload::Decoded;
use prefixes::Prefixes;
use text::TextId;

/// What identifies the messages of a run, for those who read them.
#[derive(Debug)]
pub struct RunIds {
    /// [`payload::run_hash`] of the run's id.
    pub hash: u64,
    prefixes: Prefixes,
}

impl RunIds {
    /// Those of a run with this id; `dir` is the directory of the suite.
    pub fn of(run: &str, dir: &Path) -> Self {
        Self { hash: payload::run_hash(run), prefixes: Prefixes::of(dir) }
    }
}

/// The parts of a message in which its identity may stand.
#[derive(Clone, Copy, Debug)]
pub struct MessageParts<'m, H> {
    pub key: Option<&'m [u8]>,
    pub value: Option<&'m [u8]>,
    /// The values of its headers.
    pub headers: H,
}

impl<'m, H: Iterator<Item = &'m [u8]>> MessageParts<'m, H> {
    /// Reads the identity in the value, else the first identity as text in value, key or headers.
    pub fn decode(self, run: &RunIds) -> Decoded {
        self.decode_all(run).0
    }

    /// The same, and the identities as text behind the first one: they are looked for when they are taken.
    pub fn decode_all(self, run: &RunIds) -> (Decoded, impl Iterator<Item = TextId> + use<'m, H>) {
        let decoded = match payload::decode(self.value, run.hash) {
            Decoded::Foreign => {
                let numbered = self.value.and_then(|value| run.prefixes.find(value));
                numbered.map_or(Decoded::Foreign, Decoded::Numbered)
            }
            known => known,
        };
        let searched = if decoded == Decoded::Foreign { usize::MAX } else { 0 };
        let parts = self.value.into_iter().chain(self.key).chain(self.headers);
        let hash = run.hash;
        let mut ids = parts.take(searched).flat_map(move |bytes| TextId::all(bytes, hash));
        let decoded = ids.next().map_or(decoded, Decoded::Text);
        (decoded, ids)
    }
}
