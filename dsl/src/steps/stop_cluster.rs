//! `stop_cluster`

use super::StepWord;
use crate::args::args;

args! {
    /// Stops the cluster gracefully.
    #[example("stop_cluster")]
    pub struct StopCluster("stop_cluster") {}
}

impl StepWord for StopCluster {
    fn explain(&self) -> String {
        "Stop the cluster".to_owned()
    }
}
