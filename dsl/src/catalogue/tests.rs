use super::SettingOf::{Broker, Topic};
use super::*;
use crate::value::TESTED;

fn at(version: &str) -> SettingsAt {
    Catalogue::of_kafka().version_of(version).unwrap_or_else(|| panic!("{version}"))
}

fn must(version: &str, of: SettingOf, name: &str, value: &str) -> Option<String> {
    at(version).get(of, name).unwrap_or_else(|| panic!("{name}")).refuses(value).map(|b| b.must)
}

#[test]
fn the_files_are_read_and_hold_every_version_that_kplan_is_tested_with() {
    let kafka = Catalogue::of_kafka();
    assert!(kafka.versions.len() > 25 && kafka.broker.len() > 400, "{:?}", kafka.versions);
    assert!(kafka.topic.len() > 30 && kafka.java_names().len() > 150);
    assert!(kafka.combinations.len() > 30 && Catalogue::of_librdkafka().settings.len() > 150);
    for version in TESTED.into_iter().chain(["1.1.1", "2.8.2", "4.4.0"]) {
        let at = at(version);
        assert!(at.get(Topic, "retention.ms").is_some() && at.names(Broker).count() > 100);
        assert!(kafka.versions.iter().any(|read| read == version), "{version} itself was read");
    }
}

#[test]
fn every_era_is_of_a_version_that_was_read_and_takes_its_own_default() {
    let kafka = Catalogue::of_kafka();
    let minors: Vec<Vec<u32>> =
        kafka.versions.iter().map(|version| minor(&numbers(version)).to_vec()).collect();
    assert!(minors.is_sorted() && minors.len() > 25, "oldest first: {minors:?}");
    for of in [Broker, Topic] {
        assert!(!kafka.settings(of).is_empty());
        for (name, setting) in kafka.settings(of) {
            assert!(setting.newest().is_some(), "{name}");
            for era in &setting.eras {
                assert!(minors.contains(&numbers(&era.since)), "{name} {era:?}");
                assert!(era.until.iter().all(|until| minors.contains(&numbers(until))), "{name}");
                let preset = era.default.as_deref();
                assert_eq!(preset.and_then(|value| era.refuses(value)), None, "{name} {era:?}");
            }
        }
    }
}

#[test]
fn settings_come_and_go_with_versions() {
    let old = "log.message.format.version";
    assert!(at("3.9.1").get(Broker, old).is_some() && at("4.0.0").get(Broker, old).is_none());
    let went = at("4.1.1").elsewhere(Broker, old).expect("it was there");
    assert_eq!(went, "Kafka 3.9 was the last version that had it");
    let came = at("3.5.0").elsewhere(Topic, "remote.log.copy.disable").expect("it came");
    assert_eq!(came, "Kafka 3.9 is the first version that has it");
    assert_eq!(at("4.1.1").elsewhere(Broker, "no.such"), None);
    for unknown in ["7.5.0-ccs", "4.1", "0.10.0.1", "5.0.0", "latest", "3.10.0"] {
        assert!(Catalogue::of_kafka().version_of(unknown).is_none(), "{unknown}");
    }
    let default =
        |version| at(version).get(Topic, "max.message.bytes").and_then(|era| era.default.clone());
    assert_eq!(default("2.4.0").as_deref(), Some("1000012"));
    assert_eq!(default("2.5.0").as_deref(), Some("1048588"));
}

#[test]
fn values_are_what_kafka_takes() {
    let topic = |name: &str, value: &str| must("4.1.1", Topic, name, value);
    assert_eq!(topic("min.insync.replicas", "two").as_deref(), Some("must be a whole number"));
    assert_eq!(topic("min.insync.replicas", "0").as_deref(), Some("must be at least 1"));
    assert_eq!(topic("retention.ms", "-1"), None);
    assert_eq!(
        topic("retention.ms", "99999999999999999999").as_deref(),
        Some("must be between -1 and 9223372036854775807")
    );
    assert_eq!(
        topic("segment.bytes", "3000000000").as_deref(),
        Some("must be between 1048576 and 2147483647")
    );
    assert_eq!(
        topic("cleanup.policy", "compacted").as_deref(),
        Some("must be `compact` or `delete`")
    );
    assert_eq!(topic("cleanup.policy", "compact, delete"), None);
    assert_eq!(topic("preallocate", "TRUE"), None);
    assert_eq!(topic("preallocate", "yes").as_deref(), Some("must be `true` or `false`"));
    assert_eq!(
        topic("min.cleanable.dirty.ratio", "1.5").as_deref(),
        Some("must be between 0 and 1")
    );
    assert_eq!(topic("min.cleanable.dirty.ratio", "0.5d"), None);
    assert_eq!(topic("compression.gzip.level", "-1"), None);
    assert_eq!(
        topic("compression.gzip.level", "0").as_deref(),
        Some("must be between 1 and 9, or -1")
    );
    let broker = |name: &str, value: &str| must("4.1.1", Broker, name, value);
    assert_eq!(broker("log.roll.ms", "0").as_deref(), Some("must be a number that brokers accept"));
    assert_eq!(broker("num.io.threads", "0").as_deref(), Some("must be at least 1"));
    assert_eq!(broker("group.consumer.migration.policy", "upgrade"), None);
    assert_eq!(broker("ssl.keystore.password", "anything"), None);
    let levels = at("3.5.0").get(Topic, "compression.gzip.level");
    assert_eq!((levels, must("4.0.0", Topic, "segment.bytes", "14")), (None, None));
    let near = at("4.1.1").get(Topic, "cleanup.policy").and_then(|era| era.refuses("compacted"));
    assert_eq!(near.and_then(|b| b.nearest).as_deref(), Some("compact"));
}

#[test]
fn combinations_are_judged_with_the_defaults_of_what_is_not_given() {
    let broken = |version: &str, of: SettingOf, pairs: &[(&str, &str)]| {
        let given = |name: &str| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let all = at(version).combinations(of, &given);
        all.iter().map(|b| format!("{} {} {}", b.lower, b.must, b.upper)).collect::<Vec<_>>()
    };
    let lag = ["replica.fetch.wait.max.ms at most replica.lag.time.max.ms"];
    assert_eq!(broken("4.1.1", Broker, &[("replica.lag.time.max.ms", "400")]), lag);
    assert!(broken("4.1.1", Broker, &[("replica.lag.time.max.ms", "500")]).is_empty());
    let both = [("replica.lag.time.max.ms", "400"), ("replica.fetch.wait.max.ms", "300")];
    assert!(broken("0.10.1.1", Broker, &both).is_empty());
    let idle = ["connection.failed.authentication.delay.ms less than connections.max.idle.ms"];
    assert_eq!(broken("4.1.1", Broker, &[("connections.max.idle.ms", "100")]), idle);
    assert!(broken("2.0.1", Broker, &[("connections.max.idle.ms", "100")]).is_empty(), "since 2.1");
    assert!(broken("4.1.1", Broker, &[("queued.max.request.bytes", "0")]).is_empty(), "no limit");
    let lags = [("min.compaction.lag.ms", "9"), ("max.compaction.lag.ms", "8")];
    assert_eq!(
        broken("4.1.1", Topic, &lags),
        ["min.compaction.lag.ms at most max.compaction.lag.ms"]
    );
    assert!(broken("4.1.1", Topic, &[]).is_empty() && broken("4.1.1", Broker, &[]).is_empty());
}

#[test]
fn topics_and_brokers_have_settings_of_other_names() {
    assert_eq!(at("4.1.1").topic_setting("log.retention.ms"), Some("retention.ms"));
    assert_eq!(at("0.10.1.1").topic_setting("message.max.bytes"), Some("max.message.bytes"));
    let era = at("4.4.0").get(Topic, "retention.ms").and_then(|era| era.broker.as_deref());
    assert_eq!(era, Some("log.retention.ms"));
    let names = |of| at("4.1.1").names(of).collect::<Vec<_>>();
    let meant = |name: &&str| !name.starts_with("internal.") && !name.starts_with("unstable.");
    assert!(names(Topic).len() > 25 && names(Broker).iter().all(meant));
}

#[test]
fn dynamic_settings_and_deprecated_ones() {
    let broker = |version, name| at(version).get(Broker, name).expect(name);
    let dynamic = |version, name| broker(version, name).dynamic.as_deref();
    assert_eq!(dynamic("4.1.1", "background.threads"), Some("cluster-wide"));
    assert_eq!(dynamic("4.1.1", "ssl.keystore.location"), Some("per-broker"));
    assert_eq!(dynamic("1.0.2", "background.threads"), None);
    assert_eq!(dynamic("4.1.1", "process.roles"), None);
    let format = at("3.9.1").get(Topic, "message.format.version").expect("until 4.0");
    assert!(format.deprecated);
    assert!(!broker("3.9.1", "num.io.threads").deprecated);
    let documented = |name: &str| Catalogue::of_kafka().broker[name].doc.as_str();
    assert!(documented("num.io.threads").starts_with("The number of threads"));
}

#[test]
fn names_of_java_lead_to_names_that_librdkafka_has() {
    let library = &Catalogue::of_librdkafka().settings;
    let missing: Vec<&str> = Catalogue::of_kafka()
        .java_names()
        .into_iter()
        .filter(|name| !library.contains_key(*name))
        .collect();
    assert!(missing.len() > 60, "{missing:?}");
    let mut named = 0;
    for java in missing {
        let help = librdkafka_instead(java).unwrap_or_else(|| panic!("{java}"));
        for word in help.split('`').skip(1).step_by(2) {
            named += 1;
            assert!(library.contains_key(word), "{java}: {help}");
        }
    }
    assert!(named >= 20, "{named}");
    let memory = librdkafka_instead("buffer.memory").expect("a name of Java's");
    assert!(memory.contains("`queue.buffering.max.kbytes`"), "{memory}");
    assert_eq!(librdkafka_instead("nonsense.key"), None);
}
