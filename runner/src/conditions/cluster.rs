//! Conditions about the cluster's metadata, judged by the observer's newest view.

use std::{sync::Arc, time::Duration};

use kplan_dsl::{
    conditions::{
        BrokersAlive, Controller, InSync, Leader, OfflinePartitions, PreferredLeaders,
        UnderMinIsrPartitions, UnderReplicatedPartitions,
    },
    value::{Bound, BoundGroup, LeaderIs},
};
use serde_json::{Value, json};

use crate::{
    conditions::Found,
    observer::{ClusterView, PartitionView},
    stage::{
        judge::{Judge, Looking},
        outcome::StepError,
        sight::SHOWS_WITHIN,
    },
};

type Judged = Result<Found, StepError>;

/// The newest view, if it is not one side's only; else what is found instead.
pub(super) async fn whole(j: &Judge<'_>) -> Result<Result<Arc<ClusterView>, Found>, StepError> {
    let view = j.view()?;
    let whole = j.stage.whole(&view).await?;
    Ok(whole.map(|()| view).map_err(Found::inconclusive))
}

/// Takes the view, or ends with what is found instead.
macro_rules! whole {
    ($j:expr) => {
        match whole($j).await? {
            Ok(view) => view,
            Err(found) => return Ok(found),
        }
    };
}

/// `brokers_alive`
pub async fn brokers_alive(c: &BrokersAlive, j: &Judge<'_>) -> Judged {
    let alive = whole!(j).brokers_alive();
    let listed: Vec<String> = alive.iter().map(u32::to_string).collect();
    let found = format!(
        "{} alive: {}",
        alive.len(),
        if listed.is_empty() { "none".into() } else { listed.join(", ") }
    );
    Ok(Found::bounded(c.bound, alive.len() as u64, found, json!(alive.len())))
}

/// `controller`
pub async fn controller(c: &Controller, j: &Judge<'_>) -> Judged {
    // Who looks again and again need not wait for the proof.
    let limit = match j.looking {
        Looking::Until(_) => Duration::ZERO,
        Looking::Once | Looking::Throughout { .. } => SHOWS_WITHIN,
    };
    Ok(match j.stage.controller(limit).await? {
        Ok(node) => is_node(c.is.as_deref(), node, "the controller is", "there is no controller"),
        Err(why) => Found::inconclusive(why),
    })
}

/// `leader`
pub async fn leader(c: &Leader, j: &Judge<'_>) -> Judged {
    let view = whole!(j);
    let Some(p) = view.partition(&c.partition.topic, c.partition.partition) else {
        return Ok(unknown(&c.partition.to_string()));
    };
    let found = is_node(
        c.is.as_deref(),
        p.leader,
        &format!("{} is led by broker", *c.partition),
        &format!("{} has no leader", *c.partition),
    );
    Ok(found.because([row(&c.partition.topic, p)]))
}

fn is_node(wanted: Option<&LeaderIs>, node: Option<u32>, some: &str, none: &str) -> Found {
    let told = node.map_or(Value::Null, Value::from);
    let found = node.map_or_else(|| none.to_owned(), |n| format!("{some} {n}"));
    let Some(wanted) = wanted else {
        return Found::bounded(None::<Bound<u64>>, 0, found, told);
    };
    let holds = match wanted {
        LeaderIs::Broker(n) => node == Some(*n),
        LeaderIs::Any => node.is_some(),
        LeaderIs::None => node.is_none(),
    };
    Found { value: told, ..Found::plain(holds, found) }
}

/// `preferred_leaders`
pub async fn preferred_leaders(c: &PreferredLeaders, j: &Judge<'_>) -> Judged {
    let view = whole!(j);
    let topic = c.topic.as_deref().map(|t| t.as_str());
    if view.partitions(topic).next().is_none() {
        return Ok(unknown(topic.unwrap_or("any topic")));
    }
    let not: Vec<String> = view.not_led_by_preferred(topic).map(|(t, p)| row(t, p)).collect();
    let found = match not.len() {
        0 => "every partition is led by its first replica".to_owned(),
        n => format!("{n} partitions are not led by their first replica"),
    };
    Ok(Found::plain(not.is_empty(), found).because(not))
}

/// `in_sync`: every partition must be within the bound; the smallest set is told.
pub async fn in_sync(c: &InSync, j: &Judge<'_>) -> Judged {
    let view = whole!(j);
    let topic = c.topic.as_deref().map(|t| t.as_str());
    let one = c.partition.as_deref();
    let partitions: Vec<(&str, &PartitionView)> = match one {
        Some(p) => view
            .partition(&p.topic, p.partition)
            .map(|v| (p.topic.as_str(), v))
            .into_iter()
            .collect(),
        None => view.partitions(topic).collect(),
    };
    let name =
        one.map(ToString::to_string).or_else(|| topic.map(str::to_owned)).unwrap_or_default();
    let Some(least) = partitions.iter().map(|(_, p)| p.in_sync.len() as u64).min() else {
        return Ok(unknown(&name));
    };
    let most = partitions.iter().map(|(_, p)| p.in_sync.len() as u64).max().unwrap_or(least);
    let found = if least == most {
        format!("{least} in sync")
    } else {
        format!("{least} to {most} in sync")
    };
    let told: serde_json::Map<String, Value> = partitions
        .iter()
        .map(|(t, p)| (format!("{t}/{}", p.partition), json!(p.in_sync)))
        .collect();
    let Some(bound) = c.replicas else {
        return Ok(Found::bounded(None::<Bound<u64>>, least, found, Value::Object(told)));
    };
    let outside: Vec<String> = partitions
        .iter()
        .filter(|(_, p)| !bound.holds(p.in_sync.len() as u64))
        .map(|(t, p)| row(t, p))
        .collect();
    Ok(Found { value: Value::Object(told), ..Found::plain(outside.is_empty(), found) }
        .because(outside))
}

/// `under_replicated_partitions`
pub async fn under_replicated(c: &UnderReplicatedPartitions, j: &Judge<'_>) -> Judged {
    let topic = c.topic.as_deref().map(|t| t.as_str());
    counted(j, topic, c.bound, "under-replicated", |v| {
        v.under_replicated_partitions(topic).map(|(t, p)| row(t, p)).collect()
    })
    .await
}

/// `under_min_isr_partitions`
pub async fn under_min_isr(c: &UnderMinIsrPartitions, j: &Judge<'_>) -> Judged {
    let topic = c.topic.as_deref().map(|t| t.as_str());
    let running = j.stage.running()?;
    let view = whole!(j);
    let mut least = std::collections::BTreeMap::new();
    for (name, _) in view.partitions(topic) {
        if least.contains_key(name) {
            continue;
        }
        match running.observer.ask().min_insync_replicas(name).await {
            Ok(n) => least.insert(name.to_owned(), n),
            Err(error) => return Ok(Found::inconclusive(error.to_string())),
        };
    }
    counted(j, topic, c.bound, "below min.insync.replicas", |v| {
        let wanted = |t: &str| least.get(t).copied().unwrap_or(1);
        v.under_min_isr_partitions(topic, wanted).map(|(t, p)| row(t, p)).collect()
    })
    .await
}

/// `offline_partitions`
pub async fn offline(c: &OfflinePartitions, j: &Judge<'_>) -> Judged {
    let topic = c.topic.as_deref().map(|t| t.as_str());
    counted(j, topic, c.bound, "without a leader", |v| {
        v.offline_partitions(topic).map(|(t, p)| row(t, p)).collect()
    })
    .await
}

/// Counts partitions; a topic of which nothing is known proves nothing.
async fn counted(
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

fn unknown(name: &str) -> Found {
    Found::inconclusive(format!("no living broker knows {name}"))
}

pub(super) fn row(topic: &str, p: &PartitionView) -> String {
    let leader = p.leader.map_or_else(|| "none".to_owned(), |l| l.to_string());
    format!(
        "{topic}/{}: leader {leader}, replicas {:?}, in sync {:?}",
        p.partition, p.replicas, p.in_sync
    )
}
