//! Samples once a second what each client did in that second, as events and for the terminal.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use indexmap::IndexMap;
use tokio::task::JoinHandle;

use crate::{
    event::{Event, Sample},
    history::now_us,
    stage::{Stage, totals::Totals},
};

/// Samples a stage's clients until it is aborted or dropped.
pub struct Sampler(JoinHandle<()>);

impl Drop for Sampler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The most partitions of one client that are sampled.
const MOST_PARTITIONS: usize = 64;

impl Sampler {
    pub fn start(stage: Arc<Stage>) -> Self {
        Self(tokio::spawn(async move {
            let mut before: BTreeMap<String, Totals> = BTreeMap::new();
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            loop {
                tick.tick().await;
                for client in stage.clients.all() {
                    let now = client.counts();
                    let last = before.get(&client.name).cloned().unwrap_or_default();
                    let sample = Sample {
                        client: client.name.clone(),
                        sent: now.sent.saturating_sub(last.sent),
                        done: now.done.saturating_sub(last.done),
                        failed: now.failed.saturating_sub(last.failed),
                        latency_ms: client.latencies().since_last_sample(),
                        partitions: partitions(&now, &last),
                    };
                    before.insert(client.name.clone(), now);
                    stage.tell.emit_at(now_us(), Event::Sample(sample));
                }
            }
        }))
    }
}

fn partitions(now: &Totals, last: &Totals) -> IndexMap<String, u64> {
    if !(2..=MOST_PARTITIONS).contains(&now.partitions.len()) {
        return IndexMap::new();
    }
    let before = |place| last.partitions.get(place).copied().unwrap_or_default();
    let done = now.partitions.iter();
    done.map(|(place, done)| (place.to_string(), done.saturating_sub(before(place)))).collect()
}
