//! Settings of running brokers.

use std::collections::BTreeMap;

use kplan_dsl::{Catalogue, SettingOf, value::Target};

use crate::{
    cluster::Node,
    event::StepRun,
    observer::{AskError, Changes, DynamicValue, Resource, patiently},
    stage::{Running, Stage, altered::settled, outcome::StepError},
};

/// A setting of one broker, or of all that have no value of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettingKey {
    pub broker: Option<u32>,
    pub name: String,
}

type GivenSetting = (SettingKey, Option<String>);

impl Stage {
    /// Gives the brokers of a target these settings, and waits until they report them.
    pub async fn alter_brokers(
        &self,
        step: &StepRun,
        target: &Target,
        changes: &Changes,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        let nodes = self.resolve(target, step).await?;
        let given = given(&running).await?;
        let whole = matches!(target, Target::All);
        let brokers: Vec<u32> = match whole {
            true => given.keys().copied().collect(),
            false => nodes.iter().map(number).collect::<Result<_, _>>()?,
        };
        let mut all: Vec<GivenSetting> = Vec::new();
        for (name, value) in changes {
            let shared = whole && is_cluster_wide(&running, name);
            let own = |broker: &&u32| {
                let values = given.get(*broker).and_then(|values| values.get(name));
                !shared || values.is_some_and(|values| values.own.is_some())
            };
            let brokers = brokers.iter().filter(own).map(|broker| Some(*broker));
            let keys = shared.then_some(None).into_iter().chain(brokers);
            all.extend(
                keys.map(|broker| (SettingKey { broker, name: name.clone() }, value.clone())),
            );
        }
        // Recorded first: if the step is cut off, a part of it may be done.
        for (key, value) in &all {
            self.altered.settings.put(step, key.clone(), value.clone(), found(&given, key));
        }
        Ok(set_all(&running, &all).await?)
    }

    /// Takes back what a step gave.
    pub async fn restore_brokers(&self, step: &StepRun) -> Result<(), StepError> {
        let running = self.running()?;
        set_all(&running, &self.altered.settings.without(step)).await?;
        self.altered.settings.taken_back(step);
        Ok(())
    }
}

fn number(node: &Node) -> Result<u32, StepError> {
    match node {
        Node::Broker(number) => Ok(*number),
        other => Err(StepError::not_so(format!("{other} is not a broker"))),
    }
}

fn is_cluster_wide(running: &Running, name: &str) -> bool {
    let catalogue = Catalogue::of_kafka();
    let known = catalogue.version_of(&running.cluster.spec().version.to_string());
    let at = known.unwrap_or_else(|| catalogue.newest());
    at.get(SettingOf::Broker, name).is_some_and(|era| era.is_cluster_wide())
}

/// What each broker that answers was given while it ran.
type GivenTo = BTreeMap<u32, BTreeMap<String, DynamicValue>>;

async fn given(running: &Running) -> Result<GivenTo, AskError> {
    let ask = running.observer.ask();
    let mut all = GivenTo::new();
    for broker in running.observer.fresh().await.brokers_alive() {
        all.insert(broker, ask.given_configs(broker).await?);
    }
    if all.is_empty() { Err(AskError::NobodyAnswers) } else { Ok(all) }
}

/// The value that was given for a setting. Of a password only that there is one is known, and it cannot be given
/// again.
fn found(given: &GivenTo, key: &SettingKey) -> Option<String> {
    let values = |broker: &u32| given.get(broker)?.get(&key.name);
    match key.broker {
        Some(broker) => values(&broker).and_then(|v| v.own.clone().filter(|_| !v.secret)),
        None => {
            let shared = given.keys().find_map(values);
            shared.and_then(|v| v.of_all.clone().filter(|_| !v.secret))
        }
    }
}

/// Sets the values, and waits until the brokers report them.
pub(super) async fn set_all(running: &Running, all: &[GivenSetting]) -> Result<(), AskError> {
    let mut of: BTreeMap<Option<u32>, Changes> = BTreeMap::new();
    for (key, value) in all {
        of.entry(key.broker).or_default().insert(key.name.clone(), value.clone());
    }
    if of.is_empty() {
        return Ok(());
    }
    let ask = running.observer.ask();
    for (broker, changes) in &of {
        match broker {
            Some(broker) => {
                patiently(|| ask.set_configs(*broker, Resource::Broker(*broker), changes)).await?;
            }
            None => patiently(|| ask.set_configs_of_all(changes)).await?,
        }
    }
    settled(|| async { given(running).await.map(|given| missing(&given, all)) }).await
}

/// The first value that a broker does not report.
fn missing(given: &GivenTo, all: &[GivenSetting]) -> Option<String> {
    let nothing = DynamicValue::default();
    for (key, wanted) in all {
        for (broker, values) in
            given.iter().filter(|(b, _)| key.broker.is_none_or(|own| own == **b))
        {
            let value = values.get(&key.name).unwrap_or(&nothing);
            let found = if key.broker.is_some() { &value.own } else { &value.of_all };
            let same =
                if value.secret { found.is_some() == wanted.is_some() } else { found == wanted };
            if !same {
                let wanted = wanted.as_deref().unwrap_or("no value of its own");
                return Some(format!("broker {broker} does not have {}: {wanted}", key.name));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(own: Option<&str>, of_all: Option<&str>) -> DynamicValue {
        let text = |t: Option<&str>| t.map(str::to_owned);
        DynamicValue { own: text(own), of_all: text(of_all), secret: false }
    }

    fn given(one: DynamicValue, two: DynamicValue) -> GivenTo {
        let of = |value| BTreeMap::from([("a".to_owned(), value)]);
        BTreeMap::from([(1, of(one)), (2, of(two))])
    }

    fn key(broker: Option<u32>) -> SettingKey {
        SettingKey { broker, name: "a".to_owned() }
    }

    #[test]
    fn a_value_is_in_force_when_each_broker_that_is_meant_has_it() {
        let brokers = given(value(Some("5"), Some("7")), value(None, Some("7")));
        let wants = |broker, wanted: Option<&str>| {
            missing(&brokers, &[(key(broker), wanted.map(str::to_owned))])
        };
        assert_eq!(wants(Some(1), Some("5")), None);
        assert_eq!(wants(Some(2), None), None);
        assert_eq!(wants(None, Some("7")), None);
        assert_eq!(wants(None, Some("8")).as_deref(), Some("broker 1 does not have a: 8"));
        let kept = wants(Some(1), None);
        assert_eq!(kept.as_deref(), Some("broker 1 does not have a: no value of its own"));
        assert_eq!(
            missing(&brokers, &[(SettingKey { name: "b".to_owned(), ..key(None) }, None)]),
            None
        );
    }

    #[test]
    fn what_was_given_before_is_known_but_for_passwords() {
        let brokers = given(value(Some("5"), Some("7")), value(None, Some("7")));
        assert_eq!(found(&brokers, &key(Some(1))).as_deref(), Some("5"));
        assert_eq!(found(&brokers, &key(Some(2))), None);
        assert_eq!(found(&brokers, &key(None)).as_deref(), Some("7"));
        let secret = DynamicValue { secret: true, ..value(Some(""), None) };
        let brokers = given(secret, value(None, None));
        assert_eq!(found(&brokers, &key(Some(1))), None);
        let wanted = [(key(Some(1)), Some("word".to_owned()))];
        assert_eq!(missing(&brokers, &wanted), None);
    }
}
