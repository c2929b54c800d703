//! Ctrl-C, SIGTERM, Ctrl-\\ and a closed terminal: the first asks for a graceful end, the second for an
//! immediate one. Either way everything is removed and the reports are written.
//!
//! A closed terminal (SIGHUP) ends the run unless the signal was ignored when kplan was started, as with
//! `nohup`.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::out;

/// The signals that end a run: SIGINT, SIGTERM, SIGQUIT and SIGHUP.
const SIGNALS: [SignalKind; 4] =
    [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::quit(), SignalKind::hangup()];

/// Whether kplan was started with SIGHUP ignored, as `nohup` does. Read from the kernel's mask of ignored signals
/// (proc(5)); SIGHUP is its first bit.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & 1 == 1)
}

/// The signals that were received.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    soft: CancellationToken,
    hard: CancellationToken,
    which: Arc<AtomicU8>,
}

impl Interrupt {
    /// Listens from now on. Printing must no longer wait for its reader: no signal would end that wait.
    pub fn listen() -> std::io::Result<Self> {
        out::never_wait()?;
        let this = Self::default();
        for kind in SIGNALS {
            if kind == SignalKind::hangup() && hangup_is_ignored() {
                continue;
            }
            let mut signals = signal(kind)?;
            let reported = this.clone();
            let number = u8::try_from(kind.as_raw_value()).unwrap_or(u8::MAX);
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    out::hurry();
                    reported.raise(number);
                }
            });
        }
        Ok(this)
    }

    fn raise(&self, number: u8) {
        if self.soft.is_cancelled() {
            self.hard.cancel();
        } else {
            self.which.store(number, Ordering::Release);
            self.soft.cancel();
        }
    }

    /// The first signal came: end gracefully.
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// The second signal came: end now.
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// The first signal's name, if one came.
    pub fn signal(&self) -> Option<&'static str> {
        match self.which.load(Ordering::Acquire) {
            1 => Some("SIGHUP"),
            2 => Some("SIGINT"),
            3 => Some("SIGQUIT"),
            15 => Some("SIGTERM"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_signal_is_the_hard_one_and_the_first_names_it() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.signal(), None);
        interrupt.raise(15);
        assert!(interrupt.soft().is_cancelled() && !interrupt.hard().is_cancelled());
        interrupt.raise(2);
        assert!(interrupt.hard().is_cancelled());
        assert_eq!(interrupt.signal(), Some("SIGTERM"));
    }
}
