//! Shared code of conditions about the cluster's metadata: they are judged by the observer's newest view.

use std::sync::Arc;

use kplan_dsl::value::{Bound, BoundGroup, LeaderIs};
use serde_json::{Value, json};

use super::{Found, Judged};
use crate::{
    observer::{ClusterView, PartitionView},
    stage::{judge::Judge, outcome::StepError},
};

/// The newest view, unless it may be that of a minority side; else the finding to return instead.
pub(super) async fn seen(j: &Judge<'_>) -> Result<Result<Arc<ClusterView>, Found>, StepError> {
    let view = j.view()?;
    let whole = j.stage.whole(&view).await?;
    Ok(whole.map(|()| view).map_err(Found::inconclusive))
}

/// Takes the view, or returns the finding instead.
macro_rules! whole {
    ($j:expr) => {
        match $crate::conditions::cluster::seen($j).await? {
            Ok(view) => view,
            Err(found) => return Ok(found),
        }
    };
}
pub(super) use whole;

pub(super) fn is_node(
    wanted: Option<&LeaderIs>,
    node: Option<u32>,
    some: &str,
    none: &str,
) -> Found {
    let reported = node.map_or(Value::Null, Value::from);
    let found = node.map_or_else(|| none.to_owned(), |n| format!("{some} {n}"));
    let Some(wanted) = wanted else {
        return Found::bounded(None::<Bound<u64>>, 0, found, reported);
    };
    let holds = match wanted {
        LeaderIs::Broker(n) => node == Some(*n),
        LeaderIs::Any => node.is_some(),
        LeaderIs::None => node.is_none(),
    };
    Found { value: reported, ..Found::plain(holds, found) }
}

/// Counts partitions; an unknown topic proves nothing.
pub(super) async fn counted(
    j: &Judge<'_>,
    topic: Option<&str>,
    bound: BoundGroup<u64>,
    what: &str,
    rows: impl Fn(&ClusterView) -> Vec<String>,
) -> Judged {
    let view = whole!(j);
    if view.partitions(topic).next().is_none() {
        return Ok(unknown(topic.unwrap_or("any topic")));
    }
    let rows = rows(&view);
    let of = view.partitions(topic).count();
    let found = format!("{} of {of} partitions {what}", rows.len());
    Ok(Found::bounded(bound, rows.len() as u64, found, json!(rows.len())).because(rows))
}

pub(super) fn unknown(name: &str) -> Found {
    Found::inconclusive(format!("no living broker knows {name}"))
}

pub(super) fn row(topic: &str, p: &PartitionView) -> String {
    let leader = p.leader.map_or_else(|| "none".to_owned(), |l| l.to_string());
    format!(
        "{topic}/{}: leader {leader}, replicas {:?}, in sync {:?}",
        p.partition, p.replicas, p.in_sync
    )
}
