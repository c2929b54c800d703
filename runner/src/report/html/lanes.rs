//! Lanes of the timeline: faults, steps, recoveries, processes, partitions, anomalies.

use kplan_dsl::steps::Wait;
use serde::Serialize;

use super::{anchor, axis::Axis};
use crate::{
    event::{LaneState, Stretch, Verdict},
    record::{PartitionState, PartitionTrack, SuiteRecord},
    report::{
        live::state_word,
        text::{duration_us, grouped, one_line, verdict_word},
        totals::{role, span_words, with_role},
    },
};

/// The most segments of one lane; later ones are left out and counted.
const SEGMENTS: usize = 400;
/// The most partitions that are shown: those with the most changes.
const PARTITIONS: usize = 48;
/// Rows of lanes whose segments overlap.
const ROWS: usize = 6;

/// One row of the timeline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LaneView {
    pub label: String,
    /// Kind, a class: `faults`, `steps`, `spans`, `node`, `client`, `partition`, `anomalies`.
    pub kind: &'static str,
    /// Its segments.
    pub segments: Vec<Segment>,
}

/// A time span in a lane.
#[derive(Clone, Debug, Serialize)]
pub struct Segment {
    /// Left edge, percent.
    pub left: f64,
    pub width: f64,
    pub class: String,
    pub text: String,
    /// The full text, for tooltip and screen reader.
    pub tip: String,
    /// The target of its link, e.g. a step.
    pub link: Option<String>,
}

/// All lanes of a suite in the order they are shown.
pub fn lanes(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<LaneView> {
    let mut lanes = faults(axis, suite);
    lanes.extend(steps(axis, suite));
    lanes.extend(spans(axis, suite));
    lanes.extend(anomalies(axis, suite));
    lanes
}

/// Lanes of processes and partitions.
pub fn cluster_lanes(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<LaneView> {
    let mut lanes = processes(axis, suite);
    lanes.extend(controller(axis, suite));
    lanes.extend(partitions(axis, suite));
    lanes
}

fn segment(axis: &Axis<'_>, from: i64, until: Option<i64>, class: &str, text: String) -> Segment {
    let (left, width) = axis.stretch(from, until);
    let end = until.map_or_else(|| "the end".to_owned(), |at| axis.moment(at));
    let tip = format!("{text}: {} to {end}", axis.moment(from));
    Segment { left, width, class: class.to_owned(), text, tip, link: None }
}

/// Places segments into as few rows as they need.
fn rows(label: &str, kind: &'static str, segments: Vec<Segment>) -> Vec<LaneView> {
    let mut lanes: Vec<LaneView> = Vec::new();
    for one in segments {
        let free = lanes
            .iter()
            .position(|l| l.segments.last().is_none_or(|s| s.left + s.width <= one.left + 0.01));
        let row = match free {
            Some(row) => row,
            None if lanes.len() < ROWS => {
                let label = if lanes.is_empty() { label } else { "" };
                lanes.push(LaneView { label: label.to_owned(), kind, segments: Vec::new() });
                lanes.len() - 1
            }
            None => ROWS - 1,
        };
        if lanes[row].segments.len() < SEGMENTS {
            lanes[row].segments.push(one);
        }
    }
    lanes
}

fn faults(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<LaneView> {
    let all = suite.faults.iter().map(|fault| {
        let length = fault.until_us.unwrap_or_else(|| suite.until_us()) - fault.from_us;
        let mut one =
            segment(axis, fault.from_us, fault.until_us, "fault", one_line(&fault.what, 120));
        one.tip = format!("Fault: {}, for {}", one.tip, duration_us(length));
        one.link = suite.step(&fault.step).map(|s| anchor("step", &s.id.to_string()));
        one
    });
    rows("Faults", "faults", all.collect())
}

fn steps(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<LaneView> {
    let mut ran: Vec<_> = suite.steps.iter().filter(|s| s.started_us.is_some()).collect();
    ran.sort_by_key(|s| s.started_us);
    let all = ran.into_iter().map(|step| {
        let from = step.started_us.unwrap_or(axis.from_us);
        let wait = if step.info.verb == Wait::INFO.word { " wait" } else { "" };
        let class = format!("step {}{wait}", verdict_word(step.verdict));
        let until = step.ended_us.or(Some(suite.until_us()));
        let text = one_line(&format!("{} {}", step.id, step.info.title), 120);
        let mut one = segment(axis, from, until, &class, text);
        one.tip = format!(
            "Step {}: {}, {}, {} after {}",
            step.id,
            one_line(&step.info.title, 120),
            verdict_word(step.verdict),
            axis.moment(from),
            duration_us(i64::try_from(step.took_ms).unwrap_or(0).saturating_mul(1_000)),
        );
        if step.verdict == Verdict::Passed {
            one.tip = one.tip.replace(" after ", " took ");
        }
        one.link = Some(anchor("step", &step.id.to_string()));
        one
    });
    rows("Steps", "steps", all.collect())
}

fn spans(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<LaneView> {
    let mut spans: Vec<_> = suite.spans.iter().collect();
    spans.sort_by_key(|s| s.from_us);
    let all = spans.into_iter().map(|span| {
        let words = format!("{} {}", role(suite, &span.client), span_words(suite, span));
        let words = one_line(&words, 120);
        let class = match span.kind {
            Stretch::Recovered => "span recovered",
            Stretch::Unavailable => "span other",
        };
        segment(axis, span.from_us, span.until_us, class, words)
    });
    rows("Recovery", "spans", all.collect())
}

fn anomalies(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<LaneView> {
    let lanes = suite.newest_anomalies().into_iter().filter_map(|anomaly| {
        let mut marks: Vec<_> =
            anomaly.examples.iter().filter_map(|e| e.mono_us.map(|at| (at, e))).collect();
        marks.sort_by_key(|m| m.0);
        marks.dedup_by_key(|m| m.0);
        let segments: Vec<_> = marks
            .into_iter()
            .take(SEGMENTS)
            .map(|(at, example)| {
                let mut one = segment(axis, at, Some(at), "mark", String::new());
                one.tip = format!(
                    "{}: {} at {}",
                    anomaly.kind,
                    one_line(&example.text, 200),
                    axis.moment(at)
                );
                one.link = Some(anchor("anomaly", &anomaly.kind));
                one
            })
            .collect();
        let label = format!("{} {}", grouped(anomaly.count), one_line(&anomaly.kind, 40));
        (!segments.is_empty()).then_some(LaneView { label, kind: "anomalies", segments })
    });
    lanes.collect()
}

fn processes(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<LaneView> {
    let lane = |lane: &crate::record::ProcessLane| {
        let next = lane.states.iter().skip(1).map(|s| Some(s.0)).chain([None]);
        let reported = lane.states.iter().zip(next).take(SEGMENTS);
        let segments = reported.map(|((from, state, why), until)| {
            let mut one =
                segment(axis, *from, until, state_word(*state), state_word(*state).to_owned());
            one.tip = format!("{} {}", lane.name, one.tip);
            if !why.words.is_empty() {
                one.tip.push_str(&format!(" ({})", one_line(&why.words, 160)));
            }
            if *state == LaneState::Up {
                one.text = String::new();
            }
            one
        });
        let kind = if lane.client { "client" } else { "node" };
        let label = if lane.client { with_role(suite, &lane.name) } else { lane.name.clone() };
        LaneView { label: one_line(&label, 40), kind, segments: segments.collect() }
    };
    suite.lanes.iter().map(lane).collect()
}

fn controller(axis: &Axis<'_>, suite: &SuiteRecord) -> Option<LaneView> {
    // Later the cluster is taken down, and has no controller because of that.
    let worked_until = suite.steps.iter().filter_map(|s| s.ended_us).max().unwrap_or(i64::MAX);
    let states: Vec<_> = suite.controllers.iter().filter(|(at, _)| *at <= worked_until).collect();
    let next = states.iter().skip(1).map(|s| Some(s.0)).chain([None]);
    let segments: Vec<_> = states
        .iter()
        .zip(next)
        .take(SEGMENTS)
        .map(|((from, number), until)| {
            let (class, text) = match number {
                Some(n) => ("full", n.to_string()),
                None => ("none", "none".to_owned()),
            };
            let mut one = segment(axis, *from, until, class, text);
            one.tip = format!("Controller {}", one.tip);
            one
        })
        .collect();
    (!segments.is_empty()).then(|| LaneView {
        label: "Controller".into(),
        kind: "partition",
        segments,
    })
}

fn partitions(axis: &Axis<'_>, suite: &SuiteRecord) -> Vec<LaneView> {
    let mut tracks: Vec<&PartitionTrack> = suite.partitions.iter().collect();
    // Kafka's own topics come last.
    tracks.sort_by_key(|t| (t.topic.starts_with("__"), usize::MAX - t.states.len()));
    let left_out = tracks.len().saturating_sub(PARTITIONS);
    tracks.truncate(PARTITIONS);
    tracks.sort_by(|a, b| {
        let key = |t: &PartitionTrack| (t.topic.starts_with("__"), t.topic.clone(), t.partition);
        key(a).cmp(&key(b))
    });
    let mut lanes: Vec<_> = tracks.into_iter().map(|t| partition(axis, t)).collect();
    if left_out > 0 {
        let label = format!("{left_out} partitions with fewer changes are not shown");
        lanes.push(LaneView { label, kind: "more", segments: Vec::new() });
    }
    lanes
}

fn partition(axis: &Axis<'_>, track: &PartitionTrack) -> LaneView {
    let name = format!("{}/{}", track.topic, track.partition);
    let mut states: Vec<&PartitionState> = track.states.iter().collect();
    states.dedup_by(|b, a| {
        (b.leader, b.epoch, &b.in_sync, &b.replicas) == (a.leader, a.epoch, &a.in_sync, &a.replicas)
    });
    let next: Vec<_> = states.iter().skip(1).map(|s| Some(s.at_us)).chain([None]).collect();
    let reported = states.into_iter().zip(next).take(SEGMENTS);
    let segments = reported.map(|(state, until)| {
        let how = if state.unclean.is_some() { ", elected uncleanly" } else { "" };
        let leader =
            state.leader.map_or_else(|| "no leader".to_owned(), |l| format!("leader {l}{how}"));
        let class = match (state.leader, state.in_sync.len()) {
            (None, _) => "none",
            _ if state.unclean.is_some() => "one",
            (_, n) if n >= state.replicas.len() => "full",
            (_, 0 | 1) => "one",
            _ => "some",
        };
        let mut one = segment(axis, state.at_us, until, class, leader);
        let epoch = state.epoch.map(|e| format!(", epoch {e}")).unwrap_or_default();
        one.tip = format!(
            "{name} {}{epoch}, in sync {} of {}",
            one.tip,
            numbers(&state.in_sync),
            numbers(&state.replicas)
        );
        one
    });
    LaneView { label: one_line(&name, 60), kind: "partition", segments: segments.collect() }
}

/// `[1, 2, 3]` as in Kafka's own tools: `1,2,3`.
pub fn numbers(all: &[u32]) -> String {
    if all.is_empty() {
        return "none".to_owned();
    }
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
