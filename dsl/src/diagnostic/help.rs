//! How a mistake can be corrected, as a sentence and, where it is certain enough, as an edit.

/// A correction that an editor can apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Replace a word inside the marked text by another one.
    Replace {
        /// The word that is wrong.
        wrong: String,
        /// The word that is probably meant.
        right: String,
    },
    /// Add this key to the map whose word is marked.
    AddKey(&'static str),
}

/// The help of a diagnostic: a sentence, and the correction that it describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help {
    /// The sentence.
    pub text: String,
    /// The correction, if there is one.
    pub fix: Option<Fix>,
}

impl Help {
    /// The question whether another word is meant.
    pub fn did_you_mean(wrong: impl Into<String>, right: impl Into<String>) -> Self {
        let (wrong, right) = (wrong.into(), right.into());
        let text = format!("did you mean `{right}`?");
        Self { text, fix: Some(Fix::Replace { wrong, right }) }
    }

    /// A sentence about another word, which replaces the wrong one.
    pub fn instead(text: String, wrong: &str, right: &str) -> Self {
        let (wrong, right) = (wrong.to_owned(), right.to_owned());
        Self { text, fix: Some(Fix::Replace { wrong, right }) }
    }
}

impl From<String> for Help {
    fn from(text: String) -> Self {
        Self { text, fix: None }
    }
}

impl From<&str> for Help {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}
