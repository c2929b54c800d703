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
    /// The latency of messages, from the time at which a message was due to be sent: for a producer to its
    /// acknowledgement, for a consumer to its delivery.
    ///
    /// For a service with `from` and `to` it ends when the first message that is derived from the message of `from`
    /// was appended to `to`: at the record's timestamp if `to` has `message.timestamp.type: LogAppendTime`, else when
    /// kplan read the record.
    ///
    /// The latency of a message in a transaction ends with the commit; messages of aborted transactions do not
    /// count. If a message is delivered to a group several times, the first delivery counts. What a client measured
    /// before it was killed counts. Bounds are compared with measured latencies, which are exact to the
    /// microsecond. If more than 1,000 different latencies occur in half a second, they are kept to three digits
    /// and never greater than measured; the longest latency of each half second is always exact.
    ///
    /// Recorded without bounds, the condition also reports the latency before, during and after the latest fault.
    ///
    /// The time of an answer is known to within 20 ms, or to within 100 ms if more than 1,000 different latencies
    /// occurred in half a second. For messages close to a limit (the moment of `since`, the start or end of a
    /// fault) it can be unknown on which side they are. If the bound holds for one possible choice of these
    /// messages and not for another, the condition is inconclusive. Without bounds, these messages are left out.
    #[example("latency: { client: P, p99: { at_most: 200ms } }")]
    #[example("latency: { client: P, during: the leader dies, max: { at_most: 30s } }")]
    pub struct Latency("latency") short "client" {
        /// The client or clients; each is judged.
        client: Clients,
        /// The median: half of the messages took no longer.
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
        /// Only messages that were sent after the latest run of the step of this name began.
        since: Option<Spanned<StepName>>,
        /// Only messages that were answered before the fault of the step of this name.
        before: Option<Spanned<StepName>>,
        /// Only messages that were answered while the fault of the step of this name was in effect.
        during: Option<Spanned<StepName>>,
        /// Only messages that were answered after the fault of the step of this name was over.
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
    /// The steps that limit the time, each with its key.
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

    fn follow(&self, _: Span, ground: &mut Ground<'_>) {
        for name in self.client.iter() {
            ground.must_report(name, "when the messages that it reads were to be sent", true);
        }
    }
}

fn time(bound: &Bound<Duration>) -> String {
    match *bound {
        Bound::AtMost(t) => format!("at most {}", spoken(t)),
        Bound::AtLeast(t) => format!("at least {}", spoken(t)),
        Bound::Is(t) => spoken(t),
        Bound::Between(a, b) => format!("between {} and {}", duration_text(a), duration_text(b)),
    }
}
