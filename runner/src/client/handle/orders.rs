//! How a client is signalled, killed and stopped.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use tokio::{io::AsyncWriteExt as _, time::timeout};

use super::{Ended, Handle, HandleError, VANISH};
use crate::client::protocol::{Order, Position};

impl Handle {
    /// Sends a signal: SIGSTOP, SIGCONT. A client that runs a program passes it on. Nothing happens to a process that
    /// has ended.
    pub async fn signal(&self, signal: Signal) -> Result<(), HandleError> {
        if self.spec.kind().program().is_none() || !self.alive() {
            return self.signal_process(signal);
        }
        let before = self.state.borrow().signals;
        self.order(&Order::Signal { number: signal as i32 }, VANISH).await;
        self.reach("signalled", VANISH, |s| s.signals > before || s.exit.is_some()).await
    }

    /// Signals the client's process itself.
    pub(super) fn signal_process(&self, signal: Signal) -> Result<(), HandleError> {
        if !self.alive() {
            return Ok(());
        }
        match kill(self.pid, signal) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
            Err(e) => Err(HandleError::Process {
                name: self.spec.common().name.clone(),
                what: "signal",
                source: e.into(),
            }),
        }
    }

    /// Gives an order. The process's end, or a missing report, shows that it was not carried out.
    async fn order(&self, order: &Order, limit: Duration) {
        let mut line = serde_json::to_vec(order).unwrap_or_default();
        line.push(b'\n');
        let _ = timeout(limit, async { self.stdin.lock().await.write_all(&line).await }).await;
    }

    /// SIGKILL, and waits until the process is gone. What it recorded is in its histories. A client that runs a
    /// program kills the program, and reports how it ended before it ends itself.
    pub async fn kill(&self) -> Result<(), HandleError> {
        if self.spec.kind().program().is_some() && self.alive() {
            self.order(&Order::Signal { number: Signal::SIGKILL as i32 }, VANISH).await;
            if self.reach("gone", VANISH, |s| s.exit.is_some()).await.is_ok() {
                return Ok(());
            }
        }
        self.signal_process(Signal::SIGKILL)?;
        self.reach("gone", VANISH, |s| s.exit.is_some()).await
    }

    /// Stops it gracefully; see [`Order::Stop`]. It may still run when this fails: kill it then.
    pub async fn stop(&self, limit: Duration, ends: Vec<Position>) -> Result<Ended, HandleError> {
        // It must be able to report what is left before the time is up.
        let limit_ms = u64::try_from(limit.as_millis() * 9 / 10).unwrap_or(u64::MAX);
        self.order(&Order::Stop { ends, limit_ms }, limit).await;
        self.reach("stopped", limit, |s| s.ended.is_some() && s.exit.is_some()).await?;
        Ok(self.state.borrow().ended.clone().unwrap_or_default())
    }
}
