//! `note`

use super::StepWord;
use crate::args::args;
use crate::facts::{Kind, Leaves, StepFacts};
use crate::ground::{Ground, StepAt};

args! {
    /// Writes a line into the timeline of the report.
    #[example("note: the outage begins")]
    pub struct Note("note") short "text" {
        /// The line.
        text: String,
    }
}

impl StepWord for Note {
    const FACTS: StepFacts =
        StepFacts { leaves: Leaves::TopicsAndGroups, ..StepFacts::of(Kind::Note) };

    fn explain(&self) -> String {
        format!("Note: {}", self.text.trim())
    }

    fn follow(&self, _: StepAt<'_>, _: &mut Ground<'_>) {}
}
