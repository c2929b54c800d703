//! The identity of a message, which is written into it, and the keys of messages.

pub mod keys;
pub mod payload;
