//! Samples once a second what each client did in that second, as events and for the terminal.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::task::JoinHandle;

use crate::{
    event::{Event, Sample},
    history::now_us,
    stage::Stage,
};

/// Samples a stage's clients until it is aborted or dropped.
pub struct Sampler(JoinHandle<()>);

impl Drop for Sampler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Clone, Copy, Default)]
struct Second {
    sent: u64,
    done: u64,
    failed: u64,
}

impl Sampler {
    pub fn start(stage: Arc<Stage>) -> Self {
        Self(tokio::spawn(async move {
            let mut before: BTreeMap<String, Second> = BTreeMap::new();
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            loop {
                tick.tick().await;
                for client in stage.clients.all() {
                    let counts = client.counts();
                    let now =
                        Second { sent: counts.sent, done: counts.done, failed: counts.failed };
                    let last = before.insert(client.name.clone(), now).unwrap_or_default();
                    let sample = Sample {
                        client: client.name.clone(),
                        sent: now.sent.saturating_sub(last.sent),
                        done: now.done.saturating_sub(last.done),
                        failed: now.failed.saturating_sub(last.failed),
                        latency_ms: client.latencies().since_last_sample(),
                    };
                    stage.tell.emit_at(now_us(), Event::Sample(sample));
                }
            }
        }))
    }
}
