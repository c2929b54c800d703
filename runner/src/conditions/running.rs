//! `running`: instances of a service, by the state of their processes.

use async_trait::async_trait;
use kplan_dsl::conditions::InstancesRun;
use serde_json::json;

use super::{Found, Judged, JudgedNow};
use crate::stage::{
    clients::{Member, shown},
    judge::Judge,
};

#[async_trait]
impl JudgedNow for InstancesRun {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let name = self.service.client.as_str();
        let Ok(client) = j.stage.clients.get(name) else {
            return Ok(Found::not_covered(format!("service {name} was never started")));
        };
        let only = self.service.member;
        let meant = client.members.iter().filter(|m| only.is_none_or(|n| n == u32::from(m.number)));
        let (up, down): (Vec<_>, Vec<_>) = meant.partition(|member| member.runs());
        let restarts: u64 = up.iter().chain(&down).map(|m| u64::from(m.restarts())).sum();
        let (instances, all) = (up.len() as u64, up.len() + down.len());
        let holds = match (self.instances, self.restarts) {
            (None, None) => down.is_empty(),
            (wanted, most) => {
                wanted.is_none_or(|bound| bound.holds(instances))
                    && most.is_none_or(|bound| bound.holds(restarts))
            }
        };
        let mut found = Found::plain(
            holds,
            format!(
                "{instances} of {all} run; {restarts} started again after an end by themselves"
            ),
        );
        found.value = json!({ "instances": instances, "restarts": restarts });
        let why =
            |member: &Member| format!("{} {}", shown(&client, member), client.state_of(member));
        Ok(found.because(down.into_iter().map(why)))
    }
}
