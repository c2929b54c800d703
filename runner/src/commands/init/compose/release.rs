//! Which Kafka an image contains, as far as its name shows it.

/// The version of Kafka, and what must be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRelease {
    /// Such as `4.1.1`.
    pub version: String,
    /// Why the version is not exactly what the image's tag says.
    pub note: Option<String>,
}

/// The release in an image; none if its name does not show it.
pub fn release_of(image: &str) -> Option<ImageRelease> {
    let image = image.split('@').next().unwrap_or_default();
    let (path, tag) = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))?;
    let name = path.rsplit('/').next().unwrap_or_default();
    match name {
        "kafka" | "kafka-native" => kafka(tag),
        "cp-kafka" | "cp-server" | "confluent-local" => confluent(tag),
        _ => None,
    }
}

/// A tag such as `4.1.1`, `3.9`, `3.9.0-debian-12-r1`, or `2.13-2.8.1`, which begins with the version of Scala.
fn kafka(tag: &str) -> Option<ImageRelease> {
    let (first, rest) = tag.split_once('-').unwrap_or((tag, ""));
    let is_scala = matches!(first, "2.10" | "2.11" | "2.12" | "2.13") && rest.contains('.');
    let text = if is_scala { rest } else { first };
    let numbers = numbers(text)?;
    let note = (numbers.len() == 2 && numbers[0] > 0)
        .then(|| format!("the tag `{text}` names no third number; kplan compares only the first two with the cluster"));
    let version = match note {
        Some(_) => format!("{text}.0"),
        None => text.to_owned(),
    };
    let released = numbers.len() == if numbers[0] == 0 { 4 } else { 3 } || note.is_some();
    released.then_some(ImageRelease { version, note })
}

/// Confluent Platform has versions of its own. Its table "Confluent Platform and Apache Kafka compatibility" gives the
/// release of Kafka for each of them.
fn confluent(tag: &str) -> Option<ImageRelease> {
    let numbers = numbers(tag.split('-').next()?)?;
    let (major, minor) = match numbers.get(..2)? {
        [5, minor @ 0..=5] => (2, *minor),
        [6, minor @ 0..=2] => (2, minor + 6),
        [7, minor @ 0..=9] => (3, *minor),
        [8, minor @ 0..=1] => (4, *minor),
        _ => return None,
    };
    let note =
        format!("Confluent Platform {}.{} contains Kafka {major}.{minor}", numbers[0], numbers[1]);
    Some(ImageRelease { version: format!("{major}.{minor}.0"), note: Some(note) })
}

/// The numbers of a version: two to four of them.
fn numbers(text: &str) -> Option<Vec<u32>> {
    let numbers: Vec<u32> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    (2..=4).contains(&numbers.len()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_show_the_release_or_nothing() {
        let version = |image| release_of(image).map(|release| release.version);
        for (image, wanted) in [
            ("apache/kafka:4.1.1", "4.1.1"),
            ("localhost:5000/apache/kafka-native:3.9.1", "3.9.1"),
            ("bitnami/kafka:3.9", "3.9.0"),
            ("bitnami/kafka:3.6.1-debian-11-r0@sha256:00", "3.6.1"),
            ("wurstmeister/kafka:2.13-2.8.1", "2.8.1"),
            ("wurstmeister/kafka:2.11-0.10.2.1", "0.10.2.1"),
            ("confluentinc/cp-kafka:7.9.1", "3.9.0"),
            ("confluentinc/cp-kafka:6.2.15-1-ubi8", "2.8.0"),
            ("confluentinc/cp-server:8.0.0", "4.0.0"),
        ] {
            assert_eq!(version(image).as_deref(), Some(wanted), "{image}");
        }
        for image in [
            "apache/kafka",
            "localhost:5000/kafka",
            "apache/kafka:latest",
            "apache/kafka:3",
            "confluentinc/cp-kafka:latest",
            "confluentinc/cp-kafka:9.9.0",
            "acme/broker:4.1.1",
        ] {
            assert_eq!(version(image), None, "{image}");
        }
        let said = |image| release_of(image).and_then(|release| release.note);
        assert_eq!(said("apache/kafka:4.1.1"), None);
        assert!(said("bitnami/kafka:3.9").is_some_and(|note| note.contains("no third number")));
        let platform = said("confluentinc/cp-kafka:7.9.1");
        assert_eq!(platform.as_deref(), Some("Confluent Platform 7.9 contains Kafka 3.9"));
    }
}
