//! The terminal during a run: a line for each step that ended, and for each running suite what
//! it does, its clients' rates, and the remaining time of a wait.
//!
//! On a terminal the status lines are redrawn in place; elsewhere plain lines are written, with a
//! status line every [`HEARTBEAT`], so that no CI system takes a long wait for a hang. If the output is not read,
//! lines are left out, and one line with their number is written as soon as it is read again.

mod bars;
mod screen;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::mpsc::UnboundedReceiver, task::JoinHandle};

use self::bars::Bars;
pub use self::screen::{Screen, state_word};
use crate::{
    event::{Event, Stamped, StepRun, SuiteId},
    out, secrets,
};

/// Time between two status lines if the output is no terminal.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// Between two drawings of the status lines.
const TICK: Duration = Duration::from_millis(200);

/// How much is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Words {
    /// Only failures.
    Quiet,
    /// A line for each step.
    #[default]
    Normal,
    /// Faults, nodes, clients, targets and findings too.
    Verbose,
}

/// What a wait waits for.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub step: StepRun,
    /// What does not hold yet, e.g. `P and C make progress`; empty if only time must pass.
    pub missing: String,
    /// When its limit runs out; none for a wait without.
    pub deadline: Option<Instant>,
}

/// A handle for waiting steps: it shows on the terminal what a step waits for. It is a state, not a queue: only the
/// newest is shown.
#[derive(Clone, Debug, Default)]
pub struct Live {
    waits: Arc<Mutex<BTreeMap<SuiteId, Waiting>>>,
}

impl Live {
    /// A suite waits for this from now on.
    pub fn waiting(&self, suite: SuiteId, waiting: Waiting) {
        let missing = secrets::mask(&waiting.missing).into_owned();
        self.lock().insert(suite, Waiting { missing, ..waiting });
    }

    /// A step no longer waits. The next step may wait already: the screen gets the end a little later.
    pub fn done(&self, suite: SuiteId, step: &StepRun) {
        let mut waits = self.lock();
        if waits.get(&suite).is_some_and(|w| w.step == *step) {
            waits.remove(&suite);
        }
    }

    /// The time left and what does not hold yet, as text, if the suite's step is this one. The time comes
    /// first on a line: it is short, and the other text may be long.
    pub fn words(&self, suite: SuiteId, step: &StepRun) -> [Option<String>; 2] {
        let waits = self.lock();
        let Some(waiting) = waits.get(&suite).filter(|w| w.step == *step) else {
            return [None, None];
        };
        let missing = Some(&waiting.missing).filter(|m| !m.is_empty());
        match waiting.deadline {
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now()).as_secs();
                [Some(format!("{left} s left")), missing.map(|m| format!("not yet: {m}"))]
            }
            None => [None, missing.map(|m| format!("waiting for {m}"))],
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SuiteId, Waiting>> {
        // After a panic elsewhere the state is still shown.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows events on standard error until the run ends or the channel closes. Await the task before
/// anything else is printed.
pub fn start(words: Words, events: UnboundedReceiver<Stamped>) -> (Live, JoinHandle<()>) {
    let live = Live::default();
    let screen = Screen::new(words, live.clone());
    let redraw = out::on_terminal() && words != Words::Quiet;
    let task = if redraw {
        tokio::spawn(on_terminal(screen, events))
    } else {
        tokio::spawn(on_pipe(screen, events))
    };
    (live, task)
}

/// True for the last event of a run.
fn last(event: &Stamped) -> bool {
    matches!(event.event, Event::RunEnded { .. })
}

async fn on_pipe(mut screen: Screen, mut events: UnboundedReceiver<Stamped>) {
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { return };
                screen.lines(&event).iter().for_each(|l| out::show_line(l));
                if last(&event) {
                    return;
                }
            }
            _ = beat.tick() => {
                if screen.words() != Words::Quiet {
                    screen.status().iter().for_each(|(_, l)| out::show_line(&format!("  … {l}")));
                }
            }
        }
    }
}

async fn on_terminal(mut screen: Screen, mut events: UnboundedReceiver<Stamped>) {
    let mut bars = Bars::default();
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            event = events.recv() => {
                let ends = event.as_ref().is_none_or(last);
                event.iter().flat_map(|e| screen.lines(e)).for_each(|l| bars.print(&l));
                if ends {
                    return bars.end();
                }
            }
            _ = tick.tick() => bars.show(&screen.status()),
        }
    }
}
