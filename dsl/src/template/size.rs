//! Limits the size of what a template makes. Multiplied lists are lazy, so their size costs no fuel; it is counted
//! before they are used.

use std::io;

use minijinja::Value;
use minijinja::value::ValueKind;

/// How deep values may be nested.
const DEEPEST: usize = 64;

/// True if the value contains at most this many values, and texts of at most this many bytes together.
pub(super) fn fits(value: &Value, values: usize, bytes: usize) -> bool {
    Count { values, bytes }.take(value, 0)
}

/// The remaining budget.
struct Count {
    values: usize,
    bytes: usize,
}

impl Count {
    fn take(&mut self, value: &Value, depth: usize) -> bool {
        let text = value.as_str().map_or(0, str::len);
        if self.values == 0 || self.bytes < text || depth > DEEPEST {
            return false;
        }
        self.values -= 1;
        self.bytes -= text;
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                value.try_iter().is_ok_and(|mut all| all.all(|v| self.take(&v, depth + 1)))
            }
            ValueKind::Map => value.try_iter().is_ok_and(|mut keys| {
                keys.all(|key| {
                    let value = value.get_item(&key).unwrap_or_default();
                    self.take(&key, depth + 1) && self.take(&value, depth + 1)
                })
            }),
            _ => true,
        }
    }
}

/// A writer that stops when the text is too long.
pub(super) struct Limited {
    bytes: Vec<u8>,
    most: usize,
}

impl Limited {
    pub fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }

    /// True if more was written than may be.
    pub fn is_full(&self) -> bool {
        self.bytes.len() > self.most
    }

    pub fn into_text(self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl io::Write for Limited {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.is_full() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // One byte above the limit shows that the text is too long.
        let room = self.most + 1 - self.bytes.len();
        let taken = part.len().min(room);
        self.bytes.extend_from_slice(&part[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
