//! The command line of a client of another program, and the file with its settings.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use kplan_dsl::value::{Acks, CommitMode, OffsetReset};

use crate::client::{
    settings::instance_of,
    spec::{Common, VerifiableConsumerSpec, VerifiableProducerSpec},
};

/// Settings of a consumer that have a flag of their own.
const FLAGS: [(&str, &str); 3] = [
    ("session.timeout.ms", "--session-timeout"),
    ("group.protocol", "--group-protocol"),
    ("partition.assignment.strategy", "--assignment-strategy"),
];
/// A killed member blocks its group that long, as kplan's own consumers do (the tool's default is 30 s).
const SESSION_TIMEOUT_MS: &str = "10000";

/// The words of a producer's command, without the file of its settings.
pub(super) fn producer(spec: &VerifiableProducerSpec, prefix: u32) -> Vec<String> {
    let of = |number: Option<u64>| number.map_or_else(|| "-1".to_owned(), |n| n.to_string());
    let acks = match spec.acks {
        Acks::None => "0",
        Acks::Leader => "1",
        Acks::All => "-1",
    };
    let mut words = spec.program.producer.clone();
    let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
    add("--topic", &spec.topic);
    add(&spec.program.flags.bootstrap, &spec.place.bootstrap);
    add("--max-messages", &of(spec.count));
    add("--throughput", &of(spec.rate));
    add("--acks", acks);
    add("--value-prefix", &prefix.to_string());
    if let Some(keys) = spec.keys {
        add("--repeating-keys", &keys.to_string());
    }
    words
}

/// The words of a consumer's command, without the file of its settings.
pub(super) fn consumer(spec: &VerifiableConsumerSpec) -> Vec<String> {
    let mut words = spec.program.consumer.clone();
    let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
    add("--topic", &spec.topic);
    add("--group-id", &spec.group);
    add(&spec.program.flags.bootstrap, &spec.place.bootstrap);
    add(
        "--reset-policy",
        match spec.from {
            OffsetReset::Earliest => "earliest",
            OffsetReset::Latest => "latest",
        },
    );
    if let Some(instance) = instance_of(&spec.instances, &spec.common) {
        add("--group-instance-id", instance);
    }
    for (key, flag) in FLAGS {
        if let Some(value) = spec.settings.get(key) {
            add(flag, value);
        }
    }
    // With the newer protocol the broker decides.
    let newer =
        spec.settings.get("group.protocol").is_some_and(|p| p.eq_ignore_ascii_case("consumer"));
    if !newer && !spec.settings.contains_key("session.timeout.ms") {
        add("--session-timeout", SESSION_TIMEOUT_MS);
    }
    words.push("--verbose".to_owned());
    if spec.commit == CommitMode::Auto {
        words.push("--enable-autocommit".to_owned());
    }
    words
}

/// A consumer's settings that have no flag.
pub(super) fn consumers_file(spec: &VerifiableConsumerSpec) -> IndexMap<String, String> {
    let isolation = ("isolation.level".to_owned(), spec.isolation.text().to_owned());
    let has_flag = |key: &str| FLAGS.iter().any(|(flagged, _)| *flagged == key);
    let own = spec.settings.iter().filter(|(key, _)| !has_flag(key));
    std::iter::once(isolation).chain(own.map(|(k, v)| (k.clone(), v.clone()))).collect()
}

/// Writes settings as a file of Java properties, readable by its owner only. None if there are no settings.
pub(super) fn write(
    common: &Common,
    settings: &IndexMap<String, String>,
) -> io::Result<Option<PathBuf>> {
    if settings.is_empty() {
        return Ok(None);
    }
    let dir = common.dir.join("clients");
    std::fs::create_dir_all(&dir)?;
    let path = dir.join(format!("{}.properties", common.file_stem()));
    write_to(&path, settings)?;
    Ok(Some(path))
}

fn write_to(path: &Path, settings: &IndexMap<String, String>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    for (key, value) in settings {
        writeln!(file, "{}={}", escaped(key, true), escaped(value, false))?;
    }
    Ok(())
}

/// A key or a value of Java properties.
fn escaped(text: &str, key: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            ' ' if key || at == 0 => out.push_str("\\ "),
            ':' | '=' if key => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            other => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(words: &[String]) -> String {
        words.join(" ")
    }

    #[test]
    fn a_producer_gets_kafkas_flags() {
        let mut spec = VerifiableProducerSpec::of_test("t", Acks::All);
        spec.program.producer = vec!["java".into(), "VerifiableProducer".into()];
        assert_eq!(
            joined(&producer(&spec, 2_000_000_005)),
            "java VerifiableProducer --topic t --bootstrap-server 127.0.0.1:1 --max-messages -1 --throughput -1 \
             --acks -1 --value-prefix 2000000005"
        );
        (spec.rate, spec.count, spec.keys, spec.acks) = (Some(100), Some(7), Some(3), Acks::Leader);
        spec.program.flags.bootstrap = "--broker-list".into();
        assert_eq!(
            joined(&producer(&spec, 2_000_000_006)),
            "java VerifiableProducer --topic t --broker-list 127.0.0.1:1 --max-messages 7 --throughput 100 \
             --acks 1 --value-prefix 2000000006 --repeating-keys 3"
        );
    }

    #[test]
    fn a_consumer_gets_kafkas_flags_and_a_file_with_the_rest() {
        let mut spec = VerifiableConsumerSpec::of_test("t");
        spec.program.consumer = vec!["vc".into()];
        assert_eq!(
            joined(&consumer(&spec)),
            "vc --topic t --group-id g --bootstrap-server 127.0.0.1:1 --reset-policy earliest --session-timeout 10000 \
             --verbose --enable-autocommit"
        );
        (spec.commit, spec.from) = (CommitMode::Sync, OffsetReset::Latest);
        spec.instances = vec!["till-1".to_owned(), "till-2".to_owned()];
        spec.common.member = 2;
        let set = |pairs: &[(&str, &str)]| -> IndexMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        spec.settings = set(&[("group.protocol", "CONSUMER"), ("max.poll.records", "10")]);
        assert_eq!(
            joined(&consumer(&spec)),
            "vc --topic t --group-id g --bootstrap-server 127.0.0.1:1 --reset-policy latest \
             --group-instance-id till-2 --group-protocol CONSUMER --verbose"
        );
        let file = set(&[("isolation.level", "read_committed"), ("max.poll.records", "10")]);
        assert_eq!(consumers_file(&spec), file);
    }

    #[test]
    fn settings_are_written_as_java_reads_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("x.properties");
        let settings = [("a.b", "x=y: z"), ("odd key", " c:\\temp\nü")];
        let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect();
        write_to(&path, &settings).expect("written");
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(text, "a.b=x=y: z\nodd\\ key=\\ c:\\\\temp\\n\\u00fc\n");
    }
}
