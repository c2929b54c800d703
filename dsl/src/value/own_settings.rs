//! Settings that kplan sets itself, in brokers and in its clients, and that a plan therefore cannot set.

use super::Settings;
use crate::diagnostic::{Code, Diagnostic};
use crate::read::Reader;

/// Settings that kplan sets in each of its clients, with the reason. A plan's value would be ignored or make counts
/// wrong.
const OWN: &[(&str, &str)] = &[
    ("bootstrap.servers", "clients connect to the plan's cluster"),
    ("metadata.broker.list", "clients connect to the plan's cluster"),
    ("delivery.report.only.error", "kplan counts each acknowledgement"),
    ("internal.termination.signal", "kplan handles signals itself"),
    ("test.mock.num.brokers", "clients connect to the plan's cluster"),
];

/// Settings that it also sets in clients whose messages it numbers and follows.
const NUMBERED: &[(&str, &str)] = &[
    (
        "partitioner",
        "kplan chooses the partition itself, so that its sequence numbers have no gaps",
    ),
    ("enable.auto.offset.store", "kplan stores an offset after it has recorded the delivery"),
    (
        "enable.partition.eof",
        "kplan uses the end of a partition to see that a consumer has caught up",
    ),
    ("auto.offset.reset", "kplan resets the position itself and records that it did"),
    ("auto.commit.enable", "it is an old name of `enable.auto.commit`"),
];

/// Settings that kplan sets in each broker: without them it could not reach it, or would not find its data.
const OWN_OF_BROKERS: &[(&str, &str)] = &[
    ("advertised.host.name", ADDRESSES),
    ("advertised.listeners", ADDRESSES),
    ("advertised.port", ADDRESSES),
    ("broker.id", NUMBERS),
    ("control.plane.listener.name", ADDRESSES),
    ("controller.listener.names", ADDRESSES),
    ("controller.quorum.bootstrap.servers", VOTERS),
    ("controller.quorum.voters", VOTERS),
    ("host.name", ADDRESSES),
    ("inter.broker.listener.name", ADDRESSES),
    ("listener.security.protocol.map", ADDRESSES),
    ("listeners", ADDRESSES),
    ("log.dir", DISKS),
    ("log.dirs", DISKS),
    ("metadata.log.dir", DISKS),
    ("node.id", NUMBERS),
    ("port", ADDRESSES),
    ("process.roles", VOTERS),
    ("security.inter.broker.protocol", ADDRESSES),
    ("zookeeper.connect", "write `mode: zookeeper`: kplan starts ZooKeeper itself"),
];
const ADDRESSES: &str =
    "kplan chooses the addresses; `security` says how clients log in and what is encrypted";
const NUMBERS: &str = "brokers are numbered from `first_broker`, controllers of their own from 101";
const VOTERS: &str = "`brokers` and `controllers` say which nodes there are";
const DISKS: &str = "kplan gives each broker one directory, and finds its data there";

impl Settings {
    /// Refuses settings that kplan sets in each broker.
    pub(crate) fn check_broker(&self, reader: &mut Reader) {
        self.refuse_own(OWN_OF_BROKERS, reader);
    }

    /// Refuses settings of a client that sends given messages: settings that run programs, settings that are
    /// arguments of the step (`said`, with what to write instead), and settings that kplan sets in each client.
    pub(crate) fn check_sender(&self, said: &[(&str, &str)], reader: &mut Reader) {
        self.refuse_programs(reader);
        self.refuse(said, &[], reader);
    }

    /// The same for a client whose messages kplan numbers and follows.
    pub(crate) fn check_client(&self, said: &[(&str, &str)], reader: &mut Reader) {
        self.refuse_programs(reader);
        self.refuse(said, NUMBERED, reader);
    }

    /// Refuses settings of a client of another program that are arguments of the step.
    pub(crate) fn check_program(&self, said: &[(&str, &str)], reader: &mut Reader) {
        self.refuse(said, &[], reader);
    }

    /// The same for a backend file, in which settings that run programs are allowed.
    pub(crate) fn check_backend(&self, said: &[(&str, &str)], reader: &mut Reader) {
        self.refuse(said, NUMBERED, reader);
    }

    fn refuse(&self, said: &[(&str, &str)], more: &[(&str, &str)], reader: &mut Reader) {
        let own: Vec<(&str, &str)> = said.iter().chain(OWN).chain(more).copied().collect();
        self.refuse_own(&own, reader);
    }

    fn refuse_own(&self, own: &[(&str, &str)], reader: &mut Reader) {
        for (key, _) in &self.0 {
            if let Some((_, help)) = own.iter().find(|(own, _)| *own == key.value) {
                let message = format!("`{key}` cannot be set here: kplan sets it");
                reader.push(Diagnostic::new(Code::E016, key.span, message).help(*help));
            }
        }
    }

    /// Refuses settings that run programs, unless commands are allowed.
    fn refuse_programs(&self, reader: &mut Reader) {
        for (key, _) in self.0.iter().filter(|(key, _)| Self::runs_program(key)) {
            reader.needs_allow_run(
                &format!("`{key}` runs a program on this machine, which"),
                key.span,
            );
        }
    }
}
