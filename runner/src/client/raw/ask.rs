//! Asks librdkafka whether it accepts settings, without any broker.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use indexmap::IndexMap;
use rdkafka_sys as sys;

use super::{ClientType, Conf, NotSet};

/// Settings that are not tried out together before a run: they lead to brokers, read files, run programs, act
/// on this process or start a cluster of librdkafka's own.
const NOT_TRIED: [&str; 13] = [
    "plugin.",
    "bootstrap.servers",
    "metadata.broker.list",
    "client.dns.lookup",
    "security.protocol",
    "debug",
    "ssl.",
    "sasl.",
    "https.",
    "enable.ssl.",
    "enable.sasl.",
    "internal.",
    "test.",
];

/// Whether librdkafka has this setting and accepts this value. Not to be called for settings that run programs:
/// some run as soon as they are set.
pub(crate) fn takes(key: &str, value: &str) -> Result<(), NotSet> {
    Conf::empty().map_err(|why| NotSet::Value(why.0))?.set(key, value)
}

/// Whether a client starts with these settings, except those that are not tried: a client without brokers is
/// created and destroyed. Else librdkafka's error text.
pub(crate) fn takes_together(
    kind: ClientType,
    settings: &IndexMap<String, String>,
) -> Result<(), String> {
    type Known = HashMap<(ClientType, Vec<(String, String)>), Result<(), String>>;
    static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
    let tried = |key: &str| {
        NOT_TRIED.iter().all(|one| key != *one && !(one.ends_with('.') && key.starts_with(one)))
    };
    let settings: IndexMap<String, String> =
        settings.iter().filter(|(k, _)| tried(k)).map(|(k, v)| (k.clone(), v.clone())).collect();
    let key = (kind, settings.iter().map(|(k, v)| (k.clone(), v.clone())).collect());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(answer) = known().get(&key) {
        return answer.clone();
    }
    let answer = start(kind, &settings);
    known().insert(key, answer.clone());
    answer
}

fn start(kind: ClientType, settings: &IndexMap<String, String>) -> Result<(), String> {
    let conf = Conf::new(settings).map_err(|why| why.0)?;
    // SAFETY: the configuration is alive and ours; the instance is ours, and destroyed at once.
    unsafe {
        // Suppresses the message that there are no brokers.
        sys::rd_kafka_conf_set_log_cb(conf.0.as_ptr(), None);
        let rk = conf.start(kind).map_err(|why| why.0)?;
        sys::rd_kafka_destroy_flags(rk.as_ptr(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{io::ErrorKind, net::TcpListener};

    use super::*;
    use crate::client::table;

    fn settings(pairs: &[(&str, &str)]) -> IndexMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn each_way_to_refuse_one_setting() {
        assert!(matches!(takes("linger.mss", "5"), Err(NotSet::Unknown)));
        for (key, value) in
            [("socket.timeout.ms", "soon"), ("socket.timeout.ms", "1"), ("check.crcs", "maybe")]
        {
            let Err(NotSet::Value(why)) = takes(key, value) else { panic!("{key}={value}") };
            assert!(why.contains(key), "{why}");
        }
        assert!(takes("linger.ms", "5").is_ok() && takes("client.id", "a\0b").is_err());
    }

    #[test]
    fn what_only_a_start_shows() {
        let both = [("group.id", "g"), ("session.timeout.ms", "20000")];
        let fits = settings(&[&both[..], &[("max.poll.interval.ms", "20000")]].concat());
        let not = settings(&[&both[..], &[("max.poll.interval.ms", "10000")]].concat());
        assert_eq!(takes_together(ClientType::Consumer, &fits), Ok(()));
        for _ in 0..2 {
            let why = takes_together(ClientType::Consumer, &not).unwrap_err();
            assert!(why.contains("max.poll.interval.ms"), "{why}");
        }
        let many = [("enable.idempotence", "true"), ("max.in.flight", "6")];
        assert!(takes_together(ClientType::Producer, &settings(&many)).is_err());
    }

    #[test]
    fn nobody_is_connected_and_no_file_is_read() {
        let trap = TcpListener::bind("127.0.0.1:0").expect("a port");
        trap.set_nonblocking(true).expect("set");
        let address = trap.local_addr().expect("bound").to_string();
        let hostile = [
            ("bootstrap.servers", address.as_str()),
            ("plugin.library.paths", "/nowhere/at/all.so"),
            ("security.protocol", "plaintext"),
            ("ssl.ca.location", "/dev/zero"),
            ("sasl.mechanism", "PLAIN"),
            ("internal.termination.signal", "15"),
        ];
        for kind in [ClientType::Producer, ClientType::Consumer] {
            assert_eq!(takes_together(kind, &settings(&hostile)), Ok(()));
        }
        let nobody = trap.accept().map(drop).unwrap_err();
        assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn the_names_of_the_table_are_known_to_librdkafka() {
        let names = || table::settings().keys();
        for name in ["linger.ms", "queue.buffering.max.ms", "acks", "auto.offset.reset"] {
            assert!(names().any(|n| n == name), "{name} of {}", names().len());
        }
        let safe = |name: &&String| !kplan_dsl::value::Settings::runs_program(name);
        for name in names().filter(safe) {
            assert!(!matches!(takes(name, ""), Err(NotSet::Unknown)), "{name}");
        }
    }
}
