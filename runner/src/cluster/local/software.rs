//! Kafka's jars: in a directory that the user names, or fetched once into the cache.
//!
//! The files come from the repository that Maven is configured for, with Maven's check of every file's
//! published checksum set to strict. The checksums of the fetched files are written beside them, and
//! verified whenever a run takes the files from the cache.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::super::{RigError, Version};
use super::failed;

mod fetch;

pub use fetch::can_fetch;

/// Kafka's jars of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Software {
    pub version: Version,
    pub libs: PathBuf,
    /// Their id in caches; another set of files has another id.
    pub id: String,
}

/// The file of checksums beside the jars, in the form that `sha256sum --check` reads.
const MANIFEST: &str = "SHA256SUMS";

/// Jars that this process has verified already: their checksums are not computed again.
static KNOWN: Mutex<BTreeMap<PathBuf, Arc<Software>>> = Mutex::new(BTreeMap::new());

/// The jars of a version: from `dir` (a template with `{version}`), else from the cache, else
/// fetched into it.
/// Fails with [`RigError::Missing`] and how to fix it; also when the cached files have changed.
pub async fn find(
    version: &Version,
    dir: Option<&str>,
    run: &str,
) -> Result<Arc<Software>, RigError> {
    if let Some(dir) = dir {
        return in_directory(version, dir).map(Arc::new);
    }
    let place = place(version)?;
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
    if let Some(known) = known.filter(|known| known.libs.is_dir()) {
        return Ok(known);
    }
    if !place.is_dir() {
        fetch::fetch(version, &place, run).await?;
    }
    let (version, from) = (version.clone(), place.clone());
    let looked = tokio::task::spawn_blocking(move || verified(&version, &from)).await;
    let found = looked.map_err(|error| failed("check", &place, &error))??;
    let found = Arc::new(found);
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(place, found.clone());
    Ok(found)
}

/// The directory of a version's jars in the cache, if it exists.
pub fn cached(version: &Version) -> Option<PathBuf> {
    place(version).ok().filter(|place| place.is_dir())
}

fn place(version: &Version) -> Result<PathBuf, RigError> {
    let root = super::cache().ok_or_else(|| RigError::Missing {
        what: "no cache directory for Kafka's jars: neither HOME nor XDG_CACHE_HOME is set".to_owned(),
        help: "set KPLAN_CACHE to a directory, or KPLAN_KAFKA_DIR to the directory of a Kafka distribution".to_owned(),
    })?;
    // A version's text is plain: it cannot lead elsewhere.
    Ok(root.join("kafka").join(&version.text))
}

/// The directory of an Apache Kafka distribution.
fn in_directory(version: &Version, template: &str) -> Result<Software, RigError> {
    let dir = PathBuf::from(template.replace("{version}", &version.text));
    let libs = dir.join("libs");
    let missing = |what: String| RigError::Missing {
        what,
        help: "name a directory that holds libs/kafka_*.jar in KPLAN_KAFKA_DIR or --kafka-dir; \
               {version} in it stands for the version; without it kplan fetches Kafka"
            .to_owned(),
    };
    let jars =
        jars(&libs).map_err(|error| missing(format!("no Kafka in {}: {error}", dir.display())))?;
    let versions: Vec<&str> = jars.keys().filter_map(|name| version_of(name)).collect();
    if versions.is_empty() {
        return Err(missing(format!("no Kafka in {}: no libs/kafka_*.jar", dir.display())));
    }
    if !versions.contains(&version.text.as_str()) {
        let found = versions.join(" and ");
        let what = format!("the plan needs Kafka {version}, but {} holds {found}", dir.display());
        return Err(missing(what));
    }
    // Names and sizes suffice to distinguish releases; the user is responsible for the content.
    let listed = jars.iter().fold(String::new(), |mut text, (name, size)| {
        let _ = writeln!(text, "{size} {name}");
        text
    });
    Ok(Software { version: version.clone(), id: id_of(&listed), libs })
}

/// The version in the name of the jar that holds the broker: `kafka_2.13-4.1.1.jar`.
fn version_of(jar: &str) -> Option<&str> {
    let (scala, version) = jar.strip_prefix("kafka_")?.strip_suffix(".jar")?.split_once('-')?;
    let plain = scala.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let extra = ["-sources", "-javadoc", "-scaladoc", "-test", "-test-sources"];
    (plain && !extra.iter().any(|end| version.ends_with(end))).then_some(version)
}

/// The jars of a directory with their sizes.
fn jars(libs: &Path) -> std::io::Result<BTreeMap<String, u64>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(libs)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && name.ends_with(".jar")
        {
            found.insert(name, entry.metadata()?.len());
        }
    }
    Ok(found)
}

fn id_of(text: &str) -> String {
    format!("jars-{:.32}", hex(&Sha256::digest(text.as_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn checksum(path: &Path) -> std::io::Result<String> {
    // The largest jars have some MB.
    Ok(hex(&Sha256::digest(std::fs::read(path)?)))
}

/// The checksums of all jars, one a line.
fn manifest(libs: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    for name in jars(libs)?.keys() {
        let _ = writeln!(text, "{}  libs/{name}", checksum(&libs.join(name))?);
    }
    Ok(text)
}

/// Checks that the cached files are the fetched ones.
fn verified(version: &Version, place: &Path) -> Result<Software, RigError> {
    let libs = place.join("libs");
    let changed = |what: &str| RigError::Missing {
        what: format!(
            "the cached files of Kafka {version} have changed since they were fetched: {what}"
        ),
        help: format!("remove {}: the next run fetches the files again", place.display()),
    };
    let noted = std::fs::read_to_string(place.join(MANIFEST))
        .map_err(|error| changed(&format!("{MANIFEST}: {error}")))?;
    let found = manifest(&libs).map_err(|error| changed(&error.to_string()))?;
    if noted != found {
        let different = noted.lines().find(|line| !found.lines().any(|other| other == *line));
        let added = || found.lines().find(|line| !noted.lines().any(|other| other == *line));
        let line = different.or_else(added).unwrap_or_default();
        let name = line.split_whitespace().nth(1).unwrap_or(MANIFEST);
        return Err(changed(&format!("{name} has another checksum, is missing or was added")));
    }
    if !found.contains("  libs/kafka_") {
        return Err(changed("they contain no broker"));
    }
    Ok(Software { version: version.clone(), id: id_of(&found), libs })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    fn place() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let libs = dir.path().join("libs");
        std::fs::create_dir(&libs).expect("a directory");
        for name in ["kafka_2.13-4.1.1.jar", "kafka-clients-4.1.1.jar", "notes.txt"] {
            std::fs::write(libs.join(name), name).expect("a file");
        }
        let text = manifest(&libs).expect("checksums");
        std::fs::write(dir.path().join(MANIFEST), text).expect("a file");
        dir
    }

    #[test]
    fn what_was_fetched_is_known_again() {
        let dir = place();
        let found = verified(&version("4.1.1"), dir.path()).expect("all as it was");
        assert_eq!(found.libs, dir.path().join("libs"));
        assert!(found.id.starts_with("jars-") && found.id.len() == 37, "{}", found.id);
        // In the form that other programs read.
        let text = std::fs::read_to_string(dir.path().join(MANIFEST)).expect("a file");
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.as_bytes()[64..].starts_with(b"  libs/")), "{text}");
    }

    #[test]
    fn what_changed_since_is_refused_by_name() {
        for change in ["kafka-clients-4.1.1.jar", "added.jar"] {
            let dir = place();
            std::fs::write(dir.path().join("libs").join(change), "other").expect("a file");
            let error = verified(&version("4.1.1"), dir.path()).expect_err("changed");
            assert!(error.to_string().contains(change), "{error}");
        }
        let dir = place();
        std::fs::remove_file(dir.path().join("libs/kafka_2.13-4.1.1.jar")).expect("removed");
        let error = verified(&version("4.1.1"), dir.path()).expect_err("gone").to_string();
        assert!(error.contains("libs/kafka_2.13-4.1.1.jar"), "{error}");
    }

    #[test]
    fn a_directory_of_another_version_is_refused() {
        let dir = place();
        let template = dir.path().to_str().expect("plain");
        let found = in_directory(&version("4.1.1"), template).expect("that version");
        assert_eq!(found.version, version("4.1.1"));
        let error = in_directory(&version("3.9.1"), template).expect_err("another");
        assert!(error.to_string().contains("needs Kafka 3.9.1"), "{error}");
        assert!(error.to_string().contains("holds 4.1.1"), "{error}");
        let error = in_directory(&version("3.9.1"), "/nowhere/{version}").expect_err("nothing");
        assert!(error.to_string().contains("/nowhere/3.9.1"), "{error}");
    }

    #[test]
    fn only_the_broker_tells_the_version() {
        assert_eq!(version_of("kafka_2.11-0.10.1.1.jar"), Some("0.10.1.1"));
        assert_eq!(version_of("kafka_2.11-0.10.1.1-sources.jar"), None);
        assert_eq!(version_of("kafka-clients-4.1.1.jar"), None);
        assert_eq!(version_of("kafka_2.13-4.1.1.jar.asc"), None);
    }
}
