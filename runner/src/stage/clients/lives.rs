//! How clients start, pause, end and start again.

use std::pin::pin;

use futures::future::{Either, select};

use crate::{
    client::handle::{HandleError, NotInTime},
    cluster::Acted,
    stage::clients::*,
};

impl Stage {
    /// Starts a member's next life and waits until it is ready.
    pub async fn start_member(
        &self,
        client: &Arc<Client>,
        member: &Member,
    ) -> Result<(), StepError> {
        let mut slot = member.handle.lock().await;
        if member.lives() {
            return Err(StepError::not_so(format!("{} runs already", shown(client, member))));
        }
        let life = member.life() + 1;
        let spec = client.spec.in_life(member.number, life);
        let handle = Handle::spawn(&self.run.binary, spec, self.client_events()).await?;
        client.latencies().begin((member.number, life), handle.latencies());
        {
            let mut state = member.state();
            let unreported = member.own_end(client, &state);
            state.past.extend(unreported);
            let died = state
                .reported
                .as_ref()
                .is_some_and(|reported| state.ended_by_itself(reported.borrow().exit.as_ref()));
            state.restarts += u16::from(died);
            // Until it is ready, this step reports its end, even if the step is cut off.
            (state.life, state.asked) = (life, life);
            if life == 1 && client.reader().is_some() {
                // A service works from when it is ready: its start is no wait for what it makes.
                state.down(client.started_us);
            }
            state.reported = Some(handle.state());
            state.pid = handle.pid();
            state.histories.extend(handle.histories());
        }
        self.client_lane(
            client,
            member,
            LaneState::Starting,
            format!("life {life}, process {}", handle.pid()),
        );
        let ready = self.ready_in_its_line(client, member, &handle).await;
        *slot = Some(handle);
        drop(slot);
        member.state().asked = 0;
        ready?;
        member.state().back(now_us());
        self.client_lane(client, member, LaneState::Up, "ready");
        self.client_back(client, member);
        Ok(())
    }

    /// Waits until a member is ready. A container of its own gets what the plan made wrong in its network meanwhile.
    async fn ready_in_its_line(
        &self,
        client: &Arc<Client>,
        member: &Member,
        handle: &Handle,
    ) -> Result<(), StepError> {
        let ready = async {
            let ready = handle.ready(READY_LIMIT).await;
            ready.map_err(|error| of_member(error, client, member))
        };
        let line = self.disturbed.line(&client.name, member.number);
        let container = client.container(member, member.life());
        let Some(container) = container.filter(|_| !line.is_whole()) else { return ready.await };
        let set = pin!(self.disturb_again(&container, &line));
        match select(pin!(ready), set).await {
            Either::Left((ready, set)) => {
                ready?;
                set.await
            }
            // If it ended by itself, that says more than what failed in its network.
            Either::Right((set, ready)) => ready.await.and(set),
        }
    }

    /// Kills a member (SIGKILL): a fault for this client.
    pub async fn kill_member(
        &self,
        step: &StepRun,
        client: &Arc<Client>,
        member: &Member,
    ) -> Result<(), StepError> {
        let mut slot = member.handle.lock().await;
        let Some(handle) = slot.take().filter(Handle::alive) else {
            return Err(absent(client, member));
        };
        // Set first: other code sees its end too, and must know that the plan asked for it.
        {
            let mut state = member.state();
            (state.lane, state.asked) = (Some(LaneState::Dead), state.life);
        }
        let begun_us = now_us();
        // A process that survives SIGKILL hangs in the kernel.
        handle.kill().await.map_err(StepError::rig)?;
        let acted = Acted::since(begun_us);
        member.state().down(begun_us);
        self.client_break(step, (client, member), acted, FaultKind::ClientKilled);
        Ok(())
    }

    /// Pauses a member (SIGSTOP): a fault for this client.
    pub async fn pause_member(
        &self,
        step: &StepRun,
        client: &Arc<Client>,
        member: &Member,
    ) -> Result<(), StepError> {
        if member.lives() && !member.runs() {
            return Err(StepError::not_so(format!("{} is paused already", shown(client, member))));
        }
        // Set first: a check that finds it paused must know that the plan paused it.
        let before = member.state().lane.replace(LaneState::Paused);
        let begun_us = now_us();
        if let Err(error) = self.signal(client, member, Signal::SIGSTOP).await {
            member.state().lane = before;
            return Err(error);
        }
        let acted = Acted::since(begun_us);
        member.state().down(begun_us);
        self.client_break(step, (client, member), acted, FaultKind::ClientPaused);
        Ok(())
    }

    pub async fn resume_member(
        &self,
        step: &StepRun,
        client: &Arc<Client>,
        member: &Member,
    ) -> Result<(), StepError> {
        if member.runs() {
            return Err(StepError::not_so(format!("{} is not paused", shown(client, member))));
        }
        self.signal(client, member, Signal::SIGCONT).await?;
        member.state().back(now_us());
        self.client_lane(client, member, LaneState::Up, Why::step("resumed", step));
        self.client_back(client, member);
        Ok(())
    }

    /// Ends the faults of a member that is back.
    fn client_back(&self, client: &Client, member: &Member) {
        let at_us = now_us();
        let over = self.breaks.client_over(&client.name, member.number, at_us);
        self.faults_end(&over, at_us);
    }

    async fn signal(
        &self,
        client: &Client,
        member: &Member,
        signal: Signal,
    ) -> Result<(), StepError> {
        let slot = member.handle.lock().await;
        let Some(handle) = slot.as_ref().filter(|h| h.alive()) else {
            return Err(absent(client, member));
        };
        Ok(handle.signal(signal).await?)
    }

    /// Stops a member gracefully: a producer flushes, a consumer reads up to `ends`.
    pub async fn stop_member(
        &self,
        client: &Arc<Client>,
        member: &Member,
        ends: Vec<Position>,
        limit: Duration,
    ) -> Result<(), StepError> {
        let mut slot = member.handle.lock().await;
        let name = shown(client, member);
        let Some(handle) = slot.as_ref().filter(|h| h.alive()) else {
            return Err(absent(client, member));
        };
        if member.lane() == Some(LaneState::Paused) {
            return Err(StepError::not_so(format!("{name} is paused: it cannot end gracefully")));
        }
        self.client_lane(client, member, LaneState::Stopping, "asked to end");
        let ended = handle.stop(limit, ends).await;
        let ended = ended.map_err(|error| of_member(error, client, member))?;
        *slot = None;
        {
            let mut state = member.state();
            state.asked = state.life;
            state.down(now_us());
        }
        self.client_lane(client, member, LaneState::Stopped, "it ended as asked");
        if ended.left == 0 {
            return Ok(());
        }
        let places: Vec<String> = ended
            .unread
            .iter()
            .map(|p| format!("{}/{} at offset {}", p.topic, p.partition, p.offset))
            .collect();
        let what = if client.reads() { "offsets unread" } else { "messages without an answer" };
        Err(StepError::TimedOut(format!(
            "{name} ended with {} {what}: {}",
            ended.left,
            places.join(", ")
        )))
    }

    /// The same as a fault of a step that starts it again: a consumer reads no further. A fault for this client.
    pub async fn end_member(
        &self,
        step: &StepRun,
        client: &Arc<Client>,
        member: &Member,
        limit: Duration,
    ) -> Result<(), StepError> {
        let begun_us = now_us();
        self.stop_member(client, member, Vec::new(), limit).await?;
        let acted = Acted::since(begun_us);
        self.client_break(step, (client, member), acted, FaultKind::ClientStopped);
        Ok(())
    }

    /// Records the state of a client's process in the timeline.
    pub fn client_lane(
        &self,
        client: &Client,
        member: &Member,
        lane: LaneState,
        why: impl Into<Why>,
    ) {
        member.state().lane = Some(lane);
        self.tell.emit(Event::Client {
            client: shown(client, member),
            life: member.life(),
            state: lane,
            why: why.into(),
        });
    }

    fn client_break(
        &self,
        step: &StepRun,
        (client, member): (&Client, &Member),
        acted: Acted,
        kind: FaultKind,
    ) {
        let (word, state) = match kind {
            FaultKind::ClientPaused => ("paused", LaneState::Paused),
            FaultKind::ClientStopped => ("stopped", LaneState::Stopped),
            _ => ("killed", LaneState::Dead),
        };
        self.client_lane(client, member, state, Why::step(word, step));
        let what = format!("{} {word}", shown(client, member));
        let struck = Struck::Client { client: client.name.clone(), member: member.number };
        self.fault_begins(acted, step, kind, struck, &what);
    }
}

/// Why a step cannot act on a member: the plan ended it, it ended by itself, or from outside.
fn absent(client: &Client, member: &Member) -> StepError {
    let name = shown(client, member);
    let state = member.state();
    let by_plan = state.asked == state.life;
    let Some(reported) =
        state.reported.as_ref().filter(|_| !by_plan).map(|reported| reported.borrow().clone())
    else {
        return StepError::not_so(format!("{name} does not run"));
    };
    match &reported.exit {
        Some(exit) if exit.clean => {
            StepError::not_so(format!("{name} does not run: it had sent all its messages"))
        }
        // Its process exists but its handle does not: the step that started it gave it up.
        None => StepError::not_so(format!("{name} does not run")),
        Some(_) => {
            NotInTime { name, what: "alive", limit: Duration::ZERO, state: Box::new(reported) }
                .into()
        }
    }
}

/// The error of a client's process that did not do what it was ordered to, with the member's name.
fn of_member(error: HandleError, client: &Client, member: &Member) -> StepError {
    match error {
        HandleError::NotInTime(late) => NotInTime { name: shown(client, member), ..late }.into(),
        other => other.into(),
    }
}
