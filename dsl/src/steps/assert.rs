//! `assert`

use std::time::Duration;

use super::StepWord;
use crate::args::args;
use crate::conditions::Conditions;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, Leaves, StepEnds, StepFacts};
use crate::ground::{Ground, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{StepName, duration_text};
use crate::words::{Sentence, spoken};

args! {
    /// Judges conditions: at once, within a time in which they must become true (`within`), or throughout a time
    /// (`for`).
    ///
    /// A failed `assert` does not stop the plan: the steps after it still run and are judged.
    #[example("assert: [{ lost: 0 }, { undelivered: 0 }]")]
    #[example("assert: { that: [{ brokers_alive: 3 }], within: 60s }")]
    pub struct Assert("assert") short "that" {
        /// The conditions, which must all hold.
        #[weighs(Conditions)]
        that: Conditions,
        /// The conditions must become true within this time, counted from the start of this step, or from the end
        /// of the step in `since`.
        #[weighs(MoreIsWeaker(Some(0.0)))]
        within: Option<Spanned<Duration>>,
        /// The conditions must be true throughout this time.
        #[weighs(MoreIsStronger(Some(0.0)))]
        for_time as "for": Option<Spanned<Duration>>,
        /// The name of the step from whose end `within` is counted. If that time is over before this step can look,
        /// the result is inconclusive.
        since: Option<Spanned<StepName>>,
    }
}

impl StepWord for Assert {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Nothing,
        goes_on: true,
        ends: StepEnds::WithAVerdict,
        ..StepFacts::of(Kind::Judgement)
    };

    fn explain(&self) -> String {
        let when = match (&self.within, &self.for_time) {
            (Some(time), _) => format!(" within {}", duration_text(time.value)),
            (None, Some(time)) => format!(" for {}", duration_text(time.value)),
            (None, None) => String::new(),
        };
        let since = self.since.as_ref().map(|s| format!(" of \"{s}\"")).unwrap_or_default();
        format!("Assert{when}{since}: {}", self.that.explain())
    }

    fn in_full(&self) -> Sentence {
        let since = self.since.as_ref().map(|s| format!(" of the end of \"{s}\""));
        let since = since.unwrap_or_default();
        let when = match (&self.within, &self.for_time) {
            (Some(time), _) => format!(" within {}{since}", spoken(time.value)),
            (None, Some(time)) => format!(" throughout {}{since}", spoken(time.value)),
            (None, None) => String::new(),
        };
        match self.that.as_ref() {
            [one] => Sentence::from(format!("Check that{when} {}", one.clause())),
            _ => Sentence {
                text: format!("Check that{when} all of these conditions hold"),
                points: self.that.clauses(),
            },
        }
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        self.that.must_be_judged(reader);
        let help = "to judge once, at once, write neither `within` nor `for`";
        reader.must_last("within", self.within.as_ref(), Some(help));
        reader.must_last("for", self.for_time.as_ref(), Some(help));
        if self.for_time.is_none() {
            self.that.must_not_be_watched(reader);
        }
        if let (Some(_), Some(time)) = (&self.within, &self.for_time) {
            let message = "`within` (once true) and `for` (throughout) exclude each other";
            reader.push(Diagnostic::new(Code::E016, time.span, message));
        }
        if let (Some(since), None, Some(_)) = (&self.since, &self.within, &self.for_time) {
            let message = "`since` cannot be combined with `for`: the time of `for` always counts from this step";
            let help = "remove `since`, or use `always` with `from` to judge from that step on";
            reader.push(Diagnostic::new(Code::E016, since.span, message).help(help));
        }
        if let (Some(since), None, None) = (&self.since, &self.within, &self.for_time) {
            let message = "`since` needs `within`";
            let help = "add a time such as `within: 60s`, or write `since` inside the condition";
            reader.push(Diagnostic::new(Code::E016, since.span, message).help(help));
        }
    }

    fn follow(&self, _: StepAt<'_>, ground: &mut Ground<'_>) {
        if let Some(since) = &self.since {
            ground.step_name(since, false);
            ground.must_have_ended(since);
        }
        ground.takes(self.for_time.as_ref().map(|t| t.value).unwrap_or_default());
    }

    fn judges(&self) -> bool {
        self.that.may_be_false()
    }
}
