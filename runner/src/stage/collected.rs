//! What services wrote elsewhere than into topics, as commands of the plan printed it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard},
};

use super::clients::{Client, Member};

/// The last output that was collected of each service.
#[derive(Debug, Default)]
pub struct Collected {
    by: Mutex<BTreeMap<String, Collection>>,
    count: Mutex<u64>,
}

/// The output of a service at one time.
#[derive(Clone, Debug)]
pub struct Collection {
    /// The history with the identities in it.
    pub path: PathBuf,
    /// Lines with identities.
    pub lines: i64,
    /// The lives of its instances then, if none lived.
    pub lives: Option<Vec<u16>>,
}

impl Collected {
    fn by(&self) -> MutexGuard<'_, BTreeMap<String, Collection>> {
        self.by.lock().expect("no holder panics")
    }

    /// How often something was collected.
    pub fn count(&self) -> u64 {
        *self.count.lock().expect("no holder panics")
    }

    /// The number of the next collection of the suite.
    pub fn next(&self) -> u64 {
        let mut count = self.count.lock().expect("no holder panics");
        *count += 1;
        *count
    }

    /// Replaces what was collected of a service before.
    pub fn put(&self, service: &str, found: Collection) {
        self.by().insert(service.to_owned(), found);
    }

    /// What was collected of a service.
    pub fn of(&self, service: &str) -> Option<Collection> {
        self.by().get(service).cloned()
    }

    /// The histories of what was collected.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.by().values().map(|found| found.path.clone()).collect()
    }

    /// Why it is not known whether what was collected is everything that a service wrote, if so.
    pub fn lacks(&self, client: &Client) -> Option<String> {
        let name = &client.name;
        let Some(found) = self.of(name) else {
            return Some(format!("no step has collected what {name} wrote"));
        };
        match found.lives {
            None => Some(format!("{name} was still running when it was collected")),
            Some(lives) if lives != lives_of(client) => {
                Some(format!("{name} was started again after it was collected"))
            }
            Some(_) => None,
        }
    }
}

/// How often each instance of a service was started.
pub fn lives_of(client: &Client) -> Vec<u16> {
    client.members.iter().map(Member::life).collect()
}
