//! A buffer that makes decoding an untrusted answer safe.
//!
//! `kafka-protocol` reserves room for as many elements as an array's length claims before it reads
//! the first one: a length of two thousand million in a damaged answer would end the process, since
//! a failed allocation aborts. Lengths cannot be distinguished from other numbers while decoding, so
//! [`Guarded`] refuses every 32-bit and variable-length number above [`LARGEST`]. No field that
//! kplan reads (node numbers, ports, epochs, counts, times, sizes of record batches) comes near it.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::buf::ByteBuf;

/// The largest 32-bit or variable-length number that an answer may hold.
pub const LARGEST: u32 = 1 << 22;

/// The rest of an answer, refusing absurd numbers.
#[derive(Debug)]
pub struct Guarded {
    rest: Bytes,
    /// The variable-length number being read, and how many bits of it.
    varint: (u64, u32),
}

impl Guarded {
    /// Guards `answer`.
    pub fn new(answer: Bytes) -> Self {
        Self { rest: answer, varint: (0, 0) }
    }

    /// What stands for "absurd": more was asked than there is.
    fn refuse(&self, number: u64) -> TryGetError {
        TryGetError {
            requested: usize::try_from(number).unwrap_or(usize::MAX),
            available: self.rest.len(),
        }
    }
}

impl Buf for Guarded {
    fn remaining(&self) -> usize {
        self.rest.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.rest.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.rest.advance(count);
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let number = self.rest.try_get_i32()?;
        match u32::try_from(number) {
            Ok(n) if n > LARGEST => Err(self.refuse(u64::from(n))),
            _ => Ok(number),
        }
    }

    /// Variable-length numbers are read byte by byte, the high bit says that more follow. A boolean
    /// or an 8-bit number never has enough of those in a row to be refused by mistake.
    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let byte = self.rest.try_get_u8()?;
        let (value, bits) = self.varint;
        let value = value | (u64::from(byte & 0x7f) << bits.min(35));
        if value > u64::from(LARGEST) {
            return Err(self.refuse(value));
        }
        self.varint = if byte & 0x80 == 0 { (0, 0) } else { (value, bits + 7) };
        Ok(byte)
    }
}

impl ByteBuf for Guarded {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.rest.slice(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.rest.split_to(size)
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::{messages::MetadataResponse, protocol::Decodable};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn absurd_array_lengths_are_refused_in_both_encodings() {
        for version in [1, 12] {
            let huge: &[u8] = if version < 9 {
                &[0x7f, 0xff, 0xff, 0xff, 0, 0]
            } else {
                &[0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]
            };
            let mut guarded = Guarded::new(Bytes::from_static(huge));
            let error = MetadataResponse::decode(&mut guarded, version).expect_err("absurd");
            assert!(error.to_string().contains("requested 2"), "{error}");
        }
    }

    #[test]
    fn ordinary_numbers_pass() {
        let mut guarded = Guarded::new(Bytes::from_static(&[
            0xff, 0xff, 0xff, 0xff, 0, 0, 0x23, 0x84, 0x80, 0x80, 0x40, 0xff, 0,
        ]));
        assert_eq!(guarded.try_get_i32(), Ok(-1));
        assert_eq!(guarded.try_get_i32(), Ok(9092));
        for expected in [0x80, 0x80, 0x40, 0xff, 0] {
            assert_eq!(guarded.try_get_u8(), Ok(expected));
        }
        assert!(guarded.try_get_u8().is_err());
    }

    proptest! {
        #[test]
        fn junk_never_panics(junk in proptest::collection::vec(any::<u8>(), 0..600), version in 0i16..=13) {
            let _ = MetadataResponse::decode(&mut Guarded::new(Bytes::from(junk)), version);
        }
    }
}
