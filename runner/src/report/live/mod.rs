//! The terminal while a run runs: a line for each step that ended, and for each suite that runs what
//! it does, its clients' rates, and the time that a wait has left.
//!
//! On a terminal the status lines are redrawn in place; elsewhere plain lines are written, with a
//! sign of life every [`HEARTBEAT`], so that no CI system takes a long wait for a hang.

mod screen;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinHandle};

pub use self::screen::{Screen, state_word};
use crate::{
    event::{Event, Stamped, SuiteId},
    out::{self, tell},
    secrets,
};

/// Between two signs of life where the output is no terminal.
pub const HEARTBEAT: Duration = Duration::from_secs(30);
/// Between two drawings of the status lines.
const TICK: Duration = Duration::from_millis(200);

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Words {
    /// Only what goes wrong.
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
    /// The step.
    pub step: String,
    /// What is not yet so, e.g. `P and C make progress`; empty where only time must pass.
    pub missing: String,
    /// When its limit runs out; none for a wait without.
    pub deadline: Option<Instant>,
}

/// A handle for those who wait: tells the terminal for what. It is a state, not a queue: only the
/// newest is shown, and whoever shows nothing costs nothing.
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

    /// A step waits no more. The next step may wait already: the screen hears of an end a little later.
    pub fn done(&self, suite: SuiteId, step: &str) {
        let mut waits = self.lock();
        if waits.get(&suite).is_some_and(|w| w.step == step) {
            waits.remove(&suite);
        }
    }

    /// The time left and what is not yet so, in words, if the suite's step is this one. The time comes
    /// first on a line: it is short, and what is missing may be long.
    #[must_use]
    pub fn words(&self, suite: SuiteId, step: &str) -> [Option<String>; 2] {
        let waits = self.lock();
        let Some(waiting) = waits.get(&suite).filter(|w| w.step == step) else {
            return [None, None];
        };
        let missing = Some(&waiting.missing).filter(|m| !m.is_empty());
        match waiting.deadline {
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now()).as_secs();
                [Some(format!("{left} s left")), missing.map(|m| format!("not yet: {m}"))]
            }
            None => [None, missing.map(|m| format!("waits for {m}"))],
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SuiteId, Waiting>> {
        // A panic elsewhere is no reason to show nothing.
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shows events on standard error until the run ends or the channel closes. Await the task before
/// anything else is printed.
#[must_use]
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
                screen.lines(&event).iter().for_each(|l| tell!("{l}"));
                if last(&event) {
                    return;
                }
            }
            _ = beat.tick() => {
                if screen.words() != Words::Quiet {
                    screen.status().iter().for_each(|(_, l)| tell!("  … {l}"));
                }
            }
        }
    }
}

async fn on_terminal(mut screen: Screen, mut events: UnboundedReceiver<Stamped>) {
    let bars = Bars::default();
    let mut tick = tokio::time::interval(TICK);
    let mut shown = BTreeMap::new();
    loop {
        let mut ends = false;
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    ends = last(&event);
                    screen.lines(&event).iter().for_each(|l| bars.print(l));
                }
                None => ends = true,
            },
            _ = tick.tick() => bars.show(&mut shown, &screen.status()),
        }
        if ends {
            bars.show(&mut shown, &[]);
            return;
        }
    }
}

/// The status lines below the output.
struct Bars {
    all: MultiProgress,
    color: bool,
}

impl Default for Bars {
    fn default() -> Self {
        Self { all: MultiProgress::new(), color: out::colour(false) }
    }
}

impl Bars {
    fn fit(&self, line: &str) -> String {
        out::fit(line, self.color)
    }

    fn print(&self, line: &str) {
        // Nothing to do about a terminal that went away.
        let _ = self.all.println(self.fit(line));
    }

    fn show(&self, shown: &mut BTreeMap<SuiteId, ProgressBar>, status: &[(SuiteId, String)]) {
        shown.retain(|suite, bar| {
            let stays = status.iter().any(|(s, _)| s == suite);
            if !stays {
                bar.finish_and_clear();
                self.all.remove(bar);
            }
            stays
        });
        for (suite, line) in status {
            let bar = shown.entry(*suite).or_insert_with(|| {
                let style = ProgressStyle::with_template("{spinner} {wide_msg}");
                let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
                self.all.add(ProgressBar::new_spinner().with_style(style))
            });
            bar.set_message(self.fit(line));
            bar.tick();
        }
    }
}
