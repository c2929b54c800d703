//! Turns with what a test needs and not every machine has. Who takes one is an ignored test whose reason
//! names what it needs (`runner/tests/hidden.rs` holds that): cargo counts it as ignored, and where it is asked
//! for and the machine lacks it, it fails.

use std::{
    process::Command,
    sync::{Condvar, Mutex, OnceLock, PoisonError},
};

/// Clusters at a time: most of a test's time is waiting, and more would only slow each other down.
const CLUSTERS: u32 = 2;
static FREE: Mutex<u32> = Mutex::new(CLUSTERS);
static FREED: Condvar = Condvar::new();
static ENGINE: OnceLock<Result<(), String>> = OnceLock::new();
static JAVA: OnceLock<Result<(), String>> = OnceLock::new();

/// Leave to run some clusters, given back when it is dropped.
#[must_use]
pub struct Turn(u32);

impl Turn {
    fn take(clusters: u32) -> Self {
        let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free =
            FREED.wait_while(free, |free| *free < clusters).unwrap_or_else(PoisonError::into_inner);
        *free -= clusters;
        Self(clusters)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        FREED.notify_all();
    }
}

/// A turn with brokers in containers, beside one other.
pub fn real() -> Turn {
    needs(&ENGINE, "a container engine", "docker", "version");
    Turn::take(1)
}

/// A turn with brokers in containers and nothing beside them.
pub fn alone() -> Turn {
    needs(&ENGINE, "a container engine", "docker", "version");
    Turn::take(CLUSTERS)
}

/// A turn with brokers that are processes of this machine.
pub fn java() -> Turn {
    needs(&JAVA, "Java", "java", "-version");
    Turn::take(1)
}

/// Whether a test of this process asked for an engine, and has one.
pub fn has_engine() -> bool {
    ENGINE.get().is_some_and(Result::is_ok)
}

/// Fails the test, with what is missing, where `program argument` does not end well.
fn needs(known: &OnceLock<Result<(), String>>, what: &str, program: &str, argument: &str) {
    let asked = known.get_or_init(|| match Command::new(program).arg(argument).output() {
        Ok(said) if said.status.success() => Ok(()),
        Ok(said) => Err(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    });
    if let Err(why) = asked {
        panic!(
            "this test needs {what}, and `{program} {argument}` fails: {why}. ci/test sets one up"
        );
    }
}
