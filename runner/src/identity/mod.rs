//! Who sent a message: the identity that is written into it, and the keys that carry it.

pub mod keys;
pub mod payload;
