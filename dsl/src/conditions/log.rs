//! `log`

use super::clause::there;
use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::backend::Capability;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{BoundGroup, StepName, Target};

args! {
    /// Lines of a broker's own log that match a regular expression.
    #[example("log: { broker: 2, matches: \"Recovering unflushed segment\", at_least: 1 }")]
    pub struct Log("log") short "matches" {
        /// The broker or brokers.
        broker: Spanned<Target> = "all",
        /// A regular expression that matches anywhere in a line.
        matches: Spanned<String>,
        /// Only lines that were written after the latest run of the step of this name began.
        since: Option<Spanned<StepName>>,
        ..bound: BoundGroup<u64>,
    }
}

impl ConditionWord for Log {
    const FACTS: ConditionFacts = ConditionFacts {
        takes_since: true,
        ..ConditionFacts::NONE.needing(Capability::BrokerLogs)
    };

    fn explain(&self) -> String {
        let lines = self.bound.map_or_else(|| "lines".to_owned(), |bound| bound.of("line"));
        format!("{lines} with /{}/ in the log of {}", self.matches, self.broker)
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bound)
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        let built = regex::RegexBuilder::new(&self.matches).size_limit(1 << 20).build();
        if let Err(error) = built {
            let why = error.to_string();
            let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
            let message = format!("not a regular expression: {last}");
            reader.push(Diagnostic::new(Code::E013, self.matches.span, message));
        }
    }

    fn clause(&self) -> String {
        there(self.explain())
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}
