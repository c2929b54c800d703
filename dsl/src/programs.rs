//! Programs that are clients of Kafka, as a plan declares them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::meaning::{Meaning, put};

/// A program that is a client of Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientProgram {
    /// The program and its arguments, as a producer.
    pub producer: Vec<String>,
    /// The same as a consumer.
    pub consumer: Vec<String>,
    /// The image in whose containers it runs; none: on the machine that kplan runs on.
    pub image: Option<String>,
    /// Additional environment variables.
    pub env: Vec<(String, String)>,
    /// Names of flags.
    pub flags: ProgramFlags,
    /// The line `{"stop": true}` on its standard input ends it, and not SIGTERM.
    #[serde(default)]
    pub stdin: bool,
}

/// The names of flags that differ between versions of Kafka's tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramFlags {
    /// The brokers' addresses.
    pub bootstrap: String,
    /// The file with settings, for a producer.
    pub producer_config: String,
    /// The same for a consumer.
    pub consumer_config: String,
    /// The run's seed; none: it gets none.
    #[serde(default)]
    pub seed: Option<String>,
}

impl Default for ProgramFlags {
    fn default() -> Self {
        Self {
            bootstrap: "--bootstrap-server".to_owned(),
            producer_config: "--producer.config".to_owned(),
            consumer_config: "--consumer.config".to_owned(),
            seed: None,
        }
    }
}

impl Meaning for ClientProgram {
    fn meaning(&self) -> Value {
        let mut map = serde_json::Map::new();
        for (key, command) in [("producer", &self.producer), ("consumer", &self.consumer)] {
            if !command.is_empty() {
                put(&mut map, key, command.meaning());
            }
        }
        put(&mut map, "image", self.image.meaning());
        let env = self.env.iter().map(|(name, value)| (name.clone(), Value::from(value.clone())));
        put(&mut map, "env", Value::Object(env.collect()));
        let ProgramFlags { bootstrap, producer_config, consumer_config, seed } = &self.flags;
        let mut flags = serde_json::Map::new();
        for (key, flag) in [
            ("bootstrap", Some(bootstrap)),
            ("producer_config", Some(producer_config)),
            ("consumer_config", Some(consumer_config)),
            ("seed", seed.as_ref()),
        ] {
            put(&mut flags, key, flag.map_or(Value::Null, |flag| flag.as_str().into()));
        }
        put(&mut map, "flags", Value::Object(flags));
        put(&mut map, "stop", Value::from(if self.stdin { "stdin" } else { "signal" }));
        Value::Object(map)
    }
}

/// The clients of a plan or fragment, by name.
pub(crate) type Programs = BTreeMap<String, Option<Arc<ClientProgram>>>;

#[cfg(test)]
mod tests {
    use super::ProgramFlags;

    #[test]
    fn the_flags_are_those_of_kafka_4_1() {
        let flags = ProgramFlags::default();
        let all = [flags.bootstrap, flags.producer_config, flags.consumer_config];
        assert_eq!(all, ["--bootstrap-server", "--producer.config", "--consumer.config"]);
        assert_eq!(flags.seed, None, "Kafka's tools know no seed");
    }
}
