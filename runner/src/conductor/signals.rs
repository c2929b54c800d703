//! Ctrl-C and SIGTERM: the first asks for a graceful end, the second for an immediate one. Either way
//! everything is removed and the reports are written.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Which signals came.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    soft: CancellationToken,
    hard: CancellationToken,
    which: Arc<AtomicU8>,
}

impl Interrupt {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        let this = Self::default();
        let mut int = signal(SignalKind::interrupt())?;
        let mut term = signal(SignalKind::terminate())?;
        let told = this.clone();
        tokio::spawn(async move {
            loop {
                let number = tokio::select! {
                    _ = int.recv() => 2,
                    _ = term.recv() => 15,
                };
                told.raise(number);
            }
        });
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
    #[must_use]
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// The second signal came: end now.
    #[must_use]
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// The first signal's name, if one came.
    #[must_use]
    pub fn signal(&self) -> Option<&'static str> {
        match self.which.load(Ordering::Acquire) {
            2 => Some("SIGINT"),
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
