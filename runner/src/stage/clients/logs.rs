//! The logs of clients, over all their lives.

use crate::stage::clients::*;

impl Clients {
    /// Records the size of every client's log; called when a step begins.
    pub(in crate::stage) fn note_log_sizes(&self, at_us: i64) {
        for client in self.all() {
            for member in &client.members {
                let mut state = member.state();
                let size = std::fs::metadata(client.log_path(member.number, state.life));
                let size = size.map_or(0, |m| m.len());
                let life = state.life;
                state.log_sizes.push((at_us, life, size));
            }
        }
    }
}

impl Client {
    fn log_path(&self, member: u16, life: u16) -> PathBuf {
        self.spec.in_life(member, life).common().log_path()
    }

    /// The logs of a member's lives, each with the bytes that were written before a time.
    pub fn logs(&self, member: &Member, since_us: Option<i64>) -> Vec<(PathBuf, u64)> {
        let state = member.state();
        let skipped = |life: u16| {
            let before = || {
                let sizes = state.log_sizes.iter();
                sizes.filter(|(at, ..)| since_us.is_some_and(|since| *at <= since))
            };
            // When a later life had begun, this one had written everything.
            if before().any(|(_, of, _)| *of > life) {
                return u64::MAX;
            }
            before().filter(|(_, of, _)| *of == life).map(|(.., size)| *size).max().unwrap_or(0)
        };
        (1..=state.life).map(|life| (self.log_path(member.number, life), skipped(life))).collect()
    }

    /// The port of this machine at which a port of a service's instance is reached.
    pub fn reached(&self, port: u16, member: &Member) -> u16 {
        match &self.spec {
            ClientSpec::Service(service) => service.program.reached(port, member.number),
            _ => port,
        }
    }

    /// What keeps a member from running, as text.
    pub fn state_of(&self, member: &Member) -> String {
        if member.lives() {
            return "is paused".to_owned();
        }
        let state = member.state();
        let exit = state.reported.as_ref().and_then(|reported| reported.borrow().exit.clone());
        match exit {
            Some(exit) if state.asked != state.life => format!("ended by itself: {}", exit.text),
            _ => "was ended by the plan".to_owned(),
        }
    }
}

impl Member {
    /// How often it had ended by itself and was started again.
    pub fn restarts(&self) -> u16 {
        self.state().restarts
    }
}
