//! What the backend `local` needs: Java, and Kafka's jars or Maven to fetch them.

use kplan_dsl::value::TESTED;

use super::{Health, Line};
use crate::cluster::{RigError, Version, local};

/// Looks for it. Nothing is fetched.
pub async fn look(kafka_dir: Option<&str>) -> Vec<Line> {
    let mut lines = vec![match local::find_java().await {
        Ok(java) => Line::good("local: Java", java.version),
        Err(error) => Line::missing("local: Java", &error),
    }];
    let versions: Vec<Version> = TESTED.iter().filter_map(|text| text.parse().ok()).collect();
    if let Some(dir) = kafka_dir {
        lines.push(given(dir, &versions).await);
        return lines;
    }
    let there: Vec<&Version> = versions.iter().filter(|v| local::cached(v).is_some()).collect();
    let names: Vec<String> = there.iter().map(ToString::to_string).collect();
    match local::can_fetch().await {
        Ok(maven) => lines.push(Line::good("local: Maven", maven)),
        // What is in the cache serves without it.
        Err(error) if there.is_empty() => lines.push(Line::missing("local: Maven", &error)),
        Err(error) => {
            lines.push(Line { state: Health::Lacks, ..Line::missing("local: Maven", &error) });
        }
    }
    let found = match names.is_empty() {
        true => "none yet: fetched at the first run".to_owned(),
        false => format!("{} in the cache", names.join(", ")),
    };
    lines.push(Line::good("local: Kafka", found));
    lines
}

/// A directory that the user names: some version must be in it.
async fn given(dir: &str, versions: &[Version]) -> Line {
    let mut found = Vec::new();
    let mut refusal: Option<RigError> = None;
    for version in versions {
        match local::find_software(version, Some(dir), "").await {
            Ok(software) => found.push(software.version.to_string()),
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        Some(error) if found.is_empty() => Line::missing("local: Kafka", &error),
        _ => Line::good("local: Kafka", format!("{} in {dir}", found.join(", "))),
    }
}
