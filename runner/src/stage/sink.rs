//! Where events go: first to disk, then to the live terminal; secrets are masked in both.

use std::sync::Mutex;

use kplan_dsl::visible;
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::{
    event::{Event, Stamped, SuiteId},
    history::{RunClock, now_us},
    record::EventLog,
    secrets,
};

/// The longest line of an event with full texts, in bytes.
const LONG_EVENT: usize = 32 << 10;
/// The longest text of such an event, in bytes.
const LONG_TEXT: usize = 8 << 10;

/// Shortens the long texts of an event; the plan's own text stays complete.
fn bounded(event: Stamped) -> Stamped {
    let Ok(line) = serde_json::to_string(&event) else { return event };
    if line.len() <= LONG_EVENT {
        return event;
    }
    let Ok(mut value) = serde_json::from_str(&line) else { return event };
    bound(&mut value);
    serde_json::from_value(value).unwrap_or(event)
}

fn bound(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > LONG_TEXT => {
            *text = visible::bounded(text, LONG_TEXT).into_owned();
        }
        Value::Array(all) => all.iter_mut().for_each(bound),
        Value::Object(map) => {
            map.iter_mut().filter(|(key, _)| *key != "sources").for_each(|(_, value)| bound(value));
        }
        _ => {}
    }
}

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
    pub fn new(log: EventLog, live: UnboundedSender<Stamped>, clock: RunClock) -> Self {
        let lost = CancellationToken::new();
        Self { log: Mutex::new(log), live, clock, broken: Mutex::new(None), lost }
    }

    /// Records that something happens now.
    pub fn emit(&self, suite: Option<SuiteId>, event: Event) {
        self.emit_at(now_us(), suite, event);
    }

    /// Records that something happened at a monotonic time.
    pub fn emit_at(&self, mono_us: i64, suite: Option<SuiteId>, event: Event) {
        let at = jiff::Timestamp::from_microsecond(self.clock.wall_us(mono_us))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let stamped = bounded(secrets::masked(Stamped { at, mono_us, suite, event }));
        if let Err(error) = self.log.lock().expect("no holder panics").append(&stamped) {
            // The run ends: without its events on disk, its reports could not be made again.
            self.broken.lock().expect("no holder panics").get_or_insert(error.to_string());
            self.lost.cancel();
        }
        // Without a listener the event is still in the log.
        let _ = self.live.send(stamped);
    }

    /// Maps the histories' clock to the time of day.
    pub fn clock(&self) -> &RunClock {
        &self.clock
    }

    /// Cancelled when events can no longer be written.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Why events could not be written, if they could not.
    pub fn trouble(&self) -> Option<String> {
        self.broken.lock().expect("no holder panics").clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_an_event_is_longer_than_people_read() {
        let text = "x".repeat(5 << 20);
        let event = Event::Note { step: "3".into(), text };
        let stamped =
            Stamped { at: jiff::Timestamp::UNIX_EPOCH, mono_us: 7, suite: Some(1), event };
        let Event::Note { text, step, .. } = bounded(stamped).event else {
            panic!("another event")
        };
        assert!(text.len() < LONG_TEXT + 100 && text.ends_with("x… (5,242,880 bytes in all)"));
        assert_eq!(step, "3".into());
    }
}
