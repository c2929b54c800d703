//! `note`

use super::StepWord;
use crate::args::args;

args! {
    /// Puts a line into the timeline of the report.
    #[example("note: the outage begins")]
    pub struct Note("note") short "text" {
        /// The line.
        text: String,
    }
}

impl StepWord for Note {
    fn explain(&self) -> String {
        format!("Note: {}", self.text.trim())
    }
}
