//! JUnit XML for CI systems: a test suite for each plan and matrix cell, a test case for each step.
//!
//! `failure` is Kafka or the plan's expectation (its type is `failed`, `inconclusive` or `timeout`),
//! `error` is the rig. Earlier attempts of a retried suite are flaky runs or reruns of the last one.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestRerun, TestSuite,
};

use super::{
    logs::{self, LogFile},
    text::{bounded, clean, flat_values, millis, one_line, verdict_word},
    trouble::{self, Trouble, TroubleKind, of_step, troubles},
};
use crate::{
    event::{Finding, Holds, SettingsOf, Verdict},
    record::{RunRecord, StepRecord, SuiteRecord},
};

/// Most bytes of a failure's text, of a case's evidence, and of the logs' ends.
const OUTPUT_LIMIT: usize = 64 << 10;
/// Most characters of a message attribute.
const MESSAGE_LIMIT: usize = 2_000;
/// Most characters of a name.
const TITLE_LIMIT: usize = 300;
/// Bytes of each log's end in a failed case.
const LOG_TAIL: u64 = 6 << 10;

/// The JUnit XML of a run. Paths of attachments are written relative to `root` (the directory of the
/// CI job, where GitLab looks for them).
pub fn render(record: &RunRecord, root: &Path) -> String {
    write(&report(record, root))
}

/// The same for readers that require the schema of Jenkins' xunit plugin, which refuses a case's file,
/// line, timestamp and number of assertions, the times of reruns, and the whole's timestamp and number
/// of skipped cases. File and line are in the text of every failure.
pub fn render_strict(record: &RunRecord, root: &Path) -> String {
    let mut report = report(record, root);
    report.timestamp = None;
    for case in report.test_suites.iter_mut().flat_map(|s| &mut s.test_cases) {
        (case.timestamp, case.assertions) = (None, None);
        case.extra.clear();
        let reruns = match &mut case.status {
            TestCaseStatus::Success { flaky_runs } => flaky_runs.as_mut_slice(),
            TestCaseStatus::NonSuccess { reruns, .. } => &mut reruns.runs,
            TestCaseStatus::Skipped { .. } => &mut [],
        };
        reruns.iter_mut().for_each(|rerun| (rerun.timestamp, rerun.time) = (None, None));
    }
    without_skipped(&write(&report))
}

/// The writer always counts the skipped cases of the whole.
fn without_skipped(xml: &str) -> String {
    let cut = || {
        let (head, rest) = xml.split_once("<testsuites")?;
        let (attributes, cases) = rest.split_once('>')?;
        let (before, count) = attributes.split_once(" skipped=\"")?;
        let (_, after) = count.split_once('"')?;
        Some(format!("{head}<testsuites{before}{after}>{cases}"))
    };
    cut().unwrap_or_else(|| xml.to_owned())
}

/// Writing to memory cannot fail, and every string was cleaned of what XML forbids.
fn write(report: &Report) -> String {
    report.to_string().unwrap_or_default()
}

fn report(record: &RunRecord, root: &Path) -> Report {
    let mut report = Report::new("kplan");
    report.timestamp = timestamp(record.began());
    report.set_time(millis(ms(record.last_us - record.started_us)));
    for (number, suite) in record.decisive().enumerate() {
        report.add_test_suite(Suite { record, suite, root }.render(number));
    }
    if let Some(suite) = run_suite(record) {
        report.add_test_suite(suite);
    }
    report
}

struct Suite<'a> {
    record: &'a RunRecord,
    suite: &'a SuiteRecord,
    root: &'a Path,
}

impl Suite<'_> {
    fn render(&self, number: usize) -> TestSuite {
        let suite = self.suite;
        let title = one_line(&suite.title(), TITLE_LIMIT);
        let mut out = TestSuite::new(title.clone());
        out.timestamp = timestamp(suite.wall(suite.started_us));
        out.set_time(millis(suite.took_ms()));
        // Strict schemas require the first three.
        for (name, value) in [
            ("id", number.to_string()),
            ("package", format!("testsuite/{title}")),
            ("hostname", "localhost".to_owned()),
            ("file", one_line(&suite.info.file.to_string_lossy(), MESSAGE_LIMIT)),
        ] {
            out.extra.insert(name.into(), value.into());
        }
        out.add_properties(self.properties());
        let mut names = Names::default();
        let mut tails = true;
        for step in &suite.steps {
            let case = self.case(step, &mut names, &mut tails);
            out.add_test_case(case);
        }
        for trouble in troubles(suite).iter().filter(|t| t.step.is_none()) {
            let mut case = TestCase::new(names.unique(&trouble.title), status(suite, trouble));
            case.set_time(millis(0));
            self.place(&mut case, trouble.file, trouble.line);
            self.attach(&mut case, String::new(), &mut tails);
            out.add_test_case(case);
        }
        out
    }

    fn properties(&self) -> Vec<Property> {
        let (run, suite) = (&self.record.info, self.suite);
        let mut all = vec![
            ("kplan.version".to_owned(), run.kplan.clone()),
            ("run.id".to_owned(), suite.run.clone()),
            ("run.seed".to_owned(), suite.seed.to_string()),
            ("backend".to_owned(), run.backend.clone()),
            ("simulated".to_owned(), suite.info.simulated.to_string()),
            ("verdict".to_owned(), verdict_word(suite.verdict).to_owned()),
        ];
        if suite.info.attempt > 1 {
            all.push(("attempt".to_owned(), suite.info.attempt.to_string()));
            all.push(("attempts".to_owned(), run.attempts.max(suite.info.attempt).to_string()));
            all.push(("flaky".to_owned(), suite.is_flaky().to_string()));
        }
        if !suite.info.tags.is_empty() {
            all.push(("tags".to_owned(), suite.info.tags.join(", ")));
        }
        let cluster = suite.configured.get(&SettingsOf::Cluster).into_iter().flatten();
        all.extend(cluster.map(|(k, v)| (format!("cluster.{k}"), v.clone())));
        all.extend(suite.info.params.iter().map(|(k, v)| (format!("param.{k}"), v.clone())));
        all.extend(flat_values(&suite.values()));
        let bounded = |text: &str| one_line(text, MESSAGE_LIMIT);
        all.iter().map(|(name, value)| Property::new(bounded(name), bounded(value))).collect()
    }

    fn case(&self, step: &StepRecord, names: &mut Names, tails: &mut bool) -> TestCase {
        let title = step.title();
        let trouble = of_step(step);
        let mut status = match &trouble {
            Some(trouble) if !trouble.optional => status(self.suite, trouble),
            Some(trouble) => skipped(&format!("optional: {}", trouble.message)),
            None if step.verdict == Verdict::Skipped => {
                skipped(step.reason.as_deref().unwrap_or("skipped"))
            }
            None => TestCaseStatus::success(),
        };
        self.add_reruns(step, &mut status);
        let mut case = TestCase::new(names.unique(&title), status);
        case.timestamp = step.started_us.and_then(|at| timestamp(self.suite.wall(at)));
        case.set_time(millis(step.took_ms));
        case.set_assertions(step.findings.len());
        self.place(&mut case, &step.info.file, trouble.as_ref().map_or(step.info.line, |t| t.line));
        let out = output(self.suite, step);
        if trouble.is_some() {
            self.attach(&mut case, out, tails);
        } else if !out.is_empty() {
            case.set_system_out(bounded(&out, OUTPUT_LIMIT));
        }
        case
    }

    fn place(&self, case: &mut TestCase, file: &Path, line: u32) {
        case.set_classname(classname(self.suite));
        case.extra.insert("file".into(), one_line(&file.to_string_lossy(), MESSAGE_LIMIT).into());
        case.extra.insert("line".into(), line.to_string().into());
    }

    /// Evidence, ends of logs and attachments of a failed case, all in its standard output: that is
    /// what most readers show. The logs' ends come once a suite, with its first failure.
    fn attach(&self, case: &mut TestCase, evidence: String, tails: &mut bool) {
        let files = logs::of_suite(self.suite);
        let mut out = unlinked(&bounded(&evidence, OUTPUT_LIMIT));
        if std::mem::take(tails) {
            let end = |file: &LogFile| {
                let end = logs::tail(&file.path, LOG_TAIL);
                format!("== the end of {}'s log ==\n{end}\n", one_line(&file.who, MESSAGE_LIMIT))
            };
            let ends: String = files.iter().map(end).collect();
            out.push_str(&unlinked(&bounded(&ends, OUTPUT_LIMIT)));
        }
        // GitLab requires each on a line of its own; they come last and are not cut off.
        out.extend(files.iter().map(|f| attachment(&f.path, self.root)));
        if !out.is_empty() {
            case.set_system_out(out);
        }
    }

    fn add_reruns(&self, step: &StepRecord, status: &mut TestCaseStatus) {
        for earlier in self.record.earlier_attempts(self.suite) {
            let trouble = earlier.step(&step.id).and_then(of_step);
            let Some(trouble) = trouble.filter(|t| !t.optional) else { continue };
            let mut rerun = TestRerun::new(non_success(trouble.kind));
            rerun.timestamp = trouble
                .step
                .and_then(|s| s.started_us)
                .and_then(|at| timestamp(self.suite.wall(at)));
            rerun.set_time(millis(trouble.step.map_or(0, |s| s.took_ms)));
            rerun.set_type(trouble.kind.word());
            rerun.set_message(one_line(&trouble.message, MESSAGE_LIMIT));
            rerun.set_description(bounded(&trouble.body(earlier), OUTPUT_LIMIT));
            status.add_rerun(rerun);
        }
    }
}

/// `plans/outage.yaml` in cell `version=4.1.1` → `plans.outage[version=4_1_1]`: readers split at dots.
fn classname(suite: &SuiteRecord) -> String {
    let stem = suite.info.file.with_extension("");
    let parts: Vec<_> = stem
        .components()
        .filter(|c| matches!(c, std::path::Component::Normal(_)))
        .map(|c| c.as_os_str().to_string_lossy().replace('.', "_"))
        .collect();
    let mut name = parts.join(".");
    if !suite.info.cell.is_empty() {
        name.push_str(&format!("[{}]", suite.info.cell.replace('.', "_")));
    }
    if suite.info.repetition > 1 {
        name.push_str(&format!("(round {})", suite.info.repetition));
    }
    one_line(&name, MESSAGE_LIMIT)
}

/// GitLab turns this form into a link everywhere: a broker's log must not make one.
fn unlinked(text: &str) -> String {
    text.replace("[[ATTACHMENT|", "[[ATTACHMENT │")
}

fn attachment(path: &Path, root: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root).unwrap_or(path).to_owned();
    format!("[[ATTACHMENT|{}]]\n", one_line(&path.to_string_lossy(), MESSAGE_LIMIT))
}

fn non_success(kind: TroubleKind) -> NonSuccessKind {
    match kind {
        TroubleKind::Broken => NonSuccessKind::Error,
        _ => NonSuccessKind::Failure,
    }
}

fn status(suite: &SuiteRecord, trouble: &Trouble<'_>) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(non_success(trouble.kind));
    status.set_type(trouble.kind.word());
    status.set_message(one_line(&trouble.message, MESSAGE_LIMIT));
    status.set_description(bounded(&trouble.body(suite), OUTPUT_LIMIT));
    status
}

fn skipped(reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(one_line(reason, MESSAGE_LIMIT));
    status.set_description(clean(&bounded(reason, OUTPUT_LIMIT)));
    status
}

/// What a step did, judged and recorded, for its standard output.
fn output(suite: &SuiteRecord, step: &StepRecord) -> String {
    let mut out = String::new();
    for (target, nodes) in &step.targets {
        out.push_str(&format!("target {target}: {}\n", nodes.join(", ")));
    }
    step.findings.iter().for_each(|f| out.push_str(&judged(f)));
    for (name, value) in flat_values(&step.recorded) {
        out.push_str(&format!("{name} = {value}\n"));
    }
    for (title, text) in &step.descriptions {
        out.push_str(&format!("{title}\n{text}\n"));
    }
    for note in suite.notes.iter().filter(|n| n.who == step.id) {
        out.push_str(&format!("note: {}\n", note.text));
    }
    clean(&bounded(&out, 2 * OUTPUT_LIMIT))
}

fn judged(finding: &Finding) -> String {
    let word = match finding.holds {
        Holds::Yes => "holds",
        Holds::No => "does not hold",
        Holds::Inconclusive => "inconclusive",
        Holds::Unjudged => "recorded",
    };
    let mut out = format!("{}: {word}: {}", finding.condition, finding.found);
    if let Some(ms) = finding.after_ms {
        out.push_str(&format!(" (after {ms} ms)"));
    }
    out.push('\n');
    finding.evidence.iter().for_each(|e| out.push_str(&format!("  - {e}\n")));
    out
}

/// A test suite of its own for what belongs to no plan: a killed run, suites that were not started.
fn run_suite(record: &RunRecord) -> Option<TestSuite> {
    let mut suite = TestSuite::new("kplan run");
    suite.timestamp = timestamp(record.began());
    let status = match (trouble::of_run(record), record.unstarted()) {
        (Some(text), _) => {
            let (kind, trouble) = match record.failed_by_flaky() {
                true => (NonSuccessKind::Failure, TroubleKind::Failed),
                false => (NonSuccessKind::Error, TroubleKind::Broken),
            };
            let mut status = TestCaseStatus::non_success(kind);
            status.set_type(trouble.word());
            status.set_message(text.clone()).set_description(text);
            status
        }
        (None, 0) => return None,
        (None, n) => skipped(&format!("{n} of the run's suites were not begun")),
    };
    let mut case = TestCase::new("the run", status);
    case.set_classname("kplan").set_time(millis(0));
    suite.set_time(millis(0)).add_test_case(case);
    Some(suite)
}

/// Names of cases, each once in a suite.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    fn unique(&mut self, title: &str) -> String {
        let title = one_line(title, TITLE_LIMIT);
        let name = std::iter::once(title.clone())
            .chain((2u32..).map(|n| format!("{title} ({n})")))
            .find(|name| !self.0.contains(name))
            .unwrap_or(title);
        self.0.insert(name.clone());
        name
    }
}

fn ms(us: i64) -> u64 {
    u64::try_from(us / 1_000).unwrap_or(0)
}

/// quick-junit takes chrono's type; it is parsed from RFC 3339 so that kplan does not depend on chrono.
fn timestamp<T: std::str::FromStr>(at: Timestamp) -> Option<T> {
    at.to_string().parse().ok()
}
