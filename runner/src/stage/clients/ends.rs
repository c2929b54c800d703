//! Ends of clients that the plan did not ask for, until a step has reported them.

use crate::{
    client::handle::{Exit, NotInTime},
    report::logs,
    stage::clients::*,
};

/// Last bytes and lines of a client's log that are shown.
const LOG_BYTES: u64 = 8 << 10;
const LOG_LINES: usize = 10;

/// A client's end that the plan did not ask for.
#[derive(Clone, Debug)]
pub struct OwnEnd {
    /// The client or member.
    pub who: String,
    pub life: u16,
    /// Its last known state.
    pub state: ClientState,
    /// Its log file.
    pub log: PathBuf,
}

impl OwnEnd {
    /// The error with its cause.
    pub fn error(&self) -> StepError {
        let (name, state) = (self.who.clone(), Box::new(self.state.clone()));
        NotInTime { name, what: "alive", limit: Duration::ZERO, state }.into()
    }

    /// The last lines of its log.
    pub fn last_lines(&self) -> Vec<String> {
        let text = logs::tail(&self.log, LOG_BYTES);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
    }
}

impl MemberState {
    /// Whether the present process ended, was not asked to, and had not finished its work.
    pub(super) fn ended_by_itself(&self, exit: Option<&Exit>) -> bool {
        self.asked != self.life && exit.is_some_and(|exit| !exit.clean)
    }
}

impl Clients {
    /// Records that a step reported a client's or a member's end.
    pub fn end_reported(&self, who: &str) {
        for client in self.all() {
            for member in client.members.iter().filter(|m| shown(&client, m) == who) {
                let mut state = member.state();
                // A living member has not ended yet: its later end is not reported by this.
                let ended = state.reported.as_ref().is_some_and(|t| t.borrow().exit.is_some());
                if ended {
                    state.end_reported = state.life;
                }
            }
        }
    }

    /// Every end that the plan did not ask for and that no step reported.
    pub fn unreported(&self) -> Vec<OwnEnd> {
        let mut all = Vec::new();
        for client in self.all() {
            for member in &client.members {
                let state = member.state();
                all.extend(state.past.iter().cloned());
                all.extend(member.own_end(&client, &state));
            }
        }
        all
    }
}

impl Member {
    /// The end of its present life, if the plan did not ask for it and no step reported it.
    pub(super) fn own_end(&self, client: &Client, state: &MemberState) -> Option<OwnEnd> {
        let reported = state.reported.as_ref()?.borrow();
        if state.end_reported == state.life || !state.ended_by_itself(reported.exit.as_ref()) {
            return None;
        }
        Some(OwnEnd {
            who: shown(client, self),
            life: state.life,
            state: reported.clone(),
            log: client.spec.in_life(self.number, state.life).common().log_path(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::spec::{Common, ConsumerSpec};
    use kplan_dsl::value::{CommitMode, GroupProtocol, OffsetReset};

    fn exit(status: i32, signalled: bool) -> Exit {
        Exit {
            text: format!("exit status: {status}"),
            clean: status == 0 && !signalled,
            signalled,
            crashed: false,
            gave_up: status == 1 && !signalled,
        }
    }

    /// A group of two members in their first lives, which end as is said.
    fn group(exits: [Option<Exit>; 2]) -> Clients {
        let common = Common::of_test(IndexMap::new());
        let spec = ConsumerSpec {
            common,
            topics: vec!["t".into()],
            group: "g".into(),
            from: OffsetReset::Earliest,
            commit: CommitMode::Auto,
            isolation: Isolation::ReadCommitted,
            instances: Vec::new(),
            protocol: GroupProtocol::Classic,
        };
        let clients = Clients::default();
        let client = clients.add("C", ClientSpec::Consumer(spec), 2).expect("its name is free");
        for (member, exit) in client.members.iter().zip(exits) {
            let state = ClientState { exit, ..ClientState::default() };
            let mut own = member.state();
            (own.life, own.reported) = (1, Some(watch::channel(state).1));
        }
        clients
    }

    fn unreported(clients: &Clients) -> Vec<(String, u16)> {
        clients.unreported().into_iter().map(|end| (end.who, end.life)).collect()
    }

    #[test]
    fn an_end_of_its_own_counts_until_a_step_tells_of_it() {
        let clients = group([None, Some(exit(1, false))]);
        assert_eq!(unreported(&clients), [("C/2".to_owned(), 1)]);
        clients.end_reported("C");
        clients.end_reported("C/1");
        assert_eq!(unreported(&clients).len(), 1, "that is another one");
        clients.end_reported("C/2");
        assert!(unreported(&clients).is_empty());
        let error = group([None, Some(exit(1, false))]).unreported()[0].error();
        assert_eq!(error.cause().and_then(|c| c.client).as_deref(), Some("C/2"));
        for whose in [exit(9, true), exit(101, false)] {
            let clients = group([Some(whose), None]);
            let error = clients.unreported()[0].error();
            assert!(matches!(error, StepError::Rig(_)), "{error:?}");
            assert_eq!(error.cause().and_then(|c| c.client).as_deref(), Some("C/1"));
        }
    }

    #[test]
    fn what_the_plan_ended_and_what_was_done_do_not_count() {
        let clients = group([Some(exit(9, true)), Some(exit(0, false))]);
        let client = clients.get("C").expect("it is there");
        client.members[0].state().asked = 1;
        assert!(unreported(&clients).is_empty());
        // It was started again, and ended by itself.
        client.members[0].state().life = 2;
        assert_eq!(unreported(&clients), [("C/1".to_owned(), 2)]);
    }

    #[test]
    fn one_that_lives_is_not_told_of_beforehand() {
        let clients = group([None, None]);
        let client = clients.get("C").expect("it is there");
        let (sender, reported) = watch::channel(ClientState::default());
        client.members[0].state().reported = Some(reported);
        clients.end_reported("C/1");
        sender.send_modify(|state| state.exit = Some(exit(1, false)));
        assert_eq!(unreported(&clients), [("C/1".to_owned(), 1)]);
    }

    #[test]
    fn another_life_does_not_hide_how_the_one_before_ended() {
        let clients = group([Some(exit(1, false)), None]);
        let client = clients.get("C").expect("it is there");
        let mut state = client.members[0].state();
        let end = client.members[0].own_end(&client, &state);
        state.past.extend(end);
        (state.life, state.asked) = (2, 2);
        state.reported = Some(watch::channel(ClientState::default()).1);
        drop(state);
        assert_eq!(unreported(&clients), [("C/1".to_owned(), 1)]);
    }
}
