//! `record`

use super::StepWord;
use crate::args::args;
use crate::conditions::Conditions;
use crate::facts::{Blurs, Kind, Leaves, StepEnds, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::StepName;
use crate::words::{self, Sentence};

args! {
    /// Writes values into the report without judging them. With `capture`, later steps can use them.
    #[example("record: [acked, duplicated, reordered]")]
    pub struct Record("record") short "that" {
        /// The conditions whose values are recorded, without bounds.
        that: Conditions,
        /// Only what happened after the latest run of the step of this name began.
        since: Option<Spanned<StepName>>,
    }
}

impl StepWord for Record {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Nothing,
        ends: StepEnds::WithAValue,
        ..StepFacts::of(Kind::Observation)
    };

    fn explain(&self) -> String {
        let all: Vec<&str> = self.that.iter().map(|c| c.info().word).collect();
        format!("Record {}", words::list(&all))
    }

    fn in_full(&self) -> Sentence {
        let all: Vec<String> = self.that.iter().map(|c| c.explain()).collect();
        // The word that all names share is written once: `acked, lost and duplicated messages`.
        let bare: Option<Vec<&str>> = all.iter().map(|c| c.strip_suffix(" messages")).collect();
        let recorded = match bare {
            Some(bare) => format!("the numbers of {} messages", words::list(&bare)),
            None => words::list(&all),
        };
        Sentence::from(format!("Record {recorded} in the report, without judging them"))
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        self.that.must_not_be_judged(reader);
        self.that.must_not_be_watched(reader);
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        if let Some(since) = &self.since {
            ground.step_name(since, false);
        }
    }
}
