//! What steps changed of the running cluster's settings, quotas and permissions, and how each was before. Steps
//! may change the same one: the newest value holds, and when a step takes its value back, the value below it holds
//! again.

mod acls;
mod quotas;
mod settings;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use quotas::QuotaKey;
use settings::SettingKey;
use tokio::time::{Instant, sleep};

use crate::{
    event::StepRun,
    observer::{AclRule, AskError},
    stage::{Running, Stage},
};

/// Limit until each broker reports a change.
const SETTLE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// What was changed, by kind.
#[derive(Debug, Default)]
pub struct Altered {
    /// Settings of brokers.
    settings: Layers<SettingKey, String>,
    quotas: Layers<QuotaKey, f64>,
    acls: Layers<AclRule, ()>,
}

impl Altered {
    /// A new cluster is as it was started.
    pub fn forget(&self) {
        self.settings.forget();
        self.quotas.forget();
        self.acls.forget();
    }
}

/// Values that steps gave, one over the other. A value of none is the absence of one.
#[derive(Debug)]
struct Layers<K, V>(Mutex<BTreeMap<K, Layered<V>>>);

#[derive(Debug)]
struct Layered<V> {
    /// Before the first step.
    before: Option<V>,
    /// What each step gave, the oldest first.
    steps: Vec<(StepRun, Option<V>)>,
}

impl<K, V> Default for Layers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord + Clone, V: Clone> Layers<K, V> {
    fn all(&self) -> MutexGuard<'_, BTreeMap<K, Layered<V>>> {
        self.0.lock().expect("no holder panics")
    }

    /// Records what a step is about to give; `before` is what holds unless an earlier step gave a value.
    fn put(&self, step: &StepRun, key: K, value: Option<V>, before: Option<V>) {
        let mut all = self.all();
        let layered = all.entry(key).or_insert_with(|| Layered { before, steps: Vec::new() });
        layered.steps.push((step.clone(), value));
    }

    /// The values that change when a step takes its values back, with what then holds.
    fn without(&self, step: &StepRun) -> Vec<(K, Option<V>)> {
        let all = self.all();
        let on_top = |layered: &&Layered<V>| layered.steps.last().is_some_and(|(s, _)| s == step);
        let below = |layered: &Layered<V>| {
            let other = layered.steps.iter().rfind(|(s, _)| s != step);
            other.map_or_else(|| layered.before.clone(), |(_, value)| value.clone())
        };
        let changed = all.iter().filter(|(_, layered)| on_top(layered));
        changed.map(|(key, layered)| (key.clone(), below(layered))).collect()
    }

    /// Forgets what a step gave, which it has taken back.
    fn taken_back(&self, step: &StepRun) {
        let mut all = self.all();
        all.values_mut().for_each(|layered| layered.steps.retain(|(s, _)| s != step));
        all.retain(|_, layered| !layered.steps.is_empty());
    }

    /// All values as they were before the first step.
    fn before(&self) -> Vec<(K, Option<V>)> {
        self.all().iter().map(|(key, layered)| (key.clone(), layered.before.clone())).collect()
    }

    fn forget(&self) {
        self.all().clear();
    }
}

impl Stage {
    /// Gives a cluster that existed before the plan the values back that it had; returns what was done.
    pub(crate) async fn unalter(&self, running: &Running) -> Result<Vec<String>, AskError> {
        let Altered { settings, quotas, acls } = &self.altered;
        let (settings, quotas, acls) = (settings.before(), quotas.before(), acls.before());
        let changed = [
            ("settings of brokers", !settings.is_empty()),
            ("quotas", !quotas.is_empty()),
            ("permissions", !acls.is_empty()),
        ];
        // Each is tried, also after an error of another.
        let results = [
            settings::set_all(running, &settings).await,
            quotas::set_all(running, &quotas).await,
            acls::set_all(running, &acls).await,
        ];
        results.into_iter().collect::<Result<(), AskError>>()?;
        let done = changed.into_iter().filter(|(_, changed)| *changed);
        Ok(done.map(|(what, _)| format!("{what}, changed by this plan, set back")).collect())
    }
}

/// Waits until nothing is missing any more. A broker that does not answer is asked again.
async fn settled<R>(mut missing: impl FnMut() -> R) -> Result<(), AskError>
where
    R: Future<Output = Result<Option<String>, AskError>>,
{
    let deadline = Instant::now() + SETTLE;
    loop {
        let late = Instant::now() >= deadline;
        match missing().await {
            Ok(None) => return Ok(()),
            Ok(Some(what)) if late => return Err(AskError::TimedOut { what, limit: SETTLE }),
            Err(error) if late => return Err(error),
            Ok(Some(_)) | Err(_) => sleep(PAUSE).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(puts: &[(&str, Option<u32>)]) -> Layers<&'static str, u32> {
        let layers = Layers::default();
        puts.iter().for_each(|(step, value)| layers.put(&(*step).into(), "k", *value, Some(1)));
        layers
    }

    #[test]
    fn what_a_step_gave_is_taken_back_to_what_was_below() {
        let one = layers(&[("1", Some(5))]);
        assert_eq!(one.without(&"1".into()), [("k", Some(1))]);
        let two = layers(&[("1", Some(5)), ("2", Some(6))]);
        assert_eq!(two.without(&"2".into()), [("k", Some(5))]);
        two.taken_back(&"2".into());
        assert_eq!(two.without(&"1".into()), [("k", Some(1))]);
        two.taken_back(&"1".into());
        assert!(two.before().is_empty(), "it is as it was");
    }

    #[test]
    fn what_another_step_gave_meanwhile_stays() {
        let layers = layers(&[("1", Some(5)), ("2", None)]);
        assert_eq!(layers.without(&"1".into()), []);
        layers.taken_back(&"1".into());
        assert_eq!(layers.without(&"2".into()), [("k", Some(1))], "and not what is gone");
        assert_eq!(layers.before(), [("k", Some(1))]);
        layers.forget();
        assert_eq!(layers.before(), []);
    }
}
