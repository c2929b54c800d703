//! Words that other tools, and Kafka's own, use for what a plan says with another word.

/// Words of others, without case and separators, and kplan's words in the order in which they are offered.
const OTHERS: [(&[&str], &[&str]); 43] = [
    // Steps.
    (
        &["sleep", "pause", "delay", "waitfor", "waituntil", "until", "eventually", "poll"],
        &["wait"],
    ),
    (&["verify", "check", "expect", "ensure", "should", "judge", "validate"], &["assert"]),
    (&["kill", "crash", "sigkill", "killnode", "brokerkill", "terminate"], &["kill_broker"]),
    (
        &["poweroff", "powercut", "poweroutage", "powerfailure", "losepower", "blackout"],
        &["power_loss"],
    ),
    (&["clockskew", "clock", "timeskew", "timetravel", "libfaketime", "faketime"], &["skew_clock"]),
    (
        &[
            "injecterror",
            "toxiproxy",
            "proxy",
            "faultinjection",
            "dropresponse",
            "throttlerequests",
        ],
        &["disturb_requests"],
    ),
    (
        &["corrupt", "bitrot", "bitflip", "corruptfile", "damagedisk", "corruptlog"],
        &["corrupt_disk"],
    ),
    (&["ioerror", "eio", "faildisk", "diskfault", "diskfailure", "diskerror"], &["disk_errors"]),
    (&["slowio", "iodelay", "disklatency", "delaydisk", "slowfsync"], &["slow_disk"]),
    (&["stop", "shutdown", "stopnode", "terminatebroker"], &["stop_broker"]),
    (&["restart", "restartnode", "bounce", "bouncebroker"], &["restart_broker"]),
    (&["freeze", "freezebroker", "suspend", "sigstop"], &["pause_broker"]),
    (&["stopproducer", "stopconsumer", "stopservice", "closeclient"], &["stop_client"]),
    (&["killproducer", "killconsumer", "killservice"], &["kill_client"]),
    (&["pauseproducer", "pauseconsumer", "pauseservice"], &["pause_client"]),
    (&["restartproducer", "restartconsumer", "restartservice"], &["restart_client"]),
    (&["partition", "isolate", "netsplit", "splitbrain", "disconnect"], &["partition_network"]),
    (&["networkdelay", "netem", "slownetwork", "latencyfault", "packetloss"], &["degrade_network"]),
    (&["heal", "reconnect", "healpartition"], &["heal_network"]),
    (&["cluster", "startkafka", "kafka", "createcluster", "startbrokers"], &["start_cluster"]),
    (&["topic", "newtopic", "addtopic"], &["create_topic", "name", "topics"]),
    (&["deletetopics", "droptopic"], &["delete_topic"]),
    (&["producer", "runproducer", "createproducer", "load"], &["start_producer"]),
    (&["consumer", "runconsumer", "createconsumer"], &["start_consumer"]),
    (&["send", "publish", "write"], &["produce"]),
    (&["receive", "read", "subscribe"], &["consume"]),
    (&["shell", "exec", "command", "execute", "script", "cmd"], &["run", "command"]),
    (&["log", "echo", "print", "message", "comment"], &["note"]),
    (&["loop", "foreach", "times"], &["repeat"]),
    (&["measure", "report", "metrics"], &["record"]),
    // Arguments.
    (&["replicationfactor", "replication", "replicacount", "rf"], &["replicas"]),
    (&["partitioncount", "numpartitions"], &["partitions"]),
    (&["nodes", "brokercount", "size", "numbrokers", "kafkanodes"], &["brokers"]),
    (&["messages", "messagecount", "nummessages", "maxmessages", "records"], &["count"]),
    (&["throughput", "messagespersecond", "tps", "speed"], &["rate"]),
    (&["messagesize", "recordsize", "valuesize", "bytes"], &["payload"]),
    (&["duration", "time", "seconds"], &["for"]),
    (&["timeout", "timeoutms", "deadline", "atmost", "limit"], &["within"]),
    (&["groupid", "consumergroup"], &["group"]),
    (&["settings", "configs", "configuration", "properties", "options"], &["config"]),
    (&["acknowledgements", "requiredacks", "requestrequiredacks"], &["acks"]),
    (&["kafkaversion", "release", "tag"], &["version"]),
    (&["consumers", "instances", "concurrency", "threads", "parallelism"], &["members"]),
];

/// kplan's word for a word of other tools, if it is one of `known`.
pub(super) fn of_others<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Option<&'a str> {
    let plain: String =
        word.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let (_, own) = OTHERS.iter().find(|(words, _)| words.contains(&plain.as_str()))?;
    own.iter().find_map(|own| known.clone().into_iter().find(|known| known == own))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{args::WordInfo, conditions::Condition, steps::Verb};

    #[test]
    fn a_word_of_another_tool_has_one_of_ours() {
        let steps = ["wait", "assert", "create_topic"];
        assert_eq!(of_others("sleep", steps), Some("wait"));
        assert_eq!(of_others("wait-for", steps), Some("wait"));
        assert_eq!(of_others("topic", steps), Some("create_topic"));
        assert_eq!(of_others("replicationFactor", ["name", "replicas"]), Some("replicas"));
        assert_eq!(of_others("topic", ["name", "replicas"]), Some("name"));
        assert_eq!(of_others("topic", ["replicas"]), None, "there is no such word here");
        assert_eq!(of_others("nonsense", steps), None);
    }

    #[test]
    fn no_word_stands_twice_and_each_own_word_is_in_the_language() {
        let words: Vec<&str> = OTHERS.iter().flat_map(|(words, _)| words.iter().copied()).collect();
        let distinct: BTreeSet<&str> = words.iter().copied().collect();
        assert_eq!(words.len(), distinct.len());
        let keys = |info: &WordInfo| (info.fields)().into_iter().map(|field| field.key);
        let infos = || Verb::ALL.iter().chain(Condition::ALL);
        let of_language: BTreeSet<&str> =
            infos().flat_map(|info| keys(info).chain([info.word])).collect();
        let own: BTreeSet<&str> = OTHERS.iter().flat_map(|(_, own)| own.iter().copied()).collect();
        let strange: Vec<_> = own.difference(&of_language).collect();
        assert!(strange.is_empty(), "{strange:?}");
    }
}
