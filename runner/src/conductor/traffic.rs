//! Whether anything was sent while a fault was in effect: without traffic a fault proves nothing.

use crate::{conductor::stage::Stage, history::HistoryFile};

impl Stage {
    /// A fault of the cluster during which nothing was sent, if there was one: then the absence of
    /// loss says nothing about it.
    #[must_use]
    pub fn fault_without_traffic(&self, topic: Option<&str>) -> Option<String> {
        let producers: Vec<_> = self
            .clients
            .all()
            .into_iter()
            .filter(|c| c.sends() && topic.is_none_or(|t| c.topics().iter().any(|own| own == t)))
            .collect();
        let files: Vec<HistoryFile> = producers
            .iter()
            .flat_map(|c| c.histories())
            .filter_map(|p| HistoryFile::open(&p).ok())
            .collect();
        self.breaks.of_cluster().into_iter().find_map(|fault| {
            // A fault that was over at once was still being noticed for a second.
            let until = fault.over_us.map_or(i64::MAX, |over| over.max(fault.at_us + 1_000_000));
            let sent = files.iter().any(|f| sent_between(f, fault.at_us, until));
            (!sent).then(|| {
                format!(
                    "nothing was sent while this fault was in effect: {} (step {})",
                    fault.what, fault.step
                )
            })
        })
    }
}

/// Whether a history shows a message sent between two moments.
#[must_use]
pub fn sent_between(file: &HistoryFile, from_us: i64, until_us: i64) -> bool {
    let Ok(first) = file.first_at_or_after(from_us) else { return false };
    file.iter_from(first)
        .map_while(Result::ok)
        .take_while(|run| run.first_us <= until_us)
        .any(|run| run.mark == crate::history::Mark::Sent && run.last_us >= from_us)
}
