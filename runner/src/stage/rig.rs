//! Checks that nothing outside the plan changed the machine. If another process removed, paused or filled up
//! something, that shows nothing about Kafka: the verdict is a broken rig.

use std::sync::{Mutex, PoisonError};

use crate::{
    cluster::{Death, NodeState, RigError},
    event::LaneState,
    history::now_us,
    processes,
    stage::{
        Stage,
        clients::shown,
        outcome::{RigCause, StepError},
    },
};

/// A client that sends no report for this long hangs: it reports statistics five times a second, and only
/// the end of a transaction may keep it busy for a minute.
const SILENCE_US: i64 = 120_000_000;
/// A node's state is not checked for this long after a step changed it: the engine's view may be older.
const SETTLED_US: i64 = 2_000_000;

/// Descriptions of changes from outside the plan; the first is kept.
#[derive(Debug, Default)]
pub struct Taken(Mutex<Option<String>>);

impl Taken {
    /// Records a change from outside the plan.
    pub fn note(&self, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
    }

    fn noted(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Stage {
    /// Returns a node that ended by itself: that is evidence about Kafka, and no error here.
    /// Cheap enough to be called in every second of a wait.
    ///
    /// # Errors
    /// When a node or a client was ended from outside (memory, a signal of another process, a removed
    /// container), the run's directory cannot be written, or the engine is gone: nothing judged from here
    /// on shows anything about Kafka.
    pub async fn rig_stands(&self) -> Result<Option<Death>, StepError> {
        self.clients_stand();
        if let Some(text) = self.run.sink.trouble().or_else(|| self.taken.noted()) {
            return Err(StepError::Rig(RigCause::Taken(text)));
        }
        let Ok(running) = self.running() else { return Ok(None) };
        match running.cluster.check().await {
            Ok(()) => Ok(None),
            Err(RigError::NodeExited(death)) if !death.foreign => Ok(Some(death)),
            Err(error) => Err(error.into()),
        }
    }

    /// The same with a check of every node, before a condition that does not hold counts against Kafka.
    pub async fn rig_stands_closely(&self) -> Result<Option<Death>, StepError> {
        let ended = self.rig_stands().await?;
        let Ok(running) = self.running() else { return Ok(ended) };
        for node in running.cluster.nodes() {
            let settled = |at| now_us() - at > SETTLED_US;
            if self.wanted.get(node) != NodeState::Running
                || !self.wanted.since(node).is_none_or(settled)
            {
                continue;
            }
            let state = running.cluster.state(node).await?;
            // A parallel step may have paused it meanwhile.
            if state == NodeState::Paused && self.wanted.get(node) == NodeState::Running {
                let text = format!("{node} was paused from outside");
                return Err(StepError::Rig(RigCause::Taken(text)));
            }
        }
        Ok(ended)
    }

    /// Records a client that was paused from outside, or that hangs.
    fn clients_stand(&self) {
        for client in self.clients.all() {
            for member in &client.members {
                let busy = matches!(
                    member.lane(),
                    Some(LaneState::Starting | LaneState::Up | LaneState::Stopping)
                );
                let Some((pid, silent_us)) = member.pulse().filter(|_| busy) else { continue };
                let who = shown(&client, member);
                if processes::is_frozen(pid) {
                    self.taken.note(format!("client {who} was paused from outside"));
                } else if silent_us > SILENCE_US {
                    let seconds = silent_us / 1_000_000;
                    self.taken
                        .note(format!("client {who} hangs: it sent no report for {seconds} s"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::Command,
        time::{Duration, Instant},
    };

    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };

    use super::*;

    #[test]
    fn a_frozen_process_is_told_from_one_that_sleeps() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        let pid = i32::try_from(child.id()).expect("a pid");
        assert!(!processes::is_frozen(pid));
        kill(Pid::from_raw(pid), Signal::SIGSTOP).expect("signalled");
        let end = Instant::now() + Duration::from_secs(10);
        while !processes::is_frozen(pid) {
            assert!(Instant::now() < end, "it is frozen");
            std::thread::yield_now();
        }
        child.kill().expect("killed");
        child.wait().expect("reaped");
        assert!(!processes::is_frozen(pid), "who is gone is not frozen");
    }

    #[test]
    fn the_first_loss_is_the_one_that_is_told() {
        let taken = Taken::default();
        taken.note("one".to_owned());
        taken.note("two".to_owned());
        assert_eq!(taken.noted().as_deref(), Some("one"));
    }
}
