//! The backend `embedded`.

use std::sync::Arc;

use async_trait::async_trait;
use kplan_dsl::{Abilities, Capability};

use super::{EmbeddedCluster, NAME};
use crate::cluster::{
    Cluster, ClusterSpec, RigError,
    backend::{Backend, Chosen, Enrolled, Line, Setup},
};

/// librdkafka's mock cluster in this process.
pub struct EmbeddedBackend;

impl Enrolled for EmbeddedBackend {
    const NAME: &'static str = NAME;
    const ABOUT: &'static str = "a simulation inside kplan: needs nothing else";

    fn choose(_: Setup) -> Chosen {
        Chosen::plain(Self)
    }
}

#[async_trait]
impl Backend for EmbeddedBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self) -> Abilities {
        use Capability::{KeepDown, Kill, Requests, Start, Stop};
        let can = [Kill, Stop, Start, KeepDown, Requests].into();
        Abilities { can, ..Abilities::without(NAME, &[]) }
            .advise(|_| "run it on real brokers: --backend docker")
    }

    fn simulated(&self) -> bool {
        true
    }

    async fn launch(&self, spec: ClusterSpec) -> Result<Arc<dyn Cluster>, RigError> {
        Ok(Arc::new(EmbeddedCluster::launch(spec)?))
    }

    async fn examine(&self) -> Vec<Line> {
        vec![Line::good(
            "embedded backend",
            "built into kplan: a simulation, needs nothing else".to_owned(),
        )]
    }
}
