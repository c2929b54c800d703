//! Turns with what a test needs and not every machine has. Who takes one is an ignored test whose reason
//! names what it needs (`runner/tests/hidden.rs` holds that): cargo counts it as ignored, and where it is asked
//! for and the machine lacks it, it fails.

use std::{array, fs::File, path::Path, process::Command, sync::OnceLock};

/// Clusters at a time: most of a test's time is waiting, and more would only slow each other down.
const CLUSTERS: usize = 2;
static ENGINE: OnceLock<Result<(), String>> = OnceLock::new();
static COMPOSE: OnceLock<Result<(), String>> = OnceLock::new();
static JAVA: OnceLock<Result<(), String>> = OnceLock::new();
static KUBERNETES: OnceLock<Result<(), String>> = OnceLock::new();

/// Leave to run some clusters, given back when it is dropped: a locked file for each. Files, because ci/test runs two
/// test binaries at a time.
#[must_use]
pub struct Turn {
    _held: Vec<File>,
}

impl Turn {
    /// Leave to run one cluster: the first that is free.
    fn one() -> Self {
        let slots = slots();
        let free = slots.iter().position(|slot| slot.try_lock().is_ok());
        let at = free.unwrap_or_else(|| {
            let any = std::process::id() as usize % CLUSTERS;
            slots[any].lock().expect("a lock");
            any
        });
        Self { _held: slots.into_iter().skip(at).take(1).collect() }
    }

    /// Leave to run all of them, taken in one order by everyone.
    fn all() -> Self {
        let slots = slots();
        slots.iter().for_each(|slot| slot.lock().expect("a lock"));
        Self { _held: slots.into() }
    }
}

fn slots() -> [File; CLUSTERS] {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    array::from_fn(|n| File::create(dir.join(format!("cluster-{n}.lock"))).expect("a lock's file"))
}

/// A turn with brokers in containers, beside one other.
pub fn real() -> Turn {
    needs(&ENGINE, "a container engine", &["docker", "version"]);
    Turn::one()
}

/// A turn with brokers in containers and nothing beside them.
pub fn alone() -> Turn {
    needs(&ENGINE, "a container engine", &["docker", "version"]);
    Turn::all()
}

/// A turn with brokers of a docker compose project, beside one other.
pub fn compose() -> Turn {
    needs(&ENGINE, "a container engine", &["docker", "version"]);
    needs(&COMPOSE, "docker's compose plugin", &["docker", "compose", "version"]);
    Turn::one()
}

/// A turn with brokers that are processes of this machine.
pub fn java() -> Turn {
    needs(&JAVA, "Java", &["java", "-version"]);
    Turn::one()
}

/// A turn with brokers in pods, beside one other. `ci/kubernetes-check/run` asks for these tests.
pub fn kubernetes() -> Turn {
    needs(&KUBERNETES, "a Kubernetes", &["kubectl", "get", "pods"]);
    Turn::one()
}

/// Whether a test of this process asked for an engine, and has one.
pub fn has_engine() -> bool {
    ENGINE.get().is_some_and(Result::is_ok)
}

/// Fails the test, with what is missing, where a command does not end well.
fn needs(known: &OnceLock<Result<(), String>>, what: &str, command: &[&str]) {
    let asked = known.get_or_init(|| match Command::new(command[0]).args(&command[1..]).output() {
        Ok(said) if said.status.success() => Ok(()),
        Ok(said) => Err(String::from_utf8_lossy(&said.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    });
    if let Err(why) = asked {
        let command = command.join(" ");
        panic!("this test needs {what}, and `{command}` fails: {why}. A script in ci/ sets one up");
    }
}
