//! Why the text of a scalar is not accepted.

use crate::diagnostic::{Code, Help};

/// The reason why a text cannot be read.
#[derive(Debug)]
pub(crate) struct TextError {
    pub code: Code,
    pub message: String,
    pub help: Option<Help>,
}

impl TextError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    pub(crate) fn help(self, help: impl Into<Help>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}
