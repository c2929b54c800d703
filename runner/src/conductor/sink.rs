//! Where events go: to disk first, then to whoever watches; neither is told a secret.

use std::sync::Mutex;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::{
    event::{Event, Stamped},
    history::{RunClock, now_us},
    record::EventLog,
    secrets,
};

/// Stamps events, appends them to `events.jsonl`, and passes them to the live terminal.
pub struct Sink {
    log: Mutex<EventLog>,
    live: UnboundedSender<Stamped>,
    clock: RunClock,
    broken: Mutex<Option<String>>,
    lost: CancellationToken,
}

impl Sink {
    /// A sink over an open log.
    #[must_use]
    pub fn new(log: EventLog, live: UnboundedSender<Stamped>, clock: RunClock) -> Self {
        let lost = CancellationToken::new();
        Self { log: Mutex::new(log), live, clock, broken: Mutex::new(None), lost }
    }

    /// Records that something happens now.
    pub fn emit(&self, event: Event) {
        self.emit_at(now_us(), event);
    }

    /// Records that something happened at a monotonic time.
    pub fn emit_at(&self, mono_us: i64, event: Event) {
        let at = jiff::Timestamp::from_microsecond(self.clock.wall_us(mono_us))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let stamped = secrets::masked(Stamped { at, mono_us, event });
        if let Err(error) = self.log.lock().expect("no holder panics").append(&stamped) {
            // The run ends: one whose events are not on disk has no reports that could be made again.
            self.broken.lock().expect("no holder panics").get_or_insert(error.to_string());
            self.lost.cancel();
        }
        // Nobody watching is fine: the log is the truth.
        let _ = self.live.send(stamped);
    }

    /// What ties the histories' clock to the time of day.
    #[must_use]
    pub fn clock(&self) -> &RunClock {
        &self.clock
    }

    /// Cancelled when events cannot be written any more.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Why events could not be written, if they could not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.broken.lock().expect("no holder panics").clone()
    }
}
