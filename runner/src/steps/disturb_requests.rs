//! `disturb_requests`

use std::collections::BTreeSet;

use async_trait::async_trait;
use kafka_protocol::messages::ApiKey;
use kplan_dsl::{steps::DisturbRequests, value::KafkaApi, words};

use crate::{
    cluster::Node,
    event::Event,
    proxy::disturb::{DisturbCounts, DisturbRule},
    stage::{chaos::draw, nodes::brokers_of, outcome::StepError},
    steps::{Cx, Fault},
};

/// The purpose of these random numbers.
const DRAW: u8 = 4;

#[async_trait]
impl Fault for DisturbRequests {
    async fn begin(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let brokers = match &self.broker {
            Some(target) => {
                let brokers = brokers_of(&cx.stage.resolve(target, cx.id).await?);
                Some(brokers.into_iter().filter_map(|id| i32::try_from(id).ok()).collect())
            }
            None => None,
        };
        let clients = self.client.as_ref();
        let names = clients.map(|all| all.iter().map(|one| one.client.to_string()).collect());
        let rule = DisturbRule {
            apis: self.api.iter().map(|api| key(**api)).collect(),
            brokers,
            clients: names,
            topic: self.topic.as_ref().map(|topic| topic.to_string()),
            draw: share(self.share.0 / 100.0, cx),
            how: self.how.clone(),
        };
        let apis = words::list(&self.api);
        let what = format!("{apis} requests {}", self.how.in_words());
        cx.stage.disturb_requests(cx.id, rule, &what);
        Ok(())
    }

    async fn end(&self, cx: &Cx<'_>) -> Result<(), StepError> {
        let DisturbCounts { met, disturbed } = cx.stage.leave_requests(cx.id)?;
        let text = format!("{disturbed} of {} were disturbed", requests(self, met));
        cx.stage.tell.emit(Event::Note { step: cx.id.clone(), text });
        match disturbed {
            0 => Err(cx.proves_nothing(
                "at least one request is disturbed",
                format!("none of {} that passed was disturbed", requests(self, met)),
                &[],
            )),
            _ => Ok(()),
        }
    }

    /// The nodes are there.
    async fn takes_away(&self, _: &Cx<'_>) -> Result<BTreeSet<Node>, StepError> {
        Ok(BTreeSet::new())
    }
}

/// Which of the requests are disturbed: this share, chosen by the run's seed.
fn share(share: f64, cx: &Cx<'_>) -> Box<dyn Fn(u64) -> bool + Send + Sync> {
    let (seed, place) = (cx.stage.seed, cx.id.to_string());
    Box::new(move |number| {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let drawn = draw(seed, &place, number, DRAW) as f64 / u64::MAX as f64;
        drawn < share || share >= 1.0
    })
}

/// `120 Produce requests`.
fn requests(args: &DisturbRequests, met: u64) -> String {
    words::count(met, &format!("{} request", words::list(&args.api)))
}

fn key(api: KafkaApi) -> ApiKey {
    match api {
        KafkaApi::Produce => ApiKey::Produce,
        KafkaApi::Fetch => ApiKey::Fetch,
        KafkaApi::ListOffsets => ApiKey::ListOffsets,
        KafkaApi::Metadata => ApiKey::Metadata,
        KafkaApi::OffsetCommit => ApiKey::OffsetCommit,
        KafkaApi::OffsetFetch => ApiKey::OffsetFetch,
        KafkaApi::FindCoordinator => ApiKey::FindCoordinator,
        KafkaApi::JoinGroup => ApiKey::JoinGroup,
        KafkaApi::SyncGroup => ApiKey::SyncGroup,
        KafkaApi::Heartbeat => ApiKey::Heartbeat,
        KafkaApi::LeaveGroup => ApiKey::LeaveGroup,
        KafkaApi::ConsumerGroupHeartbeat => ApiKey::ConsumerGroupHeartbeat,
        KafkaApi::InitProducerId => ApiKey::InitProducerId,
        KafkaApi::AddPartitionsToTxn => ApiKey::AddPartitionsToTxn,
        KafkaApi::AddOffsetsToTxn => ApiKey::AddOffsetsToTxn,
        KafkaApi::TxnOffsetCommit => ApiKey::TxnOffsetCommit,
        KafkaApi::EndTxn => ApiKey::EndTxn,
    }
}
