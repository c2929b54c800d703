//! `leader`

use async_trait::async_trait;
use kplan_dsl::conditions::Leader;

use super::{
    Judged, JudgedNow,
    cluster::{is_node, row, unknown, whole},
};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for Leader {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let view = whole!(j);
        let Some(p) = view.partition(&self.partition.topic, self.partition.partition) else {
            return Ok(unknown(&self.partition.to_string()));
        };
        let found = is_node(
            self.is.as_deref(),
            p.leader,
            &format!("{} is led by broker", *self.partition),
            &format!("{} has no leader", *self.partition),
        );
        Ok(found.because([row(&self.partition.topic, p)]))
    }
}
