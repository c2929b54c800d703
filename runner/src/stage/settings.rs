//! Settings in effect, for the report: requested in the background, so that no step waits for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Weak},
};

use crate::{
    event::{Event, SettingsOf},
    stage::{Running, Stage},
};

/// Finalized features, and every broker's settings with their defaults: those that all brokers share
/// once, the others by broker. A Kafka version that cannot report them is not asked again.
pub fn of_cluster(stage: &Arc<Stage>, running: &Running) {
    let (stage, running): (Weak<Stage>, _) = (Arc::downgrade(stage), running.clone());
    tokio::spawn(async move {
        let ask = running.observer.ask();
        let brokers = running.cluster.brokers();
        let Some(first) = brokers.first() else { return };
        if let Ok(features) = ask.finalized_features(*first).await {
            let levels = features.into_iter().map(|(name, level)| (name, level.to_string()));
            tell(&stage, SettingsOf::Features, levels.collect());
        }
        let mut all = BTreeMap::new();
        for broker in brokers {
            let Ok(settings) = ask.effective_config(broker).await else { continue };
            all.insert(broker, settings);
        }
        let (shared, own) = apart(&all);
        tell(&stage, SettingsOf::Brokers, shared);
        for (broker, settings) in own {
            tell(&stage, SettingsOf::Broker(broker), settings);
        }
    });
}

/// A topic's settings with their defaults.
pub fn of_topic(stage: &Arc<Stage>, running: &Running, topic: &str) {
    let (stage, running): (Weak<Stage>, _) = (Arc::downgrade(stage), running.clone());
    let topic = topic.to_owned();
    tokio::spawn(async move {
        if let Ok(settings) = running.observer.ask().topic_config(&topic).await {
            tell(&stage, SettingsOf::Topic(topic), settings);
        }
    });
}

fn tell(stage: &Weak<Stage>, who: SettingsOf, settings: BTreeMap<String, String>) {
    let Some(stage) = stage.upgrade().filter(|_| !settings.is_empty()) else { return };
    stage.tell.emit(Event::Configured { who, settings: settings.into_iter().collect() });
}

type Settings = BTreeMap<String, String>;

/// What all have in common, and what each has of its own.
fn apart(all: &BTreeMap<u32, Settings>) -> (Settings, BTreeMap<u32, Settings>) {
    let names: BTreeSet<&String> = all.values().flat_map(BTreeMap::keys).collect();
    let (mut shared, mut own) = (Settings::new(), BTreeMap::<u32, Settings>::new());
    for name in names {
        let values: BTreeSet<Option<&String>> = all.values().map(|one| one.get(name)).collect();
        if let [Some(value)] = values.iter().copied().collect::<Vec<_>>()[..] {
            shared.insert(name.clone(), value.clone());
            continue;
        }
        for (broker, settings) in all {
            if let Some(value) = settings.get(name) {
                own.entry(*broker).or_default().insert(name.clone(), value.clone());
            }
        }
    }
    (shared, own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_share_is_told_once() {
        let settings = |pairs: &[(&str, &str)]| -> Settings {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let all = BTreeMap::from([
            (1, settings(&[("node.id", "1"), ("min.insync.replicas", "2")])),
            (2, settings(&[("node.id", "2"), ("min.insync.replicas", "2"), ("only", "x")])),
        ]);
        let (shared, own) = apart(&all);
        assert_eq!(shared, settings(&[("min.insync.replicas", "2")]));
        assert_eq!(own[&1], settings(&[("node.id", "1")]));
        assert_eq!(own[&2], settings(&[("node.id", "2"), ("only", "x")]));
        assert_eq!(apart(&BTreeMap::new()), (Settings::new(), BTreeMap::new()));
    }
}
