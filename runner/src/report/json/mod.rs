//! The run as JSON, for scripts: a documented format of its own, not the events.

mod form;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::generate::SchemaSettings;

pub use self::form::{
    Anomaly, Condition, Example, Fault, Judged, Measured, MergedPart, Outcome, Report, Step, Suite,
    Trouble,
};
use super::{
    text::clean,
    totals::{length_us, totals},
    trouble::{self, TroubleKind, of_run, troubles},
};
use crate::{
    event::{self, Holds, Verdict},
    record::{MergedRun, RunRecord, StepRecord, SuiteRecord},
};

/// Name and version of the format; the number rises when readers of the old format would misread the new one.
pub const FORMAT: &str = "kplan-report/1";

/// The JSON of a run.
pub fn render(record: &RunRecord) -> String {
    // The form holds strings, numbers and maps with string keys only, so it can always be written.
    let mut text = serde_json::to_string_pretty(&report(record)).unwrap_or_default();
    text.push('\n');
    text
}

/// The JSON Schema of the form (draft 07).
pub fn schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<Report>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// The form of a run.
pub fn report(record: &RunRecord) -> Report {
    let info = &record.info;
    let decisive: Vec<_> = record.decisive().map(|s| s.number).collect();
    let suites = record.suites.iter().map(|s| suite(s, decisive.contains(&s.number)));
    Report {
        format: FORMAT.to_owned(),
        run: info.run.clone(),
        kplan: info.kplan.clone(),
        backend: info.backend.clone(),
        seed: info.seed,
        command: info.command.iter().map(|c| clean(c)).collect(),
        verdict: record.verdict().into(),
        started: record.began().to_string(),
        took_ms: ms(record.last_us - record.started_us),
        exit: record.ended.as_ref().map(|end| end.exit),
        signal: record.ended.as_ref().and_then(|end| end.signal.clone()),
        killed: record.killed(),
        trouble: of_run(record),
        attempts: record.info.attempts.max(1),
        suites_flaky: u32::try_from(record.flaky()).unwrap_or(u32::MAX),
        suites_not_begun: record.unstarted(),
        damaged_lines: record.damaged_lines,
        merged: record.merged.iter().map(merged).collect(),
        suites: suites.collect(),
    }
}

fn merged(one: &MergedRun) -> MergedPart {
    let dir = one.dir.to_string_lossy().into_owned();
    MergedPart { run: one.run.clone(), seed: one.seed, dir, verdict: one.verdict.into() }
}

fn suite(suite: &SuiteRecord, counts: bool) -> Suite {
    let wall = |at: i64| suite.wall(at).to_string();
    let info = &suite.info;
    Suite {
        number: suite.number,
        run: suite.run.clone(),
        seed: suite.seed,
        name: info.name.clone(),
        cell: info.cell.clone(),
        round: info.repetition,
        attempt: info.attempt,
        flaky: suite.is_flaky(),
        counts,
        file: info.file.to_string_lossy().into_owned(),
        tags: info.tags.clone(),
        params: info.params.clone(),
        cluster: suite.configured.get(&event::SettingsOf::Cluster).cloned().unwrap_or_default(),
        simulated: info.simulated,
        verdict: suite.verdict.into(),
        interrupted: suite.interrupted(),
        started: wall(suite.started_us),
        took_ms: suite.took_ms(),
        troubles: troubles(suite).iter().map(trouble_form).collect(),
        totals: totals(suite),
        values: suite.values(),
        steps: suite.steps.iter().map(|s| step(suite, s)).collect(),
        faults: suite
            .faults
            .iter()
            .map(|f| Fault {
                step: f.step.to_string(),
                what: f.what.clone(),
                began: wall(f.from_us),
                ended: f.until_us.map(wall),
                caution: f.caution().map(str::to_owned),
            })
            .collect(),
        measured: suite
            .spans
            .iter()
            .map(|s| Measured {
                kind: s.kind.word().to_owned(),
                client: s.client.clone(),
                place: s.place.clone(),
                began: wall(s.from_us),
                ended: s.until_us.map(wall),
                took_ms: ms(length_us(suite, s)),
            })
            .collect(),
        anomalies: suite.newest_anomalies().iter().map(|a| anomaly(suite, a)).collect(),
        unclean_elections: suite
            .unclean_elections()
            .into_iter()
            .map(|e| form::UncleanElection {
                at: wall(e.at_us),
                place: e.place(),
                leader: e.leader,
                epoch: e.epoch,
                in_sync_before: e.before,
            })
            .collect(),
        settings: suite.configured.iter().map(|(of, s)| (of.to_string(), s.clone())).collect(),
    }
}

fn trouble_form(t: &trouble::Trouble<'_>) -> Trouble {
    Trouble {
        kind: match t.kind {
            TroubleKind::Failed => form::Kind::Failed,
            TroubleKind::Inconclusive => form::Kind::Inconclusive,
            TroubleKind::Timeout => form::Kind::Timeout,
            TroubleKind::Broken => form::Kind::Broken,
        },
        title: t.title.clone(),
        message: t.message.clone(),
        step: t.step.map(|s| s.id.to_string()),
        file: t.file.to_string_lossy().into_owned(),
        line: t.line,
        optional: t.optional,
        evidence: t.evidence.to_vec(),
    }
}

fn step(suite: &SuiteRecord, step: &StepRecord) -> Step {
    Step {
        id: step.id.to_string(),
        title: step.info.title.clone(),
        verb: step.info.verb.clone(),
        file: step.info.file.to_string_lossy().into_owned(),
        line: step.info.line,
        verdict: step.verdict.into(),
        optional: step.optional,
        began: step.started_us.map(|at| suite.wall(at).to_string()),
        took_ms: step.took_ms,
        reason: step.reason.clone(),
        conditions: step.findings.iter().map(condition).collect(),
        targets: step.targets.iter().cloned().collect::<BTreeMap<_, _>>(),
        recorded: step.recorded.clone(),
        descriptions: step.descriptions.iter().cloned().collect::<IndexMap<_, _>>(),
    }
}

fn condition(finding: &event::Finding) -> Condition {
    Condition {
        condition: finding.condition.clone(),
        line: finding.line,
        judged: match finding.holds {
            Holds::Yes => Judged::Holds,
            Holds::No => Judged::DoesNotHold,
            Holds::Inconclusive => Judged::Inconclusive,
            Holds::Unjudged => Judged::Recorded,
        },
        expected: finding.expected.clone(),
        found: finding.found.clone(),
        evidence: finding.evidence.clone(),
        after_ms: finding.after_ms,
    }
}

fn anomaly(suite: &SuiteRecord, anomaly: &event::Anomaly) -> Anomaly {
    let by = anomaly.by.iter().map(|p| {
        let place = format!("{}/{}", p.topic, p.partition);
        form::Place { place, client: p.client.clone(), count: p.count }
    });
    Anomaly {
        kind: anomaly.kind.clone(),
        count: anomaly.count,
        on_disk: anomaly.on_disk.as_ref().map(|d| form::OnDisk {
            gone: d.gone,
            cut_off: d.cut_off,
            holders: d.holders.clone(),
            unread: d.unread.clone(),
        }),
        by: by.collect(),
        examples: anomaly
            .examples
            .iter()
            .map(|e| Example {
                place: format!("{}/{}", e.topic, e.partition),
                offset: e.offset,
                client: e.client.clone(),
                life: e.life,
                sequence: e.sequence,
                count: e.count,
                at: e.mono_us.map(|at| suite.wall(at).to_string()),
                text: e.text.clone(),
            })
            .collect(),
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Passed => Self::Passed,
            Verdict::Failed => Self::Failed,
            Verdict::Broken => Self::Broken,
            Verdict::Skipped => Self::Skipped,
        }
    }
}

fn ms(us: i64) -> u64 {
    u64::try_from(us / 1_000).unwrap_or(0)
}
