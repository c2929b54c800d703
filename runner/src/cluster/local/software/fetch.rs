//! Fetches the released artifacts of a Kafka version with Maven.

use std::{
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use tokio::{process::Command, time::timeout};

use super::super::super::{RigError, Version};
use super::super::failed;
use super::{MANIFEST, manifest};

/// Enough for about 50 MB on a slow connection.
const LIMIT: Duration = Duration::from_secs(600);
/// Lines of Maven's errors that are shown.
const SHOWN: usize = 5;

/// Maven's version, in one line, without the colours that Maven writes even where it should not.
/// Fails with [`RigError::Missing`] when it is not.
pub async fn can_fetch() -> Result<String, RigError> {
    let output =
        maven(&["-version"]).output().await.map_err(|error| missing(&error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = anstream::adapter::strip_str(&text).to_string();
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn missing(why: &str) -> RigError {
    RigError::Missing {
        what: format!("Kafka's jars cannot be fetched: mvn cannot be started: {why}"),
        help: "install Maven (Debian: apt-get install maven), or name a directory that holds \
               Kafka in KPLAN_KAFKA_DIR"
            .to_owned(),
    }
}

fn maven(words: &[&str]) -> Command {
    let mut command = Command::new("mvn");
    command.args(words).stdin(Stdio::null()).kill_on_drop(true).process_group(0);
    command
}

/// Fetches a version's jars to `place`, where they appear all together or not at all.
pub async fn fetch(version: &Version, place: &Path, run: &str) -> Result<(), RigError> {
    let parent = place.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(|error| failed("make", parent, &error))?;
    let work = tempfile::Builder::new()
        .prefix(".fetch-")
        .tempdir_in(parent)
        .map_err(|error| failed("create a directory in", parent, &error))?;
    let pom = work.path().join("pom.xml");
    let fresh = work.path().join("fresh");
    let libs = fresh.join("libs");
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| failed("write", path, &error))
    };
    std::fs::create_dir(&fresh).map_err(|error| failed("make", &fresh, &error))?;
    write(&pom, &project(version))?;
    let (pom, to) = (pom.display().to_string(), format!("-DoutputDirectory={}", libs.display()));
    let words = [
        "--batch-mode",
        "--strict-checksums",
        "--file",
        &pom,
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        &to,
    ];
    // The run's id, so that the Maven of a killed run is found and killed.
    let running = maven(&words).env("KPLAN_RUN", run).output();
    let output = match timeout(LIMIT, running).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(missing(&error.to_string())),
        Err(_) => {
            let what = format!("fetching Kafka {version}");
            return Err(RigError::TimedOut { what, limit: LIMIT });
        }
    };
    if !output.status.success() {
        return Err(refused(version, &output));
    }
    let sums = manifest(&libs).map_err(|error| failed("read", &libs, &error))?;
    write(&fresh.join(MANIFEST), &sums)?;
    match std::fs::rename(&fresh, place) {
        // Another kplan was faster: its files are used, and verified next.
        Err(error) if !place.is_dir() => Err(failed("create", place, &error)),
        _ => Ok(()),
    }
}

fn refused(version: &Version, output: &Output) -> RigError {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let scala = scala(version);
    let artifact = format!("kafka_{scala}:jar:{version}");
    if text.contains(&format!("{artifact} was not found"))
        || text.contains(&format!("ind artifact org.apache.kafka:{artifact}"))
    {
        return RigError::Missing {
            what: format!("there is no Kafka {version} (org.apache.kafka:kafka_{scala})"),
            help: "name a released version, or a directory that holds Kafka in KPLAN_KAFKA_DIR"
                .to_owned(),
        };
    }
    let errors: Vec<&str> =
        text.lines().filter(|line| line.starts_with("[ERROR]")).take(SHOWN).collect();
    RigError::Missing {
        what: format!("Maven could not fetch Kafka {version}:\n{}", errors.join("\n")),
        help: "check that Maven reaches its repository (see its settings.xml), or name a \
               directory that holds Kafka in KPLAN_KAFKA_DIR"
            .to_owned(),
    }
}

/// The Scala version of a Kafka release; it is part of the artifact's name.
fn scala(version: &Version) -> &'static str {
    if version.at_least(&[2, 4]) {
        "2.13"
    } else if version.at_least(&[1]) {
        "2.12"
    } else {
        "2.11"
    }
}

/// A Maven project with a broker's dependencies, the same as in `ci/kafka-image`. Kafka's artifacts name no log
/// binding (or one with known vulnerabilities), and log nothing without one.
fn project(version: &Version) -> String {
    let mut dependencies = vec![];
    let mut add = |artifact: &str, version: &str, more: &str| {
        let (group, artifact) = artifact.split_once(':').unwrap_or((artifact, ""));
        dependencies.push(format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version>{more}</dependency>"
        ));
    };
    let broker = format!("org.apache.kafka:kafka_{}", scala(version));
    if version.at_least(&[4]) {
        add(&broker, &version.text, "");
        for part in ["log4j-slf4j-impl", "log4j-core", "log4j-api"] {
            add(&format!("org.apache.logging.log4j:{part}"), "2.25.1", "");
        }
    } else {
        let without = "<exclusions>\
             <exclusion><groupId>log4j</groupId><artifactId>log4j</artifactId></exclusion>\
             <exclusion><groupId>org.slf4j</groupId><artifactId>slf4j-log4j12</artifactId></exclusion>\
             </exclusions>";
        add(&broker, &version.text, without);
        add("org.slf4j:slf4j-reload4j", "1.7.36", "");
        add("org.slf4j:slf4j-api", "1.7.36", "");
    }
    if !version.at_least(&[2]) {
        // Older versions use a package that Java had until version 8.
        add("javax.xml.bind:jaxb-api", "2.3.1", "");
    }
    format!(
        "<project><modelVersion>4.0.0</modelVersion><groupId>kplan</groupId>\
         <artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>\
         <dependencies>{}</dependencies></project>\n",
        dependencies.join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_artifacts() {
        let of = |text: &str| project(&text.parse().expect("a version"));
        let (old, middle, new) = (of("0.10.1.1"), of("3.9.1"), of("4.1.1"));
        assert!(old.contains("kafka_2.11</artifactId><version>0.10.1.1<"), "{old}");
        assert!(old.contains("jaxb-api") && old.contains("slf4j-reload4j"), "{old}");
        assert!(middle.contains("kafka_2.13") && !middle.contains("jaxb-api"), "{middle}");
        assert!(new.contains("log4j-slf4j-impl") && !new.contains("reload4j"), "{new}");
    }
}
