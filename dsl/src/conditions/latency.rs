//! `latency`

use std::time::Duration;

use super::{ConditionWord, Judgeable};
use crate::args::args;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::ConditionFacts;
use crate::ground::Ground;
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Bound, Clients, StepName, duration_text};
use crate::words::spoken;

args! {
    /// How long messages took: for a producer from the time they were to be sent to their
    /// acknowledgement, for a consumer to their delivery.
    ///
    /// A message of a transaction takes until the commit, and one that is aborted does not count. Of a
    /// message that a group is given several times the first delivery counts. What a client had measured when
    /// it was killed counts. A bound is judged on latencies that were measured: in microseconds, or, where
    /// more than 1,000 different ones came in half a second, to three digits and never longer than they were;
    /// the longest of half a second is always exact.
    ///
    /// Recorded without bounds it also tells the latency before, during and after the newest fault.
    ///
    /// When a message was answered is known to 20 ms; to 100 ms where more than 1,000 different latencies came
    /// in half a second. Of the messages around a border (the moment of `since`, a fault's beginning or end) it may not
    /// be known on which side they are: where a bound holds for one choice of them and not for another, the
    /// condition is inconclusive. Without bounds they are left out.
    #[example("latency: { client: P, p99: { at_most: 200ms } }")]
    #[example("latency: { client: P, during: the leader dies, max: { at_most: 30s } }")]
    pub struct Latency("latency") short "client" {
        /// The client or clients; each is judged.
        client: Clients,
        /// Half of the messages took no longer.
        p50: Option<Bound<Duration>>,
        /// 90 % of the messages took no longer.
        p90: Option<Bound<Duration>>,
        /// 95 % of the messages took no longer.
        p95: Option<Bound<Duration>>,
        /// 99 % of the messages took no longer.
        p99: Option<Bound<Duration>>,
        /// 99.9 % of the messages took no longer.
        p999: Option<Bound<Duration>>,
        /// No message took longer.
        max: Option<Bound<Duration>>,
        /// Only messages sent after the newest run of the step of this name began.
        since: Option<Spanned<StepName>>,
        /// Only what was answered before the fault of the step of this name.
        before: Option<Spanned<StepName>>,
        /// Only what was answered while that step's fault was in effect.
        during: Option<Spanned<StepName>>,
        /// Only what was answered once that step's fault was over.
        after: Option<Spanned<StepName>>,
    }
}

impl Latency {
    /// The percentiles that are bounded: name, share of the messages, bound.
    pub fn bounds(&self) -> Vec<(&'static str, f64, Bound<Duration>)> {
        let all = [
            ("p50", 0.5, self.p50),
            ("p90", 0.9, self.p90),
            ("p95", 0.95, self.p95),
            ("p99", 0.99, self.p99),
            ("p999", 0.999, self.p999),
            ("max", 1.0, self.max),
        ];
        all.into_iter().filter_map(|(name, share, bound)| Some((name, share, bound?))).collect()
    }
}

impl Latency {
    /// The steps that narrow the time, with their words.
    pub fn times(&self) -> Vec<(&'static str, &Spanned<StepName>)> {
        let all = [
            ("since", &self.since),
            ("before", &self.before),
            ("during", &self.during),
            ("after", &self.after),
        ];
        all.into_iter().filter_map(|(word, step)| Some((word, step.as_ref()?))).collect()
    }
}

impl ConditionWord for Latency {
    const FACTS: ConditionFacts = ConditionFacts::MEASURED;

    fn explain(&self) -> String {
        let bounds: Vec<String> =
            self.bounds().iter().map(|(name, _, bound)| format!("{name} {bound}")).collect();
        let mut text = match bounds.as_slice() {
            [] => format!("the latency of {}", self.client),
            bounds => format!("{} with a latency of {}", self.client, crate::words::list(bounds)),
        };
        for (when, step) in self.times() {
            text.push_str(&format!(" {when} \"{}\"", step.value));
        }
        text
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if let [(first, _), (second, step), ..] = self.times().as_slice() {
            let message = format!("`{first}` and `{second}` exclude each other");
            let help = "write one condition for each";
            reader.push(Diagnostic::new(Code::E016, step.span, message).help(help));
        }
    }

    fn judged(&self) -> Judgeable {
        Judgeable::by(self.bounds().into_iter().map(|(_, _, bound)| bound))
    }

    fn clause(&self) -> String {
        let bounds = self.bounds();
        let bounds: Vec<String> =
            bounds.iter().map(|(name, _, bound)| format!("{name} {}", time(bound))).collect();
        format!("the latency of {} stays within: {}", self.client, crate::words::list(&bounds))
    }

    fn sent_after(&self) -> Option<&Spanned<StepName>> {
        self.since.as_ref().or(self.after.as_ref())
    }

    fn follow(&self, _: Span, _: &mut Ground<'_>) {}
}

fn time(bound: &Bound<Duration>) -> String {
    match *bound {
        Bound::AtMost(t) => format!("at most {}", spoken(t)),
        Bound::AtLeast(t) => format!("at least {}", spoken(t)),
        Bound::Is(t) => spoken(t),
        Bound::Between(a, b) => format!("between {} and {}", duration_text(a), duration_text(b)),
    }
}
