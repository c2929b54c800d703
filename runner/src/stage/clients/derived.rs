//! What kplan reads of a service's output while a suite runs.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    client::{
        derived::{MEMBER, OutputReached},
        handle::Handle,
        spec::{Common, DerivedSpec},
    },
    stage::clients::*,
};

/// The process that reads what a service writes, from before the first start of its instances to the end of the suite.
#[derive(Debug)]
pub struct DerivedReader {
    handle: Handle,
    reached: OutputReached,
    /// The end of the suite ends it.
    asked: AtomicBool,
}

impl DerivedReader {
    /// The histories that it writes.
    pub fn histories(&self) -> Vec<PathBuf> {
        self.handle.histories()
    }

    /// How its process ended, if it did although nobody asked for it.
    pub fn own_end(&self) -> Option<String> {
        let state = self.handle.state();
        let ended = state.borrow().exit.is_some() && !self.asked.load(Ordering::Relaxed);
        ended.then(|| state.borrow().causes())
    }

    /// Whether it has read everything of a partition before this offset.
    pub fn has_read(&self, partition: u32, end: i64) -> bool {
        self.reached.has(partition, end)
    }

    pub(super) async fn kill(&self) {
        self.asked.store(true, Ordering::Relaxed);
        // The guardian removes a process that cannot be killed here.
        let _ = self.handle.kill().await;
    }
}

impl Client {
    /// What kplan reads of its output, if it is a service whose input and output are known.
    pub fn reader(&self) -> Option<Arc<DerivedReader>> {
        self.reader.lock().expect("no holder panics").clone()
    }
}

impl Stage {
    /// Begins to read what a service writes, if its input and output are known. Its first instances are started after
    /// that.
    pub async fn read_output(&self, client: &Client) -> Result<(), StepError> {
        let Some(work) = client.derives() else { return Ok(()) };
        let running = self.running()?;
        let topics = [work.from.as_str(), work.to.as_str()];
        let common = Common {
            member: MEMBER,
            config: running.cluster.client_config(),
            bootstrap: running.bootstrap(),
            routes: running.cluster.router().map(|router| router.routes()),
            topic_numbers: self.topics.numbers(topics.into_iter()),
            ..client.spec.common().clone()
        };
        let spec = DerivedSpec { common: common.clone(), from: work.from, to: work.to };
        let spec = ClientSpec::Derived(spec);
        let handle = Handle::spawn(&self.run.binary, spec, self.client_events()).await?;
        client.latencies().begin((MEMBER, common.life), handle.latencies());
        handle.reach("read by kplan", READY_LIMIT, |state| state.ready.is_some()).await?;
        let reached = OutputReached::open(&common).map_err(StepError::rig)?;
        let reader = DerivedReader { handle, reached, asked: AtomicBool::new(false) };
        *client.reader.lock().expect("no holder panics") = Some(Arc::new(reader));
        Ok(())
    }
}
