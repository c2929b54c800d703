//! The topics and groups of other programs: the top-level map `external`.

use super::names::{Groups, Topics};
use crate::args::args;

args! {
    /// Topics and groups that programs outside the plan create and use.
    ///
    /// Messages of others on these topics are no phantoms.
    #[example("{ topics: [invoices], groups: [invoicing] }")]
    pub struct External("external") {
        /// Topics that others create, or to which others write.
        topics: Option<Topics>,
        /// Consumer groups in which others read.
        groups: Option<Groups>,
    }
}

impl External {
    /// The names of the topics.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        self.topics.iter().flat_map(|topics| topics.iter()).map(|topic| topic.as_str())
    }

    /// The names of the groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().flat_map(|groups| groups.iter()).map(|group| group.as_str())
    }

    /// `topics invoices and payments, group invoicing`.
    pub(crate) fn in_words(&self) -> String {
        let topics: Vec<&str> = self.topics().collect();
        let groups: Vec<&str> = self.groups().collect();
        let named = |word: &str, names: &[&str]| {
            let plural = if names.len() == 1 { "" } else { "s" };
            format!("{word}{plural} {}", crate::words::list(names))
        };
        let parts = [("topic", topics), ("group", groups)];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        parts.map(|(word, names)| named(word, names)).collect::<Vec<_>>().join(", ")
    }
}
