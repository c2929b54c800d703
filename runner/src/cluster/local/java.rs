//! The Java that runs Kafka.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{process::Command, time::timeout};

use super::super::RigError;

/// `java -version` answers within a moment, on a busy machine within some seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// A Java that answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Java {
    pub program: PathBuf,
    /// Its version, in one line.
    pub version: String,
}

/// `JAVA_HOME`'s, or the first in `PATH`.
/// Fails with [`RigError::Missing`] when there is none that runs.
pub async fn find() -> Result<Java, RigError> {
    let home = std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty());
    let program = match home {
        Some(home) => PathBuf::from(home).join("bin/java"),
        None => PathBuf::from("java"),
    };
    let missing = |why: String| RigError::Missing {
        what: format!("no Java: {} {why}", program.display()),
        help: "install it (Debian: apt-get install openjdk-17-jre-headless), or name its \
               directory in JAVA_HOME; Kafka 4 needs Java 17 or later"
            .to_owned(),
    };
    let mut command = Command::new(&program);
    command.arg("-version").stdin(Stdio::null()).kill_on_drop(true);
    let output = match timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(missing(format!("cannot be started: {error}"))),
        Err(_) => return Err(missing(format!("did not answer within {LIMIT:?}"))),
    };
    // `java -version` prints to standard error.
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(missing(format!("does not run: {}", text.trim())));
    }
    let line = text.lines().find(|line| line.contains("version")).unwrap_or_default();
    Ok(Java { program, version: line.trim().to_owned() })
}
