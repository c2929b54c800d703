//! Anomalies with the fault nearest in time and what the brokers logged around that second.

use serde::Serialize;

use super::{
    anchor,
    axis::Axis,
    headline::definition,
    loglines::{Level, LogLine},
};
use crate::{
    event::Example,
    record::SuiteRecord,
    report::text::{duration_us, grouped, one_line},
};

/// The most examples of one kind.
const EXAMPLES: usize = 100;
/// Moments of one kind whose log lines are shown at once.
const MOMENTS: usize = 2;
/// Log lines shown at once.
const LINES: usize = 14;
/// Around a moment, in milliseconds.
const AROUND_MS: i64 = 1_500;

/// One kind of anomaly.
#[derive(Clone, Debug, Serialize)]
pub struct AnomalyView {
    /// `lost`.
    pub kind: String,
    pub anchor: String,
    pub count: String,
    pub definition: &'static str,
    /// Where: place, client, count.
    pub places: Vec<(String, String, String)>,
    pub examples: Vec<ExampleView>,
    /// How many messages are not shown.
    pub more: String,
    /// For lost messages: where they are on the brokers' disks.
    pub on_disk: String,
    /// Broker logs: title and lines.
    pub around: Vec<Around>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ExampleView {
    /// `orders/1`.
    pub place: String,
    pub offset: String,
    /// `P, life 2`.
    pub client: String,
    pub sequence: String,
    /// `+9.9 s (12:00:09.900)`.
    pub when: String,
    /// Unix milliseconds, for the link to the logs.
    pub at_ms: Option<i64>,
    /// `0.1 s before broker 2 killed`.
    pub fault: String,
    pub text: String,
}

/// Log lines around a moment.
#[derive(Clone, Debug, Serialize)]
pub struct Around {
    pub when: String,
    /// The log's name, level, text.
    pub lines: Vec<(String, Level, String)>,
}

/// The newest anomalies of a suite. `logs` are the kept lines of each log.
pub fn anomalies(
    axis: &Axis<'_>,
    suite: &SuiteRecord,
    logs: &[(String, Vec<LogLine>)],
) -> Vec<AnomalyView> {
    let view = |anomaly: crate::event::Anomaly| {
        let places = anomaly.by.iter().take(EXAMPLES).map(|p| {
            let place = one_line(&format!("{}/{}", p.topic, p.partition), 200);
            (place, one_line(&p.client, 80), grouped(p.count))
        });
        let shown: u64 = anomaly.examples.iter().take(EXAMPLES).map(|e| e.count).sum();
        let more = anomaly.count.saturating_sub(shown);
        AnomalyView {
            kind: one_line(&anomaly.kind, 60),
            anchor: anchor("anomaly", &anomaly.kind),
            count: grouped(anomaly.count),
            definition: definition(&anomaly.kind),
            places: places.collect(),
            examples: anomaly
                .examples
                .iter()
                .take(EXAMPLES)
                .map(|e| example(axis, suite, e))
                .collect(),
            more: if more > 0 { grouped(more) } else { String::new() },
            on_disk: anomaly
                .on_disk
                .as_ref()
                .map(|d| one_line(&d.words(), 600))
                .unwrap_or_default(),
            around: around(axis, suite, &anomaly.examples, logs),
        }
    };
    suite.newest_anomalies().into_iter().map(view).collect()
}

fn example(axis: &Axis<'_>, suite: &SuiteRecord, example: &Example) -> ExampleView {
    let life = example.life.filter(|l| *l > 1).map(|l| format!(", life {l}")).unwrap_or_default();
    let text = |n: Option<String>| n.unwrap_or_else(|| "–".to_owned());
    let span = |first: u64| match example.count {
        0 | 1 => first.to_string(),
        count => format!("{first} to {}", first.saturating_add(count - 1)),
    };
    ExampleView {
        place: one_line(&format!("{}/{}", example.topic, example.partition), 200),
        offset: text(example.offset.and_then(|o| u64::try_from(o).ok()).map(span)),
        client: text(example.client.as_ref().map(|c| one_line(&format!("{c}{life}"), 80))),
        sequence: text(example.sequence.map(span)),
        when: text(example.mono_us.map(|at| axis.moment(at))),
        at_ms: example.mono_us.map(|at| suite.wall(at).as_millisecond()),
        fault: text(example.mono_us.and_then(|at| nearest(suite, at))),
        text: one_line(&example.text, 300),
    }
}

/// Describes the nearest fault.
fn nearest(suite: &SuiteRecord, at_us: i64) -> Option<String> {
    let fault = suite.nearest_fault(at_us)?;
    let what = one_line(&fault.what, 100);
    Some(match fault.distance_us(at_us, suite.until_us()) {
        0 => format!("{} after “{what}” began", duration_us(at_us - fault.from_us)),
        far if at_us < fault.from_us => format!("{} before “{what}”", duration_us(far)),
        far => format!("{} after the end of “{what}”", duration_us(far)),
    })
}

fn around(
    axis: &Axis<'_>,
    suite: &SuiteRecord,
    examples: &[Example],
    logs: &[(String, Vec<LogLine>)],
) -> Vec<Around> {
    let mut moments: Vec<i64> = examples.iter().filter_map(|e| e.mono_us).collect();
    moments.sort_unstable();
    moments.dedup_by(|b, a| *b - *a < AROUND_MS * 2_000);
    let of_moment = |at: &i64| {
        let at_ms = suite.wall(*at).as_millisecond();
        let near = |l: &&LogLine| l.at_ms.is_some_and(|t| (t - at_ms).abs() <= AROUND_MS);
        let mut lines: Vec<_> = logs
            .iter()
            .flat_map(|(who, lines)| lines.iter().filter(near).map(move |l| (who, l)))
            .collect();
        // The worst are kept, and shown in the order of time.
        lines.sort_by_key(|(_, l)| (std::cmp::Reverse(l.level), l.at_ms));
        lines.truncate(LINES);
        lines.sort_by_key(|(_, l)| l.at_ms);
        let lines: Vec<_> =
            lines.into_iter().map(|(w, l)| (w.clone(), l.level, one_line(&l.text, 400))).collect();
        Around { when: axis.moment(*at), lines }
    };
    let found = moments.iter().take(MOMENTS).map(of_moment);
    found.filter(|a| !a.lines.is_empty()).collect()
}
