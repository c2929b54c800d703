//! `chaos`: carries out the schedule of the seed and undoes its faults.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use kplan_dsl::steps::Chaos;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::{Node, NodeState},
    event::{Event, Holds, StepEnded, StepInfo, Verdict},
    history::now_us,
    stage::{
        chaos::{self, Hits, Planned, lasting},
        nodes::brokers_of,
        outcome::{Done, StepError},
    },
    steps::{
        Act, Cx, act_of,
        lasting::{pass, settled},
        limits::{limited, on_top},
    },
};

/// Faults in effect: what each affects, and which brokers it takes away.
#[derive(Default)]
struct InEffect(Mutex<BTreeMap<u32, (Hits, BTreeSet<Node>)>>);

impl InEffect {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u32, (Hits, BTreeSet<Node>)>> {
        self.0.lock().expect("no holder panics")
    }
}

/// What cut a chaos off: its limit, the plan's, or a signal.
#[derive(Default)]
struct Cut {
    why: Mutex<Option<StepError>>,
    came: CancellationToken,
}

impl Cut {
    fn off(&self, why: StepError) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        self.came.cancel();
    }

    /// Returns when the chaos is cut off, with the error for each of its faults.
    async fn error(&self) -> StepError {
        self.came.cancelled().await;
        match &*self.why.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(StepError::Rig(cause)) => StepError::rig(cause),
            Some(StepError::TimedOut(text)) => StepError::TimedOut(text.clone()),
            _ => StepError::Interrupted,
        }
    }
}

/// What the faults of a chaos share.
struct All<'a> {
    args: &'a Chaos,
    begun: Instant,
    in_effect: InEffect,
    cut: Cut,
}

#[async_trait]
impl Act for Chaos {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        carry_out(self, cx).await
    }

    fn limit(&self) -> Option<Duration> {
        Some(on_top(*self.for_time))
    }

    fn keeps_limit(&self) -> bool {
        true
    }
}

/// Carries the schedule out. Every fault is undone when its time is over, or when the chaos is cut off;
/// the step ends when the last fault is undone.
async fn carry_out(args: &Chaos, cx: &Cx<'_>) -> Result<Done, StepError> {
    let brokers = cx.stage.running()?.cluster.brokers();
    let place = format!("{} {}", cx.stage.plan.cell_label().unwrap_or_default(), cx.id);
    let times = (*args.for_time, *args.every);
    let schedule = chaos::schedule(cx.stage.seed, &place, times, &args.faults, &brokers);
    tell(&schedule, cx);
    let begun = Instant::now();
    let all = All { args, begun, in_effect: InEffect::default(), cut: Cut::default() };
    let kept: Vec<&Planned> = schedule.iter().filter(|p| wanted(p, cx)).collect();
    // The full time, unless a schedule is being shrunk: then there is no wait after the last fault.
    let lasts =
        if kept.len() == schedule.len() { times.0 } else { lasting(times, kept.iter().copied()) };
    let faults = kept.len();
    let each = Box::pin(join_all(kept.into_iter().map(|planned| one(planned, &all, cx))));
    let (done, errors) = ended(each, begun + lasts, &all, cx).await;
    // All faults have ended; the error that decides ends the step.
    if let Some(worst) = StepError::worst(errors) {
        return Err(worst);
    }
    // While a schedule is being shrunk, faults are left out on purpose.
    if done > 0 || cx.stage.chaos.only.is_some() {
        return Ok(Done::default());
    }
    cx.stage.breaks.leave_out(cx.id);
    Err(cx.proves_nothing(
        "at least one fault is done",
        format!("nothing was broken: all {faults} faults were left out"),
        &["the step of each fault shows why it was left out"],
    ))
}

/// Waits for the end of all faults and of the time, or cuts them off. Returns how many were done, and the errors.
async fn ended(
    mut each: impl Future<Output = Vec<Result<bool, StepError>>> + Unpin,
    until: Instant,
    all: &All<'_>,
    cx: &Cx<'_>,
) -> (usize, Vec<StepError>) {
    let mut results = None;
    let whole = async {
        results = Some((&mut each).await);
        sleep_until(until).await;
        Ok(())
    };
    let mut errors = Vec::new();
    if let Err(error) = limited(cx, whole).await {
        all.cut.off(error);
        errors.push(all.cut.error().await);
    }
    let results = match results {
        Some(results) => results,
        None => each.await,
    };
    let mut done = 0;
    for result in results {
        match result {
            Ok(was_done) => done += usize::from(was_done),
            Err(error) => errors.push(error),
        }
    }
    (done, errors)
}

/// Whether a fault is among those to do.
fn wanted(planned: &Planned, cx: &Cx<'_>) -> bool {
    cx.stage.chaos.wants(&cx.id.fault(planned.number))
}

/// Reports the planned schedule; the step of a fault that is left out shows it.
fn tell(schedule: &[Planned], cx: &Cx<'_>) {
    let rows: Vec<String> = schedule
        .iter()
        .filter(|p| wanted(p, cx))
        .map(|p| {
            let (at, lasts) = (p.at.as_secs_f64(), p.lasts().as_secs_f64());
            format!("| {} | {at:.1} s | {lasts:.1} s | {} |", p.number, p.verb.explain())
        })
        .collect();
    cx.stage.tell.emit(Event::Described {
        step: cx.id.to_owned(),
        title: format!("Schedule of seed {}", cx.stage.seed),
        text: format!("| fault | begins at | lasts | |\n|---|---|---|---|\n{}", rows.join("\n")),
    });
}

/// What is known about a fault before it begins.
fn listed(planned: &Planned, cx: &Cx<'_>) -> StepInfo {
    let own = cx.stage.step_info(cx.head, planned.verb.explain(), false);
    StepInfo { id: own.id.fault(planned.number), verb: String::new(), fault: true, ..own }
}

/// One fault: waits for its time, checks whether it is allowed, does it and undoes it. False if it was left out.
async fn one(planned: &Planned, all: &All<'_>, cx: &Cx<'_>) -> Result<bool, StepError> {
    let id = cx.id.fault(planned.number);
    tokio::select! {
        biased;
        _ = all.cut.error() => return Ok(false),
        () = sleep_until(all.begun + planned.at) => {}
    }
    let own = Cx { id: &id, verb: &planned.verb, began_us: now_us(), ..*cx };
    let info = Box::new(listed(planned, cx));
    cx.stage.tell.emit(Event::StepListed { step: id.clone(), info });
    cx.stage.tell.emit(Event::StepStarted { step: id.clone() });
    cx.stage.breaks.runs_in(&id, cx.id);
    cx.stage.step_began(&id, None, own.began_us);
    let why_not = tokio::select! {
        biased;
        error = all.cut.error() => Err(error),
        why_not = may_begin(planned, all, &own) => why_not,
    };
    let result = match &why_not {
        Ok(None) => {
            cx.stage.chaos.push(cx.id, planned);
            done(all, &own).await
        }
        Ok(Some(_)) | Err(_) => Ok(()),
    };
    all.in_effect.all().remove(&planned.number);
    let result = why_not.and_then(|left_out| result.map(|()| left_out));
    // One that met nothing broke nothing.
    let result = match result {
        Err(StepError::Unproven(finding)) => Ok(Some(finding.found)),
        result => result,
    };
    cx.stage.timeline.ended(&id, now_us());
    let (verdict, reason) = match &result {
        Ok(None) => (Verdict::Passed, None),
        Ok(Some(why)) => (Verdict::Skipped, Some(format!("left out: {why}"))),
        Err(error) => (error.verdict(), error.words()),
    };
    let cause = result.as_ref().err().and_then(StepError::cause);
    cx.stage.tell.emit(Event::StepEnded(Box::new(StepEnded {
        step: id.clone(),
        verdict,
        took_ms: u64::try_from((now_us() - own.began_us) / 1_000).unwrap_or(0),
        findings: Vec::new(),
        reason,
        optional: false,
        timed_out: matches!(result, Err(StepError::TimedOut(_))),
        cause,
    })));
    result.map(|left_out| left_out.is_none())
}

/// Does a fault and undoes it.
async fn done(all: &All<'_>, own: &Cx<'_>) -> Result<(), StepError> {
    let done = tokio::select! {
        biased;
        error = all.cut.error() => Err(error),
        done = pass(own) => done,
    };
    settled(own, done).await.map(drop)
}

/// Why a fault is left out; none if it may begin: then it counts as in effect from here.
async fn may_begin(
    planned: &Planned,
    all: &All<'_>,
    own: &Cx<'_>,
) -> Result<Option<String>, StepError> {
    let All { args, in_effect, .. } = all;
    let nodes = match act_of(&planned.verb).takes_away(own).await {
        Ok(nodes) => nodes,
        // No leader now, or no node to choose from: there is no target.
        Err(error @ (StepError::Kafka(_) | StepError::Plan(_))) => return Ok(error.words()),
        Err(error) => return Err(error),
    };
    let hits = chaos::hits(&planned.verb);
    if let Some(keep) = &args.keep {
        let findings = own.judge(false).until(keep, *args.every / 2, None).await?;
        if let Some(f) = findings.iter().find(|f| f.holds != Holds::Yes) {
            return Ok(Some(format!("{} does not hold: {}", f.condition, f.found)));
        }
    }
    let view = own.stage.running()?.observer.fresh().await;
    let mut all = in_effect.all();
    if let Some(node) = nodes.iter().find(|n| all.values().any(|(_, gone)| gone.contains(n))) {
        return Ok(Some(format!("{node} is already affected by another fault")));
    }
    if hits == Hits::Nodes {
        let down = |n: &&Node| own.stage.wanted.get(**n) != NodeState::Running;
        if let Some(node) = nodes.iter().find(down) {
            return Ok(Some(format!("{node} does not run")));
        }
    }
    let other = |known: &Hits| *known != hits && *known != Hits::Others && hits != Hits::Others;
    if all.values().any(|(known, _)| other(known)) {
        return Ok(Some("a fault of another kind is in effect".to_owned()));
    }
    let together: Vec<Node> =
        nodes.iter().chain(all.values().flat_map(|(_, gone)| gone)).copied().collect();
    let gone: BTreeSet<u32> = brokers_of(&together).into_iter().collect();
    let broken = args.keep.as_ref().and_then(|keep| chaos::broken_by(keep, &view, &gone));
    if let Some(what) = broken.filter(|_| !nodes.is_empty()) {
        return Ok(Some(format!("it would break `keep`: {what}")));
    }
    all.insert(planned.number, (hits, nodes));
    Ok(None)
}
