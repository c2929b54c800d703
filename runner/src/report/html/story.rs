//! The events in order: the timeline as text, also for screen readers.

use serde::Serialize;

use super::{axis::Axis, lanes::numbers};
use crate::{
    record::SuiteRecord,
    report::{
        live::state_word,
        text::{duration_us, grouped, one_line},
        totals::span_words,
    },
};

/// The most lines.
const LINES: usize = 600;

#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// `+12.4 s`.
    pub offset: String,
    /// `12:00:09.900`.
    pub clock: String,
    /// A class: `fault`, `node`, `client`, `leader`, `note`, `report`, `measured`, `audit`.
    pub kind: &'static str,
    pub text: String,
}

/// The lines of a suite, and how many were left out.
pub fn story(axis: &Axis<'_>, suite: &SuiteRecord) -> (Vec<Happened>, usize) {
    let mut all: Vec<(i64, &'static str, String)> = Vec::new();
    for fault in &suite.faults {
        let caution = fault.caution().map(|c| format!(" ({c})")).unwrap_or_default();
        all.push((fault.from_us, "fault", format!("Fault begins: {}{caution}", fault.what)));
        if let Some(until) = fault.until_us {
            let length = duration_us(until - fault.from_us);
            all.push((until, "fault", format!("Fault ends after {length}: {}", fault.what)));
        }
    }
    for lane in &suite.lanes {
        let kind = if lane.client { "client" } else { "node" };
        for (at, state, why) in &lane.states {
            let why = if why.words.is_empty() { String::new() } else { format!(": {}", why.words) };
            all.push((*at, kind, format!("{} {}{why}", lane.name, state_word(*state))));
        }
    }
    leaders(suite, &mut all);
    for election in suite.unclean_elections() {
        let words = election.words();
        all.push((election.at_us, "fault", words.replacen("unclean", "Unclean", 1)));
    }
    for (at, controller) in &suite.controllers {
        let who = controller.map_or_else(|| "none".to_owned(), |c| c.to_string());
        all.push((*at, "leader", format!("Controller: {who}")));
    }
    for span in &suite.spans {
        let at = span.until_us.unwrap_or_else(|| suite.until_us());
        all.push((at, "measured", span_words(suite, span)));
    }
    for line in &suite.reports {
        all.push((line.at_us, "report", format!("{}: {}", line.who, line.text)));
    }
    for line in &suite.notes {
        all.push((line.at_us, "note", line.text.clone()));
    }
    for (at, messages, took) in &suite.audits {
        let took = duration_us(i64::try_from(*took).unwrap_or(0).saturating_mul(1_000));
        all.push((*at, "audit", format!("Audit read {} messages in {took}", grouped(*messages))));
    }
    all.sort_by_key(|line| line.0);
    let left_out = all.len().saturating_sub(LINES);
    let lines = all.into_iter().take(LINES).map(|(at, kind, text)| Happened {
        offset: axis.offset(at),
        clock: axis.clock(at),
        kind,
        text: one_line(&text, 400),
    });
    (lines.collect(), left_out)
}

/// Changes of leaders; in-sync sets change too often to be listed.
fn leaders(suite: &SuiteRecord, all: &mut Vec<(i64, &'static str, String)>) {
    for track in suite.partitions.iter().filter(|t| !t.topic.starts_with("__")) {
        let mut known = None;
        for state in &track.states {
            if known == Some(state.leader) {
                continue;
            }
            let name = format!("{}/{}", track.topic, track.partition);
            let in_sync = numbers(&state.in_sync);
            let epoch = state.epoch.map(|e| format!(" in epoch {e}")).unwrap_or_default();
            let text = match state.leader {
                // An unclean election has a line of its own.
                Some(_) if state.unclean.is_some() => {
                    known = Some(state.leader);
                    continue;
                }
                Some(leader) => format!("{name}: leader {leader}{epoch}, in sync {in_sync}"),
                None => format!("{name}: no leader, in sync {in_sync}"),
            };
            all.push((state.at_us, "leader", text));
            known = Some(state.leader);
        }
    }
}
