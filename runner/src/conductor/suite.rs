//! One suite from its first step to the removal of everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kplan_dsl::{
    Verb,
    plan::{Plan, Step},
};

use crate::{
    conductor::{
        always::Always,
        schedule::Keep,
        step::{self, Flow},
        warm::{clean, is_traceless},
    },
    event::{
        Event, Holds, Reason, ReasonKind, StepEnded, StepInfo, StepRun, SuiteId, SuiteStarted,
        Verdict,
    },
    stage::{Run, Stage, chaos::DoneFault, hearing, sampler::Sampler, warm::Warm},
    steps::limits::Surroundings,
};

/// How a suite ended.
#[derive(Debug)]
pub struct SuiteResult {
    pub verdict: Verdict,
    /// Whether its cluster was kept (`--keep`).
    pub kept: bool,
    /// What its chaos did.
    pub faults: Vec<DoneFault>,
    /// Its cluster, if it was to leave it and the cluster is fit for another suite.
    pub warm: Option<Warm>,
}

/// What one suite needs to run.
pub struct Suite {
    /// Number within the run.
    pub number: SuiteId,
    pub plan: Arc<Plan>,
    pub dir: PathBuf,
    /// Which repetition of `--repeat`.
    pub repetition: u32,
    /// Which attempt of `--retries`, from 1.
    pub attempt: u32,
    /// Its time limit, for all steps but `finally`.
    pub timeout: Duration,
    /// When the cluster stays.
    pub keep: Keep,
    /// Only these faults of its chaos, by id; none: all.
    pub only: Option<BTreeSet<StepRun>>,
    /// A cluster of an earlier suite, to reuse.
    pub warm: Option<Warm>,
    /// Leave the cluster to a later suite, under this key, if it is fit for that.
    pub leave: Option<String>,
}

/// Runs a suite through its steps. Never fails itself: errors are in the verdict. When all is
/// judged and only the removal is left, it calls `judged` with the verdict.
pub async fn run_suite(
    run: Arc<Run>,
    mut suite: Suite,
    judged: impl FnOnce(Verdict) + Send,
) -> SuiteResult {
    let (mut stage, heard) = Stage::new(run, suite.number, suite.plan.clone(), suite.dir.clone());
    stage.seed = stage.run.seed.wrapping_add(u64::from(suite.repetition.saturating_sub(1)));
    stage.chaos.only.clone_from(&suite.only);
    stage.place.give_warm(suite.warm.take());
    let stage = Arc::new(stage);
    hearing::clients(&stage, heard);
    stage.tell.emit(Event::SuiteStarted(Box::new(started(&stage, &suite))));
    let sampler = Sampler::start(stage.clone());
    let tally = Tally::default();
    let always = Always::start(&stage);
    let flow = Flow {
        around: Surroundings {
            deadline: Some(Instant::now() + suite.timeout),
            ..Surroundings::default()
        },
        rounds: Vec::new(),
        within: None,
        optional: false,
    };
    step::run_list(&stage, &suite.plan.steps, flow.clone(), &tally).await;
    let (held, violated) = always.end(stage.run.interrupt.hard()).await;
    tally.always_held(held);
    tally.reasons(violated);
    if let Some(signal) = stage.run.interrupt.signal() {
        tally.reasons([Reason::new(ReasonKind::Interrupted, format!("interrupted by {signal}"))]);
    }
    if let Some(trouble) = stage.run.sink.trouble() {
        tally.reasons([Reason::new(ReasonKind::Rig, trouble)]);
    }
    let around = Surroundings { finally: true, ..Surroundings::default() };
    let flow = Flow { around, ..flow };
    step::run_list(&stage, &suite.plan.finally, flow, &tally).await;
    // After a second interruption the run does not wait for an engine.
    if !stage.run.interrupt.hard().is_cancelled() {
        let holds = tally.verdict() != Verdict::Broken;
        tally.reasons(stage.unreported_ends(holds).await);
    }
    drop(sampler);
    let kept = match suite.keep {
        Keep::Never => false,
        Keep::Failed => tally.verdict() != Verdict::Passed,
        Keep::Always => true,
    };
    let verdict = tally.verdict();
    judged(verdict);
    let leave = suite.leave.filter(|_| verdict == Verdict::Passed && is_traceless(&suite.plan));
    let (warm, trouble) = tear_down(&stage, kept, leave).await;
    if let Some(trouble) = trouble {
        tally.reasons([Reason::new(ReasonKind::Rig, trouble)]);
    }
    let verdict = tally.verdict();
    stage.tell.emit(Event::SuiteEnded { verdict, reasons: tally.all_reasons() });
    SuiteResult { verdict, kept, faults: stage.chaos.done(), warm }
}

/// Removes clients, observer and cluster, or leaves the cluster to another suite. Returns what cannot be
/// removed.
async fn tear_down(
    stage: &Arc<Stage>,
    keep: bool,
    leave: Option<String>,
) -> (Option<Warm>, Option<String>) {
    stage.clients.kill_all(stage).await;
    // The suite ended before it used the cluster that it was given.
    if let Some(unused) = stage.place.take_warm() {
        let _ = unused.cluster.destroy().await;
    }
    let Some(running) = stage.place.set_running(None) else { return (None, None) };
    if keep {
        return (None, None);
    }
    if let Some(key) = leave
        && clean(stage, &running).await.is_ok()
    {
        let cluster = running.cluster;
        return (Some(Warm { cluster, key, suite: stage.suite }), None);
    }
    let given_back = stage.give_back(&running).await;
    let removed = running.cluster.destroy().await;
    let trouble = given_back.and(removed).err();
    (None, trouble.map(|e| format!("not everything could be removed: {e}")))
}

fn started(stage: &Stage, suite: &Suite) -> SuiteStarted {
    let plan = &suite.plan;
    let mut steps = Vec::new();
    infos(stage, plan.steps.iter(), false, &mut steps);
    infos(stage, plan.finally.iter(), true, &mut steps);
    let sources: BTreeMap<PathBuf, String> = plan
        .sources
        .iter()
        .map(|(_, s)| (stage.run.shown(s.path()), s.text().to_owned()))
        .collect();
    SuiteStarted {
        name: plan.name.to_string(),
        cell: plan.cell_label().unwrap_or_default(),
        file: stage.run.shown(&plan.path),
        description: plan.description.clone(),
        tags: plan.tags.clone(),
        params: plan.params.iter().map(|p| (p.name.clone(), p.shown().to_owned())).collect(),
        simulated: stage.run.backend.simulated(),
        attempt: suite.attempt,
        repetition: suite.repetition,
        steps,
        sources,
        dir: suite.dir.strip_prefix(&stage.run.dir).unwrap_or(&suite.dir).to_owned(),
    }
}

fn infos<'s>(
    stage: &Stage,
    steps: impl Iterator<Item = &'s Step>,
    finally: bool,
    all: &mut Vec<StepInfo>,
) {
    for one in steps {
        all.push(stage.step_info(&one.head, one.title(), finally));
        infos(stage, one.inside_once().into_iter(), finally, all);
    }
}

/// Whether a step of this word judges.
fn judges(word: &str) -> bool {
    Verb::facts_of(word).is_some_and(|facts| facts.goes_on)
}

/// Adds the steps' verdicts up. Shared by the branches of a `parallel`.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    worst: Option<Verdict>,
    judged: u32,
    asserts: u32,
    /// Asserts that were skipped, are optional, or are always true.
    idle_asserts: u32,
    reasons: Vec<Reason>,
}

impl Tally {
    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().expect("no holder panics")
    }

    /// Counts a step with this verb that ended.
    pub fn count(&self, verb: &str, ended: &StepEnded) {
        let mut counts = self.counts();
        let judged = ended.findings.iter().filter(|f| f.holds != Holds::Unjudged).count();
        // A step that can fail without a consequence proves nothing, nor does a condition that is always true.
        counts.idle_asserts += u32::from(judges(verb) && (ended.optional || judged == 0));
        if ended.optional {
            return;
        }
        counts.judged += u32::try_from(judged).unwrap_or(u32::MAX);
        counts.asserts += u32::from(judged > 0 && judges(verb));
        counts.worst = counts.worst.max(Some(ended.verdict));
    }

    /// Counts a step that did not run.
    pub fn skipped(&self, step: &Step) {
        self.counts().idle_asserts += u32::from(judges(step.head.word));
    }

    /// Adds reasons that belong to no step.
    pub fn reasons(&self, more: impl IntoIterator<Item = Reason>) {
        self.counts().reasons.extend(more);
    }

    /// Counts `always` rules that were judged and held.
    pub fn always_held(&self, rules: u32) {
        let mut counts = self.counts();
        counts.judged += rules;
        counts.asserts += rules;
    }

    /// The suite's verdict. Green means proven: a plan in which nothing was judged is inconclusive.
    pub fn verdict(&self) -> Verdict {
        let counts = self.counts();
        let broken = counts
            .reasons
            .iter()
            .any(|r| matches!(r.kind, ReasonKind::Rig | ReasonKind::Interrupted));
        let worst = counts.worst.unwrap_or(Verdict::Skipped);
        match worst {
            Verdict::Broken => Verdict::Broken,
            _ if broken => Verdict::Broken,
            Verdict::Failed => Verdict::Failed,
            _ if !counts.reasons.is_empty() || counts.proves_nothing().is_some() => Verdict::Failed,
            _ => Verdict::Passed,
        }
    }

    fn all_reasons(&self) -> Vec<Reason> {
        let counts = self.counts();
        let mut all = counts.reasons.clone();
        if let (Some(why), true) = (counts.proves_nothing(), counts.worst < Some(Verdict::Failed)) {
            all.push(Reason::new(ReasonKind::Inconclusive, format!("inconclusive: {why}")));
        }
        all
    }
}

impl Counts {
    fn proves_nothing(&self) -> Option<&'static str> {
        if self.idle_asserts > 0 && self.asserts == 0 {
            Some("every assert was skipped, is optional, or is always true")
        } else if self.judged == 0 {
            Some("the plan judges nothing")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Finding;

    fn ended(verdict: Verdict, holds: &[Holds]) -> StepEnded {
        let finding = |h: &Holds| Finding {
            condition: String::new(),
            line: 1,
            holds: *h,
            expected: String::new(),
            found: String::new(),
            evidence: Vec::new(),
            after_ms: None,
        };
        StepEnded {
            step: "1".into(),
            verdict,
            took_ms: 0,
            findings: holds.iter().map(finding).collect(),
            reason: None,
            optional: false,
            timed_out: false,
            cause: None,
        }
    }

    #[test]
    fn nothing_judged_is_never_green() {
        let tally = Tally::default();
        assert_eq!(tally.verdict(), Verdict::Failed);
        tally.count("assert", &ended(Verdict::Passed, &[Holds::Unjudged]));
        assert_eq!(tally.verdict(), Verdict::Failed, "a record judges nothing");
        assert_eq!(tally.all_reasons()[0].kind, ReasonKind::Inconclusive);
        tally.count("assert", &ended(Verdict::Passed, &[Holds::Yes]));
        assert_eq!(tally.verdict(), Verdict::Passed);
        assert!(tally.all_reasons().is_empty());
    }

    /// A wait that holds says that the plan's beginning worked, and is no judgement of its own beside them.
    #[test]
    fn a_wait_does_not_stand_in_for_asserts_that_decide_nothing() {
        let optional = StepEnded { optional: true, ..ended(Verdict::Passed, &[Holds::Yes]) };
        for idle in [optional, ended(Verdict::Passed, &[Holds::Unjudged])] {
            let tally = Tally::default();
            tally.count("wait", &ended(Verdict::Passed, &[Holds::Yes]));
            assert_eq!(tally.verdict(), Verdict::Passed);
            tally.count("assert", &idle);
            assert_eq!(tally.verdict(), Verdict::Failed);
            tally.count("assert", &ended(Verdict::Passed, &[Holds::Yes]));
            assert_eq!(tally.verdict(), Verdict::Passed);
        }
    }

    #[test]
    fn a_broken_rig_is_never_a_failed_kafka() {
        let tally = Tally::default();
        tally.count("assert", &ended(Verdict::Failed, &[Holds::No]));
        assert_eq!(tally.verdict(), Verdict::Failed);
        tally.count("assert", &ended(Verdict::Broken, &[]));
        assert_eq!(tally.verdict(), Verdict::Broken);
    }

    #[test]
    fn an_optional_failure_is_only_told() {
        let tally = Tally::default();
        tally
            .count("assert", &StepEnded { optional: true, ..ended(Verdict::Failed, &[Holds::No]) });
        assert_eq!(tally.all_reasons()[0].kind, ReasonKind::Inconclusive, "nothing else judges");
        tally.count("assert", &ended(Verdict::Passed, &[Holds::Yes]));
        assert_eq!(tally.verdict(), Verdict::Passed);
    }
}
